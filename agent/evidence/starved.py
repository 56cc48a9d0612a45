"""A queue that is starved: a gang of it waits although it asks for no more than the queue's own share, while others
of the cohort hold more than theirs.

Kueue takes such shares back by itself where the queue says so; then it is only told when that has not helped for long.
Whose leaving would help is the forecast's to say, and the borrower that costs least is named: it only gives back what
it borrowed, and never for a gang that matters less.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agent.domain.base import rfc3339
from agent.domain.cluster import ClusterView, Gang, GangState, ObjectRef
from agent.domain.diagnosis import Evidence
from agent.domain.duration import in_words
from agent.domain.incident import Symptom
from agent.domain.thresholds import Thresholds
from agent.evidence.condition import Condition, Sight
from agent.evidence.holders import OPT_OUT
from agent.evidence.look_facts import Findings, Scene, seen_object
from agent.evidence.lookup import active_pods, in_order, pods_of, same_object
from agent.evidence.queues import (
    backs_off_until,
    gangs_of,
    has_quota,
    held_by,
    is_queued,
    queue_of,
    reclaims,
    said,
    waits_since,
)
from agent.evidence.quota_books import Books, needs

REQUEUED_LATELY_S = 3600
CANDIDATES_MAX = 16  # each costs one what-if


@dataclass(frozen=True, slots=True)
class Share:
    """One starved gang and its queue's books, in GPUs."""

    queue: ObjectRef
    gang: Gang
    since: datetime
    nominal: int
    used: int
    borrowers: tuple[ObjectRef, ...]


def find_starved(sight: Sight) -> list[Condition]:
    found: dict[ObjectRef, Share] = {}
    for share in starved(sight.view, sight.now, sight.thresholds):
        found.setdefault(share.queue, share)
    return [
        Condition(Symptom.QUEUE_STARVED, queue, rfc3339(share.since), {"gang": str(share.gang.ref)})
        for queue, share in found.items()
    ]


def starved(view: ClusterView, now: datetime, thresholds: Thresholds) -> list[Share]:
    """Who matters most first, then who waits longest."""
    waits = [gang for gang in in_order(view.gangs) if _waits(view, gang, now)]
    books = Books(view) if waits else None
    shares = [share for gang in waits if books and (share := _share(books, gang, now, thresholds)) is not None]
    return sorted(shares, key=lambda share: (-share.gang.priority, share.since, str(share.gang.ref)))


def _share(books: Books, gang: Gang, now: datetime, thresholds: Thresholds) -> Share | None:
    view = books.view
    queue, since = queue_of(view, gang), waits_since(view, gang)
    if queue is None or since is None:
        return None
    by_itself = reclaims(view, queue)
    after_s = thresholds.queue_reclaims_after_s if by_itself else thresholds.queue_starved_after_s
    taken, share = books.used(queue), books.nominal(queue)
    if (now - since).total_seconds() < after_s or not 0 < needs(gang) <= share - taken:
        return None
    lenders = tuple(books.borrowers(queue))
    return Share(queue, gang, since, share, taken, lenders) if lenders else None


def _waits(view: ClusterView, gang: Gang, now: datetime) -> bool:
    """For quota, by no will of its own or of a person."""
    if not is_queued(gang) or gang.state is not GangState.QUEUED or has_quota(said(view, gang.ref)):
        return False
    until = backs_off_until(view, gang)
    return held_by(view, gang) is None and (until is None or until <= now)


def starved_facts(scene: Scene) -> Findings:
    queue = scene.incident.subject
    share = next(
        (each for each in starved(scene.view, scene.now, scene.thresholds) if same_object(each.queue, queue)), None
    )
    if share is None:
        return Findings({}, (seen_object(scene, f"nobody waits in vain for the share of {queue}"),))
    chosen, starts, reason = _plan(share, scene)
    values = {
        "queue": str(share.queue),
        "ref": share.queue.json_object(),
        "gang": str(share.gang.ref),
        "needs": needs(share.gang),
        "waited_s": int((scene.now - share.since).total_seconds()),
        "nominal": share.nominal,
        "used": share.used,
        "borrowers": [str(each) for each in share.borrowers],
        "starts_anyway": starts,
        "requeue": chosen.ref.json_object() if chosen else None,
        "reason": reason,
    }
    told = (
        f"{share.gang.ref} waits for {needs(share.gang)} GPUs; {share.queue} uses {share.used} of its {share.nominal}"
    )
    forecast = Evidence(kind="forecast", statement=reason, source="scheduler_core", observed_at=scene.view.taken_at)
    return Findings({"starved": values}, (seen_object(scene, told), forecast))


def _plan(share: Share, scene: Scene) -> tuple[Gang | None, bool, str]:
    """Whom to requeue, whether the starved gang starts without it, and why."""
    name, view = str(share.gang.ref), scene.view
    if name in scene.forecaster.what_if(view, []).gangs_started:
        return None, True, f"{name} starts as things are"
    if reclaims(view, share.queue):
        lasted = in_words(scene.thresholds.queue_reclaims_after_s)
        return None, False, f"{share.queue} reclaims its share by itself, and has not for {lasted}"
    for gang in _candidates(share, scene)[:CANDIDATES_MAX]:
        if name in scene.forecaster.what_if(view, [{"requeue": gang.ref, "exclude_nodes": []}]).starts:
            return (
                gang,
                False,
                f"{gang.ref} runs on borrowed quota at priority {gang.priority}; without it {name} can start",
            )
    return None, False, f"no borrowing gang of its priority or below whose leaving would let {name} start"


def _candidates(share: Share, scene: Scene) -> list[Gang]:
    gangs = [gang for queue in share.borrowers for gang in gangs_of(scene.view, queue)]
    return sorted((gang for gang in gangs if _may_leave(gang, share, scene)), key=_cost)


def _may_leave(gang: Gang, share: Share, scene: Scene) -> bool:
    runs = gang.state in (GangState.RUNNING, GangState.STUCK) and bool(active_pods(pods_of(scene.view, gang.ref)))
    opted_out = gang.annotations.get(OPT_OUT, "false").lower() != "false"
    return runs and not opted_out and gang.priority <= share.gang.priority and not requeued_lately(gang, scene)


def requeued_lately(gang: Gang, scene: Scene, within_s: int = REQUEUED_LATELY_S) -> bool:
    since = scene.now - timedelta(seconds=within_s)
    return any(
        past.action == "requeue_gang" and not past.undo and past.at >= since and same_object(past.target, gang.ref)
        for past in scene.history
    )


def _cost(gang: Gang) -> tuple[Any, ...]:
    """What makes no progress first, then what matters least, holds least and began last."""
    born = gang.created_at.timestamp() if gang.created_at else 0.0
    return gang.state is GangState.RUNNING, gang.priority, needs(gang), -born, str(gang.ref)


def cheapest(gangs: Sequence[Gang]) -> list[Gang]:
    return sorted(gangs, key=_cost)
