"""Queues with rules of preemption: victims leave whole, and the words are Kueue's."""

from queued_kinds import events, held, of_kind, only, plain_job, queued
from world_builders import KUEUE, Json, at, node, pinned, ref, running, workload, world

from agent.adapters.simulated.world import World

RULES = {"withinClusterQueue": "LowerPriority", "reclaimWithinCohort": "Any"}
URGENT = {"kueue.x-k8s.io/priority-class": "urgent"}


def queue(name: str, gpus: int, **rules: str) -> list[Json]:
    quota = {"name": "nvidia.com/gpu", "nominalQuota": str(gpus)}
    group = {"coveredResources": ["nvidia.com/gpu"], "flavors": [{"name": "default", "resources": [quota]}]}
    spec = {"cohortName": "all", "preemption": rules, "resourceGroups": [group]}
    local = {"name": name, "namespace": "a"}
    return [
        {"apiVersion": KUEUE, "kind": "ClusterQueue", "metadata": {"name": name}, "spec": spec},
        {"apiVersion": KUEUE, "kind": "LocalQueue", "metadata": local, "spec": {"clusterQueue": name}},
    ]


def site(*more: Json) -> World:
    """Two queues of a cohort with 16 GPUs each, on four nodes."""
    nodes = [node(f"n{index}") for index in range(1, 5)]
    flavor = {"apiVersion": KUEUE, "kind": "ResourceFlavor", "metadata": {"name": "default"}, "spec": {}}
    urgent = {"apiVersion": KUEUE, "kind": "WorkloadPriorityClass", "metadata": {"name": "urgent"}, "value": 1000}
    made = world(*nodes, flavor, urgent, *queue("research", 16, **RULES), *queue("product", 16, **RULES), *more)
    made.advance_to(at(0))
    return made


def jobs_running(made: World) -> dict[str, int]:
    names = [name.partition("-")[0] for name in running(made)]
    return {name: names.count(name) for name in sorted(set(names))}


def test_an_urgent_gang_sends_a_lower_one_of_its_queue_back_whole() -> None:
    made = site()
    made.apply(queued(plain_job("usual", 4), "research"))
    made.advance_to(at(30))
    made.apply(queued(plain_job("hurried", 2), "research", **URGENT))
    made.advance_to(at(60))
    assert jobs_running(made) == {"hurried": 2}
    victim = next(each for each in of_kind(made, "Workload") if "usual" in each["metadata"]["name"])
    assert held(victim) == {"Evicted": "Preempted", "Preempted": "InClusterQueue", "Requeued": "Preempted"}
    (message,) = events(made, "Preempted")
    assert events(made, "EvictedDueToPreempted") == [message]
    preemptor = next(each for each in of_kind(made, "Workload") if "hurried" in each["metadata"]["name"])
    uid = preemptor["metadata"]["uid"]
    assert message == (
        f"Preempted to accommodate a workload (UID: {uid}, JobUID: uid-hurried) due to prioritization in the "
        "ClusterQueue; preemptor path: /all/research; preemptee path: /all/research"
    )
    assert events(made, "PreemptedWorkload")


def test_a_queue_takes_back_what_another_one_has_borrowed() -> None:
    made = site()
    made.apply(queued(plain_job("own", 2), "research"))
    made.advance_to(at(10))
    made.apply(queued(plain_job("borrowed", 2), "research"))
    made.advance_to(at(30))
    assert jobs_running(made) == {"borrowed": 2, "own": 2}
    made.apply(queued(plain_job("ours", 2), "product"))
    made.advance_to(at(60))
    assert jobs_running(made) == {"ours": 2, "own": 2}
    assert "due to reclamation within the cohort;" in events(made, "Preempted")[0]


def test_who_was_sent_back_returns_when_there_is_quota_again() -> None:
    made = site()
    made.apply(queued(plain_job("usual", 4), "research"))
    made.advance_to(at(30))
    made.apply(queued(plain_job("hurried", 2), "research", **URGENT))
    made.advance_to(at(60))
    made.delete(ref("batch/v1", "Job", "hurried"))
    made.advance_to(at(90))
    assert jobs_running(made) == {"usual": 4}
    assert "Preempted" not in held(only(made, "Workload"))


def test_an_equal_waits() -> None:
    made = site()
    made.apply(queued(plain_job("first", 4), "research"))
    made.advance_to(at(30))
    made.apply(queued(plain_job("second", 4), "research"))
    made.advance_to(at(60))
    assert jobs_running(made) == {"first": 4}


def test_a_pinned_gang_is_nobodys_victim() -> None:
    usual = plain_job("usual", 4)
    stays = workload("job-usual-abcde", usual)
    stays["spec"]["queueName"] = "research"
    stays["status"]["admission"]["clusterQueue"] = "research"
    made = site(usual, pinned(stays))
    made.apply(queued(plain_job("hurried", 2), "research", **URGENT))
    made.advance_to(at(60))
    assert jobs_running(made) == {} and events(made, "Preempted") == []
