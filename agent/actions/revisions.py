"""The revisions of a workload's pod template, wherever its kind keeps them: ReplicaSets or ControllerRevisions.

What is done with them is for restarts and rollbacks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.actions.rollout import template_of
from agent.actions.written import Manifest, annotations_of, spec_of, uid_of
from agent.domain.cluster import ClusterView, ObjectRef
from agent.evidence.lookup import raw_object

REVISION = "deployment.kubernetes.io/revision"
HASH_LABEL = "pod-template-hash"  # the ReplicaSet's own addition to the template
PATCH_MARK = "$patch"  # and the ControllerRevision's
KEEPS = {"Deployment": "ReplicaSet", "StatefulSet": "ControllerRevision", "DaemonSet": "ControllerRevision"}


@dataclass(frozen=True, slots=True)
class Revision:
    """`template` as the owner would write it."""

    number: int
    name: str
    uid: str
    template: dict[str, Any]


def revisions_of(target: ObjectRef, view: ClusterView) -> list[Revision]:
    """Oldest first."""
    uid, kind = uid_of(raw_object(view, target)), KEEPS.get(target.kind)
    found = [raw for ref, raw in view.objects.items() if ref.kind == kind and ref.namespace == target.namespace]
    mine = [_revision(raw) for raw in found if uid is not None and uid in owner_uids(raw)]
    return sorted((one for one in mine if one.number > 0), key=lambda one: one.number)


def revision_now(target: ObjectRef, view: ClusterView) -> int:
    """As the workload says; where it says nothing, the newest one that has its template; else the newest."""
    manifest, known = raw_object(view, target), revisions_of(target, view)
    said = number_in(annotations_of(manifest).get(REVISION))
    name = (manifest.get("status") or {}).get("updateRevision")
    alike = [one.number for one in known if one.name == name or one.template == dict(template_of(manifest))]
    return said or max(alike, default=max((one.number for one in known), default=0))


def owner_uids(manifest: Manifest) -> list[str]:
    owners = manifest.get("metadata", {}).get("ownerReferences") or ()
    return [str(owner.get("uid")) for owner in owners if owner.get("controller")]


def number_in(value: Any) -> int:
    text = str(value if value is not None else "")
    return int(text) if text.isdecimal() else 0


def _revision(manifest: Manifest) -> Revision:
    metadata = manifest.get("metadata", {})
    if manifest.get("kind") == "ControllerRevision":
        data: Any = manifest.get("data")
        template, number = template_of(data if isinstance(data, dict) else {}), number_in(manifest.get("revision"))
    else:
        template, number = template_of(manifest), number_in(annotations_of(manifest).get(REVISION))
    return Revision(number, str(metadata.get("name")), str(uid_of(manifest)), _as_written(template))


def _as_written(template: Manifest) -> dict[str, Any]:
    whole = {key: value for key, value in template.items() if key != PATCH_MARK}
    metadata = dict(whole.get("metadata") or {})
    if not metadata:
        return whole
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH_LABEL}
    return {**whole, "metadata": {**metadata, "labels": labels}}


_SHAPE = ("image", "command", "args", "env", "resources")


def runs(pod: Mapping[str, Any], template: Manifest) -> bool:
    """Is the pod made of this template? By what its containers run; the API server adds the rest."""
    has = {c.get("name"): c for c in spec_of(pod).get("containers") or ()}
    wants = spec_of(template).get("containers") or ()
    return all(
        c.get("name") in has and all(has[c["name"]].get(key) == c[key] for key in _SHAPE if key in c) for c in wants
    )
