"""restart_workload and rollback_workload: new pods by the owner's own update strategy, and the old template back."""

from typing import Any

import pytest
from evidence.field import Cluster, cluster, ref

from actions.proposing import after, proposed, refusal, success
from agent.domain.cluster import ObjectRef
from agent.evidence.lookup import raw_object

CHAT = ref("Deployment", "chat")
RESTARTED = "kubectl.kubernetes.io/restartedAt"


def _template(revision: int) -> dict[str, Any]:
    new = {"priorityClassName": "high"} if revision == 3 else {}
    containers = [{"name": "main", "image": f"app:{revision}"}]
    return {"metadata": {"labels": {"app": "chat"}}, "spec": {"containers": containers, **new}}


def _pods(where: Cluster, revision: int) -> Cluster:
    for index in range(2):
        where.pod(f"chat-{index}", "gpu-1", owner=where.objects["ReplicaSet", f"chat-{revision}"], gpus=2)
    return where


def _applied(template: Any, body: Any) -> Any:
    """RFC 7386."""
    return _merged(template, body["spec"]["template"])


def _merged(base: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    out = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        out[key] = _merged(out.get(key), value)
        if value is None:
            del out[key]
    return out


def chat(kind: str = "Deployment", **more: Any) -> Cluster:
    return cluster().node("gpu-1").deployment("chat", on=["gpu-1"] * 2, kind=kind, **more)


def released(now: int = 3) -> Cluster:
    """A Deployment with three revisions, image app:1 to app:3; at `now`."""
    where = cluster().node("gpu-1").deployment("chat", on=[], replicas=2, spec={"template": _template(now)})
    where.change("Deployment", "chat", {"metadata": {"annotations": {"deployment.kubernetes.io/revision": str(now)}}})
    for revision in (1, 2, 3):
        template = _template(revision)
        template["metadata"]["labels"]["pod-template-hash"] = f"h{revision}"
        where._add("apps/v1", "ReplicaSet", f"chat-{revision}", "lab", {
            "metadata": {"annotations": {"deployment.kubernetes.io/revision": str(revision)},
                         "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat",
                                              "uid": "uid-deployment-chat", "controller": True}]},
            "spec": {"template": template},
        })  # fmt: skip
    return _pods(where, now)


def test_a_restart_is_kubectls_annotation_on_the_pod_template() -> None:
    made = proposed("restart_workload", CHAT, chat())
    (step,) = made.steps
    assert step.body == {"spec": {"template": {"metadata": {"annotations": {RESTARTED: "inc-1/2"}}}}}
    assert step.undo == {"spec": {"template": {"metadata": {"annotations": {RESTARTED: None}}}}}
    assert made.destructive and (made.blast_radius.workloads, made.blast_radius.pods) == (("Deployment/lab/chat",), 2)
    assert proposed("restart_workload", CHAT, chat()).digest == made.digest
    (back,) = proposed("restart_workload", CHAT, after(made, chat()), undoes=made.id).steps
    assert back.body == step.undo


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_a_restart_has_helped_when_all_pods_are_new_and_ready(kind: str) -> None:
    where = chat(kind).change(kind, "chat", {"status": {"desiredNumberScheduled": 2}})
    made = proposed("restart_workload", ref(kind, "chat"), where)
    assert success(made, where).done is None
    new = {"metadata": {"annotations": {RESTARTED: made.id}}}
    assert success(made, where.change("Pod", "chat-0", new)).done is None
    assert success(made, where.change("Pod", "chat-1", new)).done is True
    assert success(made, where.without("Pod", "chat-1")).done is None


@pytest.mark.parametrize(
    ("target", "where", "code"),
    [
        (ref("Notebook", "chat"), chat("Notebook"), "precondition.kind"),
        (CHAT, cluster(), "precondition.target_unknown"),
        (CHAT, cluster().deployment("chat", on=[], replicas=2), "precondition.nothing_runs"),
        (CHAT, chat(spec={"paused": True}), "precondition.paused"),
        (
            ref("StatefulSet", "chat"),
            chat("StatefulSet", spec={"updateStrategy": {"type": "OnDelete"}}),
            "precondition.no_lever",
        ),
    ],
)
def test_what_is_not_restarted(target: ObjectRef, where: Cluster, code: str) -> None:
    assert refusal("restart_workload", target, where) == code


@pytest.mark.parametrize(("asked", "image"), [(None, "app:2"), (1, "app:1")])
def test_a_rollback_brings_an_earlier_template_back_and_drops_what_is_new(asked: int | None, image: str) -> None:
    made = proposed("rollback_workload", CHAT, released(), to_revision=asked)
    before = raw_object(released().view(), CHAT)["spec"]["template"]
    rolled_back = _applied(before, made.steps[0].body)
    assert rolled_back["spec"]["containers"][0]["image"] == image
    assert (
        "priorityClassName" not in rolled_back["spec"] and "pod-template-hash" not in rolled_back["metadata"]["labels"]
    )
    assert _applied(rolled_back, made.steps[0].undo) == before


def test_a_rollback_is_taken_back_by_the_revision_it_noted() -> None:
    made = proposed("rollback_workload", CHAT, released(), to_revision=1)
    note = {
        "metadata": {
            "annotations": {"watchkeeper.dev/changed-by": made.id, "watchkeeper.dev/before": '{"to_revision": 3}'}
        }
    }
    assert made.steps[0].body["metadata"] == note["metadata"]
    (back,) = proposed("rollback_workload", CHAT, released(1).change("Deployment", "chat", note), undoes=made.id).steps
    body: Any = back.body
    assert body["spec"]["template"]["spec"]["containers"][0]["image"] == "app:3"
    assert refusal("rollback_workload", CHAT, released(1), undoes="inc-9/9") == "precondition.nothing_to_undo"


@pytest.mark.parametrize(
    ("target", "where", "asked", "code"),
    [
        (CHAT, released(), 9, "precondition.revision_unknown"),
        (CHAT, released(1), None, "precondition.revision_unknown"),
        (CHAT, released(), 3, "precondition.no_change"),
        (CHAT, released(), 0, "parameters.invalid"),
        (ref("StatefulSet", "chat"), chat("StatefulSet"), 1, "precondition.revision_unknown"),
    ],
)
def test_what_is_not_rolled_back(target: ObjectRef, where: Cluster, asked: int | None, code: str) -> None:
    assert refusal("rollback_workload", target, where, to_revision=asked) == code


def test_a_rollback_has_helped_when_all_pods_are_of_the_old_template() -> None:
    made = proposed("rollback_workload", CHAT, released(), to_revision=1)
    assert success(made, released()).done is None
    assert success(made, _pods(released(1), 3)).done is None
    assert success(made, released(1)).done is True


# --- StatefulSets and DaemonSets: their history is in ControllerRevisions --------------------------------------------


def recorded(kind: str, now: int = 2) -> Cluster:
    """Two revisions of a workload, image app:1 and app:2; at `now`."""
    where = cluster().node("gpu-1").deployment("chat", on=[], kind=kind, replicas=2, spec={"template": _template(now)})
    if kind == "DaemonSet":
        where.change(kind, "chat", {"status": {"desiredNumberScheduled": 2}})
    owner = {"apiVersion": "apps/v1", "kind": kind, "name": "chat", "uid": f"uid-{kind.lower()}-chat"}
    for number in (1, 2):
        where._add("apps/v1", "ControllerRevision", f"chat-{number}", "lab", {
            "metadata": {"ownerReferences": [{**owner, "controller": True}]},
            "revision": number,
            "data": {"spec": {"template": {**_template(number), "$patch": "replace"}}},
        })  # fmt: skip
    for index in range(2):
        where.pod(f"chat-{index}", "gpu-1", owner=where.objects[kind, "chat"], gpus=2)
        where.objects["Pod", f"chat-{index}"]["spec"]["containers"][0]["image"] = f"app:{now}"
    return where


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_what_keeps_controller_revisions_goes_back_too(kind: str) -> None:
    made = proposed("rollback_workload", ref(kind, "chat"), recorded(kind))
    changed = _merged(_template(2), made.steps[0].body["spec"]["template"])  # type: ignore[index]
    assert changed == _template(1)
    where = after(made, recorded(kind))
    assert success(made, where).done is None, "its pods still run the newer image"
    for index in range(2):
        where.objects["Pod", f"chat-{index}"]["spec"]["containers"][0]["image"] = "app:1"
    assert success(made, where).done


def test_a_restart_keeps_the_revision() -> None:
    at_two = recorded("StatefulSet")
    target = ref("StatefulSet", "chat")
    assert proposed("restart_workload", target, at_two, to_revision=2).parameters == {"to_revision": 2}
    assert refusal("restart_workload", target, at_two, to_revision=1) == "precondition.revision"
    assert refusal("restart_workload", CHAT, released(), to_revision=2) == "precondition.revision"
    assert proposed("restart_workload", CHAT, released(), to_revision=3).destructive
