"""The least that would have turned a decision, found by trying."""

from typing import Any

import pytest

from agent.adapters.gate.counterfactual import TRIES_AT_MOST, Search, search, search_limits
from agent.adapters.rego import EmbeddedPolicyEngine
from agent.adapters.rego.reads import Readers, Reads
from agent.ports import PolicyUnavailable
from agent.resources import bundled
from tests.policies.inputs import Given, cordon, past, reclaim, repair

ENGINE = EmbeddedPolicyEngine(bundled("policies"), {"autonomy": {"default": "act"}})
READERS = Readers(ENGINE.bundle)


def decided(given: Any) -> tuple[str, frozenset[str]]:
    try:
        verdict = ENGINE.decide(given)
    except PolicyUnavailable as fault:
        return "none", frozenset({fault.code})
    return verdict["decision"], frozenset(reason["code"] for reason in verdict["reasons"])


def found(given: Given, wanted: str = "allow") -> Search:
    codes = decided(given.document)[1]
    reads = READERS.of(ENGINE.bundle.reasons[code].place for code in codes)
    return search(given.document, reads, decided, wanted.__eq__)


def first(given: Given, wanted: str = "allow") -> dict[str, Any]:
    turn = found(given, wanted).turns[0]
    assert turn.decision == wanted
    return {".".join(map(str, change.path)): change.after for change in turn.changes}


def test_a_number_is_brought_as_near_as_the_decision_allows() -> None:
    turned = found(cordon().in_a_cluster_of(24, eligible=19).after(past("cordon_node", "gpu-3", minutes=10)))
    changes = {turn.changes[0].path: turn.changes[0].after for turn in turned.turns}
    assert changes["facts", "nodes", "eligible"] == 20


def test_a_time_is_brought_to_its_second() -> None:
    changes = {turn.changes[0].path: turn.changes[0].after for turn in found(
        repair().after(past("request_node_repair", "gpu-7", minutes=50))).turns}  # fmt: skip
    assert changes["history", 0, "age_s"] == 3600


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (cordon().proposed(confidence=0.1), {"proposal.confidence": 0.5}),
        (cordon().seen(conflicts=["nvsentinel"]), {"facts.conflicts": []}),
        (cordon().by_a_model(), {"proposal.source": "playbook:x"}),
    ],
)
def test_one_fact(given: Given, expected: dict[str, Any]) -> None:
    changed = first(given)
    assert changed.keys() == expected.keys()
    assert changed == pytest.approx(expected, abs=0.02) if "proposal.confidence" in expected else changed == expected


def test_two_facts_where_one_does_not_do() -> None:
    given = cordon().proposed(confidence=0.1).by_a_model(confidence=0.1)
    assert first(given).keys() == {"proposal.confidence", "proposal.source"}


def test_honest_when_there_is_none() -> None:
    """A notebook that was idle for a minute, by one witness, that contradicts itself: no two facts mend that."""
    given = reclaim(idle_s=60, witnesses=["utilisation"], contradictions=["power"]).seen(conflicts=["nvsentinel"])
    result = found(given)
    assert (result.turns, result.ended_early) == ((), False)
    assert result.tried > 10


def test_what_would_turn_an_allow() -> None:
    reads = READERS.of(text.place for text in ENGINE.bundle.reasons.values())
    turned = search(cordon().document, reads, decided, lambda decision: decision in ("deny", "escalate"))
    assert turned.turns
    assert all(len(turn.changes) == 1 for turn in turned.turns)


def test_the_limits_where_no_fact_does() -> None:
    limits = {**ENGINE.limits, "autonomy": {**ENGINE.limits["autonomy"], "default": "suggest"}}
    reads = READERS.of([ENGINE.bundle.reasons["autonomy.suggest"].place])

    def under(changed: Any) -> tuple[str, frozenset[str]]:
        return ("allow" if changed.get("autonomy", {}).get("default") == "act" else "deny"), frozenset()

    turned = search_limits(limits, reads, under, "allow".__eq__)
    assert [(turn.changes[0].path, turn.changes[0].after) for turn in turned.turns] == [
        (("autonomy", "default"), "act")
    ]


def test_a_search_has_an_end() -> None:
    many = cordon().after(*(past("cordon_node", f"gpu-{n}", seconds=n) for n in range(20)))
    assert found(many).tried <= TRIES_AT_MOST + 50


NUMBERS = Reads(
    frozenset({("facts", "level"), ("facts", "one"), ("facts", "other")}), frozenset(), frozenset(), frozenset({99})
)


def by_level(level: float) -> str:
    return "deny" if level >= 5 else "escalate" if level >= 1 else "allow"


def test_the_decision_that_is_told_is_that_of_the_change_that_is_told() -> None:
    """On the way back from an allow to the nearest turn another decision may lie."""
    turned = search(
        {"facts": {"level": 40}},
        NUMBERS,
        lambda document: (by_level(document["facts"]["level"]), frozenset()),
        lambda decision: decision != "deny",
    )
    assert [(turn.changes[0].after, turn.decision) for turn in turned.turns] == [(4, "escalate")]


def test_of_two_facts_each_is_the_nearest() -> None:
    def decide(document: Any) -> tuple[str, frozenset[str]]:
        one, other = document["facts"]["one"] < 37, document["facts"]["other"] > 61
        return "allow" if one and other else "deny", frozenset({f"one {one}", f"other {other}"})

    turned = search({"facts": {"one": 90, "other": 20}}, NUMBERS, decide, "allow".__eq__)
    assert [(change.path[1], change.after) for change in turned.turns[0].changes] == [("one", 36), ("other", 62)]
