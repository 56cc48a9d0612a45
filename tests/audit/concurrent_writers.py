"""What a writer in a process of its own does; see test_audit_processes."""

from __future__ import annotations

from multiprocessing.synchronize import Barrier

from audit.errors import AlreadyRecorded
from audit.log import Log

RACES = 20


def write(path: str, name: str, count: int, start: Barrier, wins: dict[str, int]) -> None:
    """Appends `count` records, and tries for every key that the other process tries for too."""
    start.wait(timeout=30)
    won = 0
    with Log.open(path, lock_timeout_s=20.0) as log:
        for number in range(count):
            log.append("intent", actor=name, attributes={"number": str(number)}, payload=number)
            if number < RACES:
                try:
                    log.append("intent", actor=name, unique_key=f"race-{number}")
                    won += 1
                except AlreadyRecorded:
                    pass
    wins[name] = won
