"""A disk that really is full: nothing is recorded, the error names the store, and the log goes on when there is room.

The disk is a limit on the size of this process's files (RLIMIT_FSIZE), which the kernel enforces on every write; so the
writer is a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from audit.fsck import fsck

WRITER = Path(__file__).parent / "filling_writer.py"


@pytest.mark.parametrize("payload_bytes", [20_000, 400_000], ids=["a little too much", "far too much"])
def test_a_full_disk_stops_every_append_and_room_lets_them_go_on(path: Path, payload_bytes: int) -> None:
    command = [sys.executable, str(WRITER), str(path), str(payload_bytes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["recorded"] > 0, "there was room for some"
    assert told["store"] == str(path) and told["fault"], "the error names the store"
    assert told["refused_again"] and told["size_when_full"] == told["recorded"]
    assert told["after"] == told["recorded"], "the next index, by itself, with the same open log"
    verdict = fsck(path)
    assert (verdict.ok, verdict.size) == (True, told["recorded"] + 1), verdict.first_problem
