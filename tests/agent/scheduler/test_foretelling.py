"""What the forecaster says of a cluster as it is, and of what the agent may do to it, against what happens anyway."""

from datetime import UTC, datetime
from typing import Any

from agent.adapters.kubernetes.translate import view_of
from agent.adapters.scheduler.forecaster import SchedulerForecaster
from agent.domain.cluster import ObjectRef
from agent.domain.forecast import Gpus, ServiceForecast
from agent.domain.proposal import Prediction

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
OURS, KUEUE = "watchkeeper.dev/v1alpha1", "kueue.x-k8s.io/v1beta2"
Json = dict[str, Any]
SHAPE = {"containers": [{"name": "main", "resources": {"limits": {"nvidia.com/gpu": "8"}}}]}


def obj(version: str, kind: str, name: str, namespace: str | None, **parts: Any) -> Json:
    place = {"namespace": namespace} if namespace else {}
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, **place, **parts.pop("metadata", {})},
        **parts,
    }


def node(name: str, *, cordoned: bool = False) -> Json:
    status = {"allocatable": {"nvidia.com/gpu": "8"}, "conditions": [{"type": "Ready", "status": "True"}]}
    return obj("v1", "Node", name, None, spec={"unschedulable": cordoned}, status=status)


def queue(gpus: int = 64) -> Json:
    quota = {"flavor": "default", "resource": "nvidia.com/gpu", "nominal": gpus}
    return obj(OURS, "Queue", "q", None, spec={"quotas": [quota]})


def gang(name: str, pods: int = 1) -> Json:
    sets = [{"name": "main", "count": pods, "template": {"spec": SHAPE}}]
    return obj(OURS, "Gang", name, "a", spec={"queue": "q", "podSets": sets})


def pod(name: str, on: str | None, owner: Json, *, ready: bool = True) -> Json:
    by = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"]}
    said = [{"type": "Ready", "status": str(ready)}]
    status = {"phase": "Running" if on else "Pending", "conditions": said}
    meta = {"ownerReferences": [{**by, "controller": True}]}
    return obj("v1", "Pod", name, "a", metadata=meta, spec={**SHAPE, **({"nodeName": on} if on else {})}, status=status)


def what_if(objects: list[Json], *changes: Json) -> Prediction:
    return SchedulerForecaster().what_if(view_of(objects, NOW), changes)


def ref(kind: str, name: str, version: str = OURS) -> ObjectRef:
    return ObjectRef(api_version=version, kind=kind, namespace="a", name=name)


def test_no_change_changes_nothing() -> None:
    told = what_if([node("n1"), queue(), gang("g")])
    assert told.gpus is not None and told.gpus.without == told.gpus.after
    assert told.gangs_started == ("Gang/a/g",)  # it starts anyway
    assert (told.starts, told.stops, told.delays, told.queues, told.services) == ((), (), (), (), ())


def test_who_starts_by_it_is_told_from_who_starts_anyway() -> None:
    told = what_if([node("n1"), node("n2", cordoned=True), queue(), gang("g"), gang("h")], {"uncordon": "n2"})
    assert (told.gangs_started, told.starts) == (("Gang/a/g", "Gang/a/h"), ("Gang/a/h",))
    assert told.gpus is not None
    assert (told.gpus.before, told.gpus.without, told.gpus.after) == (
        Gpus(free=8, unusable=8),
        Gpus(free=0, unusable=8),
        Gpus(free=0),
    )
    (one,) = told.queues
    assert (one.pending_before, one.pending_without, one.pending_after) == (2, 1, 0)
    assert (one.used_before, one.used_after) == (0, 16)
    assert told.gpus_of == {"Gang/a/h": 8}


def test_who_waits_longer_for_it_is_named() -> None:
    told = what_if([node("n1"), queue(), gang("g")], {"cordon": "n1"})
    assert (told.starts, told.delays) == ((), ("Gang/a/g",))


def test_a_quota_shows_what_it_was_and_what_it_is() -> None:
    change = {"quota": ObjectRef(api_version=OURS, kind="Queue", name="q"), "flavor": "default",
              "resource": "nvidia.com/gpu", "nominal": 8}  # fmt: skip
    (one,) = what_if([node("n1"), queue(4), gang("g")], change).queues
    assert (one.nominal_before, one.nominal_after, one.pending_without, one.pending_after) == (4, 8, 1, 0)


def test_a_service_that_is_scaled_has_fewer_pods_ready() -> None:
    web = obj("apps/v1", "Deployment", "web", "a", spec={"replicas": 2})
    objects = [node("n1"), node("n2"), web, pod("web-0", "n1", web), pod("web-1", "n2", web)]
    told = what_if(objects, {"scale": ref("Deployment", "web", "apps/v1"), "replicas": 1})
    assert told.services == (
        ServiceForecast(ref="Deployment/a/web", wanted=2, ready_before=2, ready_at_worst=1, ready_after=1),
    )


def _runs_as_job(**spec: Any) -> list[Json]:
    """A Job that counts as a gang and holds the only node, while another gang waits."""
    job = obj(
        "batch/v1", "Job", "train", "a",
        metadata={"annotations": {"watchkeeper.dev/gang": "true"}},
        spec={"parallelism": 1, "completions": 1, "template": {"spec": SHAPE}, **spec},
        status={"startTime": "2026-11-02T08:00:00Z", "active": 1},
    )  # fmt: skip
    return [node("n1"), queue(), gang("g"), job, pod("train-0", "n1", job)]


def test_a_wait_is_a_number_only_where_a_deadline_is_written() -> None:
    assert what_if(_runs_as_job()).waits_at_most_s == {}
    assert what_if(_runs_as_job(activeDeadlineSeconds=5400)).waits_at_most_s == {"Gang/a/g": 1800}
    assert what_if(_runs_as_job(activeDeadlineSeconds="soon")).waits_at_most_s == {}


def test_kueue_counts_what_it_ran_before() -> None:
    admitted = {"type": "Admitted", "status": "True", "lastTransitionTime": "2026-11-02T08:30:00Z"}
    job = obj("batch/v1", "Job", "train", "a", spec={"template": {"spec": SHAPE}})
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "train", "controller": True}
    sets = [{"name": "main", "count": 1, "template": {"spec": SHAPE}}]
    workload = obj(
        KUEUE, "Workload", "job-train", "a",
        metadata={"ownerReferences": [owner]},
        spec={"podSets": sets, "maximumExecutionTimeSeconds": 3600},
        status={"conditions": [admitted], "accumulatedPastExecutionTimeSeconds": 600},
    )  # fmt: skip
    objects = [node("n1"), queue(), gang("g"), job, workload, pod("train-0", "n1", job)]
    assert what_if(objects).waits_at_most_s == {"Gang/a/g": 1200}


def test_one_view_is_read_once_and_answers_alike_each_time() -> None:
    view = view_of([node("n1"), node("n2"), queue(), gang("g", 2), gang("h")], NOW)
    forecaster = SchedulerForecaster()
    first = forecaster.what_if(view, [])
    for change in ({"cordon": "n1"}, {"requeue": ref("Gang", "g"), "exclude_nodes": ["n2"]}, {"drain": "n2"}):
        assert forecaster.what_if(view, [change]) == SchedulerForecaster().what_if(view, [change])
    assert forecaster.what_if(view, []) == first


def through_kueue(stop: str = "None") -> list[Json]:
    """A Workload that waits for its turn in a LocalQueue."""
    resource = {"name": "nvidia.com/gpu", "nominalQuota": "64"}
    group = {"coveredResources": ["nvidia.com/gpu"], "flavors": [{"name": "any", "resources": [resource]}]}
    sets = [{"name": "main", "count": 1, "template": {"spec": SHAPE}}]
    return [
        node("n1"),
        obj(KUEUE, "ResourceFlavor", "any", None, spec={}),
        obj(KUEUE, "ClusterQueue", "all", None, spec={"resourceGroups": [group]}),
        obj(KUEUE, "LocalQueue", "main", "a", spec={"clusterQueue": "all", "stopPolicy": stop}),
        obj(KUEUE, "Workload", "w", "a", spec={"queueName": "main", "podSets": sets}),
    ]


def test_a_local_queue_that_is_stopped_lets_nobody_in_and_its_release_does() -> None:
    local = ref("LocalQueue", "main", KUEUE)
    held = what_if(through_kueue("Hold"), {"stop": local, "policy": "None"})
    assert held.starts == ("Workload/a/w",)
    stopped = what_if(through_kueue(), {"stop": local, "policy": "Hold"})
    assert (stopped.delays, stopped.gangs_started) == (("Workload/a/w",), ())
    assert "closed" in stopped.gangs_pending["Workload/a/w"]


def test_a_local_queue_that_is_drained_sends_its_gangs_back() -> None:
    pods = [{**each} for each in through_kueue()]
    workload = pods[-1]
    workload["status"] = {"conditions": [{"type": "QuotaReserved", "status": "True"}]}
    running = pod("w-0", "n1", workload)
    told = what_if([*pods, running], {"stop": ref("LocalQueue", "main", KUEUE), "policy": "HoldAndDrain"})
    assert told.stops == ("Workload/a/w",)
