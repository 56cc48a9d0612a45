"""An approval covers what people saw, and what is less; what is more in anything is asked anew."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st
from step_field import STEPS, proposal

from agent.domain.covering import LOOKED_S, what_is_worse
from agent.domain.forecast import ServiceForecast
from agent.domain.proposal import BlastRadius, Prediction, Proposal
from agent.domain.stake import Stake, StakeKind
from agent.domain.verdict import Decision, Reason, Verdict

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
REACH = BlastRadius(nodes=("gpu-1", "gpu-2"), gangs=("Gang/law/x",), pods=8, gpus=64)
STAKE = Stake(whose="Gang/law/x", kind=StakeKind.WORK, pods=8, gpus=64, since=NOW - timedelta(hours=1), gpu_hours=64.0)
WEB = ServiceForecast(ref="Deployment/web/api", wanted=10, ready_before=10, ready_at_worst=10, ready_after=10)
ASKED = proposal(STEPS["patch"]).model_copy(
    update={
        "blast_radius": REACH,
        "at_stake": (STAKE,),
        "prediction": Prediction(stops=("Gang/law/y",), services=(WEB,)),
        "destructive": True,
    }
)


def said(*reasons: Reason) -> Verdict:
    return Verdict(decision_id="dec-1", decision=Decision.ESCALATE, reasons=reasons)


def touched(count: Any = 3, **more: Any) -> Reason:
    params = {"touched": count, "limit": 2, "eligible": 30, "window": "30m", **more}
    return Reason(code="blast_radius.node_limit", message=f"{count} nodes would be touched", params=params)


def healthy(gang: str) -> Reason:
    return Reason(code="gang.healthy", message=f"{gang} is healthy", params={"gang": gang})


def worse(now: Proposal = ASKED, before: Proposal = ASKED, passed_s: float = 0) -> list[str]:
    return list(what_is_worse(before, said(touched()), now, said(touched()), passed_s))


@pytest.mark.parametrize(
    ("asked", "now", "covered"),
    [
        ([touched(3)], [touched(3)], True),
        ([touched(3)], [touched(2)], True),
        ([touched(3)], [touched(8)], False),
        ([touched(3)], [touched(4)], False),
        ([touched(3)], [touched(3.0)], True),
        ([touched(3)], [touched("3")], False),
        ([touched(3)], [touched(True)], False),
        ([touched(3)], [touched(3, limit=1)], True),
        ([touched(3)], [touched(3, eligible=28)], True),
        ([touched(3)], [touched(3, eligible=5)], False),
        ([touched(3)], [], True),
        ([], [touched(1)], False),
        ([healthy("a"), healthy("b")], [healthy("b")], True),
        ([healthy("a")], [healthy("b")], False),
        ([healthy("a")], [healthy("a"), healthy("b")], False),
        ([touched(load=0.80)], [touched(load=0.85)], True),
        ([touched(load=0.80)], [touched(load=0.95)], False),
        ([touched(confidence=0.45)], [touched(confidence=0.30)], False),
        ([touched(confidence=0.45)], [touched(confidence=0.60)], True),
        ([touched(names=["a", "b"])], [touched(names=["b"])], True),
        ([touched(names=["a", "b"])], [touched(names=["b", "c"])], False),
        ([touched()], [touched(since="09:00")], False),
        ([touched(since="09:00")], [touched()], True),
        ([Reason(code="own.rule", message="m")], [Reason(code="own.rule", message="m")], True),
    ],
)
def test_reasons_and_their_numbers(asked: list[Reason], now: list[Reason], covered: bool) -> None:
    found = list(what_is_worse(ASKED, said(*asked), ASKED, said(*now), 0))
    assert (found == []) is covered, found


@pytest.mark.parametrize(
    ("reach", "words"),
    [
        ({}, ""),
        ({"nodes": ("gpu-2",), "gangs": (), "pods": 4, "gpus": 32}, ""),
        ({"nodes": ("gpu-1", "gpu-3")}, "reaches gpu-3 too"),
        ({"gangs": ("Gang/law/x", "Gang/law/z")}, "reaches Gang/law/z too"),
        ({"workloads": ("Deployment/web/api",)}, "reaches Deployment/web/api too"),
        ({"pods": 9}, "9 pods, not 8"),
        ({"gpus": 72}, "72 GPUs, not 64"),
    ],
)
def test_how_far_it_reaches(reach: dict[str, Any], words: str) -> None:
    now = ASKED.model_copy(update={"blast_radius": REACH.model_copy(update=reach)})
    assert words in "; ".join(worse(now)) and bool(worse(now)) is bool(words)


def test_what_stopped_nobody_and_stops_somebody_now_is_another_thing() -> None:
    harmless = ASKED.model_copy(update={"destructive": False})
    assert worse(harmless) == [] and "stops work that runs" in worse(ASKED, harmless)[0]


HOUR_S = 3600.0


@pytest.mark.parametrize(
    ("change", "passed_s", "covered"),
    [
        ({}, 0, True),
        ({"gpu_hours": 128.0}, HOUR_S, True),  # it ran on for the hour that nobody answered: the page said how fast
        ({"gpu_hours": 128.0}, HOUR_S / 2, False),  # its checkpoint is gone
        ({"gpu_hours": 64.0 + 64 * LOOKED_S / HOUR_S}, 0, True),
        ({"gpu_hours": 3.0}, 0, True),  # it has saved meanwhile
        ({"gpu_hours": None}, 0, False),
        ({"pods": 9}, 0, False),
        ({"gpus": 72}, 0, False),
        ({"whose": "Gang/law/z"}, 0, False),
        ({"kind": StakeKind.STILL, "gpu_hours": 0.0}, 0, True),
    ],
)
def test_work_at_stake(change: dict[str, Any], passed_s: float, covered: bool) -> None:
    now = ASKED.model_copy(update={"at_stake": (STAKE.model_copy(update=change),)})
    assert (worse(now, passed_s=passed_s) == []) is covered


def test_what_stood_still_and_works_again_is_more() -> None:
    still = ASKED.model_copy(
        update={"at_stake": (STAKE.model_copy(update={"kind": StakeKind.STILL, "gpu_hours": 0.0}),)}
    )
    assert worse(ASKED, still) != []
    unknown = ASKED.model_copy(update={"at_stake": (STAKE.model_copy(update={"gpu_hours": None}),)})
    assert worse(ASKED, unknown) == [], "that nobody knows was told, and agreed to"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (Prediction(stops=("Gang/law/y", "Gang/law/z")), "Gang/law/z would lose"),
        (Prediction(stops=("Gang/law/y",), left_out={"stops": 2}), "3 gangs would lose their nodes by it, not 1"),
        (Prediction(services=(WEB.model_copy(update={"ready_at_worst": 9}),)), ""),
        (Prediction(services=(WEB.model_copy(update={"ready_at_worst": 3}),)), "down to 3 pods, not 10"),
        (Prediction(), ""),
        (None, ""),
    ],
)
def test_what_the_scheduler_foretells(told: Prediction | None, words: str) -> None:
    now = ASKED.model_copy(update={"prediction": told})
    assert words in "; ".join(worse(now)) and bool(worse(now)) is bool(words)


COUNTS = st.integers(0, 12)
NAMES = st.frozensets(st.sampled_from([f"gpu-{number}" for number in range(6)]))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Proposal, Verdict]:
    reach = BlastRadius(nodes=tuple(sorted(draw(NAMES))), pods=draw(COUNTS), gpus=draw(COUNTS))
    stakes = tuple(
        Stake(whose=name, kind=StakeKind.WORK, pods=draw(COUNTS), gpus=draw(COUNTS), gpu_hours=float(draw(COUNTS)))
        for name in sorted(draw(NAMES))
    )
    reasons = [touched(draw(COUNTS)) for _ in range(draw(st.integers(0, 2)))]
    reasons += [healthy(name) for name in sorted(draw(NAMES))]
    return ASKED.model_copy(update={"blast_radius": reach, "at_stake": stakes, "prediction": None}), said(*reasons)


def _covers(asked: tuple[Proposal, Verdict], now: tuple[Proposal, Verdict]) -> bool:
    return next(what_is_worse(*asked, *now, 0), None) is None


@given(worlds(), worlds())
def test_it_covers_itself_and_two_that_cover_each_other_are_alike_in_all_that_counts(
    one: tuple[Proposal, Verdict], other: tuple[Proposal, Verdict]
) -> None:
    assert _covers(one, one)
    if _covers(one, other) and _covers(other, one):
        assert one[0].blast_radius == other[0].blast_radius
        assert [s.whose for s in one[0].at_stake] == [s.whose for s in other[0].at_stake]


@given(worlds(), worlds())
def test_nothing_that_is_covered_has_more_of_anything(
    asked: tuple[Proposal, Verdict], now: tuple[Proposal, Verdict]
) -> None:
    """Against the words of the rule itself, said once more: more of any count is more."""
    if not _covers(asked, now):
        return
    before, after = asked[0].blast_radius, now[0].blast_radius
    assert set(after.nodes) <= set(before.nodes) and after.pods <= before.pods and after.gpus <= before.gpus
    most = {stake.whose: stake for stake in asked[0].at_stake}
    for stake in now[0].at_stake:
        assert stake.pods <= most[stake.whose].pods and stake.gpus <= most[stake.whose].gpus
    for reason in now[1].reasons:
        alike = [each.params for each in asked[1].reasons if each.code == reason.code]
        counts = [int(str(params["touched"])) for params in alike if "touched" in params]
        assert reason.params in alike or int(str(reason.params["touched"])) <= max(counts)


@given(worlds(), st.integers(1, 5), st.sampled_from(["pods", "gpus", "node", "reason"]))
def test_one_more_of_anything_is_not_covered(asked: tuple[Proposal, Verdict], more: int, what: str) -> None:
    proposed, verdict = asked
    reach = proposed.blast_radius
    if what == "reason":
        now = (proposed, said(*verdict.reasons, healthy(f"new-{more}")))
    else:
        grown: dict[str, object] = {"nodes": (*reach.nodes, "gpu-99")}
        if what != "node":
            grown = {what: getattr(reach, what) + more}
        now = (proposed.model_copy(update={"blast_radius": reach.model_copy(update=grown)}), verdict)
    assert not _covers(asked, now)
