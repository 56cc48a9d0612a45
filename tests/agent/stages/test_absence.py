"""What is put off for long is told once: for all where nothing works, else for the one that lags behind."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from step_field import NODE, START, Field

from agent.absence import Absence
from agent.ports import ClusterUnavailable, LedgerUnavailable, ServerError, StoreUnavailable

CALL_AFTER_S = 600
AWAY, REFUSED = ClusterUnavailable("nobody answers"), ServerError("the webhook w.example does not answer")


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    made = Field(tmp_path)
    yield made
    made.close()


@pytest.fixture
def absence(field: Field) -> Absence:
    return Absence(field.pager, field.ledger, CALL_AFTER_S)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def told(field: Field) -> list[str]:
    return [str(record.payload["message"]) for record in field.log.query(kind="notice")]


def test_an_api_server_that_is_away_is_one_call_however_much_waits(field: Field, absence: Absence) -> None:
    for minute in range(0, 30):
        for task in ("inc-1", "inc-2", "signals"):
            absence.fails(task, NODE, AWAY, at(60 * minute))
    (call,) = told(field)
    assert "3 tasks" in call and "put off since 2026-11-02T09:00:00Z" in call and "nobody answers" in call


def test_one_that_lags_behind_while_others_go_on_is_a_call_about_that_one(field: Field, absence: Absence) -> None:
    for minute in range(0, 30):
        absence.fails("inc-1", NODE, REFUSED, at(60 * minute))
        absence.works("a look at the cluster")
    (call,) = told(field)
    assert call.startswith("inc-1 is put off since") and "w.example" in call


def test_what_works_again_in_time_is_nobodys_call(field: Field, absence: Absence) -> None:
    for minute in range(0, 60):
        absence.fails("inc-1", NODE, AWAY, at(60 * minute))
        if minute % 9 == 8:
            absence.works("inc-1")
    assert told(field) == []


def test_what_is_told_elsewhere_is_not_told_here(field: Field, absence: Absence) -> None:
    for minute in (0, 60):
        absence.fails("inc-1", NODE, LedgerUnavailable("the disk is full"), at(60 * minute))
    assert told(field) == []


def test_a_store_that_cannot_be_written_is_a_call_about_the_agents_own_files(field: Field, absence: Absence) -> None:
    for minute in range(0, 30):
        absence.fails("inc-1", NODE, StoreUnavailable("checkpoints: database or disk is full"), at(60 * minute))
    (record,) = field.log.query(kind="notice")
    assert "disk is full" in record.payload["message"]
    assert record.payload["target"]["kind"] == "Store"
