"""Levels at the command line: what outcomes speak for, who may raise what, and that each word is on the record."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.cli import policy_levels
from agent.domain.cluster import node_ref

ASK = "policy_data: {autonomy: {default: act_with_approval}}\n"
WHY = ("--reason", "as agreed")


def call(*arguments: str) -> Any:
    return CliRunner().invoke(policy_levels.app, list(arguments))


@pytest.fixture
def asking(site: Any) -> Any:
    site.config.write_text(site.config.read_text() + ASK)
    return site


def cordoned(site: Any, times: int, *, failed: int = 0, since_days: int = 20) -> None:
    """So many cordons were executed and verified, the first of them so long ago."""
    first = datetime.now(UTC) - timedelta(days=since_days)
    for number in range(times + failed):
        target, proposal = node_ref(f"gpu-{number}").json_object(), f"inc-{number}/0"
        about = {"action": "cordon_node", "proposal": proposal, "incident": f"inc-{number}"}
        at = first + timedelta(minutes=number)
        site.log.append("intent", actor="watchkeeper", at=at, attributes=about, payload={
            **about, "target": target, "blast_radius": {"nodes": [f"gpu-{number}"], "gangs": [], "workloads": []},
        })  # fmt: skip
        site.log.append("outcome", actor="watchkeeper", at=at, attributes=about, payload={
            **about, "outcome": "succeeded", "final": True,
        })  # fmt: skip
        site.log.append("verification", actor="watchkeeper", at=at, attributes=about, payload={
            **about, "helped": number < times,
        })  # fmt: skip


def listed() -> dict[str, Any]:
    (row,) = json.loads(call("--json").stdout)["levels"]
    return dict(row)


def changes(site: Any) -> list[str]:
    return [record.payload["change"] for record in site.log.query(kind="level_changed")]


def test_outcomes_speak_for_more_and_a_person_grants_it(asking: Any) -> None:
    cordoned(asking, 40)
    assert listed()["promotion"] == {"to": "act", "lacks": []}
    told = call().stdout
    assert "40 helped, 0 did not" in " ".join(told.split()) and max(map(len, told.splitlines())) <= 80
    assert call("grant", "cordon_node", "--as", "dana", *WHY).exit_code == 0
    assert (listed()["files"], listed()["level"]) == ("act_with_approval", "act")
    (record,) = asking.log.query(kind="level_changed")
    assert record.payload["evidence"] == {"succeeded": 40, "failed": 0, "bound": 0.9124}
    assert (record.payload["from"], record.payload["to"], record.payload["by"]) == ("act_with_approval", "act", "dana")


@pytest.mark.parametrize(
    ("times", "days", "lacks"),
    [(12, 20, "12 of 30 trials"), (40, 3, "3 of 14 days"), (33, 20, "bound 0.896, needed 0.900")],
)
def test_without_the_evidence_nothing_is_granted(asking: Any, times: int, days: int, lacks: str) -> None:
    cordoned(asking, times, since_days=days)
    refused = call("grant", "cordon_node", "--as", "dana", *WHY)
    assert refused.exit_code == 4 and lacks in refused.stderr
    assert changes(asking) == []


def test_failures_weigh(asking: Any) -> None:
    cordoned(asking, 40, failed=4)
    assert listed()["promotion"]["lacks"] == ["bound 0.788, needed 0.900"]


def test_what_acts_already_or_may_only_suggest_has_nothing_to_grant(site: Any) -> None:
    cordoned(site, 40)
    refused = call("grant", "cordon_node", "--as", "dana", *WHY)
    assert refused.exit_code == 4 and "not at act_with_approval" in refused.stderr


@pytest.mark.parametrize("raising", [["grant", "cordon_node"], ["restore", "cordon_node"], ["thaw"], ["reset-breaker"]])
def test_raising_is_for_those_whom_the_limits_name(asking: Any, raising: list[str]) -> None:
    cordoned(asking, 40)
    refused = call(*raising, "--as", "alice", *WHY)
    assert refused.exit_code == 4 and "alice is in none of the groups that may raise a level" in refused.stderr
    stranger = call(*raising, "--as", "mallory", *WHY)
    assert stranger.exit_code == 4
    assert changes(asking) == []


def test_anybody_whom_the_settings_know_may_lower(asking: Any) -> None:
    assert call("demote", "drain_node", "--to", "suggest", "--as", "alice", *WHY).exit_code == 0
    assert (listed()["action"], listed()["level"]) == ("drain_node", "suggest")
    assert call("demote", "drain_node", "--to", "act", "--as", "alice", *WHY).exit_code == 2
    assert call("demote", "drane_node", "--as", "alice", *WHY).exit_code == 2
    assert call("restore", "drain_node", "--as", "dana", *WHY).exit_code == 0
    assert changes(asking) == ["demoted", "withdrawn"]


def test_an_action_is_called_wrong_by_its_proposal(asking: Any) -> None:
    cordoned(asking, 2)
    assert call("wrong", "inc-0/0", "--as", "alice", *WHY).exit_code == 0
    assert (listed()["succeeded"], listed()["failed"]) == (1, 1)
    missing = call("wrong", "inc-99/0", "--as", "alice", *WHY)
    assert missing.exit_code == 1 and "No action of inc-99/0 was executed" in missing.stderr


def test_a_freeze_needs_a_login_only_and_is_shown(asking: Any) -> None:
    assert call("freeze", *WHY).exit_code == 0
    assert "Frozen since" in call().stdout
    assert call("thaw", "--as", "dana", *WHY).exit_code == 0
    assert "Frozen" not in call().stdout
    (asking.path.parent / "watchkeeper.freeze").touch()
    assert "Frozen:" in call().stdout


# --- of several tenants ---------------------------------------------------------------------------------------------


def requeued(site: Any, tenant: str, times: int, *, failed: int = 0) -> None:
    first = datetime.now(UTC) - timedelta(days=20)
    for number in range(times + failed):
        incident = f"inc-{tenant}-{number}"
        about = {"action": "requeue_gang", "proposal": f"{incident}/0", "incident": incident, "tenant": tenant}
        target = {"apiVersion": "batch/v1", "kind": "Job", "namespace": tenant, "name": f"job-{number}"}
        told = {
            "intent": {
                "target": target,
                "blast_radius": {"nodes": [], "gangs": [f"Job/{tenant}/job"], "workloads": []},
            },
            "outcome": {"outcome": "succeeded", "final": True},
            "verification": {"helped": number < times},
        }
        for kind, more in told.items():
            at = first + timedelta(minutes=number)
            site.log.append(kind, actor="watchkeeper", at=at, attributes=about, payload={**about, **more})


def test_one_tenants_outcomes_carry_nothing_for_another(asking: Any) -> None:
    """Together they would: 102 of 105 is a bound of 0.92."""
    requeued(asking, "research", 100)
    requeued(asking, "vision", 2, failed=3)
    refused = call("grant", "requeue_gang", "--as", "dana", *WHY)
    assert refused.exit_code == 4 and "vision: 5 of 30 trials" in " ".join(refused.stderr.split())
    assert changes(asking) == []
    assert call("grant", "requeue_gang", "--tenant", "research", "--as", "dana", *WHY).exit_code == 0
    levels = {row["tenant"]: row["level"] for row in json.loads(call("--json").stdout)["levels"]}
    assert levels == {"research": "act", "vision": "act_with_approval"}


def test_a_grant_without_a_tenant_names_each_and_reaches_nobody_else(asking: Any) -> None:
    requeued(asking, "research", 40)
    requeued(asking, "vision", 50)
    assert call("grant", "requeue_gang", "--as", "dana", *WHY).exit_code == 0
    granted = [record.payload for record in asking.log.query(kind="level_changed")]
    assert [(each["tenant"], each["evidence"]["succeeded"]) for each in granted] == [("research", 40), ("vision", 50)]


def test_what_belongs_to_no_tenant_is_not_granted_along_with_those_that_do(asking: Any) -> None:
    """A level for it would be one for every tenant, also for whom nothing was ever done."""
    requeued(asking, "research", 40)
    requeued(asking, "", 40)
    assert call("grant", "requeue_gang", "--as", "dana", *WHY).exit_code == 0
    assert [record.payload["tenant"] for record in asking.log.query(kind="level_changed")] == ["research"]
