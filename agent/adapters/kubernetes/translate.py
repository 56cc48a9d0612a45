"""The one translation of Kubernetes JSON to the domain's nouns, for the live cluster and the simulated one alike.

Each noun has its file (nodes, pods, workloads, gangs); the objects meet in meeting.py, since a pod's owner and its gang
are said by the objects around it. A malformed object costs only itself: it is reported, and the rest is translated.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.adapters.kubernetes.fields import MalformedObject
from agent.adapters.kubernetes.meeting import Meeting
from agent.adapters.kubernetes.memo import Memo
from agent.adapters.kubernetes.parsed import Parsed, parse
from agent.domain.cluster import ClusterView
from agent.ports import JsonObject


@dataclass(frozen=True, slots=True)
class Translation:
    view: ClusterView
    malformed: tuple[MalformedObject, ...]


def view_of(objects: Iterable[JsonObject], now: datetime) -> ClusterView:
    """The view of these objects. Raises the first MalformedObject; `translate` skips and reports instead."""
    translation = translate(objects, now)
    if translation.malformed:
        raise translation.malformed[0]
    return translation.view


def translate(objects: Iterable[JsonObject], now: datetime) -> Translation:
    parsed, malformed = [], []
    for raw in objects:
        try:
            parsed.append(parse(raw))
        except MalformedObject as error:
            malformed.append(error)
    translation = assemble(parsed, now)
    return Translation(translation.view, (*malformed, *translation.malformed))


def assemble(parsed: Sequence[Parsed], now: datetime, memo: Memo | None = None) -> Translation:
    """Brings parsed objects together. Where one comes in two API versions, the first one given counts.

    An object whose fault shows only beside the others is left out, and the rest is assembled again without it. `memo`
    is of whoever assembles the same cluster again and again.
    """
    return whole(parsed, now, memo or Memo())[0]


def whole(parsed: Sequence[Parsed], now: datetime, memo: Memo) -> tuple[Translation, Meeting]:
    """As `assemble`, with what patching.py goes on from."""
    memo.forget(len(parsed))
    malformed: list[MalformedObject] = []
    while True:
        try:
            meeting = Meeting.of(parsed)
            return Translation(_view(meeting, now, memo), tuple(malformed)), meeting
        except MalformedObject as error:
            rest = [p for p in parsed if p.root.values is not error.raw]
            if len(rest) == len(parsed):
                raise
            malformed.append(error)
            parsed = rest


def _view(meeting: Meeting, now: datetime, memo: Memo) -> ClusterView:
    world = meeting.world
    pods = [meeting.placed(one, memo) for one in world.values() if one.pod]
    for pod in pods:
        meeting.join(pod)
    gangs = [meeting.gang(key, memo) for key in sorted(meeting.membership.gangs)]
    return ClusterView(
        taken_at=now,
        nodes={one.node.name: one.node for one in world.values() if one.node},
        pods={(pod.ref.namespace or "", pod.ref.name): pod for pod in pods},
        workloads={made.ref: made for key in world if (made := meeting.workload(key, memo))},
        gangs={gang.ref: gang for gang in gangs},
        disruptions=meeting.disruptions(pods),
        namespaces=meeting.namespaces(),
        objects={one.ref: one.root.values for one in world.values()},
        beside_nodes=object(),
    )
