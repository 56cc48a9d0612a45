"""Earned autonomy as arithmetic: the bound, what counts, what may be proposed, what is lost."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agent.domain.cluster import node_ref
from agent.domain.outcome import PastAction
from agent.domain.standing import Change, ClassLevel, Level, Standing, WrongAction
from agent.evidence.trust import Refused, demotions, effective, promotions, trials_of, wilson_lower

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
EARNED = {
    "window": "90d",
    "minimum_count": 30,
    "minimum_age": "14d",
    "lower_bound": 0.9,
    "demotion": {"failures": 3, "window": "24h"},
}


def limits(**autonomy: Any) -> dict[str, Any]:
    return {"autonomy": {"default": "act_with_approval", **autonomy}, "earned": EARNED}


def past(number: int, *, outcome: str = "succeeded", helped: bool | None = True, hours: float = 1, **more: Any) -> Any:
    return PastAction(
        at=NOW - timedelta(hours=hours),
        action="cordon_node",
        target=node_ref(f"gpu-{number}"),
        outcome=outcome,
        helped=helped,
        incident=f"inc-{number}",
        proposal=f"inc-{number}/0",
        **more,
    )


def many(good: int, bad: int = 0, *, days: float = 20) -> list[PastAction]:
    first = [past(0, hours=days * 24)] if good else []
    return [*first, *(past(n) for n in range(1, good)), *(past(1000 + n, helped=False) for n in range(bad))]


def called_wrong(number: int, at: datetime = NOW) -> WrongAction:
    return WrongAction(proposal=f"inc-{number}/0", action="cordon_node", at=at)


def granted(at: datetime = NOW - timedelta(hours=2), upon: Level = Level.ACT_WITH_APPROVAL) -> Standing:
    level = ClassLevel(action="cordon_node", level=Level.ACT, change=Change.GRANTED, upon=upon, at=at)
    return Standing(levels=(level,))


# --- the bound ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "trials", "bound"), [(0, 0, 0.0), (10, 10, 0.7225), (81, 263, 0.2553), (35, 35, 0.9011), (0, 10, 0.0)]
)
def test_wilsons_lower_bound(successes: int, trials: int, bound: float) -> None:
    """81 of 263 is the example of Newcombe, Statistics in Medicine 17 (1998), table I: 0.2553 to 0.3662."""
    assert wilson_lower(successes, trials) == pytest.approx(bound, abs=5e-5)


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_bound_is_cautious(good: int, bad: int) -> None:
    bound = wilson_lower(good, good + bad)
    assert 0 <= bound <= good / max(1, good + bad) + 1e-12
    assert bound <= wilson_lower(good + 1, good + 1 + bad)
    assert wilson_lower(good, good + bad + 1) <= bound + 1e-12


# --- what counts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "counts"),
    [
        (past(1), (1, 0)),
        (past(1, helped=False), (0, 1)),
        (past(1, helped=None), None),
        (past(1, outcome="unknown", helped=None), None),
        (past(1, outcome="failed", helped=None), (0, 1)),
        (past(1, outcome="undo_failed", helped=None), (0, 1)),
        (past(1, outcome="undone", helped=None), (0, 1)),
        (past(1, undo=True), None),
        (past(1, hours=91 * 24), None),
    ],
)
def test_what_was_executed_and_helped_is_a_success(told: PastAction, counts: tuple[int, int] | None) -> None:
    found = trials_of([told], [], Standing(), NOW - timedelta(days=90))
    assert [(each.succeeded, each.failed) for each in found] == ([counts] if counts else [])


def test_what_a_person_called_wrong_or_rejected_is_a_failure() -> None:
    wrong = Standing(wrong=(called_wrong(1),))
    rejected = [Refused(NOW - timedelta(hours=3), "cordon_node", "")]
    (found,) = trials_of([past(1), past(2)], rejected, wrong, NOW - timedelta(days=90))
    assert (found.succeeded, found.failed, found.tenant) == (1, 2, "*")


# --- promotion ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "lacks"),
    [
        (many(40), ()),
        (many(29), ("29 of 30 trials", "bound 0.883, needed 0.900")),
        (many(40, days=3), ("3 of 14 days",)),
        (many(40, 3), ("bound 0.814, needed 0.900",)),
    ],
)
def test_a_promotion_needs_count_age_and_bound(history: list[PastAction], lacks: tuple[str, ...]) -> None:
    trials = trials_of(history, [], Standing(), NOW - timedelta(days=90))
    (proposed,) = promotions(trials, limits(), Standing(), NOW)
    assert (proposed.to, proposed.upon, proposed.lacks) == (Level.ACT, Level.ACT_WITH_APPROVAL, lacks)


@pytest.mark.parametrize("level", ["observe", "suggest", "act"])
def test_only_what_acts_with_approval_can_be_proposed(level: str) -> None:
    trials = trials_of(many(40), [], Standing(), NOW - timedelta(days=90))
    assert promotions(trials, limits(actions={"cordon_node": level}), Standing(), NOW) == []
    assert promotions(trials, limits(), granted(), NOW) == []


# --- what is lost ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [past(1, outcome="failed", helped=None), past(1, helped=False)])
def test_a_granted_level_is_lost_with_the_first_failure(bad: PastAction) -> None:
    (lost,) = demotions([past(2), bad], limits(), granted(), NOW)
    assert (lost.to, lost.proposals) == (Level.ACT_WITH_APPROVAL, ("inc-1/0",))


def test_a_failure_from_before_the_grant_was_known_to_whoever_granted_it() -> None:
    assert demotions([past(1, helped=False, hours=3)], limits(), granted(), NOW) == []


@pytest.mark.parametrize(
    ("history", "is_lost"),
    [
        ([past(n, outcome="failed", helped=None) for n in range(2)], False),
        ([past(n, outcome="failed", helped=None) for n in range(3)], True),
        ([past(n, outcome="failed", helped=None, hours=20 * n) for n in range(1, 4)], False),
        ([past(n, helped=False) for n in range(9)], False),
    ],
)
def test_a_configured_level_is_lost_with_as_many_broken_executions_as_the_limits_say(
    history: list[PastAction], is_lost: bool
) -> None:
    assert bool(demotions(history, limits(default="act"), Standing(), NOW)) is is_lost


def test_one_wrong_action_is_enough_for_either() -> None:
    wrong = {"wrong": (called_wrong(1),)}
    for standing, said in ((granted(), limits()), (Standing(), limits(default="act"))):
        (lost,) = demotions([past(1)], said, standing.model_copy(update=wrong), NOW)
        assert lost.reason == "a person called it wrong"


def test_what_is_below_act_has_nothing_to_lose() -> None:
    bad = [past(n, outcome="failed", helped=None) for n in range(5)]
    assert demotions(bad, limits(), Standing(), NOW) == []


def test_a_grant_holds_only_while_the_files_say_what_they_said() -> None:
    assert effective(limits(), granted(), "cordon_node", "*") is Level.ACT
    assert effective(limits(default="suggest"), granted(), "cordon_node", "*") is Level.SUGGEST


def test_what_failed_before_a_person_restored_the_level_counts_no_more() -> None:
    broken = [past(n, outcome="failed", helped=None, hours=3) for n in range(3)]
    restored = Standing(restored=(("cordon_node", "*", NOW - timedelta(hours=2)),))
    assert demotions(broken, limits(default="act"), restored, NOW) == []
