"""`policy explain`, `shadow` and `replay` over a log, and the bundle commands."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from agent.adapters.rego import EmbeddedPolicyEngine
from agent.adapters.rego.signature import Trust
from agent.cli import policy
from agent.resources import bundled
from agent.stages.judge import decision
from tests.agent.rego.bundles import GUARDRAIL, RULE, shipped, with_guardrail
from tests.policies.inputs import cordon, past


def call(*arguments: str) -> Any:
    return CliRunner().invoke(policy.app, list(arguments))


@pytest.fixture
def decisions(site: Any) -> list[str]:
    """Three decisions under the shipped policies at level act."""
    with site.config.open("a") as config:
        config.write("policy_data: {autonomy: {default: act}}\n")
    engine = EmbeddedPolicyEngine(bundled("policies"), {"autonomy": {"default": "act"}})
    ids = []
    busy = cordon("gpu-8").in_a_cluster_of(24, eligible=16).after(past("cordon_node", "gpu-7", minutes=10))
    for number, given in enumerate((cordon(), busy, cordon().seen(conflicts=["nvsentinel"]))):
        verdict = decision(engine, given.document)
        payload = {"verdict": verdict.json_object(), "input": given.document}
        site.ledger.record("verdict", payload, attributes={"proposal": f"inc-9/{number}"})
        ids.append(verdict.decision_id)
    return ids


def test_explain_shows_rule_facts_and_the_least_change(decisions: list[str]) -> None:
    page = call("explain", decisions[1])
    assert page.exit_code == 0, page.output
    text = " ".join(page.stdout.split())
    assert "escalate: cordon_node on Node/gpu-8" in text
    assert "guardrails/blast_radius/blast_radius.rego:" in text
    assert "facts.nodes.eligible" in text
    assert "It would be allow if facts.nodes.eligible were 20 (it was 16)." in text
    told = json.loads(call("explain", "inc-9/2", "--json").stdout)
    assert (told["decision"], told["same_policies"]) == ("deny", True)
    assert told["turns"][0] == {
        "decision": "allow",
        "changes": [{"what": "facts.conflicts", "from": ["nvsentinel"], "to": []}],
    }


def changed(given: Any, changes: list[dict[str, Any]]) -> Any:
    for change in changes:
        holder, *way = given, *change["what"].split(".")
        for step in way[:-1]:
            holder = holder[int(step) if isinstance(holder, list) else step]
        last = int(way[-1]) if isinstance(holder, list) else way[-1]
        if "to" in change:
            holder[last] = change["to"]
        else:
            del holder[last]
    return given


def test_explain_an_allow_and_what_is_not_there(decisions: list[str]) -> None:
    told = json.loads(call("explain", decisions[0], "--json").stdout)
    assert told["decision"] == "allow"
    assert told["turns"]
    engine = EmbeddedPolicyEngine(bundled("policies"), {"autonomy": {"default": "act"}})
    for turn in told["turns"]:  # a world that could be so, not one in which nothing can be decided
        verdict = engine.decide(changed(cordon().document, turn["changes"]))
        assert verdict["decision"] == turn["decision"]
        assert "main.no_verdict" not in {reason["code"] for reason in verdict["reasons"]}
    assert "There is no decision 'dec-nobody'" in call("explain", "dec-nobody").stderr


def test_a_level_is_named_where_no_fact_turns_it(site: Any) -> None:
    engine = EmbeddedPolicyEngine(bundled("policies"))
    verdict = decision(engine, cordon().document)
    site.ledger.record("verdict", {"verdict": verdict.json_object(), "input": cordon().document})
    told = json.loads(call("explain", verdict.decision_id, "--json").stdout)
    changes = {change["what"]: change["to"] for turn in told["turns"] for change in turn["changes"]}
    assert changes["limits.autonomy.default"] in ("act", "act_with_approval")


def test_replay_and_shadow(decisions: list[str], tmp_path: Path) -> None:
    again = json.loads(call("replay", "--json").stdout)
    assert (again["same"], again["different"], again["flipped"], again["changed"]) == (3, 0, 0, [])
    assert again["incomplete"] == 1  # the site's own
    stricter = with_guardrail(tmp_path, GUARDRAIL + RULE + "true")
    told = json.loads(call("shadow", str(stricter), "--json").stdout)
    assert (told["flipped"], told["other_reasons"]) == (2, 1)
    assert {line["decision_id"] for line in told["changed"]} == set(decisions)
    page = " ".join(call("shadow", str(stricter)).stdout.split())
    assert "2 flipped" in page


def test_a_changed_verdict_in_the_log_ends_with_an_error(site: Any, decisions: list[str]) -> None:
    engine = EmbeddedPolicyEngine(bundled("policies"), {"autonomy": {"default": "act"}})
    verdict = decision(engine, cordon().document).json_object() | {"decision_id": "dec-000000000000"}
    site.ledger.record("verdict", {"verdict": verdict, "input": cordon().document})
    run = call("replay")
    assert run.exit_code == 1
    assert "1 different under the same policies" in " ".join(run.stdout.split())


def test_build_and_sign(site: Any, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private = tmp_path / "private.pem"
    private.write_bytes(key.private_bytes(*form))
    trust = Trust(key.public_key().public_bytes(form[0], serialization.PublicFormat.SubjectPublicKeyInfo), "night")
    archive = tmp_path / "bundle.tar.gz"
    assert call("build", str(archive), "--signing-key", str(private), "--scope", "night").exit_code == 0
    assert EmbeddedPolicyEngine(archive, trust=trust).digest == EmbeddedPolicyEngine(bundled("policies")).digest
    folder = shipped(tmp_path)
    assert call("sign", str(folder), "--signing-key", str(private), "--scope", "night").exit_code == 0
    assert EmbeddedPolicyEngine(folder, trust=trust).bundle.reasons
    assert "is no folder" in call("sign", str(archive), "--signing-key", str(private)).stderr
    assert call("build", str(archive), "--signing-key", str(tmp_path / "none.pem")).exit_code == 1


def without(document: Any, *way: str) -> Any:
    *holders, last = way
    inner = {holder: without(document[holder], last) for holder in holders}
    return {key: value for key, value in document.items() if key != last or holders} | inner


HISTORY = {"since": "2026-11-01T09:00:00+00:00", "records": 1, "actions": 1, "sha256": "0" * 64}
ODD = {
    "of nothing": lambda given: given | {"history_of": {}},
    "of a list": lambda given: given | {"history_of": []},
    "of no zone": lambda given: given | {"history_of": HISTORY | {"since": "2026-11-01T09:00:00"}},
    "of no number": lambda given: given | {"history_of": HISTORY | {"records": "many"}},
    "of less than none": lambda given: given | {"history_of": HISTORY | {"records": -1}},
    "at no time": lambda given: without(given, "now") | {"history_of": HISTORY},
    "at no time, with all it saw": lambda given: without(given, "now"),
    "on nothing": lambda given: without(given, "proposal", "target"),
    "of a text": lambda given: given | {"proposal": "cordon gpu-3"},
    "with no facts": lambda given: given | {"facts": None},
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_record_is_left_out_and_told_and_the_others_are_repeated(
    site: Any, decisions: list[str], tmp_path: Path, name: str
) -> None:
    engine = EmbeddedPolicyEngine(bundled("policies"), {"autonomy": {"default": "act"}})
    verdict = decision(engine, cordon().document).json_object()
    payload = {"verdict": verdict, "input": ODD[name](cordon().document)}
    site.ledger.record("verdict", payload, attributes={"proposal": "inc-9/7"})
    index = site.log.size() - 1
    for command in (["replay"], ["shadow", str(shipped(tmp_path))]):
        done = call(*command, "--json")
        assert done.exit_code == 1 and f"record {index}: it is no decision" in done.stderr, done.output
        told = json.loads(done.stdout)
        assert (told["same"], told["different"], told["damaged"]) == (3, 0, [index])
    done = call("explain", "inc-9/7")
    assert done.exit_code == 1 and f"record {index}: it is no decision" in done.stderr, done.output
    assert call("explain", "inc-9/0").exit_code == 0


def test_a_decision_that_was_changed_or_is_none_is_told_and_the_others_are_repeated(
    site: Any, decisions: list[str], tmp_path: Path
) -> None:
    site.ledger.record("verdict", {"input": {}}, attributes={"proposal": "inc-9/7"})
    index = site.log.size() - 1
    with closing(sqlite3.connect(site.path)) as database:
        (changed,) = database.execute("SELECT min(\"index\") FROM log_records WHERE kind = 'verdict'").fetchone()
        database.execute("DROP TRIGGER log_records_update")
        database.execute("UPDATE log_records SET body = body || x'20' WHERE \"index\" = ?", (changed,))
        database.commit()
    for command in (["replay"], ["shadow", str(shipped(tmp_path))]):
        done = call(*command, "--json")
        assert done.exit_code == 1, done.output
        assert f"record {changed}: " in done.stderr and f"record {index}: it is no decision" in done.stderr
        told = json.loads(done.stdout)
        assert told["damaged"] == [changed, index] and told["decisions"] == len(decisions)
    done = call("explain", "inc-9/7")
    assert done.exit_code == 1 and "it is no decision" in done.stderr
