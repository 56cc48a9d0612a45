"""What a door shows is borne out by the tree, on either store: imported by the tests of each, with their `place`."""

from __future__ import annotations

import pytest
from tampering import RETENTION, SIZE, Place, write_evidence

from audit.errors import LogDamaged
from audit.log import Log


def shown(log: Log, **conditions: str) -> tuple[list[int], list[int]]:
    damaged: list[LogDamaged] = []
    records = log.query(**conditions, proved=True, damaged=damaged.append)  # type: ignore[arg-type]
    return [record.index for record in records], [damage.index for damage in damaged]


@pytest.mark.parametrize("size", [1, 2, 3, 8, 20, SIZE])
def test_an_honest_log_shows_all_of_it(place: Place, size: int) -> None:
    with place.open() as log:
        write_evidence(log, end=size)
        assert shown(log) == (list(range(size)), [])
        assert [r.index for r in log.query(proved=True)] == [r.index for r in log.query()]


def test_a_record_that_was_changed_with_its_leaf_is_not_shown(place: Place) -> None:
    """Nor is the one beside it: the tree does not tell which of the two was changed."""
    with place.open() as log:
        write_evidence(log)
        with place.hand() as hand:
            hand.change(13, b"number 013", b"number 017")
        assert 13 in [record.index for record in log.query()], "its leaf bears it out"
        assert shown(log) == ([index for index in range(SIZE) if index not in (12, 13)], [12, 13])
        assert shown(log, target="gpu-13") == ([], [13])
        with pytest.raises(LogDamaged, match=r"^record 12: it does not lead to the root of the log"):
            list(log.query(proved=True))


def test_where_hashes_are_missing_what_can_still_be_proved_is_shown(place: Place) -> None:
    with place.open() as log:
        write_evidence(log)
        with place.hand() as hand:
            hand.run('DELETE FROM log_nodes WHERE level = 1 AND "index" = 3')
        seen, damaged = shown(log)
        assert damaged and {4, 5} <= set(damaged), "their paths go by that node"
        assert {6, 7} <= set(seen), "their own path does not"


def test_a_proof_by_a_hash_that_is_gone_is_none(place: Place) -> None:
    with place.open() as log:
        write_evidence(log)
        with place.hand() as hand:
            hand.run('DELETE FROM log_nodes WHERE level = 1 AND "index" = 3')
        with pytest.raises(LogDamaged, match="the tree has no node of level 1 and index 3"):
            log.inclusion_proof(4)


def test_hashes_that_are_too_many_for_one_statement_come_by_several(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.storage.tree.PLACES_AT_ONCE", 3)
    with place.open() as log:
        write_evidence(log)
        assert shown(log) == (list(range(SIZE)), [])


def test_after_retention_the_rest_is_borne_out(place: Place) -> None:
    with place.open() as log:
        write_evidence(log)
        with place.hand() as hand:
            hand.run('INSERT INTO log_stubs SELECT "index", leaf FROM log_records WHERE "index" < 8')
            hand.remove('"index" < ?', 8)
        assert shown(log) == (list(range(8, SIZE)), [])
        assert RETENTION in shown(log)[0]


def test_a_proof_is_had_by_few_statements(place: Place) -> None:
    """A database may be far away: one round trip for all hashes, however high the tree."""
    from sqlalchemy import event

    with place.open() as log:
        write_evidence(log)
        statements: list[str] = []
        engine = log.store._engine  # type: ignore[attr-defined]

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if statement != "BEGIN":
                statements.append(statement)

        event.listen(engine, "before_cursor_execute", note)
        log.inclusion_proof(5, SIZE)
        assert len(statements) <= 2, statements
        statements.clear()
        log.root(SIZE - 2)
        log.consistency_proof(9, SIZE)
        assert len(statements) <= 4, statements
