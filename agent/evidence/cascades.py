"""Preemption that feeds on itself: one arrival takes another's place, which takes a third's, and so on.

Kueue writes on each victim who took its place; read together these sentences are a chain. One preemption, or two, is
how priorities are meant to work. More in a row within an hour, or one gang put out as often within it, is churn:
every link throws away work since a checkpoint.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.domain.base import rfc3339
from agent.domain.cluster import ClusterView, Condition as Said, Gang, GangState, ObjectRef
from agent.domain.duration import in_words
from agent.domain.incident import Symptom
from agent.domain.signal import EventBody
from agent.domain.thresholds import Thresholds
from agent.evidence.condition import Condition, Sight
from agent.evidence.look_facts import Findings, Scene, seen_object
from agent.evidence.lookup import in_order, same_object
from agent.evidence.queues import (
    PREEMPTED,
    evictions,
    gangs_of,
    is_closed,
    is_queued,
    local_queue_of,
    preemptor,
    queue_of,
    said,
)


@dataclass(frozen=True, slots=True)
class Link:
    """`victim` lost its place to `by`. `at`: when, or when the victim was let in again."""

    victim: Gang
    by: Gang
    at: datetime


@dataclass(frozen=True, slots=True)
class Cascade:
    queue: ObjectRef  # of the newest preemptor
    newest: Link
    length: int  # links in the longest chain
    victim: Gang | None  # that was put out again and again
    times: int


def find_cascades(sight: Sight) -> list[Condition]:
    cascade = cascade_in(sight.view, sight.now, sight.thresholds)
    if cascade is None:
        return []
    return [Condition(Symptom.PREEMPTION_CASCADE, cascade.queue, rfc3339(cascade.newest.at), _detail(cascade))]


def _detail(cascade: Cascade) -> dict[str, str]:
    return {"links": str(cascade.length), "times": str(cascade.times), "preemptor": str(cascade.newest.by.ref)}


def cascade_in(view: ClusterView, now: datetime, thresholds: Thresholds, told_times: int = 0) -> Cascade | None:
    """`told_times`: how often an event says that one gang was put out."""
    links = recent_links(view, now, thresholds.cascade_within_s)
    if not links:
        return None
    newest = max(links, key=lambda link: (link.at, str(link.by.ref)))
    length = max(_length(link, links) for link in links)
    victim, times = _most_often(view, links, now - timedelta(seconds=thresholds.cascade_within_s))
    queue = queue_of(view, newest.by)
    often = thresholds.cascade_times_min
    if queue is None or (length < thresholds.cascade_links_min and max(times, told_times) < often):
        return None
    return Cascade(queue, newest, length, victim if times >= often else None, times)


def recent_links(view: ClusterView, now: datetime, within_s: int) -> list[Link]:
    by_uid = {gang.uid: gang for gang in in_order(view.gangs) if gang.uid}
    links = []
    for gang in in_order(view.gangs):
        condition = _put_out(view, gang)
        by = by_uid.get(preemptor(condition))
        if condition is None or condition.since is None or by is None or by.ref == gang.ref:
            continue
        if now - timedelta(seconds=within_s) <= condition.since <= now:
            links.append(Link(gang, by, condition.since))
    return links


def _put_out(view: ClusterView, gang: Gang) -> Said | None:
    """What says that somebody took its place, now or ("Previously: …") before it was let in again."""
    conditions = said(view, gang.ref) if is_queued(gang) else {}
    evicted = conditions.get("Evicted")
    return conditions.get(PREEMPTED) or (evicted if evicted is not None and evicted.reason == PREEMPTED else None)


def _length(link: Link, links: Iterable[Link]) -> int:
    """How many links end in this one: who put out the one that put out …; each gang counts once."""
    above: Mapping[ObjectRef, Link] = {each.victim.ref: each for each in links}
    seen, length, here = {link.victim.ref}, 1, link
    while here.by.ref in above and here.by.ref not in seen:
        seen.add(here.by.ref)
        here = above[here.by.ref]
        length += 1
    return length


def _most_often(view: ClusterView, links: Iterable[Link], since: datetime) -> tuple[Gang | None, int]:
    """Its status counts over its whole life, so only one that was made since then counts."""
    young = [link.victim for link in links if _young(link.victim, since)]
    counted = [(evictions(view, gang).preempted, str(gang.ref), gang) for gang in young]
    times, _, gang = max(counted, key=lambda each: each[:2], default=(0, "", None))
    return gang, times


def _young(gang: Gang, since: datetime) -> bool:
    return gang.created_at is not None and gang.created_at >= since


def cascade_facts(scene: Scene) -> Findings:
    cascade = cascade_in(scene.view, scene.now, scene.thresholds, _told_times(scene))
    if cascade is None or not same_object(cascade.queue, scene.incident.subject):
        return Findings({}, (seen_object(scene, f"no preemption feeds on itself in {scene.incident.subject}"),))
    by = cascade.newest.by
    local = local_queue_of(scene.view, by) or cascade.queue
    values = {
        "queue": str(cascade.queue),
        "ref": cascade.queue.json_object(),
        "links": cascade.length,
        "times": cascade.times,
        "victim": str(cascade.newest.victim.ref),
        "preemptor": str(by.ref),
        "door": local.json_object(),
        "door_name": str(local),
        "closed": is_closed(scene.view, local),
        "next": [str(each.ref) for each in _next(scene.view, by)],
        "going_on": cascade.newest.at >= scene.now - timedelta(seconds=scene.thresholds.cascade_going_on_s),
        "within": in_words(scene.thresholds.cascade_within_s),
    }
    told = f"{by.ref} took the place of {cascade.newest.victim.ref}, the last of {cascade.length} in a row"
    return Findings({"cascade": values}, (seen_object(scene, told),))


def _next(view: ClusterView, by: Gang) -> list[Gang]:
    """Who waits at the same door with as much weight: the next to put somebody out."""
    queue = queue_of(view, by)
    gangs = gangs_of(view, queue) if queue is not None else []
    return [
        gang
        for gang in gangs
        if gang.ref != by.ref
        and gang.state is GangState.QUEUED
        and (gang.ref.namespace, gang.queue) == (by.ref.namespace, by.queue)
        and gang.priority >= by.priority
    ]


def _told_times(scene: Scene) -> int:
    bodies = [signal.body for signal in scene.incident.signals]
    return max((body.count for body in bodies if isinstance(body, EventBody)), default=0)
