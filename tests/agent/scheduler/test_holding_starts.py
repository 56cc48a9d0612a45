"""Starts held in queues of our own: who is let in, what is foreseen, and that the two agree; Kueue's are left alone."""

from datetime import UTC, datetime
from typing import Any

import pytest

from agent.adapters.kubernetes.translate import view_of
from agent.adapters.scheduler.admitting import admit_waiting
from agent.adapters.scheduler.forecaster import SchedulerForecaster
from agent.adapters.scheduler.mapping import snapshot_of
from agent.adapters.scheduler.rules import AS_KUEUE, scheduling
from agent.config import Settings
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.reservations import Reservations

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
OURS, KUEUE = "watchkeeper.dev/v1alpha1", "kueue.x-k8s.io/v1beta2"
HELD = Reservations()
Json = dict[str, Any]


def node(name: str) -> Json:
    status = {"allocatable": {"nvidia.com/gpu": "8"}, "conditions": [{"type": "Ready", "status": "True"}]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {}, "status": status}


def queue(name: str = "q", gpus: int = 16) -> Json:
    quota = {"flavor": "default", "resource": "nvidia.com/gpu", "nominal": gpus}
    return {"apiVersion": OURS, "kind": "Queue", "metadata": {"name": name}, "spec": {"quotas": [quota]}}


def template(gpus: int) -> Json:
    return {"spec": {"containers": [{"name": "main", "resources": {"requests": {"nvidia.com/gpu": str(gpus)}}}]}}


def gang(name: str, pods: int, ends_s: int | None, came: str, held: bool = False) -> Json:
    spec: Json = {"queue": "q", "podSets": [{"name": "main", "count": pods, "template": template(8)}]}
    if ends_s is not None:
        spec["maximumExecutionTimeSeconds"] = ends_s
    made: Json = {"apiVersion": OURS, "kind": "Gang", "spec": spec}
    made["metadata"] = {"name": name, "namespace": "a", "creationTimestamp": f"2026-11-02T{came}Z"}
    if held:
        said = {"type": "Admitted", "status": "True", "lastTransitionTime": f"2026-11-02T{came}Z"}
        counted = [{"name": "main", "count": pods, "flavors": {"nvidia.com/gpu": "default"}}]
        made["status"] = {"conditions": [said], "admission": {"clusterQueue": "q", "podSetAssignments": counted}}
    return made


def pod(name: str, on: str, of: str) -> Json:
    owner = {"apiVersion": OURS, "kind": "Gang", "name": of, "controller": True}
    metadata = {"name": name, "namespace": "a", "ownerReferences": [owner]}
    spec = {**template(8)["spec"], "nodeName": on}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": "Running"}}


def ref(name: str) -> ObjectRef:
    return ObjectRef(api_version=OURS, kind="Gang", namespace="a", name=name)


def busy(*more: Json) -> ClusterView:
    """One of two nodes is taken until 10:00; `big` wants both."""
    runs = gang("runs", 1, 7200, "08:00:00", held=True)
    return view_of([node("n1"), node("n2"), queue(), runs, pod("runs-0", "n1", "runs"),
                    gang("big", 2, 600, "08:30:00"), *more], NOW)  # fmt: skip


@pytest.mark.parametrize(
    ("ends_s", "held", "starts"),
    [(3600, HELD, True), (3601, HELD, False), (None, HELD, False), (3601, None, True), (None, None, True)],
)
def test_who_is_let_in_is_who_is_foreseen(ends_s: int | None, held: Reservations | None, starts: bool) -> None:
    view = busy(gang("late", 1, ends_s, "08:45:00"))
    result = admit_waiting(view, [ref("big"), ref("late")], reservations=held)
    assert [each.name for each in result.admitted] == (["late"] if starts else [])
    told = SchedulerForecaster(held).what_if(view, [])
    assert told.gangs_started == tuple(str(each) for each in result.admitted)
    if not starts:
        assert "Gang/a/big is to start in 3600 s" in result.waiting[ref("late")]
        assert told.gangs_pending["Gang/a/late"].startswith("BehindReservation: ")
        assert "it starts in 3600 s at the latest" in told.gangs_pending["Gang/a/big"]


def test_a_job_s_deadline_is_its_walltime() -> None:
    job: Json = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "a", "uid": "u1"}}
    job["spec"] = {"activeDeadlineSeconds": 900, "suspend": True, "template": template(8)}
    sets = [{"name": "main", "count": 1, "template": template(8)}]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u1", "controller": True}
    metadata = {"name": "w", "namespace": "a", "ownerReferences": [owner]}
    workload: Json = {"apiVersion": KUEUE, "kind": "Workload", "metadata": metadata, "spec": {"podSets": sets}}
    for most_s, walltime_s in ((None, 900), (600, 600), (1200, 900)):
        spec = {**workload["spec"], **({"maximumExecutionTimeSeconds": most_s} if most_s else {})}
        snapshot = snapshot_of(view_of([job, {**workload, "spec": spec}], NOW))
        assert [each.walltime_s for each in snapshot.gangs.values()] == [walltime_s]


def test_where_there_is_no_queue_of_ours_all_is_as_kueue_has_it() -> None:
    group = {"coveredResources": ["nvidia.com/gpu"], "flavors": []}
    theirs = {
        "apiVersion": KUEUE,
        "kind": "ClusterQueue",
        "metadata": {"name": "q"},
        "spec": {"resourceGroups": [group]},
    }
    assert scheduling(snapshot_of(view_of([node("n1"), theirs], NOW)), HELD) == AS_KUEUE
    rules = scheduling(snapshot_of(view_of([node("n1"), theirs, queue("mine")], NOW)), HELD).backfill
    assert rules is not None and rules.queues == {"Queue/mine"}


def test_the_site_says_so_in_its_settings() -> None:
    assert Settings().reservations is None
    told = Settings.model_validate({"reservations": {"aging_s": 3600}}).reservations
    assert told is not None and (told.depth, told.aging_s, told.patience_s) == (1, 3600, 3600)
    with pytest.raises(ValueError, match=r"reservations.depth"):
        Settings.model_validate({"reservations": {"depth": 65}})
