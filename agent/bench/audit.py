"""`watchkeeper bench audit`: how fast evidence is durable and provable, and how fast it is checked, as the log grows.

One log per store grows to each size in turn, and at each size is proved, checked and asked; then, at its largest, it is
appended to. Appends, proofs and queries are wall clock: they wait for disks and servers. Rates and checks have both.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from statistics import median, quantiles
from typing import Any, NamedTuple

from agent.bench import audit_load, audit_stores
from agent.bench.audit_report import report
from audit.fsck import fsck
from audit.log import Log
from audit.proofs import verify_inclusion
from audit.storage.opening import url_of
from audit.verdict import Verdict

STORES = ("sqlite", "postgresql")
SIZES = (10_000, 100_000, 1_000_000)
BATCHES = {1: 3_000, 100: 30_000, 1_000: 30_000}
"""Callers at once, and how many records they write in all: some seconds each."""

FILLING_CALLERS = 256
"""As many as share a commit at most."""

TOLD_EVERY = 20_000
"""Records: some seconds."""

LATENCIES = 2_000
PROOFS = 200
QUERIES = 200
LOCK_TIMEOUT_S = 60
"""A thousand callers wait their turn on two cores for longer than an agent's ten."""

MS_PER_S = 1000


class Rate(NamedTuple):
    per_s: float
    per_cpu_s: float


def run(
    sizes: Sequence[int] = SIZES,
    *,
    batches: dict[int, int] | None = None,
    dsn: str | None = None,
    stores: Collection[str] = STORES,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measures on a SQLite file, and on the PostgreSQL of this URL or one that is started for it."""
    measured: dict[str, Any] = {}
    notes: list[str] = []
    for name, store in (("sqlite", audit_stores.sqlite()), ("postgresql", audit_stores.postgresql(dsn))):
        if name not in stores:
            continue
        try:
            with audit_stores.ended_in_order(), store as place:
                measured[name] = _measure(place, sorted(sizes), batches or BATCHES, partial(_tell, tell, name))
        except audit_stores.NotMeasured as why:
            notes.append(f"{name} was not measured: {why}")
    return report(measured, notes)


def _tell(tell: Callable[[str], None], store: str, line: str) -> None:
    tell(f"{store}: {line}")


def _measure(place: str, sizes: Sequence[int], batches: dict[int, int], tell: Callable[[str], None]) -> dict[str, Any]:
    grown: dict[str, dict[str, Any]] = {}
    with Log.open(place, lock_timeout_s=LOCK_TIMEOUT_S) as log:
        for size in sizes:
            first = log.size()
            grow = _appends(log, _growing(first, size, tell), size - first, FILLING_CALLERS)
            tell(f"looking at {size:,} records")
            found = {"grow_per_s": grow.per_s, **_proofs(log), **_check(place)}
            found |= _query(place, log, size) | {"bytes_per_record": audit_stores.stored_bytes(place) / size}
            for key, value in found.items():
                grown.setdefault(key, {})[str(size)] = value
        tell("one caller")
        latency = _latency(log)
        rates = {}
        for callers, count in batches.items():
            tell(f"{callers:,} callers at once")
            prepared = list(map(audit_load.evidence, range(log.size(), log.size() + count)))
            rates[str(callers)] = _appends(log, prepared, count, callers)
    return {
        "append_per_s": {callers: rate.per_s for callers, rate in rates.items()},
        "append_per_cpu_s": {callers: rate.per_cpu_s for callers, rate in rates.items()},
        **latency,
        **grown,
    }


def _growing(first: int, size: int, tell: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    for number in range(first, size):
        if number == first or number % TOLD_EVERY == 0:
            tell(f"growing to {size:,} records: {number:,}")
        yield audit_load.evidence(number)


def _appends(log: Log, evidences: Iterable[dict[str, Any]], count: int, callers: int) -> Rate:
    cpu, begun = time.process_time(), time.perf_counter()
    audit_load.write(log, evidences, callers)
    return Rate(count / (time.perf_counter() - begun), count / (time.process_time() - cpu))


def _proofs(log: Log) -> dict[str, Any]:
    """Proofs of records all over the log, each checked."""
    size, root = log.size(), log.root()
    taken_ms = []
    for number in range(PROOFS):
        index = number * 7919 % size
        begun = time.perf_counter()
        proof = log.inclusion_proof(index, size)
        taken_ms.append((time.perf_counter() - begun) * MS_PER_S)
        verify_inclusion(index, size, log.leaf(index), proof, root)
    return {"proof_ms": median(taken_ms), "proof_spread_ms": _spread(taken_ms)}


def _check(place: str) -> dict[str, float]:
    url = url_of(place)
    cpu, begun = _cpu_s(), time.perf_counter()
    if url is None:
        verdict = fsck(place)
    else:
        from audit.storage.recheck import fsck_postgresql

        verdict = fsck_postgresql(url)
    taken = {"fsck_s": time.perf_counter() - begun, "fsck_cpu_s": _cpu_s() - cpu, "load": os.getloadavg()[0]}
    _must_be_whole(verdict)
    return taken


def _cpu_s() -> float:
    """Of this process and of those it has started and seen end."""
    told = os.times()
    return told.user + told.system + told.children_user + told.children_system


def _must_be_whole(verdict: Verdict) -> None:
    if not verdict.ok:
        raise RuntimeError(f"the log that was written is not whole: {verdict.first_problem}")


def _query(place: str, log: Log, size: int) -> dict[str, Any]:
    """All records of one incident: by a log that was just opened and holds nothing, then by one that is at work."""
    incidents = [audit_load.incident(number * 7919 % size) for number in range(QUERIES + 1)]
    cold = audit_stores.forget(place)
    begun = time.perf_counter()
    with closing(Log.open(place)) as opened:
        _ask(opened, incidents[0])
    cold_ms = (time.perf_counter() - begun) * MS_PER_S
    warm_ms = []
    for incident in incidents[1:]:
        begun = time.perf_counter()
        _ask(log, incident)
        warm_ms.append((time.perf_counter() - begun) * MS_PER_S)
    return {"query_ms": {"opened": cold_ms, "from_disk": cold, **_spread(warm_ms)}}


def _ask(log: Log, incident: str) -> None:
    """As a door does: each record is held against the tree."""
    found = len(list(log.query(incident=incident, proved=True)))
    if found != len(audit_load.STAGES):
        raise RuntimeError(f"{incident} has {found} records of {len(audit_load.STAGES)}")


def _latency(log: Log) -> dict[str, Any]:
    """One caller: until the record is durable, and from then on until it is provable in the tree that holds it."""
    durable_ms, provable_ms = [], []
    first = log.size()
    for number in range(first, first + LATENCIES):
        fields = audit_load.evidence(number)
        begun = time.perf_counter()
        record = log.append(**fields)
        durable = time.perf_counter()
        proof, root = log.inclusion_proof(record.index), log.root()
        provable = time.perf_counter()
        verify_inclusion(record.index, record.index + 1, log.leaf(record.index), proof, root)
        durable_ms.append((durable - begun) * MS_PER_S)
        provable_ms.append((provable - durable) * MS_PER_S)
    return {"append_ms": _spread(durable_ms), "provable_ms": _spread(provable_ms)}


def _spread(taken: Sequence[float]) -> dict[str, float]:
    cuts = quantiles(taken, n=100, method="inclusive")  # none beyond the longest that was seen
    return {"p50": cuts[49], "p99": cuts[98], "max": max(taken)}
