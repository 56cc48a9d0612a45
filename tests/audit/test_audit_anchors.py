"""Anchors: a checkpoint is signed only for a log that still begins as the last one said."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.anchors import AnchorUnavailable, FolderAnchor, NotAnExtension, checkpoint
from audit.checkpoints import open_checkpoint
from audit.log import Log
from audit.notes import NoteRefused, SignatureType
from audit.signing import Signer, new_key

ORIGIN = "example.com/gpu-cluster"


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
        opened = open_checkpoint(str(checkpoint(log, signer, anchor)).encode(), [signer.key], ORIGIN).checkpoint
        assert (opened.size, opened.root) == (log.size(), log.root())
    assert sizes(tmp_path) == [3, 7, 16]


def test_an_empty_log_has_a_checkpoint_too(log: Log, signer: Signer, anchor: FolderAnchor, tmp_path: Path) -> None:
    checkpoint(log, signer, anchor)
    grow(log, 2)
    checkpoint(log, signer, anchor)
    assert sizes(tmp_path) == [0, 2]


def test_a_log_that_was_rebuilt_is_never_signed(log: Log, signer: Signer, anchor: FolderAnchor, tmp_path: Path) -> None:
    grow(log, 5)
    checkpoint(log, signer, anchor)
    with Log.open(tmp_path / "rebuilt.db", durability="memory") as rebuilt:
        grow(rebuilt, 8, "as somebody would have liked it")
        with pytest.raises(NotAnExtension, match="the first 5 records are not those"):
            checkpoint(rebuilt, signer, anchor)
    assert sizes(tmp_path) == [5]


def test_a_log_that_was_rolled_back_is_never_signed(
    log: Log, signer: Signer, anchor: FolderAnchor, tmp_path: Path
) -> None:
    grow(log, 5)
    checkpoint(log, signer, anchor)
    with Log.open(tmp_path / "older.db", durability="memory") as older:
        grow(older, 3)
        with pytest.raises(NotAnExtension, match="has 3 records, and had 5"):
            checkpoint(older, signer, anchor)


def test_a_kept_checkpoint_of_a_stranger_stops_the_signing(
    log: Log, signer: Signer, anchor: FolderAnchor, tmp_path: Path
) -> None:
    stranger = new_key(ORIGIN, SignatureType.ED25519, tmp_path / "stranger.key")
    checkpoint(log, stranger, anchor)
    grow(log, 1)
    with pytest.raises(NoteRefused, match="no known key"):
        checkpoint(log, signer, anchor)
    assert sizes(tmp_path) == [0]


def test_after_a_rotation_the_old_key_vouches_for_what_it_signed(
    log: Log, signer: Signer, anchor: FolderAnchor, tmp_path: Path
) -> None:
    grow(log, 1)
    checkpoint(log, signer, anchor)
    grow(log, 1)
    newer = new_key(ORIGIN, SignatureType.ED25519, tmp_path / "newer.key")
    checkpoint(log, newer, anchor, [signer.key])
    assert sizes(tmp_path) == [1, 2]


def test_what_is_kept_is_never_written_over(anchor: FolderAnchor, tmp_path: Path) -> None:
    anchor.keep(7, b"first")
    anchor.keep(7, b"first")
    with pytest.raises(AnchorUnavailable, match="exists"):
        anchor.keep(7, b"second")
    assert anchor.newest() == b"first"
    assert len(list((tmp_path / "anchor").iterdir())) == 1


def test_an_anchor_that_cannot_be_written_says_so(tmp_path: Path, log: Log, signer: Signer) -> None:
    (tmp_path / "anchor").write_text("a file where the folder should be")
    with pytest.raises(AnchorUnavailable, match="anchor"):
        checkpoint(log, signer, FolderAnchor(tmp_path / "anchor"))
