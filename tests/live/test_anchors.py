"""Anchors on the real thing, all alike: keep, never write over, refuse a log that was rewritten, and show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from anchoring_kit import *  # noqa: F403 - its fixtures
from anchoring_kit import NOW, configmap, grow, known_to
from objectstore import ObjectStore

from audit.anchoring.anchor import Anchor, AnchorDiffers
from audit.anchoring.places import anchor_at
from audit.anchoring.publishing import NotAnExtension, checkpoint
from audit.checkpoints import Checkpoint
from audit.fsck import fsck
from audit.kept import believed
from audit.log import Log
from audit.signing import Signer


@pytest.fixture(params=["folder", "git", "bucket", "configmap"])
def anchor(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signer: Signer
) -> Iterator[Anchor]:
    """One of each, as the settings would name it."""
    match request.param:
        case "folder":
            (tmp_path / "worm").mkdir()
            yield anchor_at(str(tmp_path / "worm"), lambda: NOW)
        case "git":
            yield anchor_at(f"git+file://{request.getfixturevalue('repository')}", lambda: NOW)
        case "bucket":
            store: ObjectStore = request.getfixturevalue("store")
            known_to(monkeypatch)
            bucket = store.bucket(f"b-{abs(hash(request.node.name)) % 10**9}")
            yield anchor_at(f"s3+http://{store.endpoint}/{bucket}/gpu-cluster?region=us-east-1", lambda: NOW)
        case _:
            yield configmap(request.getfixturevalue("api"))


def test_it_keeps_what_it_was_given_and_hands_it_back(anchor: Anchor, log: Log, signer: Signer) -> None:
    notes = []
    for records in (3, 4, 9):
        grow(log, records)
        done = checkpoint(log, signer, [anchor])
        assert done.away == ()
        notes.append(str(done.note).encode())
    assert anchor.newest() == notes[-1]
    assert (anchor.since(0), anchor.since(7)) == (notes, notes[1:])
    assert checkpoint(log, signer, [anchor]).away == (), "the same again is harmless"
    assert anchor.since(0) == notes


def test_it_never_writes_over_what_it_keeps(anchor: Anchor, signer: Signer) -> None:
    first = str(signer.sign(Checkpoint(signer.key.name, 7, bytes(32)))).encode()
    other = str(signer.sign(Checkpoint(signer.key.name, 7, b"\1" * 32))).encode()
    anchor.keep(7, first)
    anchor.keep(7, first)
    with pytest.raises(AnchorDiffers):
        anchor.keep(7, other)
    assert anchor.since(0) == [first]


def test_it_shows_a_log_that_was_rebuilt_with_the_key_in_hand(
    anchor: Anchor, log: Log, signer: Signer, tmp_path: Path
) -> None:
    for records in (4, 3, 5):
        grow(log, records)
        checkpoint(log, signer, [anchor])
    kept = believed(anchor.name, anchor.since(0), [signer.key])
    honest = fsck(tmp_path / "audit.db", kept=kept)
    assert (honest.ok, honest.covered) == (True, 12)
    with Log.open(tmp_path / "forged.db", clock=clock_of(log)) as forged:
        for index in range(14):
            forged.append("incident", actor="agent", payload={"text": "nicer" if index == 5 else "as it was"})
        with pytest.raises(NotAnExtension):
            checkpoint(forged, signer, [anchor])
    verdict = fsck(tmp_path / "forged.db", kept=kept)
    assert verdict.integrity.ok and verdict.completeness.ok
    assert [(each.code, each.index) for each in verdict.anchoring.problems] == [("root_differs", 4)]


def clock_of(log: Log) -> Callable[[], datetime]:
    """The times of the records that are there, and then some."""
    times = [datetime.fromisoformat(record.at) for record in log.query()]
    ticks = iter([*times, *(times[-1] + timedelta(seconds=n) for n in range(1, 99))])
    return lambda: next(ticks)
