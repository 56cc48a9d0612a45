"""A word about the machine that had this name before: it is not about the one that has it now.

A node object that is younger than the word is another machine, or the same one begun anew, as some clouds register a
node again after its reboot. Either way what was said of it before is over: what is sick still is told again. A
condition that the node object bears itself is its own, whatever moment a detector that began before the kubelet dates
it. Kubernetes writes whole seconds, rounded down, so nothing of its own is dated before its beginning.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from agent.domain.cluster import Node
from agent.domain.incident import Incident
from agent.domain.signal import ConditionBody, Signal
from agent.evidence.look_facts import Scene
from agent.evidence.nodes import bad_conditions
from agent.evidence.xid import Sighting


def of_former(signal: Signal, node: Node | None) -> bool:
    """Was it so before there was this node?"""
    if node is None or not before(signal.time, node):
        return False
    body = signal.body
    return not (isinstance(body, ConditionBody) and body.condition in bad_conditions(node))


def before(moment: datetime, node: Node) -> bool:
    return node.created_at is not None and moment < node.created_at


def of_now(scene: Scene, node: Node) -> Scene:
    """The scene without what was said of the former machine, in this incident and in those before it."""
    others = replace(scene.others, before=tuple(_without(each, node) for each in scene.others.before))
    return replace(scene, incident=_without(scene.incident, node), others=others)


def seen_of_now(sightings: Iterable[Sighting], node: Node) -> list[Sighting]:
    return [seen for seen in sightings if not before(seen.at, node)]


def _without(incident: Incident, node: Node) -> Incident:
    own = tuple(s for s in incident.signals if not of_former(s, node))
    return incident if len(own) == len(incident.signals) else incident.model_copy(update={"signals": own})
