"""Whose work a change stops, and how many GPU-hours of it are lost at most."""

from datetime import timedelta
from typing import Any

import pytest

from agent.actions.base import Wish, build_proposal
from agent.actions.catalogue import CATALOGUE
from agent.domain.base import rfc3339
from agent.domain.cluster import ObjectRef
from agent.domain.incident import Symptom
from agent.domain.proposal import Prediction, Proposal
from agent.domain.stake import Stake, StakeKind, gpu_hours, grows_by
from agent.evidence.stakes import LAST_CHECKPOINT, at_stake

from .field import NOW, Cluster, cluster, diagnosis, incident, ref

NODE = ref("Node", "gpu-7")
LLAMA = ref("Workload", "llama")


def ago(**time: float) -> str:
    return rfc3339(NOW - timedelta(**time))


def training(pods: int = 8, hours: float = 1, gpus: int = 1, **more: Any) -> Cluster:
    """A borrower that runs whole and is healthy, a GPU to each pod."""
    nodes = [f"gpu-{number}" for number in range(pods)]
    where = cluster().nodes(*nodes).gang("llama", on=nodes, gpus=gpus, **more)
    for number in range(pods):
        where.change("Pod", f"llama-{number}", {"metadata": {"creationTimestamp": ago(hours=hours)}})
    return where


def stakes(
    action: str, target: ObjectRef, where: Cluster, stops: tuple[str, ...] = (), **given: Any
) -> tuple[Stake, ...]:
    view = where.view()
    about = incident(Symptom.GPU_FAULT, NODE)
    made = build_proposal(CATALOGUE[action], about, 0, Wish(target, given, "because"), view, diagnosis())
    assert isinstance(made, Proposal), made
    foretold = made.model_copy(update={"prediction": Prediction(stops=stops)})
    return at_stake(foretold, view, NOW, lambda ref: f"tenant-of-{ref.namespace}")


def test_a_requeue_of_a_healthy_borrower_throws_away_what_it_has_not_saved() -> None:
    (stake,) = stakes("requeue_gang", LLAMA, training(pods=8, hours=1))
    assert (stake.whose, stake.tenant, stake.kind) == ("Workload/lab/llama", "tenant-of-lab", StakeKind.WORK)
    assert (stake.pods, stake.gpus, stake.gpu_hours) == (8, 8, 8.0)
    assert (stake.since, stake.saved) == (NOW - timedelta(hours=1), False)
    assert grows_by([stake]) == 8


@pytest.mark.parametrize("place", ["Workload", "Job", "Pod"])
def test_since_its_last_checkpoint_where_it_tells_of_one(place: str) -> None:
    where = training(hours=10)
    name = "llama-3" if place == "Pod" else "llama"
    where.change(place, name, {"metadata": {"annotations": {LAST_CHECKPOINT: ago(minutes=15)}}})
    (stake,) = stakes("requeue_gang", LLAMA, where)
    assert (stake.gpu_hours, stake.since, stake.saved) == (2.0, NOW - timedelta(minutes=15), True)


@pytest.mark.parametrize("told", ["yesterday", "", "2026-11-02T12:00:00", rfc3339(NOW + timedelta(minutes=1))])
def test_a_checkpoint_that_is_no_time_or_is_yet_to_come_is_none(told: str) -> None:
    where = training().change("Workload", "llama", {"metadata": {"annotations": {LAST_CHECKPOINT: told}}})
    (stake,) = stakes("requeue_gang", LLAMA, where)
    assert (stake.gpu_hours, stake.saved) == (8.0, False)


def test_a_checkpoint_from_before_it_started_saves_nothing_of_this_run() -> None:
    where = training().change("Workload", "llama", {"metadata": {"annotations": {LAST_CHECKPOINT: ago(hours=5)}}})
    (stake,) = stakes("requeue_gang", LLAMA, where)
    assert (stake.gpu_hours, stake.since, stake.saved) == (8.0, NOW - timedelta(hours=1), False)


def test_a_restart_of_its_containers_has_lost_what_was_before() -> None:
    where = training(hours=10)
    running = [{"name": "main", "state": {"running": {"startedAt": ago(minutes=30)}}}]
    for number in range(8):
        where.change("Pod", f"llama-{number}", {"status": {"containerStatuses": running}})
    (stake,) = stakes("requeue_gang", LLAMA, where)
    assert stake.gpu_hours == 4.0
    where.change("Pod", "llama-0", {"status": {"containerStatuses": [], "startTime": ago(hours=2)}})
    assert stakes("requeue_gang", LLAMA, where)[0].gpu_hours == 5.5


def test_where_nobody_says_when_it_started_nobody_knows() -> None:
    nodes = ["gpu-1", "gpu-2"]
    (stake,) = stakes("requeue_gang", LLAMA, cluster().nodes(*nodes).gang("llama", on=nodes))
    assert stake.gpu_hours is None and gpu_hours([stake]) is None


def test_a_gang_of_which_a_part_does_not_run_makes_nothing_that_could_be_lost() -> None:
    (stake,) = stakes("requeue_gang", LLAMA, training(waiting=2))
    assert (stake.kind, stake.pods, stake.gpu_hours) == (StakeKind.STILL, 8, 0.0)


def test_a_drain_stops_gangs_whole_services_and_nobody_who_is_elsewhere() -> None:
    where = training(pods=2, hours=4).node("gpu-9").deployment("web", on=["gpu-0"], gpus=2)
    where.deployment("other", on=["gpu-9"])
    found = {stake.whose: stake for stake in stakes("drain_node", ref("Node", "gpu-0"), where)}
    assert "Deployment/lab/other" not in found
    assert found["Deployment/lab/web"].kind in (StakeKind.SERVED, StakeKind.WORK)
    assert found["Workload/lab/llama"].gpu_hours == pytest.approx(4.0 * found["Workload/lab/llama"].pods)


def test_who_loses_the_nodes_because_of_it_is_named_too() -> None:
    where = training(hours=3).nodes("gpu-20").deployment("web", on=["gpu-20"])
    (pushed,) = stakes("cordon_node", ref("Node", "gpu-20"), where, stops=("Workload/lab/llama",))
    assert (pushed.whose, pushed.gpu_hours) == ("Workload/lab/llama", 24.0)


def test_a_cordon_and_a_call_stop_nobody() -> None:
    assert stakes("cordon_node", ref("Node", "gpu-0"), training()) == ()
    assert stakes("notify", NODE, training(), audience="oncall", message="look") == ()


def test_idle_gpus_lose_what_is_in_memory_and_no_hours() -> None:
    where = cluster().node("gpu-1").notebook("anna", on="gpu-1")
    where.change("Pod", "anna-0", {"metadata": {"creationTimestamp": ago(days=3)}})
    (stake,) = stakes("reclaim_idle_gpu", ref("Notebook", "anna"), where, method="stop")
    assert (stake.kind, stake.gpu_hours, grows_by([stake])) == (StakeKind.IDLE, 0.0, 0)
