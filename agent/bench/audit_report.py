"""What `bench audit` measured, against what was wished and what a published log reaches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agent.bench.measures import Measure, Peer, told

NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
APPENDS_PER_S = {"sqlite": 2_900, "postgresql": 1_500}
BEST_BATCH = "100"
AT_BAR = "1000000"
APPEND_P99_MS, PROOF_MS, QUERY_MS, FSCK_S = 10, 5, 50, 20

_TESSERA = "transparency-dev/tessera docs/performance.md"
PEERS = [
    Peer(
        "Tessera (POSIX)",
        "writes without deduplication",
        "about 2,900/s",
        "12-core VM, mirrored SAS disks, 3,000 callers; mean time in queue 1.1 s, to the tree 6.0 s",
        _TESSERA,
    ),
    Peer(
        "Tessera (POSIX)",
        "writes with deduplication",
        "about 1,600/s",
        "the same machine, 1,800 callers; mean time to the tree 3.2 s. Our unique keys deduplicate, too",
        _TESSERA,
    ),
    Peer(
        "Tessera (POSIX)",
        "writes on a small VM",
        "over 1,500/s",
        "e2-micro of two shared cores, 600 callers; mean time to the tree 1.2 s",
        _TESSERA,
    ),
    Peer(
        "Tessera (MySQL)",
        "writes on a small VM",
        "about 300/s",
        "e2-micro with its own MySQL, 256 callers; mean time to the tree 2.5 s",
        _TESSERA,
    ),
]


def report(measured: dict[str, Any], notes: Sequence[str]) -> dict[str, Any]:
    """The stores' own numbers by name, beside the measures that a person reads."""
    measures = [measure for name, found in measured.items() for measure in _measures(name, found)]
    said = [
        "Wall clock, but for `cpu`, which is CPU seconds: of this process, and of those that help it check.",
        "N callers each wait for their record; those who wait at the same moment share a commit, 256 at most.",
        "Durable: on disk, or the server's commit has returned. Provable: from then on until proof and root are there.",
        *notes,
    ]
    result = told("audit", measures, PEERS, said) | measured
    result["machine"] |= {"clock": "wall; cpu where it says so"}
    result["page"] = page(measured)
    return result


def _measures(name: str, found: dict[str, Any]) -> list[Measure]:
    store = NAMES[name]
    measures = [
        Measure(
            f"{store}: appends",
            rate,
            "/s",
            f"{int(callers):,} at once, on the largest log",
            at_least=APPENDS_PER_S[name] if callers == BEST_BATCH else None,
        )
        for callers, rate in found["append_per_s"].items()
    ]
    wait, prove = found["append_ms"], found["provable_ms"]
    measures += [
        Measure(f"{store}: durable, p50", wait["p50"], "ms", "one caller"),
        Measure(f"{store}: durable, p99", wait["p99"], "ms", "one caller", at_most=APPEND_P99_MS),
        Measure(f"{store}: provable, p50", prove["p50"], "ms", "after it is durable"),
        Measure(f"{store}: provable, p99", prove["p99"], "ms", "after it is durable"),
    ]
    measures += [
        Measure(f"{store}: appends, cpu", rate, "/cpu s", f"{int(callers):,} at once, without the server's share")
        for callers, rate in found["append_per_cpu_s"].items()
    ]
    for size in found["fsck_s"]:
        measures += _at_size(store, found, size)
    return measures


def _at_size(store: str, found: dict[str, Any], size: str) -> list[Measure]:
    at, bar = f"{int(size):,} records", size == AT_BAR
    proof, query = found["proof_spread_ms"][size], found["query_ms"][size]
    opened = "log just opened" + (", file not in memory" if query["from_disk"] else "")
    at_most = QUERY_MS if bar else None
    return [
        Measure(f"{store}: fsck", found["fsck_s"][size], "s", at, at_most=FSCK_S if bar else None),
        Measure(f"{store}: fsck, cpu", found["fsck_cpu_s"][size], "s", at),
        Measure(f"{store}: proof, p99", proof["p99"], "ms", at, at_most=PROOF_MS if bar else None),
        Measure(f"{store}: incident, cold", query["opened"], "ms", f"{at}; {opened}", at_most=at_most),
        Measure(f"{store}: incident, p99", query["p99"], "ms", f"{at}; log at work", at_most=at_most),
        Measure(f"{store}: stored", found["bytes_per_record"][size], "bytes/record", at),
        Measure(f"{store}: growing to it", found["grow_per_s"][size], "/s", at),
    ]


ROWS: tuple[tuple[str, Callable[[dict[str, Any], str], str]], ...] = (
    ("check of the whole log, s", lambda found, size: f"{found['fsck_s'][size]:.2f}"),
    ("the same, CPU s", lambda found, size: f"{found['fsck_cpu_s'][size]:.2f}"),
    ("inclusion proof, p50 / p99, ms", lambda found, size: _two(found["proof_spread_ms"][size])),
    ("records of one incident, log at work, p50 / p99, ms", lambda found, size: _two(found["query_ms"][size])),
    ("records of one incident, log just opened, ms", lambda found, size: f"{found['query_ms'][size]['opened']:.1f}"),
    ("growing to it, appends/s", lambda found, size: f"{found['grow_per_s'][size]:,.0f}"),
    ("bytes per record, with indexes", lambda found, size: f"{found['bytes_per_record'][size]:,.0f}"),
    ("load average after the check", lambda found, size: f"{found['load'][size]:.1f}"),
)


def page(measured: dict[str, Any]) -> list[str]:
    """The tables of the documentation, in Markdown: what grows with the log, and appending at its largest."""
    lines: list[str] = []
    for name, found in measured.items():
        sizes = sorted(found["fsck_s"], key=int)
        lines += [*_row(NAMES[name], [f"{int(size):,}" for size in sizes]), f"|{'---|' * (len(sizes) + 1)}"]
        for title, figure in ROWS:
            lines += _row(title, [figure(found, size) for size in sizes])
        lines.append("")
    if measured:
        lines += [
            *_row("appending to the largest", [NAMES[name] for name in measured]),
            f"|{'---|' * (len(measured) + 1)}",
        ]
        callers = next(iter(measured.values()))["append_per_s"]
        for each in callers:
            rates = [(found["append_per_s"][each], found["append_per_cpu_s"][each]) for found in measured.values()]
            figures = [f"{rate:,.0f} / {cpu:,.0f}" for rate, cpu in rates]
            lines += _row(f"{int(each):,} callers at once, appends/s / per CPU s", figures)
        for title, key in (("durable", "append_ms"), ("provable from then on", "provable_ms")):
            lines += _row(f"one caller, {title}, p50 / p99, ms", [_two(found[key]) for found in measured.values()])
    return lines


def _row(title: str, figures: Sequence[str]) -> list[str]:
    return [f"| {' | '.join([title, *figures])} |"]


def _two(spread: dict[str, float]) -> str:
    return f"{spread['p50']:.1f} / {spread['p99']:.1f}"
