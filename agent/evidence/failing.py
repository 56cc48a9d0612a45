"""How pods fail: who crashes where, with what exit code, and whether that speaks of the application or of one node.

From the objects alone. The same failure on different nodes is the application's; only where several pods fail on one
node while their peers run elsewhere is the node under suspicion.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agent.domain.base import parse_rfc3339
from agent.domain.cluster import ClusterView, ObjectRef, Pod
from agent.evidence.lookup import raw_object

IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"})
CONFIG = frozenset({"CreateContainerConfigError"})
CRASHES = frozenset({"CrashLoopBackOff", "RunContainerError", "CreateContainerError", "StartError"})
_NOT_ITS_FAULT = frozenset({"Evicted", "Preempting", "NodeLost", "NodeShutdown", "Terminated", "Shutdown"})
RECENT = timedelta(hours=1)
TOGETHER = 2  # pods that fail on one node, and peers that run elsewhere: one alone may be its rank or its data


@dataclass(frozen=True, slots=True)
class Crash:
    """One pod that fails. `why`: image, config, oom or crash."""

    pod: str
    namespace: str
    node: str | None
    why: str
    code: int | None
    restarts: int

    def __str__(self) -> str:
        code = f" with exit code {self.code}" if self.code is not None else ""
        return f"{self.pod} on {self.node or 'no node'}: {self.why}{code}, {self.restarts} restarts"


def crash_of(pod: Pod, view: ClusterView) -> Crash | None:
    """How the pod fails now; None where it does not, or where somebody else ended it."""
    status: Any = raw_object(view, pod.ref).get("status") or {}
    if pod.terminating or status.get("reason") in _NOT_ITS_FAULT or _disrupted(status):
        return None
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    restarts = max((int(c.get("restartCount") or 0) for c in containers), default=0)
    if pod.phase == "Failed":
        if _long_ago(containers, view.taken_at):
            return None
        code, reason = _ended(containers, "state")
        return Crash(pod.ref.name, pod.ref.namespace or "", pod.node, _why(reason), code, restarts)
    if pod.waiting_reason in IMAGE | CONFIG | CRASHES:
        code, reason = _ended(containers, "lastState")
        why = _why(reason, pod.waiting_reason)
        return Crash(pod.ref.name, pod.ref.namespace or "", pod.node, why, code, restarts)
    return None


def crashes(pods: Iterable[Pod], view: ClusterView) -> list[Crash]:
    found = (crash_of(pod, view) for pod in sorted(pods, key=lambda p: str(p.ref)))
    return [crash for crash in found if crash is not None]


def suspect_node(owner: ObjectRef, mine: Sequence[Crash], pods: Sequence[Pod], view: ClusterView) -> str | None:
    """The one node on which everything fails while peers run elsewhere; None where it could be the application."""
    where = {crash.node for crash in mine}
    node = next(iter(where)) if len(where) == 1 else None
    if node is None or node not in view.nodes or any(crash.why in ("image", "config") for crash in mine):
        return None
    well = [p for p in pods if p.ready and not p.terminating]
    elsewhere = [p for p in well if p.node != node]
    strangers = [c for c in crashes(view.pods_on(node), view) if c.why == "crash" and not _owned(c, owner, view)]
    together = len(mine) + len(strangers)
    if together < TOGETHER or len(elsewhere) < TOGETHER or len(elsewhere) < len(well):
        return None
    return node


def same_everywhere(mine: Sequence[Crash]) -> bool:
    """The same exit on different nodes, or something that no node has a say in."""
    if mine and all(crash.why in ("image", "config") for crash in mine):
        return True
    codes = {crash.code for crash in mine}
    return len({crash.node for crash in mine}) >= TOGETHER and len(codes) == 1


def _owned(crash: Crash, owner: ObjectRef, view: ClusterView) -> bool:
    pod = view.pods[crash.namespace, crash.pod]
    return owner in (pod.owner, pod.gang)


def _why(reason: str, waiting: str = "") -> str:
    if waiting in IMAGE:
        return "image"
    if waiting in CONFIG:
        return "config"
    return "oom" if reason == "OOMKilled" else "crash"


def _ended(containers: Sequence[Mapping[str, Any]], state: str) -> tuple[int | None, str]:
    """Exit code and reason of the first container that ended badly."""
    for container in containers:
        ended = (container.get(state) or {}).get("terminated") or (container.get("state") or {}).get("terminated") or {}
        if ended.get("exitCode"):
            return int(ended["exitCode"]), str(ended.get("reason") or "")
    return None, ""


def _long_ago(containers: Sequence[Mapping[str, Any]], now: datetime) -> bool:
    """What failed and was left lying says nothing about now."""
    ends = [str(((c.get("state") or {}).get("terminated") or {}).get("finishedAt") or "") for c in containers]
    try:
        return bool(ends) and all(now - parse_rfc3339(end) > RECENT for end in ends)
    except ValueError:
        return False


def _disrupted(status: Mapping[str, Any]) -> bool:
    conditions = status.get("conditions") or ()
    return any(c.get("type") == "DisruptionTarget" and c.get("status") == "True" for c in conditions)
