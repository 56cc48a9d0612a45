"""What a real API server says no to, and what it fails at: each a fault of its own type, and nothing half done."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from control_plane import ControlPlane
from kube import reference
from live_world import Json, Seen, deployment, node, pod, ref, settled
from servers import free_port, wait_for

from agent.acting import Deed, acting
from agent.adapters.kubernetes.mirror import events_of
from agent.adapters.kubernetes.rbac import manifests
from agent.ports import ClusterFault, Conflict, Forbidden, Invalid, NotFound, ServerError, TooManyRequests

DEED = Deed(incident="inc-1", action="cordon_node", step="inc-1/1/0")


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    running = ControlPlane(tmp_path_factory.mktemp("refusing"), scheduler=False, kwok=False)
    running.api.wait("the account of pods", "v1", "ServiceAccount", "default", "default", until=lambda found: True)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def admin(plane: ControlPlane) -> Iterator[Seen]:
    made = Seen(plane.admin)
    yield made
    made.close()


@pytest.fixture(scope="module")
def agent(plane: ControlPlane) -> Iterator[Seen]:
    """With exactly the rights of deploy/kubernetes/rbac.yaml."""
    plane.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kueue-system"}})
    for manifest in manifests():
        plane.api.apply(manifest)
    made = Seen(plane.kubeconfig("agent", plane.token("watchkeeper", namespace="watchkeeper")))
    yield made
    made.close()


# --- rights -----------------------------------------------------------------------------------------------------------


def test_our_rights_are_enough_to_see_and_to_act(plane: ControlPlane, agent: Seen) -> None:
    plane.api.create(node("cordoned"))
    plane.api.create(deployment("default", "scaled", 2))
    web = ref("apps/v1", "Deployment", "scaled", "default")
    agent.until("the node", lambda view: "cordoned" in view.nodes and web in view.workloads)
    settled(plane.api, "scaled", 2)
    agent.cluster.patch(ref("v1", "Node", "cordoned"), {"spec": {"unschedulable": True}})
    assert agent.views.take().nodes["cordoned"].unschedulable
    assert agent.cluster.scale(web, 0)["spec"]["replicas"] == 0
    plane.api.create(pod("default", "evicted"))
    agent.cluster.evict(ref("v1", "Pod", "evicted", "default"), dry_run=True)
    agent.cluster.evict(ref("v1", "Pod", "evicted", "default"))
    job = {"parallelism": 1, "suspend": True, "template": {"spec": {**pod("", "x")["spec"], "restartPolicy": "Never"}}}
    plane.api.create({**reference("batch/v1", "Job", "held", "default"), "spec": job})
    agent.cluster.patch(ref("batch/v1", "Job", "held", "default"), {"spec": {"suspend": False}})
    events = events_of(agent.cluster)
    assert events is not None
    events.news()


@pytest.mark.parametrize(
    "beyond",
    [
        lambda c: c.delete(ref("v1", "Pod", "any", "default")),
        lambda c: c.get(ref("v1", "Secret", "any", "default")),
        lambda c: c.list("v1", "Secret"),
        lambda c: c.create(pod("default", "own")),
        lambda c: c.patch(ref("v1", "ConfigMap", "any", "default"), {"data": {"a": "b"}}),
        lambda c: c.patch(ref("v1", "Node", "cordoned"), {"status": {"phase": "x"}}, subresource="status"),
        lambda c: c.bind(ref("v1", "Pod", "any", "default"), "cordoned"),
        lambda c: c.get(ref("v1", "ConfigMap", "another", "watchkeeper")),
    ],
)
def test_and_for_nothing_more(agent: Seen, beyond: Any) -> None:
    with pytest.raises(Forbidden):
        beyond(agent.cluster)


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_a_policy_of_admission_says_why(plane: ControlPlane, admin: Seen) -> None:
    """A ValidatingAdmissionPolicy that keeps a node from being cordoned."""
    plane.api.create(node("guarded"))
    about = reference("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "no-cordon")
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["nodes"]}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [{**rule, "resourceNames": ["guarded"]}]},
        "validations": [{"expression": "!object.spec.?unschedulable.orValue(false)", "message": "ask the night shift"}],
    }
    plane.api.create({**about, "spec": spec})
    binding = {**about, "kind": "ValidatingAdmissionPolicyBinding"}
    plane.api.create({**binding, "spec": {"policyName": "no-cordon", "validationActions": ["Deny"]}})
    cordon = {"spec": {"unschedulable": True}}

    def refused() -> ClusterFault | None:
        try:
            admin.cluster.patch(ref("v1", "Node", "guarded"), cordon, dry_run=True)
        except ClusterFault as fault:
            return fault
        return None

    fault = wait_for("the policy is in force", refused)
    assert isinstance(fault, Invalid | Forbidden) and "ask the night shift" in str(fault)
    with pytest.raises(type(fault), match="ask the night shift"):
        admin.cluster.patch(ref("v1", "Node", "guarded"), cordon)
    assert not plane.api.get("v1", "Node", "guarded")["spec"].get("unschedulable")
    plane.api.delete(binding)
    plane.api.delete(about)


def test_a_webhook_that_does_not_answer_is_the_servers_failure_and_no_refusal(plane: ControlPlane, admin: Seen) -> None:
    plane.api.create(node("hooked"))
    about = reference("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "away")
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["nodes"]}
    hook = {
        "name": "away.tests.example",
        "rules": [rule],
        "clientConfig": {"url": f"https://127.0.0.1:{free_port()}/"},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
        "timeoutSeconds": 1,
        "matchConditions": [{"name": "this", "expression": "object.metadata.name == 'hooked'"}],
    }
    plane.api.create({**about, "webhooks": [hook]})

    def failed() -> ClusterFault | None:
        try:
            admin.cluster.patch(ref("v1", "Node", "hooked"), {"spec": {"unschedulable": True}}, dry_run=True)
        except ClusterFault as fault:
            return fault
        return None

    try:
        fault = wait_for("the webhook is in force", failed)
        assert isinstance(fault, ServerError) and "away.tests.example" in str(fault)
    finally:
        plane.api.delete(about)


def test_what_priority_and_fairness_turns_away_is_told_with_its_pause(plane: ControlPlane) -> None:
    """A priority level without a seat of its own, and a crowd of one account."""
    kubeconfig = plane.as_account("crowded", [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]}])
    flow = "flowcontrol.apiserver.k8s.io/v1"
    level = {
        "type": "Limited",
        "limited": {"nominalConcurrencyShares": 0, "borrowingLimitPercent": 0, "limitResponse": {"type": "Reject"}},
    }
    plane.api.create({**reference(flow, "PriorityLevelConfiguration", "no-seat"), "spec": level})
    account = {"name": "crowded", "namespace": "watchkeeper-tests"}
    rules = {
        "subjects": [{"kind": "ServiceAccount", "serviceAccount": account}],
        "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True}],
    }
    schema = {"priorityLevelConfiguration": {"name": "no-seat"}, "matchingPrecedence": 2, "rules": [rules]}
    plane.api.create({**reference(flow, "FlowSchema", "no-seat"), "spec": schema})
    plane.api.create(node("busy"))
    crowded = Seen(kubeconfig)

    def asked(_: int) -> TooManyRequests | None:
        try:
            crowded.cluster.patch(ref("v1", "Node", "busy"), {"metadata": {"labels": {"a": "b"}}})
        except TooManyRequests as fault:
            return fault
        return None

    def turned_away() -> TooManyRequests | None:
        with ThreadPoolExecutor(16) as crowd:
            return next((fault for fault in crowd.map(asked, range(32)) if fault), None)

    try:
        fault = wait_for("no seat", turned_away)
        assert fault.retry_after_s is not None and fault.retry_after_s >= 1
    finally:
        crowded.close()
        plane.api.delete(reference(flow, "FlowSchema", "no-seat"))
        plane.api.delete(reference(flow, "PriorityLevelConfiguration", "no-seat"))


def test_an_object_that_was_replaced_since_it_was_judged_is_left_alone(plane: ControlPlane, admin: Seen) -> None:
    web = ref("apps/v1", "Deployment", "replaced", "default")
    before = plane.api.create(deployment("default", "replaced"))["metadata"]["uid"]
    plane.api.delete(reference("apps/v1", "Deployment", "replaced", "default"))
    plane.api.create(deployment("default", "replaced"))
    for change in (
        lambda: admin.cluster.patch(web, {"spec": {"replicas": 0}}, uid=before),
        lambda: admin.cluster.scale(web, 0, uid=before),
        lambda: admin.cluster.delete(web, uid=before),
    ):
        with pytest.raises(Conflict):
            change()
    assert plane.api.get("apps/v1", "Deployment", "replaced", "default")["spec"]["replicas"] == 1
    plane.api.delete(reference("apps/v1", "Deployment", "replaced", "default"))
    wait_for("it is gone", lambda: plane.api.find("apps/v1", "Deployment", "replaced", "default") is None)
    with pytest.raises(NotFound):
        admin.cluster.scale(web, 0)


def test_a_finalizer_that_hangs_is_waited_for_by_nobody(plane: ControlPlane, admin: Seen) -> None:
    held = pod("default", "held")
    held["metadata"]["finalizers"] = ["tests.example/never"]
    plane.api.create(held)
    where = ref("v1", "Pod", "held", "default")
    admin.cluster.evict(where)
    assert plane.api.get("v1", "Pod", "held", "default")["metadata"]["deletionTimestamp"]
    assert admin.views.take().pods["default", "held"].terminating
    admin.cluster.evict(where)  # once more is harmless
    plane.api.merge(held, {"metadata": {"finalizers": None}})
    admin.until("it is gone", lambda view: ("default", "held") not in view.pods)


# --- what is written beside a deed ------------------------------------------------------------------------------------


def test_an_event_on_the_object_says_what_we_did_and_is_no_news_to_us(plane: ControlPlane, agent: Seen) -> None:
    plane.api.create(node("told"))
    feed = events_of(agent.cluster)
    assert feed is not None
    feed.news()
    with acting(DEED):
        agent.cluster.patch(ref("v1", "Node", "told"), {"spec": {"unschedulable": True}}, dry_run=True)
        agent.cluster.patch(ref("v1", "Node", "told"), {"spec": {"unschedulable": True}})
    agent.cluster.patch(ref("v1", "Node", "told"), {"metadata": {"labels": {"by": "nobody"}}})  # for no incident
    event = wait_for("the Event", lambda: _about(plane, "told"))[0]
    assert (event["reason"], event["action"]) == ("CordonNode", "patch")
    assert event["reportingController"] == "watchkeeper.dev/agent" and "inc-1" in event["note"]
    assert event["regarding"]["uid"] == plane.api.get("v1", "Node", "told")["metadata"]["uid"]
    plane.api.create(_event_of_others("told"))
    heard = wait_for("the Event of others", lambda: [e.object["reason"] for e in feed.news()])
    assert heard == ["Rebooted"]
    assert len(_about(plane, "told")) == 1


def _about(plane: ControlPlane, name: str) -> list[Json]:
    found = plane.api.list("events.k8s.io/v1", "Event", "default")
    return [e for e in found if e["regarding"].get("name") == name and e["reason"] != "Rebooted"]


def _event_of_others(name: str) -> Json:
    made = reference("v1", "Event", f"{name}.1", "default")
    involved = {"apiVersion": "v1", "kind": "Node", "name": name}
    return {**made, "involvedObject": involved, "reason": "Rebooted", "message": "x", "type": "Warning"}
