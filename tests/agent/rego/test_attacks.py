"""What a policy may try at the moment of decision: the agent lives, the answer is a deny with its code."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.adapters.rego import BundleRefused, EmbeddedPolicyEngine
from agent.adapters.rego.evaluator import Evaluator
from agent.domain.verdict import Decision
from agent.ports import PolicyUnavailable
from agent.resources import bundled
from agent.stages.judge import decision
from tests.agent.rego.bundles import shipped, with_main
from tests.policies.inputs import cordon

PROCESSOR_S = 0.2
ACT = {"autonomy": {"default": "act"}}


@pytest.fixture
def evaluator() -> Iterator[Evaluator]:
    made = Evaluator(processor_s=PROCESSOR_S)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (
            "verdict := count([1 | some i in numbers.range(1, 99999); some j in numbers.range(1, 99999); i + j > 0])",
            "policy.timeout",
        ),
        ("verdict := count(numbers.range(1, 999999999))", "policy.error"),
        ("verdict := again(1)\n\nagain(x) := data.watchkeeper.main.again(x + 1)", "policy.error"),
        ("verdict := numbers.range(1, 200000)", "policy.ill_typed"),
    ],
)
def test_what_would_take_the_agent_along_takes_its_own_process_only(
    tmp_path: Path, evaluator: Evaluator, rule: str, code: str
) -> None:
    bad = EmbeddedPolicyEngine(with_main(tmp_path, rule), evaluator=evaluator)
    began = time.process_time()
    said = decision(bad, cordon().document)
    assert (said.decision, [reason.code for reason in said.reasons]) == (Decision.DENY, [code])
    assert time.process_time() - began < PROCESSOR_S  # ours was not spent
    good = EmbeddedPolicyEngine(bundled("policies"), ACT, evaluator=evaluator)
    assert good.decide(cordon().document)["decision"] == "allow"


def test_an_engine_that_gets_no_processor_is_not_waited_for(tmp_path: Path) -> None:
    stopped = Evaluator(wall_s=0.0)
    engine = EmbeddedPolicyEngine(shipped(tmp_path), evaluator=stopped)
    with pytest.raises(PolicyUnavailable) as refused:
        for _ in range(50):
            engine.decide(cordon().document)
    assert refused.value.code == "policy.timeout"
    stopped.close()


def test_a_process_that_was_killed_is_started_anew(tmp_path: Path, evaluator: Evaluator) -> None:
    engine = EmbeddedPolicyEngine(shipped(tmp_path), ACT, evaluator=evaluator)
    first = engine.decide(cordon().document)
    evaluator.close()
    assert engine.decide(cordon().document) == first


def test_more_bundles_than_the_process_keeps(tmp_path: Path, evaluator: Evaluator) -> None:
    engines = [
        EmbeddedPolicyEngine(
            bundled("policies"), {**ACT, "freshness": {"evidence": f"{minutes}m"}}, evaluator=evaluator
        )
        for minutes in range(2, 14)
    ]
    for engine in (*engines, *engines):
        assert engine.decide(cordon().document)["decision"] == "allow"


def test_an_input_that_nests_without_end(evaluator: Evaluator) -> None:
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]
    engine = EmbeddedPolicyEngine(bundled("policies"), ACT, evaluator=evaluator)
    for given in ({**cordon().document, "deep": deep}, json.loads("[" * 500 + "]" * 500)):
        with pytest.raises(PolicyUnavailable) as refused:
            engine.decide(given)
        assert refused.value.code == "policy.error"


def test_brackets_without_end_never_reach_the_parser(tmp_path: Path) -> None:
    folder = with_main(tmp_path, f"verdict := {'[' * 100_000}{']' * 100_000}")
    with pytest.raises(BundleRefused, match=r"main\.rego:3: more than 64 brackets are open"):
        EmbeddedPolicyEngine(folder)


def test_nobody_else_says_what_the_entrypoint_is(tmp_path: Path) -> None:
    folder = shipped(tmp_path)
    (folder / "main").mkdir()
    (folder / "main" / "shadow.rego").write_text('package watchkeeper.main\n\ndecision := "allow"\n')
    with pytest.raises(BundleRefused, match=r"main/shadow\.rego: only main\.rego says what watchkeeper\.main is"):
        EmbeddedPolicyEngine(folder)


@pytest.mark.parametrize("content", ['{"watchkeeper": {"main": {"verdict": 1}}}', '{"limits": {}, "x": 1}', "[]", "{"])
def test_data_never_stand_in_for_a_policy(tmp_path: Path, content: str) -> None:
    folder = shipped(tmp_path)
    (folder / "data.json").write_text(content)
    with pytest.raises(BundleRefused, match=r"^data\.json: "):
        EmbeddedPolicyEngine(folder)
