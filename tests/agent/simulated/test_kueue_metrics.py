"""Kueue's series follow what happens to its Workloads."""

from datetime import timedelta

from queued_kinds import plain_job, queued
from test_preemption import URGENT, queue
from world_builders import KUEUE, START, at, node, queues, ref, workload

from agent.adapters.simulated.world import World


def exporting(*more: dict[str, object], nodes: int = 4) -> World:
    made = World(7, START, timedelta(seconds=15), {}, world_metrics=True)
    made.load([*(node(f"n{index}") for index in range(1, nodes + 1)), *more])
    made.advance_to(at(0))
    return made


def values(made: World, query: str, *labels: str) -> dict[tuple[str, ...], float]:
    found = made.metrics.instant(query, made.clock.now())
    return {tuple(each.labels.get(label, "") for label in labels): each.points[0][1] for each in found}


def test_who_waits_and_who_is_in() -> None:
    made = exporting(*queues(16))
    for name in ("first", "second", "third"):
        made.apply(queued(plain_job(name, 2)))
    made.advance_to(at(30))
    assert values(made, "kueue_admitted_active_workloads", "cluster_queue") == {("q",): 1}
    assert values(made, "kueue_pending_workloads", "status") == {("active",): 0, ("inadmissible",): 2}
    assert values(made, "kueue_cluster_queue_resource_usage", "resource") == {("nvidia.com/gpu",): 16}
    assert values(made, "kueue_admitted_workloads_total", "cluster_queue") == {("q",): 1}


def test_admissions_and_how_long_they_waited() -> None:
    made = exporting(*queues(16))
    made.apply(queued(plain_job("first", 2)))
    made.apply(queued(plain_job("second", 2)))
    made.advance_to(at(100))
    made.delete(ref("batch/v1", "Job", "first"))
    made.advance_to(at(200))
    assert values(made, "kueue_admission_wait_time_seconds_count") == {(): 2}
    assert values(made, "kueue_admission_wait_time_seconds_sum") == {(): 100}
    below = values(made, "kueue_admission_wait_time_seconds_bucket", "le")
    assert (below[("1",)], below[("80",)], below[("160",)], below[("+Inf",)]) == (1, 1, 2, 2)


def test_evictions_by_their_reasons() -> None:
    made = exporting(*queues(48), nodes=2)
    made.apply(queued(plain_job("large", 3)))
    made.advance_to(at(700))
    evicted = "kueue_evicted_workloads_total"
    assert values(made, evicted, "cluster_queue", "reason", "underlying_cause") == {
        ("q", "PodsReadyTimeout", "WaitForStart"): 2
    }


def test_preemptions_by_who_preempts() -> None:
    flavor = {"apiVersion": KUEUE, "kind": "ResourceFlavor", "metadata": {"name": "default"}, "spec": {}}
    urgent = {"apiVersion": KUEUE, "kind": "WorkloadPriorityClass", "metadata": {"name": "urgent"}, "value": 1000}
    made = exporting(flavor, urgent, *queue("research", 16, withinClusterQueue="LowerPriority"))
    made.apply(queued(plain_job("usual", 2), "research"))
    made.advance_to(at(30))
    made.apply(queued(plain_job("hurried", 2), "research", **URGENT))
    made.advance_to(at(60))
    preempted = values(made, "kueue_preempted_workloads_total", "preempting_cluster_queue", "reason")
    assert preempted == {("research", "InClusterQueue"): 1}
    assert values(made, 'kueue_evicted_workloads_total{reason="Preempted"}', "cluster_queue") == {("research",): 1}
    assert values(made, "kueue_cluster_queue_nominal_quota", "cohort") == {("all",): 16}


def test_the_initial_objects_have_no_history() -> None:
    train = plain_job("train", 2)
    made = exporting(*queues(16), train, workload("job-train-abcde", train))
    made.advance_to(at(60))
    assert values(made, "kueue_admitted_active_workloads", "cluster_queue") == {("q",): 1}
    assert values(made, "kueue_admitted_workloads_total") == {}
