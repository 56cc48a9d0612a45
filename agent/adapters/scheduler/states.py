"""What a gang's status says to the core: the quota it holds and where, or since when it waits anew and until when.

What Kueue alone would write is read field by field: one that is of the wrong shape costs itself, not the gang.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kueue.workloads import check_states, domains, unhealthy_nodes, usage
from agent.adapters.scheduler.gangs import assignments, seconds, workload_of
from agent.adapters.scheduler.queues import Queues
from agent.domain.base import parse_rfc3339
from agent.domain.cluster import ClusterView, Gang as DomainGang
from scheduler_core.desk import LOSES_ITS_PLACE
from scheduler_core.model import Gang
from scheduler_core.state import Admission, CheckState, DomainCount, Eviction, GangState

NOT_READY_IN_TIME = "PodsReadyTimeout"
LOCAL_QUEUE_STOPPED = "LocalQueueStopped"
Raw = Mapping[str, Any]
T = TypeVar("T")


def state_of(view: ClusterView, gang: DomainGang, core: Gang, queues: Queues) -> GangState | None:
    """None for one of which nothing is said."""
    status = _status(view, gang)
    told = {each.get("type"): each for each in _listed(status.get("conditions"))}
    held = [each for kind in ("QuotaReserved", "Admitted") if _is_true(each := told.get(kind) or {})]
    back, evicted = _part(status, "requeueState"), told.get("Evicted") or {}
    requeue_at = _moment(back.get("requeueAt"))
    if held:
        since = _moment(held[0].get("lastTransitionTime")) or gang.created_at
        state = GangState(admission=_admission(view, gang, core, seconds(since)))
        return _as_kueue_says(view, gang, queues, _leaving(state, evicted, requeue_at, view, gang, queues), told)
    if not back and not _is_true(evicted):
        return None
    keeps_its_age = queues.rules.queues_by_creation and evicted.get("reason") == NOT_READY_IN_TIME
    late = _is_true(evicted) and evicted.get("reason") in LOSES_ITS_PLACE and not keeps_its_age
    return GangState(
        returns=_whole(back.get("count")) or 0,
        requeue_at_s=seconds(requeue_at) if requeue_at else None,
        queued_s=seconds(_moment(evicted.get("lastTransitionTime")) or gang.created_at) if late else None,
    )


def _leaving(
    state: GangState, evicted: Raw, requeue_at: datetime | None, view: ClusterView, gang: DomainGang, queues: Queues
) -> GangState:
    """Sent back already, or about to be since its LocalQueue is drained."""
    if _is_true(evicted):
        leaving = Eviction(str(evicted.get("reason") or ""), seconds(_moment(evicted.get("lastTransitionTime"))))
        return replace(state, evicted=leaving, requeue_at_s=seconds(requeue_at) if requeue_at else None)
    if queues.is_drained(gang):
        return replace(state, evicted=Eviction(LOCAL_QUEUE_STOPPED, seconds(view.taken_at)))
    return state


def _as_kueue_says(
    view: ClusterView, gang: DomainGang, queues: Queues, state: GangState, told: Mapping[Any, Raw]
) -> GangState:
    root = workload_of(view, gang)
    if root is None:
        return state
    status = root.within("status")
    checks = _or(check_states, status, dict[str, CheckState])
    if _is_true(told.get("Admitted") or {}):  # then all of them were ready, whoever wrote them down
        passed = {name: CheckState.READY for name in queues.checks_of(gang) if checks.get(name) in (None, "Pending")}
        checks = {**checks, **passed}
    return replace(state, checks=checks, unhealthy_nodes=_or(unhealthy_nodes, status, frozenset[str]))


def _admission(view: ClusterView, gang: DomainGang, core: Gang, at_s: float) -> Admission:
    """One that was made smaller, or of which some are done, holds the quota of the rest."""
    status = _status(view, gang)
    written = {each.get("name"): each for each in assignments(status) if isinstance(each, Mapping)}
    let_in = {each.name: _whole(written.get(each.name, {}).get("count")) for each in core.pod_sets}
    counts = {each.name: min(_or_all(let_in[each.name], each.count), each.count) for each in core.pod_sets}
    flavors = {each.name: _texts(_part(written.get(each.name, {}), "flavors")) for each in core.pod_sets}
    charged, places = _as_let_in(view, gang)
    return Admission(
        at_s,
        counts,
        flavors,
        usage={name: _shrunk(used, let_in.get(name), counts[name]) for name, used in charged.items() if name in counts},
        topology={name: where for name, where in places.items() if _standing(where) == counts.get(name)},
    )


def _as_let_in(
    view: ClusterView, gang: DomainGang
) -> tuple[dict[str, dict[str, int]], dict[str, tuple[DomainCount, ...]]]:
    """By pod set: what it was charged, and where its pods were placed, as far as Kueue says it."""
    root = workload_of(view, gang)
    charged: dict[str, dict[str, int]] = {}
    places: dict[str, tuple[DomainCount, ...]] = {}
    for each in [] if root is None else _or(_assignments, root, list[Fields]):
        name, used = str(each.values.get("name")), _or(usage, each, dict[str, int])
        where = _or(domains, each, tuple[DomainCount, ...])
        if used:
            charged[name] = used
        if where:
            places[name] = where
    return charged, places


def _assignments(root: Fields) -> list[Fields]:
    return root.within("status", "admission").objects("podSetAssignments")


def _standing(where: tuple[DomainCount, ...]) -> int:
    return sum(each.count for each in where)


def _shrunk(used: Mapping[str, int], let_in: int | None, count: int) -> dict[str, int]:
    """As Kueue does it: what one pod takes, times those that are left."""
    if not let_in or count >= let_in:
        return dict(used)
    return {resource: amount // let_in * count for resource, amount in used.items()}


def _or_all(count: int | None, every: int) -> int:
    return every if count is None else count


def _or(read: Callable[[Fields], T], at: Fields, otherwise: Callable[[], T]) -> T:
    try:
        return read(at)
    except ValueError:
        return otherwise()


def _status(view: ClusterView, gang: DomainGang) -> Raw:
    return _part(view.objects.get(gang.ref, {}), "status")


def _part(raw: Raw, name: str) -> Raw:
    part = raw.get(name)
    return part if isinstance(part, Mapping) else {}


def _listed(value: object) -> list[Raw]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _texts(raw: Raw) -> dict[str, str]:
    return {str(key): str(value) for key, value in raw.items() if value}


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _is_true(condition: Raw) -> bool:
    return condition.get("status") == "True"


def _moment(text: Any) -> datetime | None:
    """None for what is no time: the scenario's condition counts all the same."""
    try:
        return parse_rfc3339(str(text)) if text else None
    except ValueError:
        return None
