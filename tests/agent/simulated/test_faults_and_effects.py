"""What the agent does is journalled; what a scenario breaks is broken for as long as it says."""

from collections.abc import Callable

import pytest
from world_builders import at, deployment, node, pod, pod_names, pod_ref, ref, running, world

from agent.adapters.simulated.world import World
from agent.ports import ClusterFault, ClusterUnavailable, Conflict, MetricsUnavailable, RepairUnavailable

WEB = ref("apps/v1", "Deployment", "web")


def made_world() -> World:
    return world(node("n1"), deployment("web", 1), pod("p", "n1"))


def test_every_mutation_is_in_the_journal_and_nothing_else() -> None:
    made = made_world()
    made.cluster.patch(WEB, {"metadata": {"annotations": {"a": "b"}}}, field_manager="somebody")
    made.cluster.patch(WEB, {"metadata": {"annotations": {"a": "c"}}}, dry_run=True)
    made.cluster.scale(WEB, 0)
    made.advance_to(at(30))
    made.cluster.evict(pod_ref("p"))
    made.cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "a"}})
    made.apply(deployment("web", 3))
    made.advance_to(at(60))
    journal = [(each.who, each.verb, str(each.ref), each.at) for each in made.effects]
    assert journal == [
        ("somebody", "patch", "Deployment/a/web", at(0)),
        ("watchkeeper", "scale", "Deployment/a/web", at(0)),
        ("watchkeeper", "evict", "Pod/a/p", at(30)),
        ("watchkeeper", "create", "ConfigMap/a/c", at(30)),
    ]
    assert made.effects[0].body == {"metadata": {"annotations": {"a": "b"}}}


def test_a_refused_mutation_is_no_effect() -> None:
    made = made_world()
    with pytest.raises(Conflict):
        made.cluster.scale(WEB, 0, uid="another")
    made.inject_fault("apiserver", "down", at(60))
    with pytest.raises(ClusterUnavailable):
        made.cluster.evict(pod_ref("p"))
    assert made.effects == []


@pytest.mark.parametrize(("kind", "status"), [("down", 503), ("error", 500)])
def test_a_broken_api_server_fails_every_verb_until_it_is_over(kind: str, status: int) -> None:
    made = made_world()
    made.inject_fault("apiserver", kind, at(60))
    calls: list[Callable[[], object]] = [
        lambda: made.cluster.get(WEB),
        lambda: made.cluster.list("v1", "Pod"),
        lambda: list(made.cluster.watch("v1", "Pod", resource_version="0")),
        lambda: list(made.cluster.changes(0)),
        lambda: made.cluster.patch(WEB, {}),
        lambda: made.cluster.scale(WEB, 0),
        lambda: made.cluster.evict(pod_ref("p")),
        lambda: made.cluster.bind(pod_ref("p"), "n1"),
        lambda: made.cluster.create(node("n2")),
    ]
    for call in calls:
        with pytest.raises(ClusterFault) as failed:
            call()
        assert failed.value.status == status
    made.advance_to(at(60))
    assert made.cluster.get(WEB)["spec"]["replicas"] == 1


def test_an_api_server_in_conflict_reads_and_does_not_write() -> None:
    made = made_world()
    made.inject_fault("apiserver", "conflict", at(60))
    assert made.cluster.get(WEB)["spec"]["replicas"] == 1
    with pytest.raises(Conflict):
        made.cluster.scale(WEB, 0)


@pytest.mark.parametrize("target", ["apiserver", "prometheus", "repair"])
def test_a_slow_answer_takes_its_time_and_is_right(target: str) -> None:
    made = made_world()
    made.inject_fault(target, "latency", at(60))
    made.cluster.scale(WEB, 0)
    made.metrics.instant("up", at(0))
    made.repairs.state("k")
    assert made.clock.now() == at(1)
    made.advance_to(at(0))
    assert made.clock.now() == at(1), "time never goes back"
    assert made.cluster.get(WEB)["spec"]["replicas"] == 0


@pytest.mark.parametrize("kind", ["down", "error"])
def test_prometheus_and_the_repair_system_fail_alike(kind: str) -> None:
    made = made_world()
    for target in ("prometheus", "repair"):
        made.inject_fault(target, kind, at(60))
    with pytest.raises(MetricsUnavailable):
        made.metrics.instant("up", at(0))
    for call in (
        lambda: made.repairs.request("n1", "reboot", gpu_uuid=None, key="k"),
        lambda: made.repairs.state("k"),
        lambda: made.repairs.withdraw("k"),
    ):
        with pytest.raises(RepairUnavailable):
            call()
    made.advance_to(at(60))
    assert made.metrics.instant("up", at(60)) == [] and made.repairs.state("k") == "unknown"


def test_kubelets_that_are_down_neither_start_nor_end_pods() -> None:
    made = world(node("n1"), pod("old", "n1", gpus=4), pod("new", gpus=4))
    made.inject_fault("kubelet", "down", at(300))
    made.cluster.evict(pod_ref("old"))
    made.advance_to(at(299))
    assert running(made) == {"old": "n1"}
    assert made.cluster.get(pod_ref("new"))["status"]["phase"] == "Pending"
    made.advance_to(at(300))
    assert running(made) == {"new": "n1"} and pod_names(made) == ["new"]


def test_slow_kubelets_take_ten_times_as_long() -> None:
    made = world(node("n1"), pod("p"))
    made.inject_fault("kubelet", "latency", at(300))
    made.advance_to(at(49))
    assert running(made) == {}
    made.advance_to(at(50))
    assert running(made) == {"p": "n1"}


@pytest.mark.parametrize(("target", "kind"), [("policy", "down"), ("apiserver", "tired")])
def test_a_fault_that_is_unknown_here_is_named(target: str, kind: str) -> None:
    with pytest.raises(ValueError, match=f"'{target if target == 'policy' else kind}'"):
        made_world().inject_fault(target, kind, at(1))


def test_an_event_that_happens_again_counts_up() -> None:
    made = world(node("n1"), pod("big", gpus=64))
    made.advance_to(at(10))
    made.apply(node("n2"))
    made.advance_to(at(20))
    failed = next(each for each in made.cluster.list("v1", "Event") if each["reason"] == "FailedScheduling")
    assert failed["count"] == 2
    assert (failed["firstTimestamp"], failed["lastTimestamp"]) == ("2026-11-02T09:00:00Z", "2026-11-02T09:00:10Z")
    assert failed["involvedObject"]["uid"] == made.cluster.get(pod_ref("big"))["metadata"]["uid"]
