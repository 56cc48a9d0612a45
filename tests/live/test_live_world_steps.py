"""Steps of proposals on a real API server while something goes wrong: recorded, explained, done once at most."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from bare_plane import *  # noqa: F403
from control_plane import ControlPlane
from kube import Json, reference
from live_steps import Steps
from live_world import deployment, node, pod, ref, settled
from servers import wait_for

from agent.adapters.kubernetes.live.connection import user_agent
from agent.doing import MARK
from agent.domain.proposal import Step, Verb
from agent.effects import StepState
from agent.ports import ClusterUnavailable, Unauthorized

WRITES = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
CORDON: Json = {"spec": {"unschedulable": True}}


@pytest.fixture
def steps(anywhere: ControlPlane, tmp_path: Path) -> Iterator[Steps]:
    made = Steps(anywhere.admin, tmp_path)
    yield made
    made.close()


def _cordon(anywhere: ControlPlane, name: str) -> Step:
    uid = anywhere.api.create(node(name))["metadata"]["uid"]
    return Step(verb=Verb.PATCH, target=ref("v1", "Node", name), body=CORDON, uid=uid)


def test_a_step_is_done_once_and_leaves_its_mark(anywhere: ControlPlane, room: str, steps: Steps) -> None:
    step = _cordon(anywhere, f"{room}-plain")
    assert steps.run(step).state is StepState.DONE
    assert steps.run(step).state is StepState.DONE
    found = anywhere.api.get("v1", "Node", f"{room}-plain")
    assert found["spec"]["unschedulable"] and found["metadata"]["annotations"][MARK] == "inc-1/0/0"
    assert steps.outcomes() == ["succeeded: "]


def test_an_object_that_was_deleted_after_the_decision(anywhere: ControlPlane, room: str, steps: Steps) -> None:
    step = _cordon(anywhere, f"{room}-deleted")
    anywhere.api.delete(reference("v1", "Node", f"{room}-deleted"))
    refused = steps.run(step)
    assert refused.state is StepState.FAILED and "not found" in refused.detail


def test_an_object_that_was_made_again_after_the_decision_is_left_alone(
    anywhere: ControlPlane, room: str, steps: Steps
) -> None:
    step = _cordon(anywhere, f"{room}-again")
    anywhere.api.delete(reference("v1", "Node", f"{room}-again"))
    anywhere.api.create(node(f"{room}-again"))
    refused = steps.run(step)
    assert refused.state is StepState.FAILED and "another one by now" in refused.detail
    assert not anywhere.api.get("v1", "Node", f"{room}-again")["spec"].get("unschedulable")


def test_a_budget_that_forbids_it_is_waited_for(anywhere: ControlPlane, room: str, steps: Steps) -> None:
    uid = anywhere.api.create(pod(room, "guarded"))["metadata"]["uid"]
    anywhere.api.create(node(f"{room}-carrier"))
    target = {"apiVersion": "v1", "kind": "Node", "name": f"{room}-carrier"}
    binding = {**reference("v1", "Binding", "guarded", room), "target": target}
    anywhere.api.ask("POST", f"/api/v1/namespaces/{room}/pods/guarded/binding", binding)
    running = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    anywhere.api.merge(reference("v1", "Pod", "guarded", room), {"status": running}, "status")
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "guarded"}}}
    budget = {**reference("policy/v1", "PodDisruptionBudget", "keep", room), "spec": spec}
    anywhere.api.create(budget)
    step = Step(verb=Verb.EVICT, target=ref("v1", "Pod", "guarded", room), uid=uid)
    held = steps.run(step)
    assert held.state is StepState.WAITING and "disruption budget" in held.detail
    assert steps.outcomes() == []
    anywhere.api.delete(budget)
    wait_for("the budget lets go", lambda: steps.run(step).state is StepState.DONE)
    assert steps.outcomes() == ["succeeded: "]


def test_an_expired_token_is_no_answer_and_the_step_is_done_with_the_next_one(
    plane: ControlPlane, tmp_path: Path
) -> None:
    step = _cordon(plane, "expired")
    kubeconfig = plane.as_account("expiring", WRITES, lasts=timedelta(seconds=4))
    steps = Steps(kubeconfig, tmp_path)
    try:
        wait_for("the token has run out", lambda: _unauthorized(steps, step), timeout_s=30)
        assert steps.outcomes() == [] and not plane.api.get("v1", "Node", "expired")["spec"].get("unschedulable")
        old = kubeconfig.read_text()
        token = next(line.split(": ", 1)[1] for line in old.splitlines() if line.strip().startswith("token: "))
        kubeconfig.write_text(old.replace(token, plane.token("expiring")))
        assert steps.run(step).state is StepState.DONE
        assert steps.outcomes() == ["succeeded: "]
    finally:
        steps.close()


def _unauthorized(steps: Steps, step: Step) -> bool:
    try:
        steps.seen.cluster.get(step.target)
    except Unauthorized:
        with pytest.raises(Unauthorized):
            steps.run(step)
        return True
    return False


def test_a_server_that_goes_away_leaves_the_step_open_and_it_is_found_out(plane: ControlPlane, steps: Steps) -> None:
    step = _cordon(plane, "away")
    plane.api_server.kill()
    try:
        with pytest.raises(ClusterUnavailable):
            steps.run(step)
    finally:
        plane.api_server.start()
    assert steps.outcomes() == []
    assert steps.run(step).state is StepState.DONE
    assert steps.outcomes() == ["succeeded: "]


def test_a_scale_by_its_subresource_and_back(anywhere: ControlPlane, room: str, steps: Steps) -> None:
    uid = anywhere.api.create(deployment(room, "served", 2))["metadata"]["uid"]
    settled(anywhere.api, "served", 2, room)
    web = ref("apps/v1", "Deployment", "served", room)
    assert steps.run(Step(verb=Verb.SCALE, target=web, body={"replicas": 0}, uid=uid)).state is StepState.DONE
    assert anywhere.api.get("apps/v1", "Deployment", "served", room)["spec"]["replicas"] == 0
    assert user_agent() == "watchkeeper", "nothing is done for anybody any more"
