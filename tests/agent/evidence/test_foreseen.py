"""Prediction and outcome, side by side."""

from typing import Any

import pytest

from agent.adapters.scheduler.forecaster import SchedulerForecaster
from agent.domain.forecast import GpuForecast, Gpus, ServiceForecast
from agent.domain.outcome import Foreseen
from agent.domain.proposal import BlastRadius, Prediction, Proposal
from agent.evidence.foreseen import broken_promise, foreseen, in_vain

from .field import Cluster, cluster, ref

VICTIM, HOPED, NODE = ref("Gang", "victim"), ref("Gang", "hoped"), ref("Node", "gpu-7")
STARTS = Prediction(starts=("Gang/lab/hoped",), gpus=GpuForecast())


def came(prediction: Prediction, where: Cluster) -> list[tuple[str, str]]:
    view = where.view()
    return [(each.came, each.reason) for each in foreseen(prediction, view, SchedulerForecaster().what_if(view, []))]


def waiting_for_eight(**more: Any) -> Cluster:
    return cluster().node("gpu-7").gang("hoped", on=[], waiting=2, kind="Gang", **more).queue("main", "Queue")


def requeue(prediction: Prediction | None) -> Proposal:
    return Proposal(
        id="inc-1/0", incident="inc-1", action="requeue_gang", target=VICTIM, steps=(), blast_radius=BlastRadius(),
        destructive=True, protective=False, source="playbook:p", confidence=0.9, statement="", prediction=prediction,
    )  # fmt: skip


def test_a_start_that_came_one_that_did_not_and_one_that_nobody_can_tell() -> None:
    assert came(STARTS, cluster().node("gpu-7").gang("hoped", on=["gpu-7"], kind="Gang")) == [("kept", "it is running")]
    ((missed, why),) = came(STARTS, waiting_for_eight())
    assert missed == "missed" and "16" in why  # with the number that binds
    assert came(STARTS, cluster().node("gpu-7")) == [("unknown", "it is gone")]
    off = waiting_for_eight().change("Gang", "hoped", {"spec": {"active": False}})
    assert came(STARTS, off) == [("unknown", "somebody took it out of its queue")]


def test_who_was_to_wait_waits_whole_or_found_room_or_runs_in_part() -> None:
    stops = Prediction(stops=("Gang/lab/hoped",))
    nodes = cluster().nodes("gpu-7", "gpu-8")
    assert came(stops, waiting_for_eight()) == [("kept", "it is queued")]
    assert came(stops, nodes.gang("hoped", on=["gpu-7"], kind="Gang")) == [("missed", "it runs: room was found")]
    part = cluster().nodes("gpu-7", "gpu-8").gang("hoped", on=["gpu-7"], waiting=1, kind="Gang")
    assert came(stops, part) == [("missed", "a part of it runs")]


@pytest.mark.parametrize(("free_now", "told"), [(8, "kept"), (6, "unknown")])
def test_free_gpus_are_as_told_or_others_came_meanwhile(free_now: int, told: str) -> None:
    frees = Prediction(gpus=GpuForecast(before=Gpus(free=0), after=Gpus(free=8)))
    where = cluster().node("gpu-7")
    if free_now != 8:
        where.deployment("other", on=["gpu-7"])
    assert [each for each, _ in came(frees, where)] == [told]


def test_free_gpus_that_are_not_there_because_the_rest_was_missed_are_missed() -> None:
    both = STARTS.model_copy(update={"gpus": GpuForecast(before=Gpus(free=24), after=Gpus(free=0))})
    assert [each for each, _ in came(both, waiting_for_eight())] == ["missed", "missed"]


@pytest.mark.parametrize(
    ("ready", "replicas", "told"), [(3, 3, "kept"), (2, 3, "missed"), (2, 2, "unknown"), (4, 3, "kept")]
)
def test_a_service_has_the_ready_pods_that_were_told(ready: int, replicas: int, told: str) -> None:
    more = ServiceForecast(ref="Deployment/lab/web", wanted=3, ready_before=1, ready_at_worst=1, ready_after=3)
    where = cluster().node("gpu-7").deployment("web", on=["gpu-7"] * ready, replicas=replicas)
    assert [each for each, _ in came(Prediction(services=(more,)), where)] == [told]


def test_ready_pods_that_nobody_foretold_are_not_judged() -> None:
    unknown = ServiceForecast(ref="Deployment/lab/web", ready_before=1, ready_at_worst=0)
    assert came(Prediction(services=(unknown,)), cluster()) == []


def _said(came_: Any) -> tuple[Foreseen, ...]:
    return (Foreseen(kind="start", effect="Gang/lab/hoped starts", came=came_, reason="it is queued"),)


def test_in_vain_is_what_lets_nobody_run_that_it_was_done_for() -> None:
    waits = cluster().node("gpu-7").gang("victim", on=[], waiting=1, kind="Gang").view()
    runs = cluster().node("gpu-7").gang("victim", on=["gpu-7"], kind="Gang").view()
    assert in_vain(requeue(STARTS), HOPED, _said("missed"), waits) == "Gang/lab/hoped starts: it is queued"
    assert in_vain(requeue(STARTS), HOPED, _said("kept"), waits) == ""
    assert in_vain(requeue(STARTS), HOPED, _said("unknown"), waits) == ""
    assert in_vain(requeue(STARTS), VICTIM, _said("missed"), runs) == ""  # it is no worse off itself
    assert in_vain(requeue(STARTS), NODE, _said("missed"), waits) == ""  # the point was to empty the node
    assert in_vain(requeue(None), HOPED, (), waits) == ""


def test_a_promise_is_broken_when_those_it_was_made_to_would_not_start() -> None:
    others = STARTS.model_copy(update={"starts": ("Gang/lab/somebody",)})
    nobody = STARTS.model_copy(update={"starts": ()})
    too_many = nobody.model_copy(update={"left_out": {"starts": 3}})
    for now, broken in ((STARTS, False), (others, True), (nobody, True), (too_many, False), (None, False)):
        assert bool(broken_promise(requeue(STARTS), requeue(now), HOPED)) is broken
    assert broken_promise(requeue(nobody), requeue(nobody), HOPED) == ""
    assert broken_promise(requeue(STARTS), requeue(nobody), NODE) == ""
