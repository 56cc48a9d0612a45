"""Exporters that go on being scraped and say what they said before, for ever: fresh samples of an old moment.

Steady gauges prove nothing, since an idle GPU is steady too. What cannot stand still is the energy that a GPU has used
(`DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION`): whatever draws power uses some. Where that counter is switched off, a node at
work counts as frozen only if its power went up and down before, as it does on the other nodes still.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from agent.domain.cluster import Pod
from agent.evidence.labels import node_of
from agent.evidence.pod_series import STEP, fresh, read_pods
from agent.evidence.witnesses import METRICS, Saying
from agent.ports import Metrics, Series

ENERGY, POWER = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "DCGM_FI_DEV_POWER_USAGE"
GAUGES = (POWER, "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_PROF_GR_ENGINE_ACTIVE")
MOVED_BEFORE_MIN = (30, 60, 180)  # the counter was lower at one of these: it did count once
DOUBT_S = 300  # no judgement may rest on a counter that has not moved for so long, whoever is to blame
LIVELY = 10  # so many changes of the power within the time make a node one whose power goes up and down
LIVELY_BEFORE_S = 3600

_Key = tuple[tuple[str, str], ...]
_Read = Mapping[_Key, float]


def frozen_nodes(metrics: Metrics, nodes: set[str], now: datetime, after_s: int) -> dict[str, str]:
    """Of these nodes those whose exporter repeats itself, and how that is known. Raises MetricsUnavailable."""
    energy = _at(metrics, ENERGY, now)
    counting = {node_of(dict(key)) for key in energy}
    still = _unmoved(energy, _at(metrics, ENERGY, now - timedelta(seconds=after_s)), nodes) if energy else set()
    suspects = still | _steady_beside_lively(metrics, nodes - counting, now, after_s)
    gauges_too = {node for node in suspects if _gauges_stand(metrics, node, now, after_s)} if suspects else set()
    by_energy = {node for node in gauges_too & still if _counted_once(metrics, energy, node, now)}
    minutes = after_s // 60
    why = {node: f"draws power and has used no energy for {minutes} minutes" for node in by_energy}
    for node in sorted(gauges_too - still):
        why[node] = (
            f"repeats the same power draw for {minutes} minutes, which went up and down before as it does elsewhere"
        )
    return why


def in_doubt(metrics: Metrics, pods: Sequence[Pod], now: datetime) -> tuple[str, ...]:
    """A word on each of these pods whose GPUs' energy counter stands still: what else is told of them may be old."""
    read = read_pods(metrics, ENERGY, pods, now - timedelta(seconds=2 * DOUBT_S), now)
    return tuple(f"the exporter repeats itself about {key[1]}" for key in sorted(read) if any(map(_stands, read[key])))


def _stands(one: Series) -> bool:
    """For long enough, above 0: a card that cannot count its energy may say 0."""
    values = {value for _, value in one.points}
    long_enough = len(one.points) > 1 and (one.points[-1][0] - one.points[0][0]).total_seconds() >= DOUBT_S
    return long_enough and len(values) == 1 and values != {0.0}


def _at(metrics: Metrics, name: str, moment: datetime) -> dict[_Key, float]:
    return {tuple(sorted(s.labels.items())): s.points[-1][1] for s in metrics.instant(name, moment) if s.points}


def _unmoved(now: _Read, before: _Read, nodes: set[str]) -> set[str]:
    """The nodes of which every series is there twice, with the same value."""
    told: dict[str, list[bool]] = {}
    for key, value in now.items():
        told.setdefault(node_of(dict(key)), []).append(before.get(key) == value)
    return {node for node, same in told.items() if node in nodes and all(same)}


def _counted_once(metrics: Metrics, energy: _Read, node: str, now: datetime) -> bool:
    """Every counter of the node was lower once, and the node draws power now."""
    mine = {key: value for key, value in energy.items() if node_of(dict(key)) == node}
    draws = [value for key, value in _at(metrics, POWER, now).items() if node_of(dict(key)) == node]
    if not draws or min(draws) <= 0:
        return False
    lower: set[_Key] = set()
    for minutes in MOVED_BEFORE_MIN:
        before = _at(metrics, ENERGY, now - timedelta(minutes=minutes))
        lower |= {key for key, value in mine.items() if before.get(key, value) < value}
    return lower == set(mine)


def _gauges_stand(metrics: Metrics, node: str, now: datetime, after_s: int) -> bool:
    """None of its gauges says anything else than before; one that does makes it a counter that is stuck, no more."""
    for name in GAUGES:
        told = _at(metrics, name, now)
        if not any(node_of(dict(key)) == node for key in told):
            continue
        for ago_s in (after_s // 2, after_s):
            if not _unmoved(told, _at(metrics, name, now - timedelta(seconds=ago_s)), {node}):
                return False
    return True


def _steady_beside_lively(metrics: Metrics, nodes: set[str], now: datetime, after_s: int) -> set[str]:
    """Nodes at work whose power has stopped going up and down, while that of others has not."""
    if not nodes:
        return set()
    told, before = _at(metrics, POWER, now), _at(metrics, POWER, now - timedelta(seconds=after_s))
    suspects = _unmoved(told, before, nodes)
    if not suspects or all(before.get(key) == value for key, value in told.items()):
        return set()
    turn, start = now - timedelta(seconds=after_s), now - timedelta(seconds=after_s + LIVELY_BEFORE_S)
    read = [s for s in metrics.range(POWER, start, now, STEP) if fresh(s.points, now)]
    lively_still = any(_changes(s, turn, now) >= LIVELY for s in read)
    mine = {node: [s for s in read if node_of(s.labels) == node] for node in suspects}
    return {
        node
        for node, series in mine.items()
        if lively_still and series and all(_froze(s, start, turn, now) for s in series)
    }


def _froze(one: Series, start: datetime, turn: datetime, now: datetime) -> bool:
    works = METRICS[POWER].says(one.points[-1][1], one.labels) is Saying.BUSY
    return works and _changes(one, start, turn) >= LIVELY and not _changes(one, turn, now)


def _changes(one: Series, start: datetime, end: datetime) -> int:
    values = [value for at, value in one.points if start <= at <= end]
    return sum(before != after for before, after in pairwise(values))
