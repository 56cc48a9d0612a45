"""The tamper matrix: every tamper by its name, what finds it, and where. Imported by the tests of each store.

A tamper without an anchor's word for it has to be found by the check alone, at the first bad record. The others leave
rows that agree with each other: the check says so, and an anchor shows them.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tampers_of_order
import tampers_of_rows
import tampers_of_tree
from tampering import LET_GO, MATRIX, SIZE, TAIL, Place, write_evidence


@pytest.fixture
def root(place: Place) -> bytes:
    """A log of 21 records at this place, and the root that an outsider kept of it."""
    with place.open() as log:
        write_evidence(log)
        return log.root()


MODULES = (tampers_of_rows, tampers_of_order, tampers_of_tree)


@pytest.mark.parametrize("name", MATRIX)
def test_tamper(place: Place, root: bytes, name: str) -> None:
    done = MATRIX[name]
    with place.hand() as hand:
        done.do(hand)
    alone, anchored = place.check(), place.check(expect_size=SIZE, expect_root=root)
    assert alone.ok == done.by_anchor, alone.first_problem
    assert not anchored.ok
    first = (anchored if done.by_anchor else alone).first_problem
    assert first is not None
    assert (first.code, first.index) == (done.code, done.index), first
    if done.by_anchor:
        assert "not anchored" in "".join(alone.lines()), "and it says that it cannot know"


def test_an_honest_log_passes_with_and_without_an_anchor(place: Place, root: bytes) -> None:
    with place.hand():
        pass
    for anchor in ({}, {"expect_size": SIZE, "expect_root": root}):
        verdict = place.check(**anchor)
        assert verdict.ok and verdict.size == SIZE and verdict.root == root, verdict.first_problem
        assert not verdict.warnings.problems


def test_records_dropped_as_a_record_says(place: Place, root: bytes) -> None:
    with place.hand() as hand:
        tampers_of_tree.leave_stubs(hand, LET_GO)
    verdict = place.check(expect_size=SIZE, expect_root=root)
    assert (verdict.ok, verdict.dropped) == (True, LET_GO), verdict.first_problem


def test_whole_log_rebuilt_without_the_key(place: Place, root: bytes) -> None:
    place.fresh()
    with place.open() as log:
        write_evidence(log, actor="nobody in particular")
    assert place.check().ok
    problem = place.check(expect_size=SIZE, expect_root=root).first_problem
    assert problem is not None and problem.code == "root_differs"


def test_rolled_back_database(place: Place) -> None:
    """A backup put back in place of the log: it is whole, and old."""
    with place.open() as log:
        write_evidence(log, end=TAIL)
    with place.hand() as hand:
        backup = hand.tables()
    with place.open() as log:
        write_evidence(log, first=TAIL)
        root = log.root()
    with place.hand() as hand:
        hand.restore(backup)
    assert place.check().ok
    problem = place.check(expect_size=SIZE, expect_root=root).first_problem
    assert problem is not None and (problem.code, problem.index) == ("tail_missing", TAIL)
    with place.open() as log:
        write_evidence(log, first=TAIL, end=SIZE, actor="as if nothing had been")
    assert place.check().ok, "and written on"
    problem = place.check(expect_size=SIZE, expect_root=root).first_problem
    assert problem is not None and problem.code == "root_differs"


def test_fork(place: Place) -> None:
    """Two logs with one beginning: each is whole, and each is refused by what was kept of the other."""
    with place.open() as log:
        write_evidence(log, end=TAIL)
        common = log.root()
    with place.hand() as hand:
        fork = hand.tables()
    roots = []
    for actor in ("shown to the one", "shown to the other"):
        with place.hand() as hand:
            hand.restore(fork)
        with place.open() as log:
            write_evidence(log, first=TAIL, actor=actor)
            roots.append(log.root())
        assert place.check(expect_size=TAIL, expect_root=common).ok
    assert place.check(expect_size=SIZE, expect_root=roots[1]).ok
    problem = place.check(expect_size=SIZE, expect_root=roots[0]).first_problem
    assert problem is not None and problem.code == "root_differs"


def test_clock_going_back(place: Place) -> None:
    """Clocks are corrected: a warning with the record, and no more."""
    with place.open() as log:
        write_evidence(log, first=8)
        write_evidence(log, end=1)
    verdict = place.check()
    assert verdict.ok
    assert [(problem.code, problem.index) for problem in verdict.warnings.problems] == [("clock_went_back", SIZE - 8)]


def test_every_problem_that_the_check_knows_has_its_tamper() -> None:
    """A code that no tamper brings about would be a check that nobody has seen work."""
    import audit.look
    import audit.removals
    import audit.reopen
    import audit.rescan
    import audit.retree
    import audit.stretch

    known: set[str] = set()
    for module in (audit.look, audit.stretch, audit.rescan, audit.reopen, audit.retree, audit.removals):
        text = Path(str(module.__file__)).read_text(encoding="utf-8")
        known |= set(re.findall(r'(?:integrity|completeness|anchoring)\.add\(\s*"([a-z_]+)"', text))
    known -= {
        "unique_key_repeated",  # the index that keeps it from happening has to be broken first: by store
        "retention_invalid",  # written like any other, by whoever may append: test_audit_early_retention
        "root_unknown",  # beside what is missing, never alone
    }
    assert known <= {each.code for each in MATRIX.values()} | {"root_differs"}
