"""Nobody fills the log with what cannot be read, and nothing of it is left out without being counted."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.adapters.refusals import ALIKE_AT_MOST, OF_A_DOOR_AT_MOST, WINDOW_S, Refusals
from agent.ports import JsonObject, LedgerUnavailable

START = datetime(2026, 11, 2, 9, tzinfo=UTC)


class Now:
    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def later(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Kept:
    """The part of the Ledger port that a refusal writes to."""

    def __init__(self) -> None:
        self.records: list[JsonObject] = []
        self.down = False

    def record(self, kind: str, payload: JsonObject, **_more: str | Mapping[str, str] | None) -> None:
        if self.down:
            raise LedgerUnavailable("disk full")
        assert kind == "refused"
        self.records.append(payload)


@pytest.fixture
def here() -> tuple[Refusals, Kept, Now]:
    kept, now = Kept(), Now()
    return Refusals(kept, now), kept, now  # type: ignore[arg-type]


Here = tuple[Refusals, Kept, Now]


def all_told(kept: Kept) -> int:
    return sum(int(record.get("count", 1)) for record in kept.records)


def test_a_flood_of_different_things_is_recorded_in_part_and_counted_in_whole(here: Here) -> None:
    refused, kept, now = here
    for number in range(10_000):
        refused("events", f"Event {number}: metadata.namespace", "it lies elsewhere")
        now.later(0.01)
    assert len(kept.records) == OF_A_DOOR_AT_MOST
    now.later(WINDOW_S)
    refused.close_windows()
    assert len(kept.records) == OF_A_DOOR_AT_MOST + 1
    assert all_told(kept) == 10_000
    said: Any = kept.records[-1]
    assert said["count"] == 10_000 - OF_A_DOOR_AT_MOST and said["door"] == "events"
    assert f"first Event {OF_A_DOOR_AT_MOST}: metadata.namespace" in said["reason"]
    assert "last Event 9999: metadata.namespace" in said["reason"]


def test_the_same_again_is_recorded_a_few_times(here: Here) -> None:
    refused, kept, now = here
    for _ in range(50):
        refused("logs", "line 1", "not JSON")
    assert len(kept.records) == ALIKE_AT_MOST
    refused("logs", "line 2", "not JSON")
    assert len(kept.records) == ALIKE_AT_MOST + 1
    now.later(WINDOW_S)
    refused("logs", "line 1", "not JSON")
    counted, anew = kept.records[-2:]
    assert counted["count"] == 50 - ALIKE_AT_MOST
    assert (anew["place"], "count" in anew) == ("line 1", False)


def test_one_door_takes_nothing_from_another(here: Here) -> None:
    refused, kept, _ = here
    for number in range(1_000):
        refused("events", str(number), "no")
    refused("alertmanager", "alerts[0]", "missing")
    assert kept.records[-1]["door"] == "alertmanager"


def test_what_was_counted_is_recorded_when_the_agent_stops(here: Here) -> None:
    refused, kept, _ = here
    for _ in range(9):
        refused("logs", "line 1", "not JSON")
    refused.close()
    assert all_told(kept) == 9
    refused.close()
    assert all_told(kept) == 9


def test_what_is_told_has_an_end_and_a_log_that_is_down_stops_nobody(here: Here) -> None:
    refused, kept, _ = here
    refused("logs", "p" * 5000, "r" * 5000)
    assert max(len(str(value)) for value in kept.records[0].values()) <= 400
    kept.down = True
    refused("logs", "line 1", "not JSON")
