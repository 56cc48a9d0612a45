"""The agent with its log in a real PostgreSQL: a whole incident, kills of the agent and of the server, and an auditor.

The agent appends as the writer's role. The auditor has the reader's, and no file of the agent's.
"""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mortal_watch import RUN_TIMEOUT_S, WATCHKEEPER, Watch
from postgresql import OWNER, READER, REDACTOR, WRITER, Postgresql
from servers import wait_for
from sqlalchemy.engine import make_url
from test_kill import INCIDENT, ONCE_EACH, assert_all_is_well

from audit.errors import LogUnavailable
from audit.log import Log
from audit.storage.migrate import migrate

AWAY_S = 4.0


@pytest.fixture(scope="module")
def server() -> Iterator[Postgresql]:
    running = Postgresql()
    yield running
    running.stop()


@pytest.fixture
def database(server: Postgresql) -> Postgresql:
    server.sql("DROP DATABASE IF EXISTS audit WITH (FORCE)")
    server.sql(f"CREATE DATABASE audit OWNER {OWNER}")
    server.sql(f"GRANT CREATE, USAGE ON SCHEMA public TO {OWNER}", database="audit")
    migrate(make_url(server.url(OWNER)), writers=(WRITER,), readers=(READER,), redactors=(REDACTOR,))
    return server


@pytest.fixture
def watch(tmp_path: Path, database: Postgresql) -> Iterator[Watch]:
    made = Watch(tmp_path, INCIDENT, {"autonomy": {"default": "act"}}, database.url(WRITER))
    yield made
    made.close()


def test_a_whole_incident_is_on_the_record_of_the_database_and_nowhere_else(watch: Watch) -> None:
    assert watch.run_agent() == 0, watch.said()
    assert_all_is_well(watch)
    tables = {row[0] for row in sqlite3.connect(watch.database).execute("SELECT name FROM sqlite_master")}
    assert not [name for name in tables if name.startswith("log_")] and "agent_incidents" in tables


def test_the_running_agent_records_what_readers_left_word_of(watch: Watch, database: Postgresql) -> None:
    said = '{"by": "erin", "door": "audit query", "asked": {}, "count": 2, "first": 0, "last": 1}'
    for role, left in ((READER, ""), (WRITER, "permission denied")):
        assert left in database.sql(f"INSERT INTO log_read_notes (body) VALUES ('{said}')", role, "audit")
    assert watch.run_agent() == 0, watch.said()
    with Log.open(database.url(READER)) as log:
        reads = [record.payload for record in log.query(kind="log_read")]
    assert [(read["by"], read["role"]) for read in reads] == [("erin", READER)]
    assert database.sql("SELECT count(*) FROM log_read_notes", OWNER, "audit") == "0\n"
    assert_all_is_well(watch)


@pytest.mark.parametrize(("boundary", "occurrence"), [("intent", 2), ("effect", 3), ("outcome", 1)])
def test_killed_at_a_boundary_it_goes_on_where_it_was(watch: Watch, boundary: str, occurrence: int) -> None:
    assert watch.run_agent(boundary, str(occurrence)) == -signal.SIGKILL, watch.said()
    assert watch.run_agent() == 0, watch.said()
    assert_all_is_well(watch)


def test_without_its_log_the_agent_does_not_start_and_does_nothing(watch: Watch, database: Postgresql) -> None:
    """Killed between an intent and its effect; then the server is gone, too."""
    assert watch.run_agent("intent", "2") == -signal.SIGKILL, watch.said()
    before = watch.mutations
    database.kill()
    try:
        with pytest.raises(LogUnavailable, match="log_writer@127"):
            Log.open(database.url(WRITER))
        assert watch.run_agent() not in (0, -signal.SIGKILL)
        assert "postgresql://log_writer@127.0.0.1" in watch.said()
        assert watch.mutations == before
    finally:
        database.start()
    assert watch.run_agent() == 0, watch.said()
    assert_all_is_well(watch)


def test_a_server_that_dies_under_a_running_agent_stops_every_action_until_it_is_back(
    watch: Watch, database: Postgresql
) -> None:
    agent = watch.start_agent()
    wait_for("the first effect", lambda: sum(watch.mutations.values()))
    database.kill()
    wait_for("the agent to miss its log", lambda: watch.conductor.waiting)  # what had its intent by then is done
    then = watch.mutations
    assert sum(then.values()) < sum(ONCE_EACH.values()), "it was over before the server was gone"
    time.sleep(AWAY_S)
    assert agent.poll() is None and watch.mutations == then, watch.said()
    database.start()
    assert agent.wait(RUN_TIMEOUT_S) == 0, watch.said()
    assert_all_is_well(watch)


# --- an auditor, elsewhere ------------------------------------------------------------------------------------------


def audit(folder: Path, url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """On a machine that has the reader's password and nothing of the agent's."""
    folder.mkdir(exist_ok=True)
    (folder / "watchkeeper.yaml").write_text(f"log: {url}\n", encoding="utf-8")
    return subprocess.run(
        [WATCHKEEPER, "audit", *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_an_auditor_queries_exports_and_checks_it_as_a_reader(
    watch: Watch, database: Postgresql, tmp_path: Path
) -> None:
    assert watch.run_agent() == 0, watch.said()
    desk, reader = tmp_path / "auditor", database.url(READER)

    def asked_for(*words: str) -> Any:
        done = audit(desk, reader, *words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    outcomes = asked_for("query", "--kind", "outcome")["records"]
    assert outcomes and {each["attributes"]["outcome"] for each in outcomes} == {"succeeded"}
    incident = outcomes[0]["attributes"]["incident"]
    assert len(asked_for("timeline", incident)["entries"]) > len(outcomes)
    assert asked_for("show", "3")["index"] == 3
    checked = asked_for("fsck")
    assert (checked["ok"], checked["integrity"]["ok"], checked["completeness"]["ok"]) == (True, True, True)

    made = audit(
        desk, reader, "checkpoint", "--key", "a.key", "--new-key", "example.com/seen-by-the-auditor", "--into", "kept"
    )
    assert made.returncode == 0, made.stderr
    exported = audit(desk, reader, "export", "--key", "a.key", "--into", "bundle")
    assert exported.returncode == 0, exported.stderr
    key = made.stderr.split("signed by ")[1].strip()
    verify = [sys.executable, "-I", "-S", "verify.py", "--key", key]
    done = subprocess.run(verify, cwd=desk / "bundle", capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "intact" in done.stdout, done.stdout + done.stderr
    anchored = audit(desk, reader, "fsck", "--anchor", "kept", "--key", key)
    assert anchored.returncode == 0 and "anchoring: ok" in anchored.stdout

    refused = audit(desk, reader, "redact", "3", "--reason", "ticket 4711", "--yes")
    assert refused.returncode == 4, refused.stdout + refused.stderr
    assert asked_for("fsck")["size"] == checked["size"], "a reader has written nothing"
