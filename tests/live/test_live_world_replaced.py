"""Objects that go, come again under the same name, or cannot go, between a decision and its end, on a real API server.

And what takes a right, a namespace or the server away in the middle. Each: what stands on the record, and that nothing
was done to anybody else.
"""

from datetime import timedelta
from pathlib import Path

import pytest
from bare_plane import *  # noqa: F403
from control_plane import ControlPlane
from kube import Json, reference
from live_steps import Steps
from live_world import deployment, node, pod, ref, settled
from servers import wait_for
from step_field import proposal

from agent.acting import Deed, acting
from agent.actions.base import NoParameters, Success
from agent.actions.catalogue import CATALOGUE
from agent.actions.evict_pod import EvictPod
from agent.adapters.kubernetes.repairs import RepairResources
from agent.domain.cluster import ObjectRef
from agent.domain.proposal import Proposal, Step, Verb
from agent.domain.repairing import RepairSettings
from agent.effects import GIVE_UP_AFTER_S, StepState
from agent.ports import ClusterFault, ClusterUnavailable, Forbidden, Invalid, NotFound, RepairUnavailable

FAILED, WAITING, DONE = StepState.FAILED, StepState.WAITING, StepState.DONE
CORDON: Json = {"spec": {"unschedulable": True}}
FOREIGN = "tests.example/never"
NODES_ONLY = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]}]


def _pod(plane: ControlPlane, name: str, **more: object) -> tuple[ObjectRef, str]:
    made = pod("default", name)
    made["metadata"] |= more
    return ref("v1", "Pod", name, "default"), plane.api.create(made)["metadata"]["uid"]


def _again(plane: ControlPlane, made: Json) -> str:
    about = made["metadata"]
    named = reference(made["apiVersion"], made["kind"], about["name"], about.get("namespace", ""))
    plane.api.delete(named, gracePeriodSeconds=0)
    return str(plane.api.create(made)["metadata"]["uid"])


def _judged(action: str, target: ObjectRef, step: Step, **rests_on: object) -> Proposal:
    changed = {"action": action, "target": target, "rests_on": {"uid": step.uid, **rests_on}}
    return proposal(step).model_copy(update=changed)


def _success(steps: Steps, judged: Proposal) -> Success:
    view = steps.seen.views.take()
    return CATALOGUE[judged.action].succeeded(judged, view, steps.clock.now(), lambda key: "unknown")


# --- gone, and come again ---------------------------------------------------------------------------------------------


def test_a_pod_that_has_left_and_one_that_has_come_in_its_place(plane: ControlPlane, steps: Steps) -> None:
    """As a StatefulSet's is: web-0 is back at once, and is not the one that was to go."""
    target, uid = _pod(plane, "web-0")
    successor = _again(plane, pod("default", "web-0"))
    step = Step(verb=Verb.EVICT, target=target, uid=uid)
    assert steps.run(step).state is DONE
    assert steps.outcomes() == ["succeeded: it had left by itself"]
    assert plane.api.get("v1", "Pod", "web-0", "default")["metadata"]["uid"] == successor
    steps.seen.until("the successor", lambda view: successor in {each.uid for each in view.pods.values()})
    assert _success(steps, _judged("evict_pod", target, step)).done is True, "who was to go has gone"


def test_a_pod_that_leaves_between_the_step_and_its_verification(plane: ControlPlane, steps: Steps) -> None:
    target, uid = _pod(plane, "db-0")
    step = Step(verb=Verb.EVICT, target=target, uid=uid)
    assert steps.run(step).state is DONE
    successor = str(plane.api.create(pod("default", "db-0"))["metadata"]["uid"])
    assert steps.run(step).state is DONE, "once more: it is recalled, and nobody is evicted again"
    assert plane.api.get("v1", "Pod", "db-0", "default")["metadata"]["uid"] == successor
    assert steps.outcomes() == ["succeeded: "]


@pytest.mark.parametrize("verb", [Verb.PATCH, Verb.SCALE])
def test_a_workload_that_was_made_again_is_left_alone(plane: ControlPlane, steps: Steps, verb: Verb) -> None:
    name = f"again-{verb.value}"
    uid = plane.api.create(deployment("default", name, 2))["metadata"]["uid"]
    _again(plane, deployment("default", name, 2))
    web = ref("apps/v1", "Deployment", name, "default")
    body: Json = {"spec": {"paused": True}} if verb is Verb.PATCH else {"replicas": 0}
    said = steps.run(Step(verb=verb, target=web, body=body, uid=uid))
    assert said.state is FAILED and "another one by now" in said.detail
    spec = plane.api.get("apps/v1", "Deployment", name, "default")["spec"]
    assert spec["replicas"] == 2 and not spec.get("paused")


def test_a_machine_that_took_the_name_of_the_cordoned_one(plane: ControlPlane, steps: Steps) -> None:
    """It is neither a failed cordon, nor is the new one uncordoned, whoever cordoned it."""
    uid = plane.api.create(node("gpu-1"))["metadata"]["uid"]
    where = ref("v1", "Node", "gpu-1")
    step = Step(verb=Verb.PATCH, target=where, body=CORDON, uid=uid, undo={"spec": {"unschedulable": False}})
    assert steps.run(step).state is DONE
    successor = _again(plane, node("gpu-1", unschedulable=True))
    steps.seen.until("the new machine", lambda view: successor in {each.uid for each in view.nodes.values()})
    told = _success(steps, _judged("cordon_node", where, step))
    assert told.done is True and "another machine bears its name" in told.statement
    back = steps.run(step, undo=True)
    assert back.state is FAILED and "another one by now" in back.detail
    assert plane.api.get("v1", "Node", "gpu-1")["spec"]["unschedulable"]


def test_no_repair_is_asked_for_the_machine_that_took_its_name(plane: ControlPlane, steps: Steps) -> None:
    uid = plane.api.create(node("gpu-2"))["metadata"]["uid"]
    _again(plane, node("gpu-2"))
    step = Step(verb=Verb.REQUEST_REPAIR, target=ref("v1", "Node", "gpu-2"), body={"operation": "reboot"}, uid=uid)
    said = steps.run(step)
    assert said.state is FAILED and "another one by now" in said.detail


def test_no_repair_is_asked_for_by_an_object_that_does_not_say_of_which_node(plane: ControlPlane, steps: Steps) -> None:
    """Its schema knows no such field, and the server drops it without a word that anybody reads."""
    kind = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "namespace": "default"}
    settings = RepairSettings.model_validate({"operations": {"reboot": {**kind, "spec": {"nodeName": "{node}"}}}})
    repairs = RepairResources(steps.seen.cluster, settings)
    with pytest.raises(RepairUnavailable, match=r"spec\.nodeName is nothing, not 'gpu-9'"):
        repairs.request("gpu-9", "reboot", gpu_uuid=None, key="inc-1/2/0")
    assert repairs.state("inc-1/2/0") == "unknown" and plane.api.list(kind["apiVersion"], "Lease", "default") == []


def test_our_own_act_does_not_bring_back_what_is_gone(plane: ControlPlane, steps: Steps) -> None:
    """What a write answered is shown at once; what was deleted since stays deleted."""
    plane.api.create(node("brief"))
    for number in range(20):
        steps.seen.cluster.patch(ref("v1", "Node", "brief"), {"metadata": {"labels": {"n": str(number)}}})
    plane.api.delete(reference("v1", "Node", "brief"))
    steps.seen.until("it is gone", lambda view: "brief" not in view.nodes)
    made = steps.seen.cluster.create(node("brief"))["metadata"]["uid"]
    assert steps.seen.views.take().nodes["brief"].uid == made


# --- what cannot go ---------------------------------------------------------------------------------------------------


def test_a_pod_that_a_finalizer_holds_is_evicted_once_and_it_is_said_who_holds_it(
    plane: ControlPlane, steps: Steps
) -> None:
    target, uid = _pod(plane, "held", finalizers=[FOREIGN])
    step = Step(verb=Verb.EVICT, target=target, uid=uid)
    assert steps.run(step).state is DONE
    view = steps.seen.until(
        "it is leaving", lambda view: any(each.uid == uid and each.terminating for each in view.pods.values())
    )
    told = _success(steps, _judged("evict_pod", target, step))
    assert told.done is None and "was told to go by" in told.statement and FOREIGN in told.statement
    refusal = EvictPod().refuse(target, NoParameters(), view)
    assert refusal is not None, "nobody proposes to evict it again"
    assert steps.outcomes() == ["succeeded: "]
    plane.api.merge(reference("v1", "Pod", "held", "default"), {"metadata": {"finalizers": None}})


def test_a_pod_under_two_budgets_is_waited_for_and_then_given_up_with_the_reason(
    plane: ControlPlane, steps: Steps
) -> None:
    """The API server answers 500 to that, for ever."""
    target, uid = _pod(plane, "twice-guarded")
    plane.api.create(node("carrier"))
    binding = {**reference("v1", "Binding", "twice-guarded", "default")}
    binding["target"] = {"apiVersion": "v1", "kind": "Node", "name": "carrier"}
    plane.api.ask("POST", "/api/v1/namespaces/default/pods/twice-guarded/binding", binding)
    running = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    plane.api.merge(reference("v1", "Pod", "twice-guarded", "default"), {"status": running}, "status")
    for name in ("one", "two"):
        spec = {"maxUnavailable": "100%", "selector": {"matchLabels": {"app": "twice-guarded"}}}
        plane.api.create({**reference("policy/v1", "PodDisruptionBudget", name, "default"), "spec": spec})
    step = Step(verb=Verb.EVICT, target=target, uid=uid)
    assert steps.run(step).state is WAITING
    late = steps.run(step, since_s=GIVE_UP_AFTER_S + 1)
    assert late.state is FAILED and "more than one PodDisruptionBudget" in late.detail
    assert steps.kinds() == []


def test_what_is_made_in_a_namespace_that_ends_is_refused_with_that_reason(plane: ControlPlane, steps: Steps) -> None:
    plane.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ending"}})
    plane.api.wait("its account", "v1", "ServiceAccount", "default", "ending", until=lambda found: True)
    held = pod("ending", "held")
    held["metadata"]["finalizers"] = [FOREIGN]
    plane.api.create(held)
    plane.api.delete(reference("v1", "Namespace", "ending"))
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "note", "namespace": "ending"}}
    said = steps.run(Step(verb=Verb.CREATE, target=ref("v1", "ConfigMap", "note", "ending"), body=body))
    assert said.state is FAILED and "being terminated" in said.detail
    with acting(Deed("inc-1", "evict_pod", "inc-1/0/0")):  # its Event cannot be written there; nothing fails for that
        steps.seen.cluster.patch(ref("v1", "Pod", "held", "ending"), {"metadata": {"labels": {"a": "b"}}})
    plane.api.merge(held, {"metadata": {"finalizers": None}})


def test_what_a_quota_forbids_is_refused_with_the_quota(plane: ControlPlane, steps: Steps) -> None:
    plane.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "poor"}})
    about = reference("v1", "ResourceQuota", "few", "poor")
    plane.api.create({**about, "spec": {"hard": {"count/configmaps": "0"}}})
    plane.api.wait(
        "it is counted", "v1", "ResourceQuota", "few", "poor", until=lambda q: q.get("status", {}).get("hard")
    )
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "note", "namespace": "poor"}}
    step = Step(verb=Verb.CREATE, target=ref("v1", "ConfigMap", "note", "poor"), body=body)
    said = wait_for("the quota is in force", lambda: r if (r := steps.run(step)).state is not DONE else None)
    assert said.state is FAILED and "exceeded quota: few" in said.detail


# --- others -----------------------------------------------------------------------------------------------------------


def test_what_another_has_changed_since_is_not_taken_back(plane: ControlPlane, steps: Steps) -> None:
    """An autoscaler, an operator or a person: the number is theirs now."""
    uid = plane.api.create(deployment("default", "contested", 3))["metadata"]["uid"]
    settled(plane.api, "contested", 3)
    web = ref("apps/v1", "Deployment", "contested", "default")
    step = Step(verb=Verb.SCALE, target=web, body={"replicas": 0}, uid=uid, seen={"replicas": 3}, undo={"replicas": 3})
    assert steps.run(step).state is DONE
    plane.api.merge(reference("apps/v1", "Deployment", "contested", "default"), {"spec": {"replicas": 7}})
    back = steps.run(step, undo=True)
    assert back.state is FAILED and "7" in back.detail
    assert plane.api.get("apps/v1", "Deployment", "contested", "default")["spec"]["replicas"] == 7


def test_two_agents_with_logs_of_their_own_do_nothing_twice_that_counts(
    plane: ControlPlane, steps: Steps, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Steps(plane.admin, tmp_path / "other")
    try:
        uid = plane.api.create(node("shared"))["metadata"]["uid"]
        cordon = Step(verb=Verb.PATCH, target=ref("v1", "Node", "shared"), body=CORDON, uid=uid)
        target, pod_uid = _pod(plane, "shared")
        evict = Step(verb=Verb.EVICT, target=target, uid=pod_uid)
        assert [each.run(step).state for step in (cordon, evict) for each in (steps, other)] == [DONE] * 4
        assert steps.outcomes() == ["succeeded: ", "succeeded: "]
        assert other.outcomes() == ["succeeded: ", "succeeded: it had left by itself"]
        assert plane.api.get("v1", "Node", "shared")["spec"]["unschedulable"]
    finally:
        other.close()


def test_a_right_that_is_taken_away_is_a_recorded_no_and_given_back_it_is_used_again(
    plane: ControlPlane, tmp_path: Path
) -> None:
    uid = plane.api.create(node("forbidden"))["metadata"]["uid"]
    step = Step(verb=Verb.PATCH, target=ref("v1", "Node", "forbidden"), body=CORDON, uid=uid)
    steps = Steps(plane.as_account("losing", NODES_ONLY), tmp_path)
    binding = plane.api.get("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "tests:losing")
    try:
        steps.seen.cluster.patch(step.target, {"metadata": {"labels": {"a": "b"}}})
        plane.api.delete(binding)
        wait_for("the right is gone", lambda: _forbidden(steps, step.target))
        said = steps.run(step)
        assert said.state is FAILED and "forbidden" in said.detail and "losing" in said.detail
        assert not plane.api.get("v1", "Node", "forbidden")["spec"].get("unschedulable")
        plane.as_account("losing", NODES_ONLY)
        wait_for("the right is back", lambda: not _forbidden(steps, step.target))
        assert steps.run(step).state is DONE
    finally:
        steps.close()


def _forbidden(steps: Steps, target: ObjectRef) -> bool:
    try:
        steps.seen.cluster.get(target)
    except Forbidden:
        return True
    return False


# --- the server -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["api_server", "etcd"])
def test_a_server_that_freezes_in_the_middle_of_a_write_has_done_it_once_in_the_end(
    plane: ControlPlane, steps: Steps, part: str
) -> None:
    name = f"frozen-{part.replace('_', '-')}"
    uid = plane.api.create(node(name))["metadata"]["uid"]
    step = Step(verb=Verb.PATCH, target=ref("v1", "Node", name), body=CORDON, uid=uid)
    frozen = getattr(plane, part)
    frozen.freeze()
    try:
        with pytest.raises(ClusterUnavailable):
            steps.run(step, dry_run=False)
        assert steps.kinds() == ["intent"]
    finally:
        frozen.thaw()
    wait_for("it is done", lambda: _tried(steps, step))
    assert len(steps.outcomes()) == 1 and plane.api.get("v1", "Node", name)["spec"]["unschedulable"]


def _tried(steps: Steps, step: Step) -> bool:
    try:
        return steps.run(step, dry_run=False).state is DONE
    except ClusterFault:
        return False


def test_an_etcd_that_is_away_refuses_nothing_and_nothing_is_begun(plane: ControlPlane, steps: Steps) -> None:
    uid = plane.api.create(node("without-etcd"))["metadata"]["uid"]
    step = Step(verb=Verb.PATCH, target=ref("v1", "Node", "without-etcd"), body=CORDON, uid=uid)
    plane.etcd.kill()
    try:
        try:
            assert steps.run(step).state is WAITING
        except ClusterFault as fault:
            assert not 400 <= fault.status < 500
        assert steps.outcomes() == []
    finally:
        plane.etcd.start()
    wait_for("it is done", lambda: _tried(steps, step))
    assert len(steps.outcomes()) == 1


# --- names and sizes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["..", "../../nodes/gpu-1", "a/b", "a%2Fb", "a?dryRun=All", "a#b", "ü", "\u202eabc", "a\x00b", "x" * 5_000]
)
def test_a_name_from_an_alert_leads_nowhere_else(plane: ControlPlane, steps: Steps, name: str) -> None:
    for where in (ref("v1", "Pod", name, "default"), ref("v1", "Pod", "a", name)):
        with pytest.raises((NotFound, Invalid)):
            steps.seen.cluster.patch(where, CORDON)


def test_annotations_of_any_letters_and_of_any_size_that_a_server_takes(plane: ControlPlane, steps: Steps) -> None:
    letters = "\u202e\u200b\x00\x1b[2J👩‍🚀ﷺ" + "\ufffd"
    made = node("lettered")
    made["metadata"]["annotations"] = {"tests.example/letters": letters, "tests.example/much": "x" * 200_000}
    uid = plane.api.create(made)["metadata"]["uid"]
    view = steps.seen.until("it is seen", lambda view: "lettered" in view.nodes)
    assert view.nodes["lettered"].annotations["tests.example/letters"] == letters
    where = ref("v1", "Node", "lettered")
    assert steps.run(Step(verb=Verb.PATCH, target=where, body=CORDON, uid=uid)).state is DONE
    much: Json = {"metadata": {"annotations": {"tests.example/more": "x" * 100_000}}}
    with pytest.raises(Invalid, match="annotations"):
        steps.seen.cluster.patch(where, much)


def test_a_storm_of_changes_ends_in_the_last_one(plane: ControlPlane, steps: Steps) -> None:
    plane.api.create(node("stormy"))
    for number in range(400):
        plane.api.merge(reference("v1", "Node", "stormy"), {"metadata": {"labels": {"n": str(number)}}})
    view = steps.seen.until("the last", lambda view: "399" in {each.labels.get("n") for each in view.nodes.values()})
    assert view.taken_at - steps.clock.now() < timedelta(seconds=1)
