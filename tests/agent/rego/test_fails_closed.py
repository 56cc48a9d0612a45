"""Every way of not deciding has its own code, and none of them is a decision."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.adapters.rego import BundleRefused, EmbeddedPolicyEngine
from agent.ports import PolicyUnavailable
from tests.agent.rego.bundles import GUARDRAIL, RULE, shipped, with_guardrail, with_main
from tests.policies.inputs import cordon

META = """# METADATA
# title: T
# custom:
#   code: main.yes
#   message: "{who} says yes"
#   remedy: None
allow contains {"code": "main.yes", "params": {}} if false

# METADATA
# title: T
# custom:
#   code: main.no
#   message: "no"
#   remedy: None
deny contains {"code": "main.no", "params": {}} if false

"""
YES = {"code": "main.yes", "params": {"who": "everybody"}}
NO = {"code": "main.no", "params": {}}
DUE = {"dry_run": True, "notice_s": 0, "verify_within_s": 600}
ASKED = {"groups": [{"name": "gpu-oncall", "count": 1}], "approve_within_s": 60, "execute_within_s": 60}
FINE = {"decision": "allow", "reasons": [YES], "obligations": DUE, "approval": None}


def answering(tmp_path: Path, rule: str) -> EmbeddedPolicyEngine:
    return EmbeddedPolicyEngine(with_main(tmp_path, META + rule))


def code_of(engine: EmbeddedPolicyEngine, policy_input: Any) -> str:
    with pytest.raises(PolicyUnavailable) as refused:
        engine.decide(policy_input)
    return refused.value.code


def test_no_policy_at_all(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused) as refused:
        EmbeddedPolicyEngine(tmp_path)
    assert refused.value.code == "policy.not_loaded"
    assert "main.rego" in str(refused.value)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("verdict := 1 if false", "policy.undefined"),
        ("other := 1", "policy.error"),
        ("verdict := 1 if input.now\n\nverdict := 2 if input.phase", "policy.error"),
        ('verdict := "allow"', "policy.ill_typed"),
        ("verdict := true", "policy.ill_typed"),
        ("verdict := [1]", "policy.ill_typed"),
        ("verdict := {}", "policy.ill_typed"),
        ("verdict := to_number(input.now)", "policy.error"),
        ("verdict := data.watchkeeper.lib.nobody_wrote_this(1)", "policy.error"),
    ],
)
def test_what_is_no_verdict(tmp_path: Path, rule: str, code: str) -> None:
    assert code_of(answering(tmp_path, rule), cordon().document) == code


@pytest.mark.parametrize(
    "change",
    [
        {"decision": "Allow"},
        {"decision": None},
        {"decision": ["allow", "deny"]},
        {"reasons": []},
        {"reasons": "main.yes"},
        {"reasons": [YES, NO]},
        {"reasons": [NO]},
        {"reasons": [{"code": "main.unheard_of", "params": {}}]},
        {"reasons": [{"code": "main.yes", "params": {}}]},
        {"reasons": [{"code": "main.yes"}]},
        {"reasons": [{"code": 1, "params": {}}]},
        {"obligations": {"dry_run": True}},
        {"obligations": {**DUE, "notice_s": -1}},
        {"obligations": {**DUE, "dry_run": 1}},
        {"obligations": {**DUE, "notice_s": 1.5}},
        {"obligations": {**DUE, "canary": "yes"}},
        {"approval": ASKED},
        {"decision": "deny", "reasons": [NO], "approval": ASKED},
        {"more": 1},
    ],
)
def test_what_is_almost_a_verdict(tmp_path: Path, change: dict[str, Any]) -> None:
    engine = answering(tmp_path, f"verdict := {json.dumps({**FINE, **change})}")
    assert code_of(engine, cordon().document) == "policy.ill_typed"


def test_what_the_executor_does_not_know_how_to_fulfil_is_not_done(tmp_path: Path) -> None:
    more = {"obligations": {**DUE, "four_eyes_on_the_console": True}}
    engine = answering(tmp_path, f"verdict := {json.dumps({**FINE, **more})}")
    assert code_of(engine, cordon().document) == "obligation.unknown"


ASK = """# METADATA
# title: T
# custom:
#   code: main.ask
#   message: "ask"
#   remedy: None
escalate contains {"code": "main.ask", "params": {}} if false

"""


@pytest.mark.parametrize(
    "approval",
    [
        None,
        {},
        {**ASKED, "groups": []},
        {**ASKED, "groups": [{"name": "gpu-oncall", "count": 0}]},
        {**ASKED, "groups": [{"name": "gpu-oncall"}]},
        {**ASKED, "approve_within_s": 0},
    ],
)
def test_an_escalation_names_who_is_asked(tmp_path: Path, approval: Any) -> None:
    asked = {**FINE, "decision": "escalate", "reasons": [{"code": "main.ask", "params": {}}], "approval": approval}
    engine = answering(tmp_path, f"{ASK}verdict := {json.dumps(asked)}")
    assert code_of(engine, cordon().document) == "policy.ill_typed"


def test_a_clean_verdict_gets_its_sentences(tmp_path: Path) -> None:
    verdict = answering(tmp_path, f"verdict := {json.dumps(FINE)}").decide(cordon().document)
    said = {"message": "everybody says yes", "remedy": "None", "params": {"who": "everybody"}}
    assert verdict["reasons"] == [{"code": "main.yes", **said}]


def test_approvers_in_a_form_that_nobody_can_read_are_no_approvers_fewer(tmp_path: Path) -> None:
    """A text where a set of groups belongs: before it was known as such, nobody more was asked."""
    site = f'{GUARDRAIL}{RULE} {{ false }}\n\napprovers := "platform-leads"'
    engine = EmbeddedPolicyEngine(with_guardrail(tmp_path, site))
    verdict = engine.decide(cordon().proposed(confidence=0.1).document)
    assert verdict["decision"] == "deny"
    assert ("main.approvers", {"guardrail": "site"}) in [(r["code"], r["params"]) for r in verdict["reasons"]]


@pytest.mark.parametrize("policy_input", [{"now": object()}, {"confidence": float("nan")}])
def test_an_input_that_is_no_json(tmp_path: Path, policy_input: Any) -> None:
    assert code_of(EmbeddedPolicyEngine(shipped(tmp_path)), policy_input) == "policy.error"


@pytest.mark.parametrize(
    ("part", "key"),
    [
        ("proposal", "action"),
        ("proposal", "blast_radius"),
        ("proposal", "confidence"),
        ("proposal", "destructive"),
        ("proposal", "source"),
        ("facts", "nodes"),
        ("facts", "gangs"),
        ("facts", "namespaces"),
        ("facts", "touched"),
        ("facts", "conflicts"),
    ],
)
def test_without_a_fact_there_is_no_allow(tmp_path: Path, part: str, key: str) -> None:
    engine = EmbeddedPolicyEngine(shipped(tmp_path), {"autonomy": {"default": "act"}})
    given = cordon().document
    assert engine.decide(given)["decision"] == "allow"
    verdict = engine.decide({**given, part: {name: value for name, value in given[part].items() if name != key}})
    assert verdict["decision"] == "deny"
    assert [reason["code"] for reason in verdict["reasons"]] == ["main.no_verdict"]


def test_a_time_that_is_none_is_an_error(tmp_path: Path) -> None:
    engine = EmbeddedPolicyEngine(shipped(tmp_path))
    assert code_of(engine, {**cordon().document, "now": "yesterday"}) == "policy.error"
    standing = {"levels": [], "frozen": None, "breaker": {"tripped_at": None, "reset_at": "once"}}
    assert code_of(engine, {**cordon().document, "standing": standing}) == "policy.error"


def test_after_an_error_the_engine_decides_again(tmp_path: Path) -> None:
    engine = EmbeddedPolicyEngine(shipped(tmp_path), {"autonomy": {"default": "act"}})
    before = engine.decide(cordon().document)
    assert code_of(engine, {**cordon().document, "now": "yesterday"}) == "policy.error"
    assert engine.decide(cordon().document) == before
