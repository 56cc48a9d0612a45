"""Which problem is the first: an anchor narrows what nothing else knows, and hides nothing that something knows."""

from __future__ import annotations

from pathlib import Path

import pytest
from tampering import MATRIX, File, write_evidence

from audit.kept import Kept, compare
from audit.verdict import Verdict

BAD = bytes(32)


def verdict(*known: int, anchor: int | None, good: int | None = None, size: int = 60) -> Verdict:
    found = Verdict("log", size=size)
    for index in known:
        found.integrity.add("body_differs", index, "it is not what it was")
    roots: dict[int, bytes | None] = {each: b"1" * 32 for each in (anchor, good) if each is not None}
    kept = [Kept("there", anchor, BAD)] if anchor is not None else []
    kept += [Kept("there", good, b"1" * 32)] if good is not None else []
    compare(found.anchoring, size, roots, kept)
    return found


@pytest.mark.parametrize(
    ("known", "anchor", "good", "first"),
    [
        ((39,), 50, None, 39),  # record 39, and not "one of 0 to 49"
        ((39, 45), 50, 10, 39),
        ((), 50, None, 0),
        ((), 50, 10, 10),
        ((55,), 50, 10, 10),  # all of it lies before the other
        ((10,), 50, 20, 10),
        ((39,), None, None, 39),
        ((), 50, 49, 49),
    ],
)
def test_the_first_bad_index(known: tuple[int, ...], anchor: int | None, good: int | None, first: int) -> None:
    found = verdict(*known, anchor=anchor, good=good)
    assert found.first_problem is not None and found.first_problem.index == first
    assert found.as_json()["first_bad_index"] == first


@pytest.mark.parametrize("name", ["payload_byte_flipped", "segment_dropped"])
def test_an_anchor_hides_no_index(tmp_path: Path, name: str) -> None:
    place = File(tmp_path / "audit.db")
    with place.open() as log:
        write_evidence(log)
        kept = Kept("there", log.size(), log.root())
    with place.hand() as hand:
        MATRIX[name].do(hand)
    for anchors in ([], [kept], [Kept("there", kept.size, BAD)]):
        first = place.check(kept=anchors).first_problem
        assert first is not None and first.index == MATRIX[name].index
