"""What is refused when a bundle is loaded, with the place in the message."""

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from agent.adapters.rego import BundleRefused, EmbeddedPolicyEngine, selftest
from agent.adapters.rego.archive import bundle_archive
from agent.adapters.rego.limits import HISTORY_D, merge_patch
from agent.look import HISTORY_S
from tests.agent.rego.bundles import GUARDRAIL, RULE, shipped, with_guardrail
from tests.policies.inputs import cordon


def refusal(folder: Path, overlay: dict[str, Any] | None = None) -> str:
    with pytest.raises(BundleRefused) as refused:
        EmbeddedPolicyEngine(folder, overlay)
    return str(refused.value)


def test_a_guardrail_of_the_sites_own_is_heard(tmp_path: Path) -> None:
    engine = EmbeddedPolicyEngine(with_guardrail(tmp_path, GUARDRAIL + RULE + "true"), {"autonomy": {"default": "act"}})
    verdict = engine.decide(cordon().document)
    assert verdict["decision"] == "deny"
    assert [reason["code"] for reason in verdict["reasons"]] == ["site.rule"]
    assert verdict["reasons"][0]["message"] == "the site says so"
    assert verdict["reasons"][0]["remedy"] == "Ask the site"


def test_a_policy_that_does_not_parse(tmp_path: Path) -> None:
    message = refusal(with_guardrail(tmp_path, GUARDRAIL + RULE + "{\n\tinput.now ==\n}"))
    assert message.startswith("guardrails/site/site.rego:11: ")
    assert "backtrace" not in message


@pytest.mark.parametrize(
    "call",
    [
        'http.send({"method": "get", "url": "http://localhost"})',
        "time.now_ns() > 0",
        'rand.intn("a", 2) == 1',
        "opa.runtime().env",
        'io.jwt.decode("a")',
        'crypto.sha256("a") == "b"',
        "rego.metadata.rule()",
        'uuid.rfc4122("a") == "b"',
        'trace("a")',
        "[1 | time.now_ns() > 0] != []",
        "nobody_wrote_this(1)",
    ],
)
def test_what_is_not_pure_may_not_be_called(tmp_path: Path, call: str) -> None:
    message = refusal(with_guardrail(tmp_path, GUARDRAIL + RULE + call))
    assert message.startswith("guardrails/site/site.rego:9: ")
    assert "not on the list of pure functions" in message


def test_a_rule_of_a_builtins_name_does_not_make_it_ones_own(tmp_path: Path) -> None:
    text = GUARDRAIL + RULE + "time.now_ns(1) > 0\n\ntime.now_ns(x) := x\n"
    assert "time.now_ns is not on the list" in refusal(with_guardrail(tmp_path, text))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (RULE + "not startswith(input.phase, `e`)", "negate that"),
        (RULE + "not data.limits.attempts[input.proposal.action]", "negate that"),
        (RULE + "not input.proposal.action in {`notify`}", "negate that"),
        ('deny contains {"code": "site.rule", "params": {"a": input.now}} if true', "in the body of the rule"),
        (
            'deny contains {"code": "site.rule", "params": {"a": other}} if true\n\nother := 1',
            "in the body of the rule",
        ),
        (RULE + "true\n\nx := max([a | some a in [1]]) if input.now", "bind this comprehension"),
    ],
)
def test_forms_that_some_engine_gets_wrong(tmp_path: Path, rule: str, words: str) -> None:
    message = refusal(with_guardrail(tmp_path, GUARDRAIL + rule))
    assert message.startswith("guardrails/site/site.rego:")
    assert words in message


def test_no_function_is_put_in_the_place_of_another(tmp_path: Path) -> None:
    text = GUARDRAIL + RULE + "{\n\tx := object.keys(input.proposal) with object.keys as http.send\n\tcount(x) > 0\n}"
    assert "`with` is for its tests" in refusal(with_guardrail(tmp_path, text.replace("if {", "if {", 1)))


@pytest.mark.parametrize("place", ["guardrails/site/night/night.rego", "guardrails/night.rego"])
def test_a_guardrail_that_would_not_be_asked_is_refused(tmp_path: Path, place: str) -> None:
    folder = shipped(tmp_path)
    package = ".".join(["watchkeeper", *Path(place).parent.parts])
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).write_text(GUARDRAIL.replace("watchkeeper.guardrails.site", package) + RULE + "true")
    assert "would not ask it" in refusal(folder)


def test_a_reason_of_a_rule_with_another_name_is_refused(tmp_path: Path) -> None:
    text = GUARDRAIL + RULE.replace("deny contains", "denies contains") + "true"
    assert "a rule named deny, escalate or allow, no other" in refusal(with_guardrail(tmp_path, text))


def test_limits_reach_as_far_back_as_a_decision_looks() -> None:
    assert HISTORY_D * 24 * 3600 == HISTORY_S


def test_imports_are_refused(tmp_path: Path) -> None:
    text = GUARDRAIL.replace("site\n", "site\n\nimport data.watchkeeper.lib\n", 1) + RULE + "lib.is_undo"
    assert refusal(with_guardrail(tmp_path, text)).startswith("guardrails/site/site.rego:3: a policy imports nothing")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("package watchkeeper.guardrails.site\n\n" + RULE + "true", "site.rego:3: the rule has no METADATA"),
        (GUARDRAIL.replace("remedy", "cure") + RULE + "true", "site.rego:9: the rule has no METADATA"),
        (GUARDRAIL.replace("site.rule", "site.other") + RULE + "true", "the rule says 'site.rule'"),
        (GUARDRAIL.replace("site.rule", "Rule") + RULE + "true", "'Rule' is not a reason code"),
        (GUARDRAIL.replace("title: Site", "title: [") + RULE + "true", "site.rego:3: the METADATA is not YAML"),
        (
            GUARDRAIL.replace("site.rule", "gang.partial") + RULE.replace("site.rule", "gang.partial") + "true",
            "gang.partial is given at guardrails/gang/gang.rego:",
        ),
        (GUARDRAIL.replace("guardrails.site", "guardrails.gang") + RULE + "true", "its path says"),
    ],
)
def test_a_reason_has_a_sentence_a_remedy_and_one_place(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(with_guardrail(tmp_path, text))


NIGHTS = {"name": "nights", "cron": "0 22 * * *", "duration": "8h", "timezone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("overlay", "words"),
    [
        ({"autonmy": {}}, "'autonmy' was unexpected"),
        (
            {"autonomy": {"defualt": "act"}},
            "autonomy: Additional properties are not allowed ('defualt' was unexpected)",
        ),
        ({"autonomy": {"actions": {"drain-node": "act"}}}, "drain-node"),
        ({"autonomy": {"default": "acts"}}, "autonomy.default: 'acts' is not one of"),
        ({"autonomy": {"default": None}}, "'default' is a required property"),
        ({"blast_radius": {"nodes": {"window": "half an hour"}}}, "blast_radius.nodes.window"),
        ({"cooldown": {"default": {"per_target": ""}}}, "cooldown.default.per_target"),
        ({"windows": [{"name": "nights"}]}, "windows.0: 'cron' is a required property"),
        ({"windows": [{**NIGHTS, "cron": "@daily"}]}, "windows.0.cron"),
        ({"windows": [{**NIGHTS, "cron": "0 25 * * *"}]}, "windows.0.cron: '0 25 * * *' is no cron expression"),
        ({"windows": [{**NIGHTS, "cron": "0 0 30 2 *"}]}, "windows.0.cron: '0 0 30 2 *'"),
        ({"windows": [{**NIGHTS, "timezone": "Mars/Olympus"}]}, "windows.0.timezone: 'Mars/Olympus' is no time zone"),
        ({"windows": [{**NIGHTS, "duration": "0s"}]}, "windows.0.duration: 0s is not between"),
        ({"windows": [{**NIGHTS, "duration": "40d"}]}, "windows.0.duration: 40d is not between"),
        ({"windows": [NIGHTS, NIGHTS]}, "windows.1.name: there are two windows named nights"),
        ({"earned": {"lower_bound": 1.5}}, "earned.lower_bound"),
        ({"attempts": {"request_node_repair": {"count": 3, "window": "30d"}}}, "attempts.request_node_repair.window"),
        ({"cooldown": {"drain_node": {"per_target": "8d"}}}, "cooldown.drain_node.per_target: 8d is longer than the 7"),
        ({"blast_radius": {"nodes": {"percent": 10, "window": "8d"}}}, "blast_radius.nodes.window: 8d is longer"),
        ({"earned": {"demotion": {"failures": 3, "window": "30d"}}}, "earned.demotion.window: 30d is longer"),
        ({"tenants": {"a": {"namespaces": ["x"]}, "b": {"namespaces": ["x"]}}}, "tenants.b: x belongs to a already"),
        ({"earned": None}, "'earned' is a required property"),
        ({"approvals": {"default": {"tiers": [{}]}}}, "approvals.default.tiers.0: 'groups' is a required"),
        ({"freezes": [{"name": "x", "from": "2026-12-20"}]}, "freezes.0.from"),
        ({"freezes": [{"name": "x"}]}, "freezes.0: 'from' is a required property"),
        (
            {"freezes": [{"name": "x", "from": "2026-12-20T00:00:00Z", "to": "2026-11-04T00:00:00Z"}]},
            "before it begins",
        ),
        (
            {"freezes": [{"name": "x", "from": "2026-12-20T00:00:00Z", "to": "2026-12-32T00:00:00Z"}]},
            "day is out of range",
        ),
    ],
)
def test_limits_are_held_to_their_schema(tmp_path: Path, overlay: dict[str, Any], words: str) -> None:
    message = refusal(shipped(tmp_path), overlay)
    assert "the settings' policy data" in message
    assert words in message


def test_a_misspelled_key_in_a_file_is_named_with_the_file(tmp_path: Path) -> None:
    folder = shipped(tmp_path)
    (folder / "data" / "site.yaml").write_text("autonomyy: {}\n")
    assert refusal(folder).startswith("data/site.yaml: ")
    (folder / "data" / "site.yaml").write_text("autonomy: {default: act}\n")
    assert refusal(folder) == "data/site.yaml: autonomy is set in data/limits.yaml already"
    (folder / "data" / "site.yaml").write_text("autonomy: [\n")
    assert refusal(folder).startswith("data/site.yaml: ")


def test_settings_are_merged_as_rfc_7386_says() -> None:
    target = {"a": {"b": 1, "c": 2}, "d": [1, 2]}
    assert merge_patch(target, {"a": {"b": None, "e": {"f": None}}, "d": [3]}) == {"a": {"c": 2, "e": {}}, "d": [3]}
    assert target == {"a": {"b": 1, "c": 2}, "d": [1, 2]}


def test_the_digest_is_of_all_that_can_change_a_decision(tmp_path: Path) -> None:
    folder = shipped(tmp_path)
    first = EmbeddedPolicyEngine(folder).digest
    assert EmbeddedPolicyEngine(folder, {}).digest == first
    (folder / "guardrails" / "gang" / "gang_test.rego").unlink()
    assert EmbeddedPolicyEngine(folder).digest == first
    assert EmbeddedPolicyEngine(folder, {"autonomy": {"default": "act"}}).digest != first
    policy = folder / "guardrails" / "gang" / "gang.rego"
    policy.write_text(policy.read_text() + "\n")
    assert EmbeddedPolicyEngine(folder).digest != first


def test_an_engine_of_another_dialect_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = (*selftest.TRUTH_TABLE, ("pigs fly", "x := 1", 2))
    monkeypatch.setattr(selftest, "TRUTH_TABLE", wrong)
    assert "'pigs fly' does not hold" in refusal(shipped(tmp_path))


def test_every_thread_has_its_engine(tmp_path: Path) -> None:
    engine = EmbeddedPolicyEngine(shipped(tmp_path))
    answers: list[str] = []
    threads = [Thread(target=lambda: answers.append(json.dumps(engine.decide(cordon().document)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [json.dumps(engine.decide(cordon().document))] * 4


def test_a_guardrail_brings_the_form_of_its_own_data(tmp_path: Path) -> None:
    folder = with_guardrail(tmp_path, GUARDRAIL + RULE + "input.facts.nodes.total < data.limits.site.least")
    data = folder / "data" / "site.yaml"
    data.write_text("site: {least: 30}\n")
    assert "'site' was unexpected" in refusal(folder)
    schema = folder / "guardrails" / "site" / "data.schema.json"
    schema.write_text('{"type": "object", "properties": {"least": {"type": "integer"}}, "additionalProperties": false}')
    act = {"autonomy": {"default": "act"}}
    engine = EmbeddedPolicyEngine(folder, act)
    assert engine.decide(cordon().document)["decision"] == "deny"
    archive = tmp_path / "bundle.tar.gz"
    archive.write_bytes(bundle_archive(engine.bundle))
    assert (
        EmbeddedPolicyEngine(archive, {**act, "site": {"least": 20}}).decide(cordon().document)["decision"] == "allow"
    )
    assert "site.least: 'few' is not of type 'integer'" in refusal(archive, {"site": {"least": "few"}})
    assert "'lest' was unexpected" in refusal(folder, {"site": {"lest": 2}})
    schema.write_text('{"type": "table"}')
    assert refusal(folder).startswith("data.schema.json: $.properties.site")
    schema.write_text("{")
    assert refusal(folder).startswith("guardrails/site/data.schema.json: ")


def test_nobody_loosens_the_form_of_the_shipped_limits(tmp_path: Path) -> None:
    folder = shipped(tmp_path)
    (folder / "guardrails" / "idle" / "data.schema.json").write_text("{}")
    assert refusal(folder) == "guardrails/idle/data.schema.json: idle has its form in data.schema.json already"


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"autonomy": {"default": "always"}}, "autonomy.default: 'always' is not one of"),
        (
            {"blast_radius": {"nodes": {"percent": "many"}}},
            "blast_radius.nodes.percent: 'many' is not of type",
        ),
        ({"protected": {"namespace": ["kube-system"]}}, "protected: Additional properties are not allowed"),
    ],
)
def test_a_schema_of_the_bundles_own_loosens_nothing(tmp_path: Path, limits: dict[str, Any], said: str) -> None:
    folder = shipped(tmp_path)
    (folder / "data.schema.json").write_text("{}")
    assert said in refusal(folder, limits)


def test_nodes_without_any_limit_are_refused(tmp_path: Path) -> None:
    none: dict[str, Any] = {"blast_radius": {"nodes": {"percent": None, "absolute": None}}}
    assert "blast_radius.nodes: A percent, an absolute number or both" in refusal(shipped(tmp_path), none)
    for kept in ({"percent": None}, {"absolute": None}, {"window": "10m"}):
        EmbeddedPolicyEngine(tmp_path / "policies", {"blast_radius": {"nodes": kept}})


@pytest.mark.parametrize("year", ["9999", "2262", "1969"])
def test_a_freeze_beyond_what_rego_can_count_is_refused(tmp_path: Path, year: str) -> None:
    freeze = {"name": "x", "from": "2026-12-20T00:00:00Z", "to": f"{year}-01-01T00:00:00Z"}
    assert "freezes.0.to: A moment like" in refusal(shipped(tmp_path), {"freezes": [freeze]})
    freeze["to"] = "2261-12-31T23:59:59Z"
    EmbeddedPolicyEngine(tmp_path / "policies", {"freezes": [freeze]})


TRACED = """
import regorus
from agent.adapters.rego.selftest import refuse_foreign_dialect
refuse_foreign_dialect()
try:
    regorus.Engine().add_policy("x.rego", "no policy")
except RuntimeError as fault:
    print(fault)
"""


def test_an_error_is_not_traced_back_whatever_the_environment_asks_of_rust() -> None:
    """It would take 60 MiB, for words that nobody is shown."""
    asked = {key: value for key, value in os.environ.items() if key != selftest.BACK_TRACES} | {"RUST_BACKTRACE": "1"}
    run = subprocess.run([sys.executable, "-c", TRACED], env=asked, capture_output=True, text=True, check=True)
    assert "x.rego:1" in run.stdout
    assert "backtrace" not in run.stdout
