"""What an action writes on an object so that it can be taken back later, and reads from it.

Only values are remembered, never patches: an annotation is something that a stranger can write too, so each action
reads its own values with its own types. Also here, what several actions ask of a manifest.
"""

import json
from collections.abc import Mapping
from typing import Any

from agent.actions.base import ANNOTATION, refused
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.proposal import Refusal
from agent.evidence.lookup import active_pods, pods_of, raw_object

CHANGED_BY = ANNOTATION + "changed-by"  # the proposal that did it
BEFORE = ANNOTATION + "before"  # the values from before it, as a JSON object
REMEMBERED_MAX_CHARACTERS = 1000  # our own notes are far shorter

Manifest = Mapping[str, Any]
Body = dict[str, object]


def remember(proposal: str, before: Mapping[str, Any], **also: Any) -> Body:
    """Metadata that notes who changed the object and what was there."""
    marks = {CHANGED_BY: proposal, BEFORE: json.dumps(dict(before), sort_keys=True), **also}
    return {"annotations": marks}


def forget(**also: Any) -> Body:
    return {"annotations": {CHANGED_BY: None, BEFORE: None, **also}}


def remembered(manifest: Manifest, undoes: str) -> dict[str, Any] | None:
    """The values from before `undoes`; None when another has changed the object since, or the note is no note."""
    marks = annotations_of(manifest)
    text = marks.get(BEFORE, "")
    if marks.get(CHANGED_BY) != undoes or len(text) > REMEMBERED_MAX_CHARACTERS:
        return None
    try:
        before = json.loads(text)
    except ValueError:
        return None
    return before if isinstance(before, dict) else None


def annotations_of(manifest: Manifest) -> Mapping[str, str]:
    return manifest.get("metadata", {}).get("annotations") or {}


def spec_of(manifest: Manifest) -> Manifest:
    spec = manifest.get("spec")
    return spec if isinstance(spec, Mapping) else {}


def uid_of(manifest: Manifest) -> str | None:
    uid = manifest.get("metadata", {}).get("uid")
    return str(uid) if uid else None


def version_of(manifest: Manifest) -> str | None:
    """Where a whole list is written anew, what somebody else writes after the look must be a conflict."""
    version = manifest.get("metadata", {}).get("resourceVersion")
    return str(version) if version else None


def changed_since(target: ObjectRef, wrote: Mapping[str, Any], now: Mapping[str, Any]) -> Refusal | None:
    """What an action wrote is only taken back while it stands: what another wrote since is another's decision."""
    for name, value in sorted(wrote.items()):
        if now.get(name) != value:
            told = f"{name} of {target} is {now.get(name)} by now, not {value} as it was set"
            return refused("precondition.changed_since", told, "ask who changed it; nothing is taken back")
    return None


def driven_by_another(target: ObjectRef, view: ClusterView) -> Refusal | None:
    """What something else keeps as it wants it: a controller above it, or the queue that its gang waits in."""
    owners = raw_object(view, target).get("metadata", {}).get("ownerReferences") or ()
    above = next((owner for owner in owners if owner.get("controller")), None)
    if above is not None:
        owner = f"{above.get('kind')}/{target.namespace}/{above.get('name')}"
        return refused("precondition.owned", f"{target} is kept as it is by {owner}", f"act on {owner}")
    gang = next((pod.gang for pod in active_pods(pods_of(view, target)) if pod.gang is not None), None)
    if gang is not None:
        return refused("precondition.is_a_gang", f"{target} runs as the gang {gang}", f"act on {gang}")
    return None


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> Body:
    """The RFC 7386 patch that makes `after` of `before`."""
    patch: Body = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            inner = merge_patch(old, value)
            if inner:
                patch[key] = inner
        elif key not in before or old != value:
            patch[key] = value
    return patch


# What GitOps systems write on what they keep in step with a repository, and whose mark it is.
GITOPS = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}


def managed_by(manifest: Manifest) -> str | None:
    """The GitOps system that would write its own values again."""
    labels = manifest.get("metadata", {}).get("labels") or {}
    marks = {*labels, *annotations_of(manifest)}
    return next((system for mark, system in GITOPS.items() if mark in marks), None)
