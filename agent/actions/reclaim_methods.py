"""How each kind of owner gives its GPUs back and gets them again. One entry per kind; `reclaim_idle_gpu` chooses.

What was before is written on the object itself, so that a restore needs nothing but the object, months later.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.actions.base import ANNOTATION
from agent.actions.written import annotations_of
from agent.domain.cluster import ObjectRef
from agent.domain.proposal import Step, Verb
from agent.evidence.restore import KUBEFLOW_STOPPED, RECLAIMED_BY, RESTORE

REPLICAS_BEFORE = ANNOTATION + "replicas-before"

Manifest = Mapping[str, Any]
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Method:
    """`holding`: does it hold anything to give back? `stop` and `start` are the steps there and back."""

    holding: Callable[[Manifest], bool]
    stop: Callable[[ObjectRef, Manifest, str], tuple[Step, ...]]
    start: Callable[[ObjectRef, Manifest], tuple[Step, ...]]
    rests_on: Callable[[Manifest], dict[str, object]]


def replicas_before(manifest: Manifest) -> int | None:
    """How many there were before the reclaim; None when the mark is missing or is not a number."""
    text = annotations_of(manifest).get(REPLICAS_BEFORE, "")
    return int(text) if text.isdecimal() else None


def _uid(manifest: Manifest) -> str | None:
    uid = manifest.get("metadata", {}).get("uid")
    return str(uid) if uid else None


def _marks(proposal: str, **more: str) -> Body:
    return {"metadata": {"annotations": {RECLAIMED_BY: proposal, **more}}}


_UNMARKED: Body = {"metadata": {"annotations": {RECLAIMED_BY: None, REPLICAS_BEFORE: None, RESTORE: None}}}


def _replicas(manifest: Manifest) -> int:
    return int(manifest.get("spec", {}).get("replicas", 1))


def _scale_stop(ref: ObjectRef, manifest: Manifest, proposal: str) -> tuple[Step, ...]:
    before, uid = _replicas(manifest), _uid(manifest)
    marks = {"metadata": {"annotations": {RECLAIMED_BY: proposal, REPLICAS_BEFORE: str(before)}}}
    return (
        Step(verb=Verb.PATCH, target=ref, body=marks, uid=uid, undo=_UNMARKED),
        Step(verb=Verb.SCALE, target=ref, body={"replicas": 0}, uid=uid, undo={"replicas": before}),
    )


def _scale_start(ref: ObjectRef, manifest: Manifest) -> tuple[Step, ...]:
    before, uid = replicas_before(manifest), _uid(manifest)
    if before is None or _replicas(manifest) > 0:
        return ()
    return (
        Step(verb=Verb.SCALE, target=ref, body={"replicas": before}, uid=uid, undo={"replicas": 0}),
        Step(verb=Verb.PATCH, target=ref, body=_UNMARKED, uid=uid),
    )


def _notebook_stop(ref: ObjectRef, manifest: Manifest, proposal: str) -> tuple[Step, ...]:
    body = {"metadata": {"annotations": {RECLAIMED_BY: proposal, KUBEFLOW_STOPPED: proposal}}}
    return (Step(verb=Verb.PATCH, target=ref, body=body, uid=_uid(manifest), undo=_notebook_start_body()),)


def _notebook_start_body() -> Body:
    return {"metadata": {"annotations": {RECLAIMED_BY: None, KUBEFLOW_STOPPED: None, RESTORE: None}}}


def _notebook_start(ref: ObjectRef, manifest: Manifest) -> tuple[Step, ...]:
    marks = annotations_of(manifest)
    if RECLAIMED_BY not in marks or KUBEFLOW_STOPPED not in marks:
        return ()
    return (Step(verb=Verb.PATCH, target=ref, body=_notebook_start_body(), uid=_uid(manifest)),)


def _job_stop(ref: ObjectRef, manifest: Manifest, proposal: str) -> tuple[Step, ...]:
    body = {**_marks(proposal), "spec": {"suspend": True}}
    undo = {**_UNMARKED, "spec": {"suspend": False}}
    return (Step(verb=Verb.PATCH, target=ref, body=body, uid=_uid(manifest), undo=undo),)


def _job_start(ref: ObjectRef, manifest: Manifest) -> tuple[Step, ...]:
    if RECLAIMED_BY not in annotations_of(manifest) or not manifest.get("spec", {}).get("suspend"):
        return ()
    body = {**_UNMARKED, "spec": {"suspend": False}}
    return (Step(verb=Verb.PATCH, target=ref, body=body, uid=_uid(manifest)),)


def _min_replicas(manifest: Manifest) -> int:
    value = manifest.get("spec", {}).get("predictor", {}).get("minReplicas", 1)
    return int(value)


def _inference_patch(minimum: int) -> Body:
    return {"spec": {"predictor": {"minReplicas": minimum}}}


def _inference_stop(ref: ObjectRef, manifest: Manifest, proposal: str) -> tuple[Step, ...]:
    before = _min_replicas(manifest)
    body = {**_marks(proposal, **{REPLICAS_BEFORE: str(before)}), **_inference_patch(0)}
    undo = {**_UNMARKED, **_inference_patch(before)}
    return (Step(verb=Verb.PATCH, target=ref, body=body, uid=_uid(manifest), undo=undo),)


def _inference_start(ref: ObjectRef, manifest: Manifest) -> tuple[Step, ...]:
    before = replicas_before(manifest)
    if before is None or _min_replicas(manifest) > 0:
        return ()
    return (Step(verb=Verb.PATCH, target=ref, body={**_UNMARKED, **_inference_patch(before)}, uid=_uid(manifest)),)


_SCALE = Method(
    holding=lambda m: _replicas(m) > 0,
    stop=_scale_stop,
    start=_scale_start,
    rests_on=lambda m: {"replicas": _replicas(m)},
)

METHODS: Mapping[str, Method] = {
    "Deployment": _SCALE,
    "StatefulSet": _SCALE,
    "Notebook": Method(
        holding=lambda m: KUBEFLOW_STOPPED not in annotations_of(m),
        stop=_notebook_stop,
        start=_notebook_start,
        rests_on=lambda m: {"stopped": KUBEFLOW_STOPPED in annotations_of(m)},
    ),
    "Job": Method(
        holding=lambda m: not m.get("spec", {}).get("suspend", False),
        stop=_job_stop,
        start=_job_start,
        rests_on=lambda m: {"suspend": bool(m.get("spec", {}).get("suspend", False))},
    ),
    "InferenceService": Method(
        holding=lambda m: _min_replicas(m) > 0,
        stop=_inference_stop,
        start=_inference_start,
        rests_on=lambda m: {"min_replicas": _min_replicas(m)},
    ),
}
