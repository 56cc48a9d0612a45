"""What a log answers is what was appended: every record is held against its leaf before anybody sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tampering import SEALED, SIZE, File, Hand, Place, write_evidence

from audit.errors import LogDamaged

ROW = 13


@pytest.fixture
def place(path: Path) -> File:
    return File(path)


def flip(hand: Hand) -> None:
    """Still a record, and a good one to look at: only its leaf tells."""
    hand.change(ROW, b"number 013", b"number 017", leaf=False)


def ruin(hand: Hand) -> None:
    """No record any more, though it has the leaf of what it is."""
    hand.put_body(ROW, b"{")


@pytest.mark.parametrize("tamper", [flip, ruin])
def test_what_was_changed_is_never_answered(place: Place, tamper: Callable[[Hand], None]) -> None:
    with place.open() as log:
        write_evidence(log)
    with place.hand() as hand:
        tamper(hand)
    with place.open() as log:
        for read in (lambda: log.get(ROW), lambda: list(log.query()), lambda: log.find(f"key-{ROW}")):
            with pytest.raises(LogDamaged, match=f"^record {ROW}: "):
                read()
        assert log.get(ROW - 1).index == ROW - 1
        assert [record.index for record in log.query(limit=ROW)] == list(range(ROW))


def test_the_others_are_answered_to_whoever_takes_note_of_the_damage(place: Place) -> None:
    with place.open() as log:
        write_evidence(log)
    with place.hand() as hand:
        flip(hand)
        hand.run('UPDATE log_parts SET text = ? WHERE "index" = ?', b"eve", SEALED[2])
    with place.open() as log:
        told: list[LogDamaged] = []
        found = [record.index for record in log.query(damaged=told.append)]
    bad = [ROW, SEALED[2]]
    assert [damage.index for damage in told] == bad
    assert found == [index for index in range(SIZE) if index not in bad]
