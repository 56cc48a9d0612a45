"""Who may only read a log in PostgreSQL leaves word of it, which an agent records once; without it, no answer."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from log_contract import fill
from mortal_watch import WATCHKEEPER
from postgresql import OWNER, READER, REDACTOR, WRITER, Postgresql
from postgresql_log import *  # noqa: F403
from sqlalchemy.engine import make_url

from agent.adapters.ledger import AuditLedger
from agent.adapters.ledger.read_notes import MAX_NOTES, take_over
from audit.errors import LogUnavailable
from audit.log import Log, Record
from audit.storage.migrate import migrate
from audit.storage.reads_waiting import tell_of_reads
from audit.storage.recheck import fsck_postgresql
from audit.verdict import Verdict

BODY = '{"by": "erin", "door": "audit query", "asked": {"kind": "outcome"}, "count": 2, "first": 0, "last": 1}'
LEAVE = f"INSERT INTO log_read_notes (body) VALUES ('{BODY}')"


class Noon:
    def now(self) -> datetime:
        return datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def log(database: Postgresql) -> Iterator[Log]:
    with Log.open(database.url(WRITER)) as opened:
        fill(opened, 3)
        yield opened


def agent_looks(log: Log) -> None:
    take_over(log, AuditLedger(log, Noon(), "watchkeeper", seal=True))


def reads(log: Log) -> list[Record]:
    return list(log.query(kind="log_read"))


def waiting(database: Postgresql) -> int:
    return int(database.sql("SELECT count(*) FROM log_read_notes", OWNER, "audit"))


def check(database: Postgresql) -> Verdict:
    url = make_url(database.url(READER))
    verdict = fsck_postgresql(url)
    tell_of_reads(url, verdict)
    return verdict


def audit(folder: Path, url: str, *words: str) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    (folder / "watchkeeper.yaml").write_text(f"log: {url}\n", encoding="utf-8")
    return subprocess.run(
        [WATCHKEEPER, "audit", *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


# --- a note becomes one record ----------------------------------------------------------------------------------------


def test_what_a_reader_is_shown_is_on_the_record_once(log: Log, database: Postgresql, tmp_path: Path) -> None:
    shown = audit(tmp_path / "auditor", database.url(READER), "query", "--kind", "intent", "--json")
    assert shown.returncode == 0 and len(json.loads(shown.stdout)["records"]) == 1, shown.stderr
    assert (waiting(database), reads(log)) == (1, [])
    verdict = check(database)
    assert verdict.ok and verdict.reads_waiting == 1 and not verdict.warnings.problems
    assert any("reads noted and no records yet: 1, the oldest since" in line for line in verdict.lines())
    agent_looks(log)
    agent_looks(log)
    (record,) = reads(log)
    said = record.payload
    assert (said["door"], said["count"], said["first"], said["role"]) == ("audit query", 1, 1, READER)
    assert said["asked"]["kind"] == "['intent']" and said["noted_at"].startswith("20")
    assert {"/payload/by", "/payload/role"} <= set(record.sealed), "it can be erased"
    assert (waiting(database), check(database).reads_waiting) == (0, 0)


def test_the_months_report_tells_of_notes_that_wait(log: Log, database: Postgresql, tmp_path: Path) -> None:
    month, desk = datetime.now(UTC).strftime("%Y-%m"), tmp_path / "auditor"
    for into, told in (("first", False), ("second", True)):
        made = audit(desk, database.url(READER), "report", "--month", month, "--into", into)
        assert made.returncode == 0, made.stderr
        page = (desk / into / "report.html").read_text("utf-8")
        assert ("noted beside the log and were no records yet: 1." in page) is told, "by the first report"


def test_fsck_by_a_reader_is_on_the_record_too(log: Log, database: Postgresql, tmp_path: Path) -> None:
    checked = audit(tmp_path / "auditor", database.url(READER), "fsck", "--json")
    assert checked.returncode == 0 and json.loads(checked.stdout)["reads_waiting"] == 0, checked.stderr
    agent_looks(log)
    assert [record.payload["door"] for record in reads(log)] == ["audit fsck"]


def test_one_that_died_before_it_forgot_and_two_at_once_make_one_record(log: Log, database: Postgresql) -> None:
    database.sql(LEAVE, READER, "audit")
    assert log.store.notes is not None
    (note,) = log.store.notes.waiting(MAX_NOTES)
    log.append("log_read", actor="agent-2", unique_key=note.unique_key)
    agent_looks(log)
    assert [record.actor for record in reads(log)] == ["agent-2"] and waiting(database) == 0


def test_a_table_that_was_made_anew_loses_no_read(log: Log, database: Postgresql) -> None:
    for _ in range(2):
        database.sql(LEAVE, READER, "audit")
        agent_looks(log)
        database.sql("ALTER TABLE log_read_notes ALTER COLUMN id RESTART WITH 1", OWNER, "audit")
    assert len(reads(log)) == 2 and waiting(database) == 0


def test_more_than_one_look_takes_are_taken_at_the_next(log: Log, database: Postgresql) -> None:
    many = f"INSERT INTO log_read_notes (body) SELECT '{BODY}' FROM generate_series(1, {MAX_NOTES + 3})"
    database.sql(many, READER, "audit")
    agent_looks(log)
    assert (len(reads(log)), waiting(database)) == (MAX_NOTES, 3)
    agent_looks(log)
    assert (len(reads(log)), waiting(database)) == (MAX_NOTES + 3, 0)


def test_a_note_by_hand_keeps_no_other_waiting(log: Log, database: Postgresql) -> None:
    for body in ("no json", '{"by": "\\ud800"}', "[" * 60_000, "1e999", '{"by": 7, "door": []}'):
        said = database.sql(f"INSERT INTO log_read_notes (body) VALUES ('{body}')", READER, "audit")
        assert said == "", said
    database.sql(LEAVE, READER, "audit")
    agent_looks(log)
    told = [record.payload for record in reads(log)]
    assert [each["by"] for each in told] == ["unknown"] * 5 + ["erin"] and waiting(database) == 0
    assert told[0]["text"] == "no json" and {each["role"] for each in told} == {READER}
    assert check(database).ok


# --- who may do what ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "statement", "why"),
    [
        (READER, "SELECT body FROM log_read_notes", "permission denied"),
        (READER, "SELECT role FROM log_read_notes", "permission denied"),
        (READER, "UPDATE log_read_notes SET body = ''", "permission denied"),
        (READER, "DELETE FROM log_read_notes", "permission denied"),
        (READER, "TRUNCATE log_read_notes", "permission denied"),
        (READER, "INSERT INTO log_read_notes (body, role) VALUES ('x', 'bob')", "permission denied"),
        (READER, "INSERT INTO log_read_notes (body, at) VALUES ('x', '2020')", "permission denied"),
        (READER, "INSERT INTO log_read_notes (body) VALUES (repeat('x', 65537))", "log_read_notes_size"),
        (WRITER, "INSERT INTO log_read_notes (body) VALUES ('x')", "permission denied"),
        (WRITER, "UPDATE log_read_notes SET body = ''", "permission denied"),
        (WRITER, "DELETE FROM log_read_notes", "DELETE refused"),
        (WRITER, "TRUNCATE log_read_notes", "permission denied"),
        (REDACTOR, "SELECT id FROM log_read_notes", "permission denied"),
        (OWNER, "UPDATE log_read_notes SET body = ''", "UPDATE refused"),
        (OWNER, "DELETE FROM log_read_notes", "DELETE refused"),
        (OWNER, "TRUNCATE log_read_notes", "TRUNCATE refused"),
    ],
)
def test_a_note_that_waits_is_nobodys_to_touch(
    log: Log, database: Postgresql, role: str, statement: str, why: str
) -> None:
    assert database.sql(LEAVE, READER, "audit") == ""
    assert re.search(why, database.sql(statement, role, "audit"))
    assert waiting(database) == 1 and database.sql("SELECT count(id) FROM log_read_notes", READER, "audit") == "1\n"


def test_a_reader_who_can_leave_no_note_is_shown_nothing(log: Log, database: Postgresql, tmp_path: Path) -> None:
    """A log whose owner has not granted it, as before there were notes; and a check is never refused."""
    database.sql(f"REVOKE INSERT (body) ON log_read_notes FROM {READER}", OWNER, "audit")
    desk, url = tmp_path / "auditor", database.url(READER)
    made = audit(desk, url, "checkpoint", "--key", "a.key", "--new-key", "example.com/auditor", "--into", "kept")
    assert made.returncode == 0, made.stderr
    for words in (["query"], ["show", "1"], ["export", "--key", "a.key", "--into", "out"], ["prove", "1"]):
        refused = audit(desk, url, *words)
        assert refused.returncode == 4 and refused.stdout == "", words
        said = " ".join(refused.stderr.split())
        assert "this read cannot be noted" in said and "permission denied" in said and "--reader ROLE" in said
    assert not (desk / "out").exists()
    checked = audit(desk, url, "fsck")
    assert checked.returncode == 0 and "on no record" in checked.stderr
    migrate(make_url(database.url(OWNER)), readers=(READER,))
    assert audit(desk, url, "show", "1").returncode == 0 and waiting(database) == 1


def test_a_log_that_its_owner_has_not_brought_up_to_date(log: Log, database: Postgresql) -> None:
    database.sql("DROP TABLE log_read_notes", OWNER, "audit")
    agent_looks(log)
    verdict = check(database)
    assert verdict.ok and [each.code for each in verdict.warnings.problems] == ["notes_missing"]
    with Log.open(database.url(READER)) as reader:
        assert reader.store.notes is not None and reader.store.notes.needed()
        with pytest.raises(LogUnavailable, match="log_read_notes"):
            reader.store.notes.leave(BODY)


def test_whoever_may_append_leaves_no_note(log: Log, database: Postgresql, tmp_path: Path) -> None:
    assert audit(tmp_path / "operator", database.url(WRITER), "show", "1").returncode == 0
    assert audit(tmp_path / "operator", database.url(WRITER), "fsck").returncode == 0
    assert [record.payload["door"] for record in reads(log)] == ["audit show", "audit fsck"]
    assert waiting(database) == 0 and check(database).ok


# --- what the check tells -----------------------------------------------------------------------------------------


def test_notes_that_no_agent_takes_over_are_told(log: Log, database: Postgresql) -> None:
    old = "to_char(now() AT TIME ZONE 'UTC' - interval '61 minutes', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    database.sql(f"INSERT INTO log_read_notes (body, at) VALUES ('x', {old})", OWNER, "audit")
    verdict = check(database)
    (warning,) = verdict.warnings.problems
    assert warning.code == "reads_not_recorded" and verdict.ok and verdict.as_json()["reads_waiting"] == 1


def test_notes_without_their_guards_are_told(log: Log, database: Postgresql) -> None:
    database.sql("ALTER TABLE log_read_notes DISABLE TRIGGER log_read_notes_delete", OWNER, "audit")
    (warning,) = check(database).warnings.problems
    assert warning.code == "guard_missing" and "log_read_notes_delete" in warning.reason
