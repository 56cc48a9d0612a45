"""What the agent holds for a while, nodes for a gang and queues that admit nobody, and when that is over.

Every hold has an end. The marks are on the objects themselves, so that one whose incident is long forgotten is found
like any other. Who makes and who ends a hold is for the actions and the playbooks.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agent.domain.base import rfc3339
from agent.domain.cluster import ClusterView, GangState, Node, ObjectRef
from agent.domain.incident import Symptom
from agent.domain.outcome import PastAction
from agent.evidence.condition import Condition, Sight
from agent.evidence.look_facts import Findings, Scene, seen_object
from agent.evidence.lookup import find_gang, raw_object, same_object
from agent.evidence.queues import KUEUE, OURS, group_of, moment

RESERVED_TAINT = "watchkeeper.dev/reserved-for"  # NoSchedule; its value is the uid of the gang
RESERVED_FOR = "watchkeeper.dev/reserved-for"  # the gang as an object reference
RESERVED_BY = "watchkeeper.dev/reserved-by"  # the proposal that did it
RESERVED_UNTIL = "watchkeeper.dev/reserved-until"
QUEUE_HELD_BY, ACTOR = "watchkeeper.dev/held-by", "watchkeeper"
QUEUE_HELD_S = 3600  # long enough for a churn to settle and for a person to look; nobody's queue stays shut unwatched
_QUEUES = frozenset({(KUEUE, "ClusterQueue"), (KUEUE, "LocalQueue"), (OURS, "Queue")})


@dataclass(frozen=True, slots=True)
class Reservation:
    """Nodes that one proposal holds for one gang."""

    proposal: str
    gang: ObjectRef
    until: datetime | None  # None: the mark cannot be read
    nodes: tuple[str, ...]


def reservations(view: ClusterView) -> list[Reservation]:
    """By proposal. A mark that names no gang is nobody's reservation."""
    found: dict[str, tuple[ObjectRef, datetime | None, list[str]]] = {}
    for name, node in sorted(view.nodes.items()):
        gang = _gang_of(node)
        if gang is not None and is_reserved(node):
            by, until = node.annotations.get(RESERVED_BY, ""), moment(node.annotations.get(RESERVED_UNTIL))
            found.setdefault(by, (gang, until, []))[2].append(name)
    return [Reservation(by, gang, until, tuple(nodes)) for by, (gang, until, nodes) in sorted(found.items())]


def is_reserved(node: Node) -> bool:
    return any(taint.get("key") == RESERVED_TAINT for taint in node.taints)


def _gang_of(node: Node) -> ObjectRef | None:
    try:
        return ObjectRef.model_validate(json.loads(node.annotations.get(RESERVED_FOR, "")))
    except ValueError:
        return None


def why_over(held: Reservation, view: ClusterView, now: datetime) -> str:
    """Why the nodes need not be held any longer; empty while they do."""
    gang = find_gang(view, held.gang)
    if gang is None:
        return f"{held.gang} is gone"
    if gang.state in (GangState.RUNNING, GangState.FINISHED, GangState.SUSPENDED):
        return f"{held.gang} is {gang.state}"
    if held.until is None or now >= held.until:
        return "its time is over"
    return ""


def find_over(sight: Sight) -> list[Condition]:
    """Reservations and queue holds of the agent's own whose reason is over."""
    view, now = sight.view, sight.now
    nodes = [
        Condition(Symptom.HOLD_OVER, held.gang, held.proposal, {"why": why})
        for held in reservations(view)
        if (why := why_over(held, view, now))
    ]
    return nodes + [
        Condition(Symptom.HOLD_OVER, queue, since, {"why": "it has been held long enough"})
        for queue, since in _queues_over(view, sight.history, now)
    ]


def _queues_over(view: ClusterView, history: Any, now: datetime) -> list[tuple[ObjectRef, str]]:
    found = []
    for ref in sorted(view.objects, key=str):
        if (group_of(ref), ref.kind) in _QUEUES and _held_by_us(view, ref):
            held = held_at(ref, history)
            if held is None or now >= held + timedelta(seconds=QUEUE_HELD_S):
                found.append((ref, rfc3339(held) if held else "unknown"))
    return found


def held_at(queue: ObjectRef, history: Any) -> datetime | None:
    """When the agent held it last; None when the log of the last days does not say."""
    times = [past.at for past in history if _is_hold(past, queue)]
    return max(times, default=None)


def _is_hold(past: PastAction, queue: ObjectRef) -> bool:
    return past.action == "hold_queue" and not past.undo and same_object(past.target, queue)


def _held_by_us(view: ClusterView, ref: ObjectRef) -> bool:
    raw = raw_object(view, ref)
    spec, metadata = _map(raw.get("spec")), _map(raw.get("metadata"))
    stopped = spec.get("stopPolicy") not in (None, "", "None")
    return stopped and _map(metadata.get("annotations")).get(QUEUE_HELD_BY) == ACTOR


def _map(value: Any) -> Mapping[str, Any]:
    """What is of another shape says nothing."""
    return value if isinstance(value, Mapping) else {}


def hold_facts(scene: Scene) -> Findings:
    """What is still held, and by which proposal; null once it has been let go."""
    subject, view = scene.incident.subject, scene.view
    for held in reservations(view):
        why = why_over(held, view, scene.now)
        if same_object(held.gang, subject) and why:
            values = {
                "what": "nodes",
                "ref": held.gang.json_object(),
                "name": str(held.gang),
                "nodes": list(held.nodes),
                "by": held.proposal,
                "until": rfc3339(held.until or scene.now),
                "why": why,
            }
            return Findings({"hold": values}, (seen_object(scene, f"{', '.join(held.nodes)} are reserved: {why}"),))
    for queue, since in _queues_over(view, scene.history, scene.now):
        if same_object(queue, subject):
            values = {"what": "queue", "ref": queue.json_object(), "name": str(queue), "since": since}
            return Findings({"hold": values}, (seen_object(scene, f"{queue} has been held since {since}"),))
    return Findings({"hold": None}, (seen_object(scene, f"nothing is held for {subject}"),))
