"""The git anchor with git's own program and daemon: a history, a protected branch, and what is no repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from anchoring_kit import *  # noqa: F403 - its fixtures
from anchoring_kit import NOW, git, grow
from servers import free_port, wait_for

from audit.anchoring.anchor import Anchor, AnchorUnavailable
from audit.anchoring.git import GitAnchor
from audit.anchoring.places import anchor_at
from audit.anchoring.publishing import checkpoint
from audit.log import Log
from audit.signing import Signer


def test_gits_own_program_finds_a_history_and_no_fault(repository: Path, log: Log, signer: Signer) -> None:
    anchor = GitAnchor(str(repository), lambda: int(NOW.timestamp()))
    for _ in range(3):
        grow(log, 2)
        checkpoint(log, signer, [anchor])
    git(repository, "fsck", "--strict")
    told = git(repository, "log", "--format=%s|%an|%aI", "checkpoints").splitlines()
    assert [line.split("|")[0] for line in told] == [f"Checkpoint of {size} records" for size in (6, 4, 2)]
    assert told[0].endswith("|watchkeeper|2026-11-22T12:00:00+00:00") or told[0].endswith("|2026-11-22T12:00:00Z")
    assert git(repository, "show", "checkpoints:checkpoint").encode() == anchor.newest()
    assert git(repository, "ls-tree", "--name-only", "checkpoints").split() == ["checkpoint"]


def test_what_others_have_on_the_branch_stays(repository: Path, tmp_path: Path, log: Log, signer: Signer) -> None:
    """Somebody's own file on the branch is no checkpoint, and is not silently buried."""
    git(tmp_path, "clone", "--quiet", str(repository), "work")
    work = tmp_path / "work"
    (work / "README").write_text("hello")
    git(work, "checkout", "-q", "-b", "checkpoints")
    git(work, "add", "README")
    git(work, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "hello")
    git(work, "push", "-q", "origin", "checkpoints")
    anchor = GitAnchor(str(repository), lambda: 0)
    grow(log, 1)
    from audit.notes import NoteRefused

    with pytest.raises(NoteRefused):
        checkpoint(log, signer, [anchor])
    assert git(repository, "log", "--format=%s", "checkpoints").split() == ["hello"]


def test_over_gits_protocol_a_protected_branch_cannot_be_rewritten(
    repository: Path, tmp_path: Path, log: Log, signer: Signer
) -> None:
    port = free_port()
    command = ["git", "daemon", "--export-all", "--enable=receive-pack", "--reuseaddr", "--listen=127.0.0.1"]
    command += [f"--port={port}", f"--base-path={repository.parent}", str(repository.parent)]
    git(repository, "config", "receive.denyNonFastForwards", "true")
    git(repository, "config", "receive.denyDeletes", "true")
    daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        anchor = anchor_at(f"git+git://127.0.0.1:{port}/{repository.name}", lambda: NOW)
        wait_for("the git daemon", lambda: reaches(anchor))
        for _ in range(2):
            grow(log, 2)
            assert checkpoint(log, signer, [anchor]).away == ()
        assert len(anchor.since(0)) == 2
        git(tmp_path, "clone", "--quiet", "-b", "checkpoints", f"git://127.0.0.1:{port}/{repository.name}", "copy")
        git(tmp_path / "copy", "reset", "--quiet", "--hard", "HEAD~1")
        command = ["git", "push", "--quiet", "--force", "origin", "checkpoints"]
        refused = subprocess.run(command, cwd=tmp_path / "copy", capture_output=True, text=True, check=False)
        assert refused.returncode != 0 and "denying" in refused.stderr + refused.stdout
        git(repository, "fsck", "--strict")
    finally:
        daemon.terminate()
        daemon.wait()
    with pytest.raises(AnchorUnavailable):
        anchor.newest()
    (away,) = checkpoint(log, signer, [anchor]).away
    assert away[0] == anchor.name


def reaches(anchor: Anchor) -> bool:
    try:
        anchor.newest()
    except AnchorUnavailable:
        return False
    return True


def test_a_folder_that_is_no_repository_is_told(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(AnchorUnavailable, match="nothing"):
        GitAnchor(str(tmp_path / "nothing"), lambda: 0).newest()
