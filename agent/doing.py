"""The verbs of a step, on the cluster and on what stands beside it: doing one, and seeing whether it is done.

Each leaves a trace by which it is known again: a patch its mark on the object, a scale its number, a repair its key.
When a step may be done, and how often, is for `effects.py`.
"""

from dataclasses import dataclass
from typing import Any

from agent.actions.kept import check_kept
from agent.actions.rebased import rebased
from agent.domain.proposal import Step, Verb
from agent.ports import (
    Boundaries,
    Cluster,
    Conflict,
    JsonObject,
    Ledger,
    NotFound,
    Notifier,
    NotServed,
    Ports,
    RepairSystem,
)

MARK = "watchkeeper.dev/action"


@dataclass(frozen=True, slots=True)
class Effectors:
    """What a step acts through."""

    cluster: Cluster
    repairs: RepairSystem
    notifier: Notifier
    ledger: Ledger
    boundaries: Boundaries

    @classmethod
    def of(cls, ports: Ports) -> "Effectors":
        return cls(ports.cluster, ports.repairs, ports.notifier, ports.ledger, ports.boundaries)


def do(step: Step, mark: str, through: Effectors, *, dry_run: bool) -> str:
    """Returns what is to be said of how it came about. Raises faults."""
    body = step.body
    match step.verb:
        case Verb.PATCH:
            said = _at_version(_marked(body, mark), step.version)
            if step.seen is not None and step.version is None:
                said = _as_it_is_now(said, step, through)
            check_kept(said, through.cluster.patch(step.target, said, uid=step.uid, dry_run=dry_run))
        case Verb.SCALE:
            seen = None if step.seen is None else _replicas(step.seen)
            wanted = _replicas(body)
            after = through.cluster.scale(step.target, wanted, uid=step.uid, dry_run=dry_run, seen=seen)
            check_kept({"spec": {"replicas": wanted}}, after)
        case Verb.EVICT:
            return _evict(step, through, dry_run=dry_run)
        case Verb.CREATE:
            through.cluster.create(_marked(body, mark), dry_run=dry_run)
        case Verb.REQUEST_REPAIR if not dry_run:
            _check_still_that_one(step, through)
            gpu = body.get("gpu_uuid")
            through.repairs.request(
                step.target.name, str(body["operation"]), gpu_uuid=str(gpu) if gpu else None, key=mark
            )
        case Verb.WITHDRAW_REPAIR if not dry_run:
            through.repairs.withdraw(str(body["key"]))
        case Verb.NOTIFY if not dry_run:
            through.notifier.notify(str(body["audience"]), step.target, str(body["message"]), key=mark)
    return ""


def _evict(step: Step, through: Effectors, *, dry_run: bool) -> str:
    """A pod that has left by itself has done what was to be asked of it; one that has come in its place is another."""
    try:
        through.cluster.evict(step.target, uid=step.uid, dry_run=dry_run)
    except (NotFound, Conflict) as fault:
        if isinstance(fault, NotServed) or same_object(step, through):
            raise
        return "it had left by itself"
    return ""


def _check_still_that_one(step: Step, through: Effectors) -> None:
    """Repairs are asked for by a node's name, which another machine may have by now. Raises Conflict."""
    if step.uid is not None and not same_object(step, through):
        raise Conflict(f"{step.target} is not {step.uid} any more")


def is_done(step: Step, mark: str, through: Effectors) -> bool:
    """Is the effect of this very step in the world already?"""
    try:
        match step.verb:
            case Verb.PATCH | Verb.CREATE:
                metadata: Any = through.cluster.get(step.target).get("metadata", {})
                return bool((metadata.get("annotations") or {}).get(MARK) == mark)
            case Verb.SCALE:
                found = through.cluster.get(step.target)
                same = step.uid is None or found["metadata"].get("uid") == step.uid
                return same and bool(found.get("spec", {}).get("replicas") == _replicas(step.body))
            case Verb.EVICT:
                metadata = through.cluster.get(step.target)["metadata"]
                return bool(metadata.get("deletionTimestamp")) or metadata.get("uid") != step.uid
            case Verb.REQUEST_REPAIR:
                return through.repairs.state(mark) != "unknown"
            case _:
                return False  # withdrawals and notices are harmless when repeated: their keys see to it
    except NotFound as missing:
        return step.verb is Verb.EVICT and not isinstance(missing, NotServed)


def same_object(step: Step, through: Effectors) -> bool:
    """Is the target still the object that was judged? A conflict on it is then only a matter of trying again."""
    try:
        metadata: Any = through.cluster.get(step.target).get("metadata", {})
    except NotServed:
        raise
    except NotFound:
        return False
    return step.uid is None or metadata.get("uid") == step.uid


def _marked(body: dict[str, object], mark: str) -> JsonObject:
    metadata: Any = body.get("metadata") or {}
    annotations = {**(metadata.get("annotations") or {}), MARK: mark}
    return {**body, "metadata": {**metadata, "annotations": annotations}}


def _as_it_is_now(said: JsonObject, step: Step, through: Effectors) -> JsonObject:
    """For just the version that is read here: whatever is written after it is a conflict, and is looked at anew."""
    now = through.cluster.get(step.target)
    return _at_version(rebased(now, step.seen or {}, said), now["metadata"].get("resourceVersion"))


def _at_version(body: JsonObject, version: str | None) -> JsonObject:
    return body if version is None else {**body, "metadata": {**body["metadata"], "resourceVersion": version}}


def _replicas(body: dict[str, object]) -> int:
    replicas = body["replicas"]
    if not isinstance(replicas, int):
        raise ValueError(f"replicas is {replicas!r}, not a whole number")
    return replicas
