"""What a real API server says no to, and what it fails at: each a fault of its own type, and nothing half done."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from bare_plane import *  # noqa: F403
from control_plane import ControlPlane
from installing import KUEUE, installation
from kube import reference
from live_world import Json, Seen, deployment, node, pod, ref, settled
from servers import free_port, wait_for

from agent.acting import Deed, acting
from agent.adapters.kubernetes.mirror import events_of
from agent.ports import ClusterFault, Conflict, Forbidden, Invalid, NotFound, ServerError, TooManyRequests

OURS = "watchkeeper.dev/agent"
DEED = Deed(incident="inc-1", action="cordon_node", step="inc-1/1/0")


@pytest.fixture(scope="module")
def admin(anywhere: ControlPlane) -> Iterator[Seen]:
    made = Seen(anywhere.admin)
    yield made
    made.close()


@pytest.fixture(scope="module")
def home(anywhere: ControlPlane) -> str:
    """Where the agent is installed, beside an installation that may be there."""
    made = anywhere.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "watchkeeper-"}})
    return str(made["metadata"]["name"])


@pytest.fixture(scope="module")
def agent(anywhere: ControlPlane, home: str) -> Iterator[Seen]:
    """With exactly the rights of deploy/kubernetes."""
    if anywhere.api.find("v1", "Namespace", KUEUE) is None:
        anywhere.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": KUEUE}})
    for manifest in installation(home):
        anywhere.api.apply(manifest)
    made = Seen(anywhere.kubeconfig("agent", anywhere.token("watchkeeper", namespace=home)))
    yield made
    made.close()


# --- rights -----------------------------------------------------------------------------------------------------------


def test_our_rights_are_enough_to_see_and_to_act(anywhere: ControlPlane, room: str, agent: Seen) -> None:
    cordoned = f"{room}-cordoned"
    anywhere.api.create(node(cordoned))
    anywhere.api.create(deployment(room, "scaled", 2))
    web = ref("apps/v1", "Deployment", "scaled", room)
    agent.until("the node", lambda view: cordoned in view.nodes and web in view.workloads)
    settled(anywhere.api, "scaled", 2, room)
    agent.cluster.patch(ref("v1", "Node", cordoned), {"spec": {"unschedulable": True}})
    assert agent.views.take().nodes[cordoned].unschedulable
    assert agent.cluster.scale(web, 0)["spec"]["replicas"] == 0
    anywhere.api.create(pod(room, "evicted"))
    agent.cluster.evict(ref("v1", "Pod", "evicted", room), dry_run=True)
    agent.cluster.evict(ref("v1", "Pod", "evicted", room))
    job = {"parallelism": 1, "suspend": True, "template": {"spec": {**pod("", "x")["spec"], "restartPolicy": "Never"}}}
    anywhere.api.create({**reference("batch/v1", "Job", "held", room), "spec": job})
    agent.cluster.patch(ref("batch/v1", "Job", "held", room), {"spec": {"suspend": False}})
    events = events_of(agent.cluster)
    assert events is not None
    events.news()


@pytest.mark.parametrize(
    "beyond",
    [
        lambda c, home: c.delete(ref("v1", "Pod", "any", home)),
        lambda c, home: c.get(ref("v1", "Secret", "any", home)),
        lambda c, home: c.list("v1", "Secret"),
        lambda c, home: c.create(pod(home, "own")),
        lambda c, home: c.patch(ref("v1", "ConfigMap", "any", home), {"data": {"a": "b"}}),
        lambda c, home: c.patch(ref("v1", "Node", f"{home}-any"), {"status": {"phase": "x"}}, subresource="status"),
        lambda c, home: c.bind(ref("v1", "Pod", "any", home), f"{home}-any"),
        lambda c, home: c.get(ref("v1", "ConfigMap", "another", home)),
    ],
)
def test_and_for_nothing_more(agent: Seen, home: str, beyond: Any) -> None:
    with pytest.raises(Forbidden):
        beyond(agent.cluster, home)


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_a_policy_of_admission_says_why(anywhere: ControlPlane, room: str, admin: Seen) -> None:
    """A ValidatingAdmissionPolicy that keeps a node from being cordoned."""
    anywhere.api.create(node(f"{room}-guarded"))
    about = reference("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", f"{room}-no-cordon")
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["nodes"]}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [{**rule, "resourceNames": [f"{room}-guarded"]}]},
        "validations": [{"expression": "!object.spec.?unschedulable.orValue(false)", "message": "ask the night shift"}],
    }
    anywhere.api.create({**about, "spec": spec})
    binding = {**about, "kind": "ValidatingAdmissionPolicyBinding"}
    anywhere.api.create({**binding, "spec": {"policyName": f"{room}-no-cordon", "validationActions": ["Deny"]}})
    cordon = {"spec": {"unschedulable": True}}

    def refused() -> ClusterFault | None:
        try:
            admin.cluster.patch(ref("v1", "Node", f"{room}-guarded"), cordon, dry_run=True)
        except ClusterFault as fault:
            return fault
        return None

    fault = wait_for("the policy is in force", refused)
    assert isinstance(fault, Invalid | Forbidden) and "ask the night shift" in str(fault)
    with pytest.raises(type(fault), match="ask the night shift"):
        admin.cluster.patch(ref("v1", "Node", f"{room}-guarded"), cordon)
    assert not anywhere.api.get("v1", "Node", f"{room}-guarded")["spec"].get("unschedulable")
    anywhere.api.delete(binding)
    anywhere.api.delete(about)


def test_a_webhook_that_does_not_answer_is_the_servers_failure_and_no_refusal(
    anywhere: ControlPlane, room: str, admin: Seen
) -> None:
    anywhere.api.create(node(f"{room}-hooked"))
    about = reference("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", f"{room}-away")
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["nodes"]}
    hook = {
        "name": "away.tests.example",
        "rules": [rule],
        "clientConfig": {"url": f"https://127.0.0.1:{free_port()}/"},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
        "timeoutSeconds": 1,
        "matchConditions": [{"name": "this", "expression": f"object.metadata.name == '{room}-hooked'"}],
    }
    anywhere.api.create({**about, "webhooks": [hook]})

    def failed() -> ClusterFault | None:
        try:
            admin.cluster.patch(ref("v1", "Node", f"{room}-hooked"), {"spec": {"unschedulable": True}}, dry_run=True)
        except ClusterFault as fault:
            return fault
        return None

    try:
        fault = wait_for("the webhook is in force", failed)
        assert isinstance(fault, ServerError) and "away.tests.example" in str(fault)
    finally:
        anywhere.api.delete(about)


def test_what_priority_and_fairness_turns_away_is_told_with_its_pause(anywhere: ControlPlane, room: str) -> None:
    """A priority level without a seat of its own, and a crowd of one account."""
    kubeconfig = anywhere.as_account(
        "crowded", [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]}]
    )
    flow = "flowcontrol.apiserver.k8s.io/v1"
    level = {
        "type": "Limited",
        "limited": {"nominalConcurrencyShares": 0, "borrowingLimitPercent": 0, "limitResponse": {"type": "Reject"}},
    }
    anywhere.api.create({**reference(flow, "PriorityLevelConfiguration", f"{room}-no-seat"), "spec": level})
    account = {"name": "crowded", "namespace": anywhere.accounts}
    about = {
        "subjects": [{"kind": "ServiceAccount", "serviceAccount": account}],
        "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True}],
    }
    schema = {"priorityLevelConfiguration": {"name": f"{room}-no-seat"}, "matchingPrecedence": 2, "rules": [about]}
    anywhere.api.create({**reference(flow, "FlowSchema", f"{room}-no-seat"), "spec": schema})
    anywhere.api.create(node(f"{room}-busy"))
    crowded = Seen(kubeconfig)

    def asked(_: int) -> TooManyRequests | None:
        try:
            crowded.cluster.patch(ref("v1", "Node", f"{room}-busy"), {"metadata": {"labels": {"a": "b"}}})
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
        anywhere.api.delete(reference(flow, "FlowSchema", f"{room}-no-seat"))
        anywhere.api.delete(reference(flow, "PriorityLevelConfiguration", f"{room}-no-seat"))


def test_an_object_that_was_replaced_since_it_was_judged_is_left_alone(
    anywhere: ControlPlane, room: str, admin: Seen
) -> None:
    web = ref("apps/v1", "Deployment", "replaced", room)
    before = anywhere.api.create(deployment(room, "replaced"))["metadata"]["uid"]
    anywhere.api.delete(reference("apps/v1", "Deployment", "replaced", room))
    anywhere.api.create(deployment(room, "replaced"))
    for change in (
        lambda: admin.cluster.patch(web, {"spec": {"replicas": 0}}, uid=before),
        lambda: admin.cluster.scale(web, 0, uid=before),
        lambda: admin.cluster.delete(web, uid=before),
    ):
        with pytest.raises(Conflict):
            change()
    assert anywhere.api.get("apps/v1", "Deployment", "replaced", room)["spec"]["replicas"] == 1
    anywhere.api.delete(reference("apps/v1", "Deployment", "replaced", room))
    wait_for("it is gone", lambda: anywhere.api.find("apps/v1", "Deployment", "replaced", room) is None)
    with pytest.raises(NotFound):
        admin.cluster.scale(web, 0)


def test_a_finalizer_that_hangs_is_waited_for_by_nobody(anywhere: ControlPlane, room: str, admin: Seen) -> None:
    held = pod(room, "held")
    held["metadata"]["finalizers"] = ["tests.example/never"]
    anywhere.api.create(held)
    where = ref("v1", "Pod", "held", room)
    admin.cluster.evict(where)
    assert anywhere.api.get("v1", "Pod", "held", room)["metadata"]["deletionTimestamp"]
    assert admin.views.take().pods[room, "held"].terminating
    admin.cluster.evict(where)  # once more is harmless
    anywhere.api.merge(held, {"metadata": {"finalizers": None}})
    admin.until("it is gone", lambda view: (room, "held") not in view.pods)


# --- what is written beside a deed ------------------------------------------------------------------------------------


def test_an_event_on_the_object_says_what_we_did_and_is_no_news_to_us(
    anywhere: ControlPlane, room: str, agent: Seen
) -> None:
    told = f"{room}-told"
    anywhere.api.create(node(told))
    feed = events_of(agent.cluster)
    assert feed is not None
    feed.news()
    with acting(DEED):
        agent.cluster.patch(ref("v1", "Node", told), {"spec": {"unschedulable": True}}, dry_run=True)
        agent.cluster.patch(ref("v1", "Node", told), {"spec": {"unschedulable": True}})
    agent.cluster.patch(ref("v1", "Node", told), {"metadata": {"labels": {"by": "nobody"}}})  # for no incident
    event = wait_for("the Event", lambda: _about(anywhere, told))[0]
    assert (event["reason"], event["action"]) == ("CordonNode", "patch")
    assert "inc-1" in event["note"]
    assert event["regarding"]["uid"] == anywhere.api.get("v1", "Node", told)["metadata"]["uid"]
    anywhere.api.create(_event_of_others(told))
    heard: list[Json] = []

    def of_others() -> bool:
        heard.extend(e.object for e in feed.news() if e.object["involvedObject"].get("name") == told)
        return "Rebooted" in [each["reason"] for each in heard]

    wait_for("the Event of others", of_others)
    assert "CordonNode" not in [each["reason"] for each in heard]
    assert len(_about(anywhere, told)) == 1


def _about(anywhere: ControlPlane, name: str) -> list[Json]:
    found = anywhere.api.list("events.k8s.io/v1", "Event", "default")
    return [e for e in found if e["regarding"].get("name") == name and e.get("reportingController") == OURS]


def _event_of_others(name: str) -> Json:
    made = reference("v1", "Event", f"{name}.1", "default")
    involved = {"apiVersion": "v1", "kind": "Node", "name": name}
    return {**made, "involvedObject": involved, "reason": "Rebooted", "message": "x", "type": "Warning"}
