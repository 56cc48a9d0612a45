"""Whether the cluster's Kueue is whole and at work: a lever that nobody heeds is not pulled.

Three things are asked. Are all the CRDs there that queues are made of, in one version that we know? Has its manager a
ready replica, where it runs as a Deployment of the cluster? Does somebody answer for what stands in its objects: Kueue
writes a condition `Active` on each ClusterQueue, for the generation that it has seen. Who tells of it, and what is then
left undone, is others' business.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from agent.adapters.kubernetes.gang_size import KUEUE
from agent.adapters.kubernetes.owners import group_of
from agent.domain.base import rfc3339
from agent.domain.cluster import ClusterView, ObjectRef
from agent.evidence.heeded import generations, observed
from agent.evidence.queues import said

VERSIONS = ("v1beta2", "v1beta1")  # those that versions.py reads
NEEDED = frozenset({"Workload", "ClusterQueue", "LocalQueue", "ResourceFlavor"})
ANSWERS_WITHIN = timedelta(seconds=60)  # Kueue writes within a second, and is back on another node sooner than this
MANAGER = {"app.kubernetes.io/name": "kueue", "control-plane": "controller-manager"}

Served = Mapping[str, frozenset[str]]  # kinds by version


class State(StrEnum):
    ABSENT = "absent"  # nothing of it is served
    HALF = "half installed"
    IDLE = "not at work"  # all is there but the one who would act
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Found:
    state: State
    why: str = ""
    version: str = ""  # of its kinds, where all of them are there

    @property
    def unheeded(self) -> str:
        return f"Kueue is {self.state}: {self.why}" if self.state in (State.HALF, State.IDLE) else ""


@dataclass
class KueueStanding:
    """`look` and `unheeded` are for the loop's thread, `details` for any."""

    served: Callable[[], Served]
    found: Found | None = None
    since: datetime | None = None
    _unanswered: dict[ObjectRef, tuple[int, datetime]] = field(default_factory=dict)

    def look(self, view: ClusterView) -> Found | None:
        """What is found, at first and when it changes; None where it is as before. Raises Fault where the server does
        not say what it serves."""
        before, now = self.found, view.taken_at
        self._unanswered = unanswered(view, self._unanswered)
        found = judged(self.served(), view, self._unanswered)
        self.found = found
        if before is not None and before.state is found.state:
            return None
        self.since = now
        return found

    def unheeded(self, target: ObjectRef) -> str:
        """Why nobody would act on what is written to this object now; empty where somebody does."""
        return self.found.unheeded if self.found is not None and group_of(target.api_version) == KUEUE else ""

    def details(self) -> dict[str, object]:
        found, since = self.found, self.since
        if found is None or since is None:
            return {"state": "not looked at yet"}
        more = {key: value for key, value in (("version", found.version), ("why", found.why)) if value}
        return {"state": found.state.value, "since": rfc3339(since), **more}


def unanswered(
    view: ClusterView, before: Mapping[ObjectRef, tuple[int, datetime]]
) -> dict[ObjectRef, tuple[int, datetime]]:
    """ClusterQueues of whose present generation nobody has said anything yet, and since when we know."""
    found: dict[ObjectRef, tuple[int, datetime]] = {}
    for ref, raw in view.objects.items():
        if (group_of(ref.api_version), ref.kind) == (KUEUE, "ClusterQueue"):
            wanted, seen = generations(raw), observed(raw)
            if wanted and (seen is None or seen < wanted):
                known = before.get(ref)
                found[ref] = known if known is not None and known[0] == wanted else (wanted, view.taken_at)
    return found


def judged(served: Served, view: ClusterView, waiting: Mapping[ObjectRef, tuple[int, datetime]]) -> Found:
    if not served:
        return Found(State.ABSENT, f"nothing of {KUEUE} is served")
    version = next((each for each in VERSIONS if served.get(each, frozenset()) >= NEEDED), None)
    if version is None:
        return Found(State.HALF, _lacking(served))
    why = _nobody_at_work(view, waiting)
    return Found(State.IDLE if why else State.WHOLE, why, version)


def _nobody_at_work(view: ClusterView, waiting: Mapping[ObjectRef, tuple[int, datetime]]) -> str:
    managers = sorted((ref for ref, raw in view.objects.items() if _is_manager(ref, raw)), key=str)
    if managers and all(_is_down(view, ref) for ref in managers):
        return f"its manager, {managers[0]}, has no ready replica"
    late = sorted((ref for ref, (_, since) in waiting.items() if view.taken_at - since >= ANSWERS_WITHIN), key=str)
    if late:
        told = f"{late[0]}{f' and {len(late) - 1} more' if len(late) > 1 else ''}"
        return f"nobody has answered for {told} within {ANSWERS_WITHIN.total_seconds():.0f} s"
    if not managers and not any(_is_answered(ref, raw) for ref, raw in view.objects.items()):
        return "no manager of it is in sight, and nobody has answered for any ClusterQueue"
    return ""


def _is_answered(ref: ObjectRef, raw: Mapping[str, Any]) -> bool:
    """At any time: whether for how it reads now is asked above."""
    return (group_of(ref.api_version), ref.kind) == (KUEUE, "ClusterQueue") and observed(raw) is not None


def _lacking(served: Served) -> str:
    known = [each for each in VERSIONS if each in served]
    if not known:
        return f"it serves {', '.join(sorted(served))} alone, of which none is known"
    best = min(known, key=lambda each: (len(NEEDED - served[each]), VERSIONS.index(each)))
    return f"{best} lacks {', '.join(sorted(NEEDED - served[best]))}"


def _is_manager(ref: ObjectRef, raw: Mapping[str, Any]) -> bool:
    metadata = raw.get("metadata") if (group_of(ref.api_version), ref.kind) == ("apps", "Deployment") else None
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    return isinstance(labels, Mapping) and MANAGER.items() <= dict(labels).items()


def _is_down(view: ClusterView, manager: ObjectRef) -> bool:
    """For longer than it takes to start on another node."""
    status = view.objects[manager].get("status")
    ready = status.get("readyReplicas") if isinstance(status, Mapping) else None
    if isinstance(ready, int) and ready > 0:
        return False
    since = available.since if (available := said(view, manager).get("Available")) is not None else None
    return since is None or view.taken_at - since >= ANSWERS_WITHIN
