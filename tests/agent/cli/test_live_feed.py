"""The feed of a running demo goes on behind a record that cannot be shown, and says so."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from agent.cli.live_feed import Feed
from audit.log import Log

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def incident(log: Log, number: int) -> None:
    subject = {"apiVersion": "v1", "kind": "Node", "name": f"gpu-{number}"}
    payload = {"id": f"inc-{number}", "symptom": "gpu_fault", "subject": subject, "change": "opened"}
    log.append("incident", actor="agent", at=NOON, payload=payload)


def test_a_record_that_is_not_what_was_appended_is_told_and_passed(tmp_path: Path) -> None:
    feed = Feed()
    with Log.open(tmp_path / "audit.db", durability="memory") as log:
        for number in range(3):
            incident(log, number)
        with closing(sqlite3.connect(tmp_path / "audit.db")) as database:
            database.execute("DROP TRIGGER log_records_update")
            database.execute("UPDATE log_records SET body = x'7b7d' WHERE \"index\" IN (1, 2)")
            database.commit()
        feed.read(log)
        assert [line.mark for line in feed.lines] == ["!", "!", "!"]
        for line, word in zip(feed.lines, ("gpu-0", "record 1: ", "record 2: "), strict=True):
            assert word in line.text
        assert list(feed.incidents) == ["inc-0"]
        feed.read(log)
        assert len(feed.lines) == 3, "each is told once"
        incident(log, 3)
        feed.read(log)
        assert "gpu-3" in feed.lines[-1].text


def test_a_record_of_another_form_is_told_and_passed(tmp_path: Path) -> None:
    feed = Feed()
    with Log.open(tmp_path / "audit.db", durability="memory") as log:
        for payload in ({}, {"id": 7}, {"id": "inc-1", "symptom": None, "subject": "gpu"}, [], None):
            log.append("incident", actor="agent", at=NOON, payload=payload)
        log.append("verification", actor="agent", at=NOON, payload={"helped": True, "statement": "x", "foreseen": [1]})
        incident(log, 9)
        feed.read(log)
    told = [line.text for line in feed.lines]
    assert told[:-1] == [f"record {n} is no {k} as the agent writes it" for n, k in
                         ((0, "incident"), (1, "incident"), (2, "incident"), (5, "verification"))]  # fmt: skip
    assert "gpu-9" in told[-1]
