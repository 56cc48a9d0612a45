"""A bundle that has lost something decides all the same: what is lost is told, and what must not be lost is refused."""

import shutil
from pathlib import Path

import pytest

from agent.adapters.gate import in_words, policies_for
from agent.adapters.gate.difference import difference
from agent.adapters.gate.reload import PoliciesInForce, Reloaded
from agent.adapters.gate.trial import ordinary, try_out, while_frozen
from agent.adapters.rego.bundle import read_bundle
from agent.config import Settings
from agent.ports import PolicyUnavailable
from agent.resources import bundled
from tests.agent.rego.bundles import GUARDRAIL, RULE, shipped
from tests.policies.inputs import cordon, namespaced

ACT = {"autonomy": {"default": "act"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shipped(tmp_path)


@pytest.fixture
def policies(folder: Path) -> PoliciesInForce:
    return policies_for(Settings(policies=folder, policy_data=ACT))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def reloaded(policies: PoliciesInForce) -> Reloaded:
    assert policies.reload() is None
    told = policies.reload()
    assert told is not None
    return told


def test_a_guardrail_that_is_gone_is_named_in_the_record_and_at_the_door(
    policies: PoliciesInForce, folder: Path
) -> None:
    shutil.rmtree(folder / "guardrails" / "protected")
    told = reloaded(policies)
    assert told.fault is None
    assert told.told["lost"]["reasons"] == ["protected.namespace", "protected.opt_out"]
    assert "watchkeeper.guardrails.protected.deny" in told.told["lost"]["rules"]
    assert "added" not in told.told
    shown = policies.details()["policies"]
    assert isinstance(shown, dict)
    assert (shown["digest"], shown["lost"]) == (policies.digest, told.told["lost"])
    assert in_words(told.told).startswith("lost: reasons protected.namespace, protected.opt_out; rules ")


def test_a_limit_that_is_gone_is_named_by_its_member(policies: PoliciesInForce, folder: Path) -> None:
    limits = folder / "data" / "limits.yaml"
    edit(limits, "[kube-system, gpu-operator,", "[gpu-operator,")
    edit(limits, "evidence: 5m", "evidence: 10m")
    told = reloaded(policies).told
    assert told["lost"] == {"limits": ["protected.namespaces[kube-system]"]}
    assert told["changed"] == {"limits": ["freshness.evidence"]}


def test_what_is_new_and_what_is_other_is_named(policies: PoliciesInForce, folder: Path) -> None:
    room = folder / "guardrails" / "site"
    room.mkdir()
    (room / "site.rego").write_text(GUARDRAIL + RULE + "input.facts.nodes.total > 100\n")
    edit(folder / "guardrails" / "confidence" / "confidence.rego", "confidence < 0.5", "confidence < 0.4")
    told = reloaded(policies).told
    assert told["added"] == {
        "reasons": ["site.rule"],
        "rules": ["watchkeeper.guardrails.site.deny"],
        "policies": ["guardrails/site/site.rego"],
    }
    assert told["changed"] == {"policies": ["guardrails/confidence/confidence.rego"]}
    assert "lost" not in told


def test_what_was_asked_lately_and_would_now_be_decided_otherwise_is_told(
    policies: PoliciesInForce, folder: Path
) -> None:
    system = namespaced("apps/v1", "Deployment", "kube-system", "dns")
    assert policies.decide(cordon().proposed(target=system).document)["decision"] == "deny"
    shutil.rmtree(folder / "guardrails" / "protected")
    assert reloaded(policies).told["flips"] == [{"action": "cordon_node", "then": "deny", "now": "allow"}]


@pytest.mark.parametrize(
    ("old", "new", "missing"),
    [
        ("  namespaces: [kube-system, gpu-operator, kueue-system, watchkeeper]\n", "", "protected.namespaces"),
        ("  breaker: {percent: 50, window: 5m}\n", "", "blast_radius.breaker"),
        ("  ask_first: [rollback_workload, deactivate_workload, scale_workload]", "  {}", "cost.ask_first"),
        ("freshness:\n  evidence: 5m", "freshness:\n#", "freshness.evidence"),
    ],
)
def test_a_bundle_without_a_limit_that_a_guardrail_rests_on_is_refused(
    policies: PoliciesInForce, folder: Path, old: str, new: str, missing: str
) -> None:
    edit(folder / "data" / "limits.yaml", old, new)
    schema = folder / "data.schema.json"
    schema.write_text(schema.read_text().replace('"required"', '"examples"'))  # one of its own, that asks for nothing
    before = policies.digest
    told = reloaded(policies)
    assert told.fault is not None
    assert (told.fault.code, policies.digest) == ("policy.not_loaded", before)
    assert f"{missing} is missing" in str(told.fault)


@pytest.mark.parametrize("form", ['{"properties": {"idle": {"$ref": "#/$defs/gone"}}}', '{"$ref": "#"}'])
def test_a_schema_that_refers_to_nothing_or_to_itself_is_refused(
    policies: PoliciesInForce, folder: Path, form: str
) -> None:
    (folder / "data.schema.json").write_text(form)
    told = reloaded(policies)
    assert told.fault is not None
    assert str(told.fault).startswith("data.schema.json: it refers to what is not there, or to itself")


def test_the_sites_settings_cannot_take_such_a_limit_away(folder: Path) -> None:
    with pytest.raises(PolicyUnavailable, match=r"protected\.opt_out is missing"):
        policies_for(Settings(policies=folder, policy_data={"protected": {"opt_out": None}}))
    none = policies_for(Settings(policies=folder, policy_data={**ACT, "protected": {"namespaces": []}}))
    assert none.decide(cordon().document)["decision"] == "allow"


def test_what_lets_a_frozen_agent_act_is_refused_before_the_first_decision(
    policies: PoliciesInForce, folder: Path
) -> None:
    edit(folder / "guardrails" / "autonomy" / "autonomy.rego", "some frozen in [input.standing.frozen]", "frozen := 7")
    told = reloaded(policies)
    assert told.fault is not None
    assert "a person has frozen" in str(told.fault)
    with pytest.raises(PolicyUnavailable, match="a person has frozen"):
        policies_for(Settings(policies=folder, policy_data=ACT))


def test_what_gives_no_verdict_is_refused_before_the_first_decision(policies: PoliciesInForce, folder: Path) -> None:
    room = folder / "guardrails" / "site"
    room.mkdir()
    (room / "site.rego").write_text(GUARDRAIL + RULE + "to_number(input.now) > 0\n")
    told = reloaded(policies)
    assert told.fault is not None
    assert told.fault.code == "policy.error"
    with pytest.raises(PolicyUnavailable):
        policies_for(Settings(policies=folder, policy_data=ACT))


def test_the_trial_asks_what_a_decision_rests_on() -> None:
    shipped_ones = read_bundle(bundled("policies"), ACT)
    decided = try_out(shipped_ones, [ordinary(), while_frozen()])
    assert [verdict["decision"] for verdict in decided] == ["allow", "deny"]
    assert {reason["code"] for reason in decided[1]["reasons"]} == {"autonomy.frozen"}


def test_alike_is_no_difference() -> None:
    one = read_bundle(bundled("policies"), ACT)
    assert difference(one, one) == {}
    assert in_words({}) == "the same rules and limits"


def test_a_file_that_came_or_went_is_named_though_its_rules_have_known_names(folder: Path) -> None:
    """A second file of a guardrail adds to what is there: no reason, rule or limit is new by name."""
    before = read_bundle(folder)
    more = folder / "guardrails" / "gang" / "more.rego"
    more.write_text("package watchkeeper.guardrails.gang\n\ngang_named if input.proposal.blast_radius.gangs\n")
    with_one = read_bundle(folder)
    more.write_text(more.read_text() + "\ngang_named if input.proposal.target\n")
    (folder / "guardrails" / "gang" / "yet.rego").write_text(more.read_text())
    with_two = read_bundle(folder)
    assert difference(before, with_one)["added"]["policies"] == ["guardrails/gang/more.rego"]
    assert difference(with_one, with_two)["added"] == {"policies": ["guardrails/gang/yet.rego"]}
    assert difference(with_two, before)["lost"]["policies"] == [
        "guardrails/gang/more.rego",
        "guardrails/gang/yet.rego",
    ]
