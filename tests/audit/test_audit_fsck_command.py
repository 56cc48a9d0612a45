"""`python -m audit.fsck`: with nothing but Python, and an exit status that a script can go by."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import tamper_matrix  # noqa: F401 - which fills the matrix
from tampering import MATRIX, SIZE, File, write_evidence

from audit.fsck import main
from audit.log import Log

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def root(path: Path) -> bytes:
    """A closed log of 21 records at `path`, and the root that an outsider kept of it."""
    with Log.open(path, durability="memory") as log:
        write_evidence(log)
        return log.root()


def run(*arguments: str, isolated: bool = True) -> subprocess.CompletedProcess[str]:
    """The command without site-packages; isolated Python has to be told where the checkout is."""
    start = f"import sys, runpy; sys.path.insert(0, {str(REPOSITORY)!r}); sys.argv[0] = 'fsck'; "
    start += "runpy.run_module('audit.fsck', run_name='__main__')"
    command = ["-I", "-S", "-c", start] if isolated else ["-S", "-m", "audit.fsck"]
    return subprocess.run(
        [sys.executable, *command, *arguments], capture_output=True, text=True, cwd=REPOSITORY, timeout=30, check=False
    )


@pytest.mark.parametrize("isolated", [True, False])
def test_the_command_runs_with_the_standard_library_alone(path: Path, root: bytes, isolated: bool) -> None:
    done = run(str(path), "--root", root.hex(), "--size", str(SIZE), "--json", isolated=isolated)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) | {"store": ""} == {
        "ok": True, "store": "", "size": SIZE, "root": root.hex(), "anchored": True,
        "anchored_records": SIZE, "deep": False,
        "dropped": 0, "redacted": [], "redacted_more": 0, "reads_waiting": 0, "reads_since": None,
        "first_bad_index": None, "first_reason": None, "integrity": {"ok": True, "problems": [], "problems_dropped": 0},
        "completeness": {"ok": True, "problems": [], "problems_dropped": 0},
        "anchoring": {"ok": True, "problems": [], "problems_dropped": 0},
        "warnings": {"ok": True, "problems": [], "problems_dropped": 0},
    }  # fmt: skip


def test_the_command_names_what_is_wrong(path: Path, root: bytes) -> None:
    with File(path).hand() as hand:
        hand.run("UPDATE log_records SET actor = 'nobody' WHERE \"index\" = 13")
    done = run(str(path))
    assert done.returncode == 1
    assert "integrity: FAILED\n  record 13: actor is 'nobody', but 'agent' in the body [actor_differs]" in done.stdout
    assert "completeness: ok" in done.stdout
    assert "not anchored" in done.stdout


def test_the_command_says_when_it_cannot_look(path: Path) -> None:
    assert run(str(path)).returncode == 2
    path.write_text("not a database at all, and long enough to be read as one")
    assert run(str(path)).returncode == 1
    path.unlink()
    path.mkdir()
    done = run(str(path))
    assert done.returncode == 2 and "cannot look" in done.stderr
    path.rmdir()
    sqlite3.connect(path).execute("CREATE TABLE other (x)").connection.close()
    assert run(str(path)).returncode == 1
    assert run(str(path), "--root", "00").returncode == 2


@pytest.mark.parametrize("name", MATRIX)
def test_exit_status(path: Path, root: bytes, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """1 for every tamper; where only an anchor can show it, 0 without one and words that say so."""
    with File(path).hand() as hand:
        MATRIX[name].do(hand)
    assert main([str(path)]) == (0 if MATRIX[name].by_anchor else 1)
    assert not MATRIX[name].by_anchor or "not anchored" in capsys.readouterr().out
    assert main([str(path), "--size", str(SIZE), "--root", root.hex(), "--json"]) == 1
