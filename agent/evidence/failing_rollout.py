"""Has a Deployment crash-looped since its last rollout, and is there an earlier revision that was well?

From its ReplicaSets. A revision counts as well while a pod of it is ready, or when it stood for an hour before it was
replaced; a rollout that is older than a day is not what broke it now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agent.domain.base import parse_rfc3339
from agent.domain.cluster import ClusterView, ObjectRef, Pod
from agent.evidence.failing import Crash
from agent.evidence.lookup import raw_object

REVISION = "deployment.kubernetes.io/revision"
FRESH = timedelta(days=1)
STOOD = timedelta(hours=1)

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rollout:
    """`back_to`: the revision before it, which was well."""

    revision: int
    back_to: int
    since: datetime


def broken_rollout(
    owner: ObjectRef, mine: Sequence[Crash], pods: Sequence[Pod], view: ClusterView, restarts_min: int
) -> Rollout | None:
    sets = _sets(owner, view)
    if owner.kind != "Deployment" or len(sets) < 2 or not mine:
        return None
    (now, current), (before, earlier) = sets[-1], sets[-2]
    born, stood = _born(current), _born(earlier)
    if born is None or stood is None or view.taken_at - born > FRESH or born <= stood:
        return None
    new, old = _pods(current, pods, view), _pods(earlier, pods, view)
    names = {(p.ref.namespace or "", p.ref.name) for p in new}
    all_new = all((c.namespace, c.pod) in names and c.why in ("crash", "oom") for c in mine)
    loops = max(c.restarts for c in mine) >= restarts_min and not any(p.ready for p in new)
    was_well = any(p.ready for p in old) or (not old and born - stood >= STOOD)
    return Rollout(now, before, born) if all_new and loops and was_well else None


def _sets(owner: ObjectRef, view: ClusterView) -> list[tuple[int, Manifest]]:
    """Its ReplicaSets by revision, oldest first."""
    uid = raw_object(view, owner).get("metadata", {}).get("uid")
    found = []
    for ref, raw in view.objects.items():
        owners = _metadata(raw).get("ownerReferences") or ()
        if ref.kind == "ReplicaSet" and uid and any(o.get("uid") == uid and o.get("controller") for o in owners):
            revision = str((_metadata(raw).get("annotations") or {}).get(REVISION, ""))
            if revision.isdecimal():
                found.append((int(revision), raw))
    return sorted(found, key=lambda pair: pair[0])


def _pods(replica_set: Manifest, pods: Sequence[Pod], view: ClusterView) -> list[Pod]:
    uid = _metadata(replica_set).get("uid")
    return [
        p
        for p in pods
        if any(o.get("uid") == uid for o in _metadata(raw_object(view, p.ref)).get("ownerReferences") or ())
    ]


def _born(manifest: Manifest) -> datetime | None:
    try:
        return parse_rfc3339(str(_metadata(manifest).get("creationTimestamp")))
    except ValueError:
        return None


def _metadata(manifest: Mapping[str, Any]) -> Any:
    return manifest.get("metadata") or {}
