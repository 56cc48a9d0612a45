"""What a proposal's record says will come of it, for actions of every kind."""

from datetime import timedelta
from typing import Any

import pytest

from agent.actions.base import Wish, build_proposal
from agent.actions.catalogue import CATALOGUE
from agent.adapters.scheduler.forecaster import SchedulerForecaster
from agent.domain.cluster import ObjectRef
from agent.domain.forecast import ServiceForecast
from agent.domain.incident import Symptom
from agent.domain.proposal import Prediction, Proposal
from agent.evidence.foresight import LISTED, foretold
from agent.evidence.services import requests_waiting
from agent.look import action_changes
from agent.ports import Remedy, Series

from .field import NOW, Cluster, Told, cluster, diagnosis, incident, ref

NODE = ref("Node", "gpu-7")


def predicted(action: str, target: ObjectRef, where: Cluster, **parameters: Any) -> Prediction | None:
    """As a look at this cluster would put it into the proposal."""
    view, forecast, why_not = where.view(), None, ""
    about = incident(Symptom.GPU_FAULT, NODE)
    made = build_proposal(CATALOGUE[action], about, 0, Wish(target, parameters, "because"), view, diagnosis())
    assert isinstance(made, Proposal), made
    changes = action_changes(Remedy(action, target, parameters, "because", "stop"))
    try:
        forecast = SchedulerForecaster().what_if(view, changes)
    except ValueError as error:
        why_not = str(error)
    return foretold(made, forecast, why_not, view)


def service(action: str, target: ObjectRef, where: Cluster, **parameters: Any) -> ServiceForecast:
    told = predicted(action, target, where, **parameters)
    assert told is not None
    (only,) = told.services
    return only


def web(replicas: int = 4, **spec: Any) -> Cluster:
    names = [f"gpu-{index}" for index in range(replicas)]
    where = cluster().nodes(*names).deployment("web", on=names, spec=spec)
    for index in range(replicas):
        where.change("Pod", f"web-{index}", {"metadata": {"labels": {"app": "web"}}})
    return where


WEB = ref("Deployment", "web")


def test_telling_a_person_changes_nothing() -> None:
    assert predicted("notify", NODE, cluster().node("gpu-7"), audience="oncall", message="look") is None


@pytest.mark.parametrize(
    ("strategy", "at_worst"),
    [
        ({}, 3),  # a quarter of four
        ({"strategy": {"rollingUpdate": {"maxUnavailable": "50%"}}}, 2),
        ({"strategy": {"rollingUpdate": {"maxUnavailable": 3}}}, 1),
        ({"strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}}, 4),
        ({"strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 0}}}, 3),
        ({"strategy": {"type": "Recreate"}}, 0),
    ],
)
def test_a_restart_says_how_many_may_be_down_at_once_and_not_that_they_come_back(
    strategy: dict[str, Any], at_worst: int
) -> None:
    told = predicted("restart_workload", WEB, web(**strategy))
    assert told is not None
    assert (told.services[0].ready_before, told.services[0].ready_at_worst, told.services[0].ready_after) == (
        4,
        at_worst,
        None,
    )
    assert told.not_foretold == ("whether the new pods become ready",)
    assert told.gpus is not None and told.gpus.before == told.gpus.after


def test_a_repair_says_what_nobody_knows() -> None:
    told = predicted("request_node_repair", NODE, cluster().node("gpu-7", cordoned=True), operation="reboot")
    assert told is not None and told.gpus is not None
    assert told.not_foretold == ("how long reboot takes, and whether it heals the node",)
    assert told.gpus.after.unusable == 8


def test_an_eviction_with_room_elsewhere_takes_one_for_a_while_and_with_none_for_good() -> None:
    full = web(2).node("gpu-9", 0)
    for name in ("gpu-0", "gpu-1"):
        full.node(name, 2)
    roomy = web(2).node("gpu-9")
    gone, moved = (service("evict_pod", ref("Pod", "web-0"), where) for where in (full, roomy))
    assert (moved.ready_before, moved.ready_at_worst, moved.ready_after) == (2, 1, 2)
    assert (gone.ready_before, gone.ready_at_worst, gone.ready_after) == (2, 1, 2)  # its own place is free again
    cut_off = service("drain_node", ref("Node", "gpu-0"), full)
    assert (cut_off.ready_before, cut_off.ready_at_worst, cut_off.ready_after) == (2, 1, 1)


def test_evictions_wait_for_a_disruption_budget() -> None:
    where = web(2).budget("keep", 2, app="web")
    assert service("drain_node", ref("Node", "gpu-0"), where).ready_at_worst == 2
    assert service("drain_node", ref("Node", "gpu-0"), where).minimum == 2


def test_a_smaller_number_frees_gpus_at_the_cost_of_ready_pods() -> None:
    told = predicted("scale_workload", WEB, web(4), replicas=1)
    assert told is not None and told.gpus is not None
    assert (told.services[0].wanted, told.services[0].ready_after) == (1, 1)
    assert told.gpus.after.free - told.gpus.before.free == 6


def test_what_an_autoscaler_makes_of_it_is_not_known() -> None:
    told = predicted("scale_workload", WEB, web(4).autoscaler("web", "web", 1, 8), max_replicas=2)
    assert told is not None and told.gpus is None
    assert "not known" in told.not_foretold[0]


def test_who_reclaims_has_found_them_idle() -> None:
    told = predicted(
        "reclaim_idle_gpu", ref("Notebook", "nb"), cluster().node("gpu-7").notebook("nb", "gpu-7"), method="stop"
    )
    assert told is not None and told.gpus is not None
    assert (told.gpus.before.idle_held, told.gpus.without.idle_held, told.gpus.after.idle_held) == (2, 2, 0)
    assert (told.gpus.before.free, told.gpus.after.free) == (6, 8)


def test_a_gang_is_no_service_even_where_it_is_reclaimed_whole() -> None:
    where = cluster().nodes("gpu-7", "gpu-8").gang("sweep", on=["gpu-7", "gpu-8"], kind="Gang")
    told = predicted("reclaim_idle_gpu", ref("Gang", "sweep"), where, method="suspend")
    assert told is not None and told.gpus is not None
    assert (told.services, told.gpus.after.free) == ((), 16)


def test_the_record_stays_small_and_counts_what_it_leaves_out() -> None:
    marks = {"watchkeeper.dev/cordoned-by": "watchkeeper"}
    where = cluster().node("gpu-7", 10, cordoned=True, annotations=marks).queue("main", "Queue")
    for index in range(20):
        where.gang(f"g{index:02}", on=[], waiting=1, gpus=1, kind="Gang")
    told = predicted("uncordon_node", NODE, where)
    assert told is not None
    assert told.starts == told.gangs_started == tuple(f"Gang/lab/g{index:02}" for index in range(LISTED))
    assert len(told.gangs_pending) == LISTED
    assert told.left_out == {"gangs_pending": 2, "gangs_started": 2, "starts": 2}


def _waiting(pod: str, value: float, **at: float) -> Series:
    labels = {"__name__": "vllm:num_requests_waiting", "namespace": "lab", "pod": pod}
    return Series(labels, ((NOW - timedelta(**at), value),))


@pytest.mark.parametrize(
    ("series", "known"),
    [
        ([_waiting("web-0", 3), _waiting("web-1", 4)], 7),
        ([_waiting("web-0", 3)], None),  # the other one does not say
        ([_waiting("web-0", 3), _waiting("web-1", 4, minutes=20)], None),
    ],
)
def test_requests_wait_as_many_as_every_server_says(series: list[Series], known: int | None) -> None:
    assert requests_waiting(web(2).view(), WEB, Told(*series), NOW) == known


def test_nobody_says_how_many_requests_wait_when_the_telemetry_is_away() -> None:
    assert requests_waiting(web(2).view(), WEB, Told(_waiting("web-0", 3), down=True), NOW) is None
