"""What a reader left word of, as a record: of our form as it is, of any other quoted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.adapters.ledger.read_notes import MAX_QUOTED_CHARS, payload_of
from audit.log import Log
from audit.storage.read_notes import ReadNote

OURS = {"by": "erin", "door": "audit query", "asked": {"kind": "outcome"}, "count": 2, "first": 0, "last": 1}
AT, ROLE = "2026-01-31T12:00:00.000000Z", "log_reader"


def told(body: str) -> dict[str, object]:
    return dict(payload_of(ReadNote(7, AT, ROLE, body)))


def test_what_our_door_wrote_is_kept_with_the_servers_word() -> None:
    assert told(json.dumps(OURS | {"role": "postgres", "noted_at": "never"})) == OURS | {"role": ROLE, "noted_at": AT}
    nothing = OURS | {"count": 0, "first": None, "last": None}
    assert told(json.dumps(nothing)) == nothing | {"role": ROLE, "noted_at": AT}


@pytest.mark.parametrize(
    "body",
    [
        *("", "null", "[]", '"x"', "NaN", "{", "[" * 60_000, json.dumps({"by": "erin"})),
        json.dumps(OURS | {"count": -1}),
        json.dumps(OURS | {"count": True}),
        json.dumps(OURS | {"count": 2**53}),
        json.dumps(OURS | {"first": 0.5}),
        json.dumps(OURS | {"asked": ["x"]}),
        json.dumps(OURS | {"asked": {"kind": 7}}),
        json.dumps(OURS | {"by": "\ud800"}),
        json.dumps(OURS).replace("2", "1" * 5_000, 1),
    ],
)
def test_any_other_is_quoted_and_fits_into_a_record(tmp_path: Path, body: str) -> None:
    payload = told(body)
    assert (payload["by"], payload["text"], payload["role"]) == ("unknown", body[:MAX_QUOTED_CHARS], ROLE)
    with Log.open(tmp_path / "log.db", durability="memory") as log:
        log.append("log_read", actor="watchkeeper", payload=payload)
