"""Two runs of the core, without and with the changes, told as one Prediction in the domain's words."""

from collections.abc import Mapping

from agent.domain.forecast import GpuForecast, Gpus, QueueForecast
from agent.domain.proposal import Prediction
from scheduler_core.model import gpus
from scheduler_core.snapshot import Snapshot
from scheduler_core.standing import QueueStanding, Standing
from scheduler_core.whatif import Effect


def prediction(snapshot: Snapshot, without: Effect, effect: Effect, waits_s: Mapping[str, float]) -> Prediction:
    starts = tuple(sorted(set(effect.started) - set(without.started)))
    held = effect.before.holding & without.after.holding
    stops = tuple(sorted((held - effect.after.holding) & set(effect.still_pending)))
    delays = tuple(sorted(delayed(without, effect) - set(stops)))
    return Prediction(
        gpus=GpuForecast(before=_gpus(effect.before), without=_gpus(without.after), after=_gpus(effect.after)),
        gangs_started=effect.started,
        starts=starts,
        stops=stops,
        delays=delays,
        gpus_of={name: _gpus_of(snapshot, name) for name in sorted({*starts, *stops, *delays})},
        gangs_pending={name: f"{why.reason}: {why.message}" for name, why in effect.still_pending.items()},
        waits_at_most_s={name: int(wait_s) for name, wait_s in sorted(waits_s.items())},
        queues=_queues(effect.before, without.after, effect.after),
    )


def delayed(without: Effect, effect: Effect) -> set[str]:
    """Gangs that would start, had nobody done anything; one that is gone waits for nothing."""
    return (set(without.started) - set(effect.started)) & set(effect.still_pending)


def _gpus_of(snapshot: Snapshot, name: str) -> int:
    return sum(each.minimum * gpus(each.requests) for each in snapshot.gang(name).pod_sets)


def _gpus(stand: Standing) -> Gpus:
    return Gpus(free=stand.free, idle_held=stand.stuck, unusable=stand.unusable)


def _queues(before: Standing, without: Standing, after: Standing) -> tuple[QueueForecast, ...]:
    """Those in which the changes make a difference."""
    told = []
    for name, now in before.queues.items():
        left, then = without.queues.get(name, now), after.queues.get(name, now)
        if left != then:
            told.append(_queue(name, now, left, then))
    return tuple(told)


def _queue(name: str, before: QueueStanding, without: QueueStanding, after: QueueStanding) -> QueueForecast:
    return QueueForecast(
        queue=name,
        pending_before=before.pending,
        pending_without=without.pending,
        pending_after=after.pending,
        used_before=before.used,
        used_after=after.used,
        nominal_before=before.nominal,
        nominal_after=after.nominal,
    )
