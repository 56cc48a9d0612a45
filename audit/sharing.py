"""Several processes look at one log: each at the next stretch that nobody has, through rows that it opens itself.

Plain processes and pipes rather than a pool, so that they end by themselves when whoever started them is killed.
Standard library alone.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from audit.rows import Rows
from audit.stretch import STRETCH_LEVEL, Seen, Stretch, look_at

OpenRows = Callable[[], AbstractContextManager[Rows]]
"""Opens the log's rows in another process: it travels there. The same log is read there, or a later one."""

MIN_RECORDS = 100_000
"""One process looks at so many in two seconds. To start others takes half a second of each, and can only lose there."""

MAX_PROCESSES = 4
"""Some 40 MB each, whatever the log's size. The disk is busy with fewer."""

CLOSING_TIMEOUT_S = 5
"""What looks at a stretch is done within one second, or is ended."""


@dataclass(frozen=True, slots=True)
class Processes:
    """`audit.rescan.Share`. Without a `count` there are as many as pay."""

    open_rows: OpenRows
    count: int | None = None
    level: int = STRETCH_LEVEL

    def pays(self, records: int) -> bool:
        return self._count(records) > 1

    def look(self, stretches: Sequence[Stretch], wanted: frozenset[int]) -> Iterator[Seen | None]:
        answers: dict[int, Seen | None] = {}
        left, told = iter(enumerate(stretches)), 0
        records = sum(each.end - each.first for each in stretches)
        with _started(min(self._count(records), len(stretches)), self.open_rows) as pipes:
            at_work = {pipe: number for pipe in pipes if (number := _give(pipe, left, wanted)) is not None}
            while at_work:
                ready = wait(list(at_work))
                for pipe in [each for each in at_work if each in ready]:
                    answers[at_work.pop(pipe)] = _taken(pipe)
                    number = _give(pipe, left, wanted)
                    if number is not None:
                        at_work[pipe] = number
                while told in answers:
                    yield answers.pop(told)
                    told += 1

    def _count(self, records: int) -> int:
        if self.count is not None:
            return self.count
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(usable, MAX_PROCESSES) if records >= MIN_RECORDS else 1


def _give(pipe: Connection, left: Iterator[tuple[int, Stretch]], wanted: frozenset[int]) -> int | None:
    """The number of the stretch that this process looks at now. One that has ended is noticed when it should answer."""
    number, stretch = next(left, (None, None))
    if number is None or stretch is None:
        return None
    with suppress(OSError):
        pipe.send((stretch, frozenset(size for size in wanted if stretch.first < size <= stretch.end)))
    return number


def _taken(pipe: Connection) -> Seen | None:
    try:
        answer: Seen | None = pipe.recv()
    except (EOFError, OSError):
        return None
    return answer


@contextmanager
def _started(count: int, open_rows: OpenRows) -> Iterator[list[Connection]]:
    """Spawned, not forked: a fork in a process with threads may have another's locks."""
    context = get_context("spawn")
    begun: list[tuple[Any, Connection]] = []
    try:
        with suppress(OSError):  # as many as the system lets us have, and if it is none
            for _ in range(count):
                ours, theirs = context.Pipe()
                process = context.Process(target=_work, args=(theirs, open_rows), daemon=True)
                process.start()
                theirs.close()
                begun.append((process, ours))
        yield [pipe for _, pipe in begun]
    finally:
        for _, pipe in begun:
            pipe.close()
        for process, _ in begun:
            process.join(CLOSING_TIMEOUT_S)
            if process.is_alive():
                process.kill()


def _work(pipe: Connection, open_rows: OpenRows) -> None:
    """Looks until the other end is closed, also by its death. Ctrl-C is for whoever asked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with open_rows() as rows:
            while True:
                stretch, wanted = pipe.recv()
                pipe.send(_answer(rows, stretch, wanted))
    except (EOFError, OSError):
        return


def _answer(rows: Rows, stretch: Stretch, wanted: frozenset[int]) -> Seen | None:
    """Whatever it is that cannot be read: one process looks again, meets the same, and says what it is."""
    try:
        return look_at(rows, stretch, wanted)
    except Exception:  # noqa: BLE001 - of any database's driver
        return None
