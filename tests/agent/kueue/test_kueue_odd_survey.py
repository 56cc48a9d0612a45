"""The agent's own look over Kueue's objects of shapes that nobody thought of: nothing of it ends the look."""

from typing import Any

import pytest
from kueue_reading import view
from kueue_world import (
    GPU,
    NOW,
    Json,
    cluster_queue,
    condition,
    flavor,
    local_queue,
    namespace,
    node,
    reserved,
    workload,
)

from agent.adapters.prometheus import detect
from agent.adapters.prometheus.detect import Surveyor
from agent.domain.incident import Symptom
from agent.domain.thresholds import Thresholds
from agent.evidence.condition import Condition

SENT_BACK = condition("Evicted", reason="PodsReadyTimeout")
PREEMPTED = condition("Preempted", reason="InCohortReclamation")
LOOP = {"requeueState": {"count": 4}, "conditions": [condition("Evicted", reason="PodsReadyTimeout")]}


class Nothing:
    """Neither metrics nor a past."""

    def instant(self, query: str, at: Any) -> list[Any]:
        return []

    def range(self, query: str, start: Any, end: Any, step: Any) -> list[Any]:
        return []

    def past_actions(self, since: Any) -> list[Any]:
        return []


def survey(*objects: Json) -> tuple[list[str], list[tuple[str, ...]]]:
    """What was found, and what could not be."""
    nothing: Any = Nothing()
    told: list[tuple[str, ...]] = []
    surveyor = Surveyor(nothing, {"idle": {"minimum": {}}}, nothing, Thresholds(), lambda *what: told.append(what))
    there = (namespace(), flavor(), cluster_queue(), local_queue(), node("n1"))
    found = surveyor.survey(view(*there, *objects), NOW)
    assert surveyor.survey(view(*there, *objects), NOW) == []  # it is all told
    return sorted({each.type for each in found}), told


@pytest.mark.parametrize(
    "odd",
    [
        [{**local_queue("odd"), "spec": 5}, local_queue("odder", queue=["a"])],  # type: ignore[arg-type]
        [cluster_queue("odd", cohortName=["a"]), cluster_queue("odder", cohortName={"a": 1})],
        [cluster_queue("odd", stopPolicy=["x"])],
        [{**cluster_queue("odd"), "spec": {"resourceGroups": "x"}}],
        [cluster_queue("odd", resourceGroups=[{"flavors": [{"name": 5, "resources": [{"name": GPU}]}]}])],
        [cluster_queue("odd", status={"flavorsUsage": "x", "flavorsReservation": [{"name": 5, "resources": "x"}]})],
        [{**cluster_queue("odd"), "metadata": {"name": "odd", "annotations": {"watchkeeper.dev/held-by": 5}}}],
        [{**cluster_queue("odd"), "metadata": {"name": "odd", "annotations": "none"}}],
        [workload("odd", status={"schedulingStats": 5, "requeueState": "x", "conditions": [SENT_BACK]})],
        [workload("odd", status={"requeueState": {"count": 10**40}, "conditions": [SENT_BACK]})],
        [workload("odd", status={"schedulingStats": {"evictions": [{"reason": ["a"], "count": "x"}, 5]}})],
        [workload("odd", status={"conditions": [{**PREEMPTED, "message": "UID: " + "x" * 100_000}]})],
        [workload("odd", status={"conditions": [{**PREEMPTED, "message": ["a"], "lastTransitionTime": 5}]})],
        [reserved("odd", 2**31 - 1, "9e99", status={"conditions": [condition("QuotaReserved")]})],  # type: ignore[arg-type]
    ],
    ids=lambda odd: f"{odd[0]['kind']} {odd[0]['spec']!s:.40} {odd[0].get('status')!s:.40}",
)  # fmt: skip
def test_an_odd_object_of_kueue_hides_nothing_else(odd: list[Json]) -> None:
    alone, _ = survey(workload("loops", status=LOOP))
    beside, told = survey(workload("loops", status=LOOP), *odd)
    assert alone and set(alone) <= set(beside)
    assert told == []


def test_a_finder_that_fails_tells_it_once_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Any) -> list[Condition]:
        raise KeyError("nobody thought of it")

    monkeypatch.setattr(detect, "FINDERS", {**detect.FINDERS, Symptom.QUOTA_UNUSED: fails})
    found, told = survey(workload("loops", status=LOOP))
    assert found == survey(workload("loops", status=LOOP))[0] != []
    assert [(door, what) for door, what, _ in told] == [("survey", "quota_unused")]
