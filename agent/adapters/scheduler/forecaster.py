"""The Forecaster port: a what-if on a fork of the core's snapshot of this view.

The snapshot of the view that was asked about last is kept, since a look asks about it many times; what the scheduler
does anyway is worked out once for it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent.adapters.kueue.rules import KINDLY, KueueRules
from agent.adapters.scheduler.amounts import amount
from agent.adapters.scheduler.carrying import carry_on, is_of_nodes_alone
from agent.adapters.scheduler.foretelling import prediction
from agent.adapters.scheduler.gangs import pod_name
from agent.adapters.scheduler.mapping import Mapped, mapped
from agent.adapters.scheduler.rules import scheduling
from agent.adapters.scheduler.run_times import ends_of
from agent.adapters.scheduler.services import services
from agent.domain.cluster import ClusterView, Gang, GangState, ObjectRef
from agent.domain.proposal import Prediction
from agent.domain.reservations import Reservations
from agent.ports import Relocation
from scheduler_core.changes import (
    Activate,
    Change,
    Cordon,
    Drain,
    Evict,
    Hold,
    Mend,
    Remove,
    Requeue,
    Reserve,
    Scale,
    SetQuota,
    Stop,
    Uncordon,
)
from scheduler_core.defragment import defragment
from scheduler_core.quota import StopPolicy
from scheduler_core.settings import Settings
from scheduler_core.snapshot import Snapshot
from scheduler_core.standing import with_nodes
from scheduler_core.waits import waits_at_most
from scheduler_core.whatif import Effect, what_if


@dataclass(frozen=True, slots=True)
class _Asked:
    """A view as the core sees it."""

    view: ClusterView
    rules: KueueRules
    seen: Mapped
    settings: Settings
    without: Effect  # what the scheduler does anyway
    ends: Mapping[str, float]  # when gangs that run must end

    @property
    def snapshot(self) -> Snapshot:
        return self.seen.snapshot

    def effect(self, wanted: Sequence[Change]) -> Effect:
        now_s, stands = self.view.taken_at.timestamp(), self.without.before
        return what_if(self.snapshot, wanted, now_s, settings=self.settings, before=stands)


def scenarios_kueue() -> KueueRules:
    return KINDLY


def _to_nobody(ref: ObjectRef, why: str) -> None:
    """Nobody asked."""


class SchedulerForecaster:
    def __init__(
        self,
        reservations: Reservations | None = None,
        kueue: Callable[[], KueueRules] = scenarios_kueue,
        odd: Callable[[ObjectRef, str], None] = _to_nobody,
    ) -> None:
        """`reservations`: as the queues of our own hold starts; None: they hold none. `kueue`: how Kueue is set up.

        `odd` is told once, and again when it changes, of each object that cannot be counted with.
        """
        self._reservations, self._kueue, self._odd = reservations, kueue, odd
        self._told: Mapping[ObjectRef, str] = {}
        self._asked: _Asked | None = None

    def what_if(self, view: ClusterView, changes: Sequence[Mapping[str, Any]]) -> Prediction:
        """Raises ValueError for a change that it does not know, and for one about something that is not there."""
        asked = self._asked_about(view)
        wanted = [each for change in changes for each in _changes(view, change)]
        now_s = view.taken_at.timestamp()
        effect = asked.effect(wanted) if wanted else asked.without
        moved = {*effect.stopped, *(each.gang for each in effect.assignments)}  # what they had run counts no more
        ends = {name: end for name, end in asked.ends.items() if name not in moved}
        waits_s = waits_at_most(asked.snapshot, wanted, effect.still_pending, ends, now_s, asked.settings)
        told = prediction(asked.snapshot, asked.without, effect, waits_s)
        return told.model_copy(update={"services": services(view, asked.without, effect)})

    def _asked_about(self, view: ClusterView) -> _Asked:
        if self._asked is None or self._asked.view is not view:
            before, self._asked = self._asked, None
            carried = self._carried(before, view) if before is not None else None
            del before  # a large cluster is not to be kept twice
            self._asked = carried or self._anew(view)
        return self._asked

    def _carried(self, before: _Asked, view: ClusterView) -> _Asked | None:
        """None where more has changed than can be carried on."""
        if before.rules != self._kueue() or not carry_on(before.seen, before.view, view, before.rules):
            return None
        stands, ends = None, before.ends
        if is_of_nodes_alone(before.view, view):
            stands = with_nodes(before.without.before, before.snapshot)
        else:
            ends = ends_of(view)
        without = what_if(before.snapshot, [], view.taken_at.timestamp(), settings=before.settings, before=stands)
        return replace(before, view=view, without=without, ends=ends)

    def _anew(self, view: ClusterView) -> _Asked:
        rules = self._kueue()
        seen = mapped(view, rules)
        self._tell({**seen.queues.unreadable, **seen.left_out})
        settings = scheduling(seen.snapshot, self._reservations, seen.queues.rules)
        without = what_if(seen.snapshot, [], view.taken_at.timestamp(), settings=settings)
        return _Asked(view, rules, seen, settings, without, ends_of(view))

    def _tell(self, odd: Mapping[ObjectRef, str]) -> None:
        for ref in sorted(odd, key=str):
            if self._told.get(ref) != odd[ref]:
                self._odd(ref, odd[ref])
        self._told = odd

    def seats(self, view: ClusterView, gang: ObjectRef, changes: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
        wanted = [each for change in changes for each in _changes(view, change)]
        asked = self._asked_about(view)
        effect = asked.effect(wanted)
        name = str(_gang(view, gang).ref)
        if name not in effect.started:
            return ()
        return tuple(sorted({node for each in effect.assignments if each.gang == name for node in each.pods.values()}))

    def gather(
        self, view: ClusterView, gang: ObjectRef, pods: Sequence[ObjectRef], gangs: Sequence[ObjectRef], moves_max: int
    ) -> Sequence[Relocation] | None:
        by_name = {f"{ref.namespace or ''}/{ref.name}": ref for ref in pods} | {str(ref): ref for ref in gangs}
        found = defragment(
            self._asked_about(view).snapshot,
            str(_gang(view, gang).ref),
            view.taken_at.timestamp(),
            pods=[f"{ref.namespace or ''}/{ref.name}" for ref in pods],
            gangs=[str(ref) for ref in gangs],
            moves_max=moves_max,
        )
        if found is None:
            return None
        return [
            Relocation(by_name[each.pod or each.gang or ""], each.pod is None, each.sources, each.targets)
            for each in found
        ]


def _changes(view: ClusterView, change: Mapping[str, Any]) -> list[Change]:
    """A change is named by its first key."""
    name = next(iter(change), "(nothing)")
    reader = _READERS.get(name)
    if reader is None:
        raise ValueError(f"what-if: no change is called {name}")
    return reader(view, change)


def _requeue(view: ClusterView, change: Mapping[str, Any]) -> list[Change]:
    excluded = tuple(node for node in change.get("exclude_nodes") or () if node in view.nodes)
    return [Requeue(str(_gang(view, change["requeue"]).ref), 0, excluded)]


def _stop(view: ClusterView, change: Mapping[str, Any]) -> list[Change]:
    """The core holds whole queues. A LocalQueue is none of them but the way of some gangs into one."""
    queue, policy = change["stop"], StopPolicy(change["policy"])
    if queue.kind != "LocalQueue":
        return [Stop(f"{queue.kind}/{queue.name}", policy)]
    there = (gang for gang in view.gangs.values() if gang.state is not GangState.FINISHED)
    of_it = sorted(str(g.ref) for g in there if (g.ref.namespace, g.queue) == (queue.namespace, queue.name))
    held, drain = policy is not StopPolicy.NONE, policy is StopPolicy.HOLD_AND_DRAIN
    return [Hold(name, held, drain) for name in of_it]


def _quota(view: ClusterView, change: Mapping[str, Any]) -> list[Change]:
    queue, resource = change["quota"], str(change["resource"])
    given = {
        name: amount(resource, change[name], up=False)
        for name in ("nominal", "borrowing_limit", "lending_limit")
        if change.get(name) is not None
    }
    return [SetQuota(f"{queue.kind}/{queue.name}", resource, str(change["flavor"]), **given)]


def _scaling(owner: ObjectRef, replicas: int | None) -> list[Change]:
    """What an autoscaler makes of new limits is not known."""
    if replicas is None:
        raise ValueError(f"what-if: how many replicas {owner} will have is not known")
    return [Scale(str(owner), replicas)]


def _gang(view: ClusterView, ref: ObjectRef) -> Gang:
    for gang in view.gangs.values():
        if ref in (gang.ref, gang.job):
            return gang
    raise ValueError(f"what-if: {ref} is no gang of this view")


def _removal(view: ClusterView, owner: ObjectRef) -> list[Change]:
    gone: list[Change] = [
        Remove(gang=str(gang.ref))
        for gang in view.gangs.values()
        if owner in (gang.ref, gang.job) and gang.state is not GangState.FINISHED
    ]
    for pod in view.pods_of(owner):
        if pod.gang is None and pod.phase in ("Pending", "Running") and (pod.node is not None or not pod.terminating):
            gone.append(Remove(pod=pod_name(pod)))
    return gone


def _moves(view: ClusterView, change: Mapping[str, Any]) -> list[Change]:
    """As the action `defragment` writes them: a pod or a gang, by reference, and where it is now."""
    found: list[Change] = []
    for move in change.get("moves") or ():
        if move.get("gang"):
            away = {"requeue": ObjectRef.model_validate(move["gang"]), "exclude_nodes": move.get("from") or ()}
            found += _requeue(view, away)
        else:
            found.append(Evict(f"{move['pod'].get('namespace') or ''}/{move['pod']['name']}"))
    return found


def _reserve(view: ClusterView, change: Mapping[str, Any]) -> list[Change]:
    return [Reserve(str(_gang(view, change["reserve"]).ref), tuple(change.get("nodes") or ()))]


_READERS: Mapping[str, Callable[[ClusterView, Mapping[str, Any]], list[Change]]] = {
    "requeue": _requeue,
    "cordon": lambda view, change: [Cordon(str(change["cordon"]))],
    "uncordon": lambda view, change: [Uncordon(str(change["uncordon"]))],
    "mend": lambda view, change: [Mend(str(change["mend"]))],
    "reserve": _reserve,
    "defragment": _moves,
    "drain": lambda view, change: [Drain(str(change["drain"]))],
    "evict": lambda view, change: [Evict(f"{change['evict'].namespace or ''}/{change['evict'].name}")],
    "scale": lambda view, change: _scaling(change["scale"], change.get("replicas")),
    "activate": lambda view, change: [Activate(str(_gang(view, change["activate"]).ref), change["active"])],
    "stop": _stop,
    "quota": _quota,
    "remove": lambda view, change: _removal(view, change["remove"]),
}
