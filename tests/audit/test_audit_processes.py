"""Several processes, the agent and a command line say, and one file that none of them has created yet."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest
from concurrent_writers import RACES, write

from audit.fsck import fsck
from audit.log import Log

EACH = 200
HERE = Path(__file__).parent


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


@pytest.mark.parametrize("lines_before_kill", [1, 7, 40])
def test_a_killed_writer_loses_nothing_that_it_was_told_was_recorded(path: Path, lines_before_kill: int) -> None:
    environment = os.environ | {"PYTHONPATH": str(HERE.parents[1])}
    command = [sys.executable, str(HERE / "killed_writer.py"), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as writer:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(lines_before_kill)]
        writer.kill()
        told += [int(line) for line in writer.stdout if line.endswith("\n")]
    assert told == list(range(len(told)))
    verdict = fsck(path)
    assert verdict.ok, verdict.first_problem
    assert verdict.size in (len(told), len(told) + 1), "the last may be durable before anybody could be told"
    with Log.open(path) as log:
        assert log.append("heartbeat", actor="next life").index == verdict.size
    assert fsck(path).ok
