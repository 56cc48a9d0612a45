"""Two processes, the agent and a command line say, append to one file that neither has created yet."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

from concurrent_writers import RACES, write

from audit.fsck import fsck
from audit.log import Log

EACH = 200


def test_two_processes_append_without_gap_or_fork_and_a_key_has_one_winner(path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager:
        start, wins = spawn.Barrier(2), manager.dict()
        writers = [spawn.Process(target=write, args=(str(path), name, EACH, start, wins)) for name in ("agent", "cli")]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join(timeout=60)
        assert [writer.exitcode for writer in writers] == [0, 0]
        assert sum(wins.values()) == RACES
    verdict = fsck(path)
    assert verdict.ok, verdict.first_problem
    assert verdict.size == 2 * EACH + RACES
    with Log.open(path) as log:
        for name in ("agent", "cli"):
            numbers = [record.payload for record in log.query(actor=name) if record.unique_key is None]
            assert numbers == list(range(EACH)), "each writer's records are all there, in its order"
