"""Admission webhooks that say no, say nothing, or write what they like: recorded, explained, and nothing done unasked.

The API server is real, and so is its way to the webhook.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from bare_plane import *  # noqa: F403
from control_plane import ControlPlane
from kube import Json
from live_steps import Steps
from live_world import deployment, node, pod, ref
from webhook import CANARY, Answer, admission

from agent.domain.proposal import Step, Verb
from agent.effects import GIVE_UP_AFTER_S, StepState
from agent.ports import ClusterUnavailable

CORDON: Json = {"spec": {"unschedulable": True}}
OPENED: Json = {"op": "replace", "path": "/spec/unschedulable", "value": False}
FAILED, WAITING, DONE = StepState.FAILED, StepState.WAITING, StepState.DONE


def _node(plane: ControlPlane, name: str) -> Step:
    plane.api.create(node(f"{name}{CANARY}"))
    uid = plane.api.create(node(name))["metadata"]["uid"]
    return Step(verb=Verb.PATCH, target=ref("v1", "Node", name), body=CORDON, uid=uid)


def _cordoned(plane: ControlPlane, name: str) -> bool:
    return bool(plane.api.get("v1", "Node", name)["spec"].get("unschedulable"))


def _says(code: int, message: str = "ask the night shift") -> Callable[[Json], Answer]:
    return lambda request: Answer(False, code, message)


@pytest.mark.parametrize(
    ("code", "state"),
    [
        *((code, FAILED) for code in (400, 401, 403, 404, 410, 422)),
        *((code, WAITING) for code in (409, 429, 500)),
    ],
)
def test_a_no_is_a_no_whatever_its_code(
    plane: ControlPlane, steps: Steps, tmp_path: Path, code: int, state: StepState
) -> None:
    """A webhook chooses the code: its 401 is no expired token of ours, its 404 no object that is gone."""
    name = f"no-{code}"
    step = _node(plane, name)
    with admission(plane, tmp_path, name, "nodes", _says(code)):
        said = steps.run(step)
        assert said.state is state and "ask the night shift" in said.detail and f"{name}.tests.example" in said.detail
        late = steps.run(step, since_s=GIVE_UP_AFTER_S + 1)
        assert late.state is FAILED and "ask the night shift" in late.detail
    assert steps.kinds() == [] and not _cordoned(plane, name)


@pytest.mark.parametrize("code", [403, 404])
def test_a_pod_that_a_webhook_keeps_has_not_left(plane: ControlPlane, steps: Steps, tmp_path: Path, code: int) -> None:
    name = f"kept-{code}"
    plane.api.create(pod("default", f"{name}{CANARY}"))
    uid = plane.api.create(pod("default", name))["metadata"]["uid"]
    step = Step(verb=Verb.EVICT, target=ref("v1", "Pod", name, "default"), uid=uid)
    with admission(plane, tmp_path, name, "pods/eviction", _says(code)):
        assert steps.run(step).state is FAILED
        again = steps.run(step, dry_run=False)
        assert again.state is FAILED and "ask the night shift" in again.detail
    assert plane.api.get("v1", "Pod", name, "default")["metadata"]["uid"] == uid
    assert len(steps.outcomes()) == 1 and steps.outcomes()[0].startswith("failed: Forbidden: ")


def test_a_no_to_the_dry_run_alone_keeps_it_from_being_begun(plane: ControlPlane, steps: Steps, tmp_path: Path) -> None:
    step = _node(plane, "dry")
    with admission(plane, tmp_path, "dry", "nodes", lambda r: Answer(not r["dryRun"], 403, "not even in thought")):
        said = steps.run(step)
    assert said.state is FAILED and "dry run was refused" in said.detail and "not even in thought" in said.detail
    assert steps.kinds() == [] and not _cordoned(plane, "dry")


def test_a_no_to_the_deed_alone_is_its_outcome(plane: ControlPlane, steps: Steps, tmp_path: Path) -> None:
    step = _node(plane, "wet")
    with admission(plane, tmp_path, "wet", "nodes", lambda r: Answer(bool(r["dryRun"]), 403, "thinking is free")):
        assert steps.run(step).state is FAILED
    assert steps.kinds() == ["intent", "outcome"] and not _cordoned(plane, "wet")
    (told,) = steps.outcomes()
    assert told.startswith("failed: Forbidden: ") and "thinking is free" in told


def test_one_that_takes_out_what_we_write_is_found_out_before_anything_is_begun(
    plane: ControlPlane, steps: Steps, tmp_path: Path
) -> None:
    """Else a drain would go on to evict from a node that still takes pods."""
    step = _node(plane, "stripped")
    with admission(plane, tmp_path, "stripped", "nodes", lambda r: Answer(patch=(OPENED,)), mutating=True):
        said = steps.run(step)
    assert said.state is FAILED and steps.kinds() == []
    assert "makes something else of it" in said.detail and "spec.unschedulable is nothing, not True" in said.detail


def test_one_that_does_so_only_in_earnest_makes_it_fail(plane: ControlPlane, steps: Steps, tmp_path: Path) -> None:
    step = _node(plane, "sly")

    def sly(request: Json) -> Answer:
        return Answer(patch=() if request["dryRun"] else (OPENED,))

    with admission(plane, tmp_path, "sly", "nodes", sly, mutating=True):
        assert steps.run(step).state is FAILED
    (told,) = steps.outcomes()
    assert told.startswith("failed: Altered: ") and "spec.unschedulable is nothing, not True" in told


def test_other_replicas_than_asked_for_are_no_success(plane: ControlPlane, steps: Steps, tmp_path: Path) -> None:
    plane.api.create(deployment("default", f"grown{CANARY}"))
    uid = plane.api.create(deployment("default", "grown", 2))["metadata"]["uid"]
    web = ref("apps/v1", "Deployment", "grown", "default")
    one: Json = {"op": "add", "path": "/spec/replicas", "value": 1}
    decide = lambda request: Answer(patch=(one,))  # noqa: E731 - as short as it is
    with admission(plane, tmp_path, "grown", "deployments/scale", decide, mutating=True):
        said = steps.run(Step(verb=Verb.SCALE, target=web, body={"replicas": 0}, uid=uid))
    assert said.state is FAILED and "spec.replicas is 1, not 0" in said.detail
    assert plane.api.get("apps/v1", "Deployment", "grown", "default")["spec"]["replicas"] == 2


def test_one_that_does_not_answer_and_must_is_waited_for_and_then_named(
    plane: ControlPlane, steps: Steps, tmp_path: Path
) -> None:
    step = _node(plane, "mute")
    with admission(plane, tmp_path, "mute", "nodes", lambda r: Answer(after_s=3.0), timeout_s=1):
        said = steps.run(step)
        assert said.state is WAITING and "mute.tests.example" in said.detail
        late = steps.run(step, since_s=GIVE_UP_AFTER_S + 1)
        assert late.state is FAILED and "mute.tests.example" in late.detail
    assert steps.kinds() == [] and not _cordoned(plane, "mute")


def test_one_that_falls_silent_after_the_intent_is_named_in_the_outcome(
    plane: ControlPlane, steps: Steps, tmp_path: Path
) -> None:
    step = _node(plane, "lost")
    with admission(plane, tmp_path, "lost", "nodes", lambda r: Answer(after_s=3.0), timeout_s=1):
        assert steps.run(step, dry_run=False).state is WAITING
        assert steps.kinds() == ["intent"]
        steps.clock.ahead += timedelta(seconds=GIVE_UP_AFTER_S + 1)
        assert steps.run(step, dry_run=False).state is FAILED
    (told,) = steps.outcomes()
    assert "given up" in told and "lost.tests.example" in told and not _cordoned(plane, "lost")


def test_one_that_is_slow_and_may_be_passed_by_lets_the_change_happen_after_we_have_gone(
    plane: ControlPlane, steps: Steps, tmp_path: Path
) -> None:
    """The API server may go on with a request whose asker has hung up: the cluster is looked at, never guessed."""
    step = _node(plane, "slow")
    decide = lambda r: Answer(after_s=0.0 if r["dryRun"] else 7.0)  # noqa: E731 - as short as it is
    with admission(plane, tmp_path, "slow", "nodes", decide, failure_policy="Ignore", timeout_s=9) as hook:
        with pytest.raises(ClusterUnavailable):
            steps.run(step)
        assert steps.kinds() == ["intent"]
        hook.decide = lambda r: Answer()
        assert steps.run(step).state is DONE
        assert _cordoned(plane, "slow")
    assert len(steps.outcomes()) == 1 and steps.outcomes()[0].startswith("succeeded")


def test_what_it_says_is_bounded_and_bears_no_control_characters(
    plane: ControlPlane, steps: Steps, tmp_path: Path
) -> None:
    step = _node(plane, "loud")
    shout = "\x1b[2J\u202e\r\n" + "no " * 50_000
    with admission(plane, tmp_path, "loud", "nodes", _says(403, shout)):
        said = steps.run(step, dry_run=False)
    assert said.state is FAILED and len(said.detail) < 1_000
    assert said.detail.isprintable() and "no no no" in said.detail
