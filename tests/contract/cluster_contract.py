"""What any world behind the Cluster port does: only the port's verbs, and only manifests that a real server takes.

Run on the simulated world by tests/agent/simulated, on a real API server by tests/live; each brings two fixtures:
`cluster` and `namespace`. Where controllers are at work besides, `settle` waits until they have nothing left to write.
"""

from collections.abc import Callable
from typing import Any

import pytest

from agent.actions.exclusion import exclusion
from agent.actions.rebased import rebased
from agent.domain.cluster import ObjectRef
from agent.ports import Changed, Cluster, Conflict, Invalid, NotFound, ServerError, TooManyRequests, WatchEvent

Json = dict[str, Any]


def _ref(api_version: str, kind: str, namespace: str | None, name: str) -> ObjectRef:
    return ObjectRef(api_version=api_version, kind=kind, namespace=namespace, name=name)


def _template(app: str) -> Json:
    """No scheduler of a real cluster knows it for its own: the tests bind what is bound."""
    container = {"name": "main", "image": "registry.internal/app:1"}
    spec = {"containers": [container], "schedulerName": "tests.watchkeeper.dev"}
    return {"metadata": {"labels": {"app": app}}, "spec": spec}


def _deployment(namespace: str, name: str = "web", replicas: int = 2) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": _template(name)},
    }


def _pod(namespace: str, name: str = "p") -> Json:
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": _template(name)["spec"]}


def _job(namespace: str, *, suspend: bool) -> Json:
    template = _template("j")
    template["spec"]["restartPolicy"] = "Never"
    spec = {"parallelism": 1, "completions": 1, "suspend": suspend, "template": template}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": namespace}, "spec": spec}


def _node(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}


@pytest.fixture
def settle() -> Callable[[ObjectRef], None]:
    """Nobody else writes."""
    return lambda ref: None


@pytest.fixture
def web(cluster: Cluster, namespace: str, settle: Callable[[ObjectRef], None]) -> ObjectRef:
    cluster.create(_deployment(namespace))
    made = _ref("apps/v1", "Deployment", namespace, "web")
    settle(made)
    return made


@pytest.fixture
def pod(cluster: Cluster, namespace: str) -> ObjectRef:
    cluster.create(_pod(namespace))
    return _ref("v1", "Pod", namespace, "p")


@pytest.fixture
def node(cluster: Cluster, namespace: str) -> str:
    """Nodes lie in no namespace: named after the test's, so that none is made twice."""
    name = f"{namespace}-node"
    cluster.create(_node(name))
    return name


def test_a_created_object_has_uid_version_and_generation(cluster: Cluster, namespace: str) -> None:
    metadata = cluster.create(_deployment(namespace))["metadata"]
    found = cluster.get(_ref("apps/v1", "Deployment", namespace, "web"))["metadata"]
    assert (found["uid"], found["creationTimestamp"]) == (metadata["uid"], metadata["creationTimestamp"])
    assert metadata["uid"] and metadata["resourceVersion"] and metadata["creationTimestamp"]
    assert metadata["generation"] == 1


def test_what_is_not_there_is_not_found(cluster: Cluster, namespace: str) -> None:
    with pytest.raises(NotFound):
        cluster.get(_ref("v1", "Pod", namespace, "nobody"))
    with pytest.raises(NotFound):
        cluster.patch(_ref("v1", "Pod", namespace, "nobody"), {"metadata": {"labels": {"a": "b"}}})


def test_creating_twice_is_a_conflict(cluster: Cluster, web: ObjectRef, namespace: str) -> None:
    with pytest.raises(Conflict):
        cluster.create(_deployment(namespace))


def test_creating_dry_makes_nothing(cluster: Cluster, namespace: str) -> None:
    cluster.create(_deployment(namespace, "dry"), dry_run=True)
    with pytest.raises(NotFound):
        cluster.get(_ref("apps/v1", "Deployment", namespace, "dry"))


def test_what_was_read_is_the_readers_own(cluster: Cluster, web: ObjectRef) -> None:
    cluster.get(web)["spec"]["replicas"] = 99
    assert cluster.get(web)["spec"]["replicas"] == 2


def test_list_by_namespace_and_labels(cluster: Cluster, web: ObjectRef, namespace: str) -> None:
    cluster.create(_deployment(namespace, "api"))
    found = cluster.list("apps/v1", "Deployment", namespace=namespace)
    assert [each["metadata"]["name"] for each in found] == ["api", "web"]
    found = cluster.list("apps/v1", "Deployment", namespace=namespace, labels={"app": "web"})
    assert [each["metadata"]["name"] for each in found] == ["web"]
    assert cluster.list("apps/v1", "Deployment", namespace="elsewhere") == []


def test_a_merge_patch_merges_replaces_and_removes(cluster: Cluster, web: ObjectRef) -> None:
    cluster.patch(web, {"metadata": {"annotations": {"a": "1", "b": "2"}}})
    patched = cluster.patch(web, {"metadata": {"annotations": {"a": None, "c": "3"}}})
    assert patched["metadata"]["annotations"] == cluster.get(web)["metadata"]["annotations"]
    annotations = patched["metadata"]["annotations"]
    assert "a" not in annotations and annotations["b"] == "2" and annotations["c"] == "3"
    assert patched["spec"]["replicas"] == 2


def test_what_a_patch_answers_is_what_is_there(cluster: Cluster, pod: ObjectRef) -> None:
    assert cluster.patch(pod, {"metadata": {"labels": {"a": "1"}}}) == cluster.get(pod)


def test_the_generation_counts_changes_of_the_spec(cluster: Cluster, web: ObjectRef) -> None:
    before = cluster.get(web)["metadata"]["generation"]
    assert cluster.patch(web, {"metadata": {"labels": {"a": "1"}}})["metadata"]["generation"] == before
    assert cluster.patch(web, {"spec": {"replicas": 3}})["metadata"]["generation"] == before + 1


def test_a_deployments_annotations_count_too_and_a_replica_sets_do_not(
    cluster: Cluster, web: ObjectRef, namespace: str
) -> None:
    marks: Json = {"metadata": {"annotations": {"a": "1"}}}
    before = cluster.get(web)["metadata"]["generation"]
    assert cluster.patch(web, marks)["metadata"]["generation"] == before + 1
    cluster.create({**_deployment(namespace, "alone"), "kind": "ReplicaSet"})
    assert cluster.patch(_ref("apps/v1", "ReplicaSet", namespace, "alone"), marks)["metadata"]["generation"] == 1


def test_a_patch_that_changes_nothing_keeps_the_version(cluster: Cluster, web: ObjectRef) -> None:
    before = cluster.get(web)["metadata"]["resourceVersion"]
    assert cluster.patch(web, {"spec": {"replicas": 2}})["metadata"]["resourceVersion"] == before


def test_a_stale_version_is_a_conflict(cluster: Cluster, pod: ObjectRef) -> None:
    stale = cluster.get(pod)["metadata"]["resourceVersion"]
    fresh = cluster.patch(pod, {"metadata": {"labels": {"a": "3"}}})["metadata"]["resourceVersion"]
    with pytest.raises(Conflict):
        cluster.patch(pod, {"metadata": {"resourceVersion": stale, "labels": {"a": "4"}}})
    assert cluster.get(pod)["metadata"]["labels"]["a"] == "3"
    cluster.patch(pod, {"metadata": {"resourceVersion": fresh, "labels": {"a": "5"}}})
    assert cluster.get(pod)["metadata"]["labels"]["a"] == "5"


def test_another_uid_is_a_conflict(cluster: Cluster, web: ObjectRef) -> None:
    with pytest.raises(Conflict):
        cluster.patch(web, {"spec": {"replicas": 0}}, uid="00000000-0000-0000-0000-000000000000")
    with pytest.raises(Conflict):
        cluster.scale(web, 0, uid="00000000-0000-0000-0000-000000000000")
    assert cluster.get(web)["spec"]["replicas"] == 2


def test_a_dry_run_answers_and_changes_nothing(cluster: Cluster, web: ObjectRef) -> None:
    before = cluster.get(web)
    assert cluster.patch(web, {"spec": {"replicas": 0}}, dry_run=True)["spec"]["replicas"] == 0
    assert cluster.scale(web, 0, dry_run=True)["spec"]["replicas"] == 0
    assert cluster.get(web) == before


def test_a_dry_run_refuses_what_the_real_one_would(cluster: Cluster, web: ObjectRef) -> None:
    with pytest.raises(Invalid):
        cluster.patch(web, {"spec": {"replicas": -1}}, dry_run=True)


@pytest.mark.parametrize("body", [{"spec": {"replicas": -1}}, {"spec": {"replicas": "two"}}])
def test_nonsense_is_invalid(cluster: Cluster, web: ObjectRef, body: Json) -> None:
    with pytest.raises(Invalid):
        cluster.patch(web, body)


def test_status_and_spec_have_doors_of_their_own(cluster: Cluster, web: ObjectRef) -> None:
    cluster.patch(web, {"status": {"observedGeneration": 77}})
    assert cluster.get(web).get("status", {}).get("observedGeneration") != 77
    said: Json = {"status": {"observedGeneration": 77}, "spec": {"replicas": 9}}
    assert cluster.patch(web, said, subresource="status")["status"]["observedGeneration"] == 77
    assert cluster.get(web)["spec"]["replicas"] == 2


def test_who_wrote_is_remembered(cluster: Cluster, web: ObjectRef) -> None:
    cluster.patch(web, {"spec": {"replicas": 3}}, field_manager="watchkeeper-test")
    managers = [each["manager"] for each in cluster.get(web)["metadata"]["managedFields"]]
    assert "watchkeeper-test" in managers


def test_scale(cluster: Cluster, web: ObjectRef) -> None:
    assert cluster.scale(web, 5)["spec"]["replicas"] == 5
    assert cluster.get(web)["spec"]["replicas"] == 5


def test_a_scale_goes_from_the_number_that_was_seen(cluster: Cluster, web: ObjectRef) -> None:
    for dry_run in (True, False):
        with pytest.raises(Changed):
            cluster.scale(web, 5, seen=3, dry_run=dry_run)
    assert cluster.get(web)["spec"]["replicas"] == 2
    cluster.scale(web, 5, seen=2)
    assert cluster.get(web)["spec"]["replicas"] == 5


def test_a_change_is_carried_over_to_what_others_wrote_since(
    cluster: Cluster, namespace: str, settle: Callable[[ObjectRef], None]
) -> None:
    """As a step writes lists: onto the object as it is read, for just that version of it."""
    cluster.create(_job(namespace, suspend=True))
    job = _ref("batch/v1", "Job", namespace, "j")
    settle(job)
    looked_at = cluster.get(job)
    change = exclusion("Job", looked_at, ["n1"])
    assert change is not None
    cluster.patch(job, {"spec": {"template": {"spec": {"nodeSelector": {"zone": "a"}}}}})  # somebody else
    for seen, wanted, kept_off in ((change.undo, change.body, True), (change.body, change.undo, False)):
        settle(job)
        now = cluster.get(job)
        version = {"metadata": {"resourceVersion": now["metadata"]["resourceVersion"]}}
        with pytest.raises(Conflict):
            cluster.patch(job, {**rebased(now, seen, wanted), "metadata": looked_at_in(looked_at)})
        cluster.patch(job, {**rebased(now, seen, wanted), **version})
        spec = cluster.get(job)["spec"]["template"]["spec"]
        assert spec["nodeSelector"] == {"zone": "a"} and ("NotIn" in str(spec.get("affinity"))) is kept_off
    theirs = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 1, "preference": {"matchExpressions": [{"key": "zone", "operator": "Exists"}]}}]}}  # fmt: skip
    cluster.patch(job, {"spec": {"template": {"spec": {"affinity": theirs}}}})
    with pytest.raises(Changed, match="affinity"):
        rebased(cluster.get(job), change.undo, change.body)


def looked_at_in(manifest: Json) -> Json:
    return {"resourceVersion": manifest["metadata"]["resourceVersion"]}


def test_what_has_no_replicas_cannot_be_scaled(cluster: Cluster, pod: ObjectRef) -> None:
    with pytest.raises(NotFound):
        cluster.scale(pod, 0)


def test_a_watch_tells_what_happened_since(cluster: Cluster, pod: ObjectRef) -> None:
    def told(since: str) -> list[WatchEvent]:
        events = cluster.watch("v1", "Pod", resource_version=since)
        return [each for each in events if each.object["metadata"].get("namespace") == pod.namespace]

    since = cluster.get(pod)["metadata"]["resourceVersion"]
    cluster.patch(pod, {"metadata": {"labels": {"a": "3"}}})
    cluster.patch(pod, {"metadata": {"labels": {"a": "4"}}})
    events = told(since)
    assert [(each.type, each.object["metadata"]["labels"]["a"]) for each in events] == [
        ("MODIFIED", "3"),
        ("MODIFIED", "4"),
    ]
    assert told(events[-1].object["metadata"]["resourceVersion"]) == []


def test_a_jobs_template_is_free_only_while_it_is_suspended(cluster: Cluster, namespace: str) -> None:
    cluster.create(_job(namespace, suspend=True))
    job = _ref("batch/v1", "Job", namespace, "j")
    selector = {"spec": {"template": {"spec": {"nodeSelector": {"a": "b"}}}}}
    cluster.patch(job, selector)
    cluster.patch(job, {"spec": {"suspend": False}})
    with pytest.raises(Invalid):
        cluster.patch(job, {"spec": {"template": {"spec": {"nodeSelector": {"a": "c"}}}}})


def test_a_pods_spec_is_immutable(cluster: Cluster, pod: ObjectRef) -> None:
    with pytest.raises(Invalid):
        cluster.patch(pod, {"spec": {"nodeSelector": {"a": "b"}}})


def test_a_pod_is_bound_once(cluster: Cluster, pod: ObjectRef, node: str, namespace: str) -> None:
    cluster.create(_node(f"{namespace}-another"))
    cluster.bind(pod, node)
    assert cluster.get(pod)["spec"]["nodeName"] == node
    with pytest.raises(Conflict):
        cluster.bind(pod, f"{namespace}-another")


def test_a_dry_eviction_leaves_the_pod(cluster: Cluster, pod: ObjectRef) -> None:
    cluster.evict(pod, dry_run=True)
    assert "deletionTimestamp" not in cluster.get(pod)["metadata"]


def test_an_evicted_pod_is_on_its_way_out(cluster: Cluster, pod: ObjectRef, node: str) -> None:
    cluster.bind(pod, node)
    with pytest.raises(Conflict):
        cluster.evict(pod, uid="00000000-0000-0000-0000-000000000000")
    cluster.evict(pod)
    assert cluster.get(pod)["metadata"]["deletionTimestamp"]


def test_an_evicted_pod_that_no_node_has_is_gone_at_once(cluster: Cluster, pod: ObjectRef) -> None:
    cluster.evict(pod)
    with pytest.raises(NotFound):
        cluster.get(pod)
    with pytest.raises(NotFound):
        cluster.evict(pod)


def test_a_budget_with_nothing_to_spare_answers_429(
    cluster: Cluster, pod: ObjectRef, node: str, namespace: str
) -> None:
    cluster.bind(pod, node)
    running = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    cluster.patch(pod, {"status": running}, subresource="status")
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "p"}}}
    metadata = {"name": "keep", "namespace": namespace}
    cluster.create({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": spec})
    for dry_run in (True, False):
        with pytest.raises(TooManyRequests):
            cluster.evict(pod, dry_run=dry_run)
    assert "deletionTimestamp" not in cluster.get(pod)["metadata"]


def test_a_pod_under_two_budgets_is_nobodys_to_evict(
    cluster: Cluster, pod: ObjectRef, node: str, namespace: str
) -> None:
    """However much either has to spare."""
    cluster.bind(pod, node)
    running = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    cluster.patch(pod, {"status": running}, subresource="status")
    for name in ("one", "two"):
        spec = {"maxUnavailable": "100%", "selector": {"matchLabels": {"app": "p"}}}
        about = {"name": name, "namespace": namespace}
        cluster.create({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": about, "spec": spec})
    for dry_run in (True, False):
        with pytest.raises(ServerError, match="more than one PodDisruptionBudget"):
            cluster.evict(pod, dry_run=dry_run)
    assert "deletionTimestamp" not in cluster.get(pod)["metadata"]
