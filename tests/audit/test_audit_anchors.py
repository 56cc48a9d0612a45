"""Anchors: a checkpoint is signed only for a log that still begins as the last one said."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit.anchoring.anchor import Anchor, AnchorUnavailable
from audit.anchoring.folder import FolderAnchor
from audit.anchoring.places import NoSuchAnchor, anchor_at
from audit.anchoring.publishing import NotAnExtension, checkpoint
from audit.checkpoints import open_checkpoint
from audit.fsck import fsck
from audit.kept import Kept, Refused, believed
from audit.log import Log
from audit.notes import NoteRefused, SignatureType
from audit.signing import Signer, new_key
from audit.verdict import Verdict

ORIGIN = "example.com/gpu-cluster"
REPOSITORY = Path(__file__).parents[2]
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return new_key(ORIGIN, SignatureType.ED25519, tmp_path / "log.key")


@pytest.fixture
def anchor(tmp_path: Path) -> FolderAnchor:
    return FolderAnchor(tmp_path / "anchor")


def grow(log: Log, records: int, text: str = "as it was") -> None:
    for _ in range(records):
        log.append("incident", actor="agent", payload={"text": text})


def sizes(tmp_path: Path) -> list[int]:
    return [int(file.name.split(".")[0]) for file in sorted((tmp_path / "anchor").iterdir())]


def test_each_checkpoint_extends_the_one_before(log: Log, signer: Signer, anchor: FolderAnchor, tmp_path: Path) -> None:
    for records in (3, 4, 0, 9):
        grow(log, records)
        opened = open_checkpoint(str(checkpoint(log, signer, [anchor]).note).encode(), [signer.key], ORIGIN).checkpoint
        assert (opened.size, opened.root) == (log.size(), log.root())
    assert sizes(tmp_path) == [3, 7, 16]


def test_an_empty_log_has_a_checkpoint_too(log: Log, signer: Signer, anchor: FolderAnchor, tmp_path: Path) -> None:
    checkpoint(log, signer, [anchor])
    grow(log, 2)
    checkpoint(log, signer, [anchor])
    assert sizes(tmp_path) == [0, 2]


def test_a_log_that_was_rebuilt_is_never_signed(log: Log, signer: Signer, anchor: FolderAnchor, tmp_path: Path) -> None:
    grow(log, 5)
    checkpoint(log, signer, [anchor])
    with Log.open(tmp_path / "rebuilt.db", durability="memory") as rebuilt:
        grow(rebuilt, 8, "as somebody would have liked it")
        with pytest.raises(NotAnExtension, match="the first 5 records are not those"):
            checkpoint(rebuilt, signer, [anchor])
    assert sizes(tmp_path) == [5]


def test_a_log_that_was_rolled_back_is_never_signed(
    log: Log, signer: Signer, anchor: FolderAnchor, tmp_path: Path
) -> None:
    grow(log, 5)
    checkpoint(log, signer, [anchor])
    with Log.open(tmp_path / "older.db", durability="memory") as older:
        grow(older, 3)
        with pytest.raises(NotAnExtension, match="has 3 records, and had 5"):
            checkpoint(older, signer, [anchor])


def test_a_kept_checkpoint_of_a_stranger_stops_the_signing(
    log: Log, signer: Signer, anchor: FolderAnchor, tmp_path: Path
) -> None:
    stranger = new_key(ORIGIN, SignatureType.ED25519, tmp_path / "stranger.key")
    checkpoint(log, stranger, [anchor])
    grow(log, 1)
    with pytest.raises(NoteRefused, match="no known key"):
        checkpoint(log, signer, [anchor])
    assert sizes(tmp_path) == [0]


def test_after_a_rotation_the_old_key_vouches_for_what_it_signed(
    log: Log, signer: Signer, anchor: FolderAnchor, tmp_path: Path
) -> None:
    grow(log, 1)
    checkpoint(log, signer, [anchor])
    grow(log, 1)
    newer = new_key(ORIGIN, SignatureType.ED25519, tmp_path / "newer.key")
    checkpoint(log, newer, [anchor], [signer.key])
    assert sizes(tmp_path) == [1, 2]


def test_what_is_kept_is_never_written_over(anchor: FolderAnchor, tmp_path: Path) -> None:
    anchor.keep(7, b"first")
    anchor.keep(7, b"first")
    with pytest.raises(AnchorUnavailable, match="exists"):
        anchor.keep(7, b"second")
    assert anchor.newest() == b"first"
    assert len(list((tmp_path / "anchor").iterdir())) == 1


def test_an_anchor_that_cannot_be_written_says_so_and_delays_no_other(tmp_path: Path, log: Log, signer: Signer) -> None:
    (tmp_path / "file").write_text("a file where the folder should be")
    good = FolderAnchor(tmp_path / "anchor")
    grow(log, 2)
    ((place, fault),) = checkpoint(log, signer, [FolderAnchor(tmp_path / "file"), good]).away
    assert place == str(tmp_path / "file") and "file" in str(fault)
    assert sizes(tmp_path) == [2]


def test_what_one_place_contradicts_is_signed_for_none(tmp_path: Path, log: Log, signer: Signer) -> None:
    """Also not for a place that was asked before, and has seen nothing yet."""
    old, new = FolderAnchor(tmp_path / "anchor"), FolderAnchor(tmp_path / "new")
    grow(log, 5)
    checkpoint(log, signer, [old])
    with Log.open(tmp_path / "rebuilt.db", durability="memory") as rebuilt:
        grow(rebuilt, 8, "as somebody would have liked it")
        with pytest.raises(NotAnExtension, match=re.escape(old.name)):
            checkpoint(rebuilt, signer, [new, old])
    assert not (tmp_path / "new").exists()


def test_a_log_of_the_same_size_that_was_rebuilt_is_never_signed(
    log: Log, signer: Signer, anchor: FolderAnchor, tmp_path: Path
) -> None:
    grow(log, 5)
    checkpoint(log, signer, [anchor])
    with Log.open(tmp_path / "rebuilt.db", durability="memory") as rebuilt:
        grow(rebuilt, 5, "as somebody would have liked it")
        with pytest.raises(NotAnExtension):
            checkpoint(rebuilt, signer, [anchor])


# --- held against the log -------------------------------------------------------------------------------------------


def kept(signer: Signer, *anchors: Anchor) -> list[Kept | Refused]:
    return [each for anchor in anchors for each in believed(anchor.name, anchor.since(0), [signer.key])]


def found(verdict: Verdict) -> list[tuple[str, int | None]]:
    return [(problem.code, problem.index) for problem in verdict.anchoring.problems]


def anchored(log: Log, signer: Signer, *anchors: Anchor, at: Sequence[int] = (4, 7, 12)) -> None:
    for size in at:
        grow(log, size - log.size())
        assert not checkpoint(log, signer, anchors).away


def rebuilt(path: Path, changed: int, records: int = 15) -> Path:
    """The same log but for one record, made anew with its whole tree: whoever owns the file can."""
    copy = path.with_name("rebuilt.db")
    with Log.open(copy, durability="memory", clock=clock_of()) as log:
        for index in range(records):
            grow(log, 1, "as somebody would have liked it" if index == changed else "as it was")
    return copy


def clock_of() -> Callable[[], datetime]:
    ticks = iter(range(1_000_000))
    return lambda: NOON + timedelta(seconds=next(ticks))


def test_an_honest_log_is_covered_as_far_as_it_was_kept(log: Log, path: Path, signer: Signer, anchor: Anchor) -> None:
    anchored(log, signer, anchor)
    grow(log, 3)
    verdict = fsck(path, kept=kept(signer, anchor))
    assert (verdict.ok, verdict.anchored, verdict.covered) == (True, True, 12)
    assert "3 records, from 12 on, are newer than the last checkpoint that was kept outside" in list(verdict.lines())


@pytest.mark.parametrize(("changed", "low"), [(0, 0), (3, 0), (4, 4), (6, 4), (11, 7)])
def test_a_log_rebuilt_whole_is_placed_between_two_checkpoints(
    log: Log, path: Path, signer: Signer, anchor: Anchor, changed: int, low: int
) -> None:
    """Without the anchor it is an honest log; whoever rebuilt it may even hold the key."""
    anchored(log, signer, anchor)
    forged = rebuilt(path, changed)
    assert fsck(path).ok and fsck(forged).ok
    assert found(fsck(forged, kept=kept(signer, anchor))) == [("root_differs", low)]


def test_what_was_rebuilt_behind_the_last_checkpoint_is_not_seen(
    log: Log, path: Path, signer: Signer, anchor: Anchor
) -> None:
    anchored(log, signer, anchor)
    assert fsck(rebuilt(path, changed=13), kept=kept(signer, anchor)).ok


def test_a_log_rebuilt_with_the_key_and_signed_anew_is_a_fork(
    log: Log, path: Path, signer: Signer, tmp_path: Path
) -> None:
    ours, theirs = FolderAnchor(tmp_path / "ours"), FolderAnchor(tmp_path / "theirs")
    anchored(log, signer, ours)
    forged = rebuilt(path, changed=5, records=12)
    with Log.open(forged) as other:
        checkpoint(other, signer, [theirs])
    assert fsck(forged, kept=kept(signer, theirs)).ok
    for file in (path, forged):
        assert ("fork", None) in found(fsck(file, kept=kept(signer, ours, theirs)))
    assert found(fsck(forged, kept=kept(signer, ours, theirs))) == [("fork", None), ("root_differs", 4)]


def test_a_log_that_was_cut_or_rolled_back_lacks_what_was_kept(
    log: Log, path: Path, signer: Signer, anchor: Anchor, tmp_path: Path
) -> None:
    anchored(log, signer, anchor)
    older = tmp_path / "older.db"
    with Log.open(older, durability="memory", clock=clock_of()) as rolled_back:
        grow(rolled_back, 9)
    assert fsck(older).ok
    verdict = fsck(older, kept=kept(signer, anchor))
    assert (found(verdict), verdict.covered) == ([("tail_missing", 9)], 7)
    assert verdict.integrity.ok and verdict.completeness.ok and not verdict.anchoring.ok


def test_a_checkpoint_that_nobody_known_has_signed_is_a_finding(
    log: Log, path: Path, signer: Signer, anchor: Anchor, tmp_path: Path
) -> None:
    stranger = new_key(ORIGIN, SignatureType.ED25519, tmp_path / "stranger.key")
    anchored(log, stranger, anchor, at=[3])
    verdict = fsck(path, kept=kept(signer, anchor))
    assert found(verdict) == [("checkpoint_refused", None)]
    assert not verdict.anchored, "what nobody has signed anchors nothing"


def test_the_checker_takes_kept_checkpoints_with_the_standard_library_alone(
    log: Log, path: Path, signer: Signer, anchor: Anchor
) -> None:
    anchored(log, signer, anchor)
    forged = rebuilt(path, changed=6)
    for file, status, words in (
        (path, 0, "anchoring: ok"),
        (forged, 1, "one of the records 4 to 6 is not what it was"),
    ):
        command = [
            sys.executable,
            "-S",
            "-m",
            "audit.fsck",
            str(file),
            "--anchor",
            anchor.name,
            "--key",
            str(signer.key),
        ]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert (done.returncode, words in done.stdout, done.stderr) == (status, True, ""), done


# --- which place is meant -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("/mnt/worm", "FolderAnchor"),
        ("file:///mnt/worm", "FolderAnchor"),
        ("git+https://git.example/anchors.git#gpu", "GitAnchor"),
        ("git+ssh://git@git.example/anchors.git", "GitAnchor"),
        ("git+file:///srv/anchors.git", "GitAnchor"),
        ("s3+https://s3.example/bucket/gpu?region=eu-central-1&lock_days=400", "BucketAnchor"),
    ],
)
def test_a_place_names_its_kind(text: str, kind: str) -> None:
    assert type(anchor_at(text, lambda: NOON)).__name__ == kind


@pytest.mark.parametrize(
    "text",
    [
        "", "ftp://x/y", "s3+https://host", "s3+https:///bucket", "s3+https://host/bucket?lock_days=0", "git+https://host/",
        "git+https://me:secret@host/x", "kubernetes://ns", "kubernetes://NS/x", "file://host/x", "s3+https://h:bad/b",
    ],
)  # fmt: skip
def test_what_names_no_place_is_refused_and_no_secret_repeated(text: str) -> None:
    with pytest.raises(NoSuchAnchor) as refused:
        anchor_at(text, lambda: NOON)
    assert "secret" not in str(refused.value)
