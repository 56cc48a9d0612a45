"""What a person asked to have erased is in no file of the agent's any more, byte for byte.

A real agent's incident with a person's answer in it; then `audit redact`, and a look at the raw files. With the log in
PostgreSQL the server's own files are looked at too, after what its owner has to do there.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from mortal_watch import RUN_TIMEOUT_S, WATCHKEEPER, Watch
from postgresql import OWNER, READER, REDACTOR, WRITER, Postgresql
from servers import wait_for
from sqlalchemy.engine import make_url
from test_kill import ASKS_FOR_REPAIRS, INCIDENT, asked

from audit.log import Log
from audit.storage.migrate import migrate

SECRET = "because Eleonora-of-tenant-research is on leave"
PERSON = "alice"
LASTS = timedelta(minutes=75)  # a request lives for an hour


@pytest.fixture(scope="module")
def server() -> Iterator[Postgresql]:
    running = Postgresql()
    yield running
    running.stop()


def lived_through(watch: Watch, *, killed: bool) -> None:
    """The incident to its end, with an answer; `killed` leaves files as no agent has tidied them."""
    agent = watch.start_agent()
    wait_for("the request", lambda: watch.conductor.waiting)
    if killed:
        agent.kill()
        agent.wait()
    (request,) = asked(watch)
    watch.ask("approvals", "approve", request, "--as", PERSON, "--reason", SECRET)
    watch.conductor.patient, watch.conductor.lasts = False, LASTS  # nobody says more; what is asked anew runs out
    assert (watch.run_agent() if killed else agent.wait(RUN_TIMEOUT_S)) == 0, watch.said()


def files_with(folder: Path, text: str) -> list[str]:
    found = []
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.is_symlink() and text.encode() in file.read_bytes():
            found.append(str(file.relative_to(folder)))
    return found


def record_of_the_answer(watch: Watch) -> int:
    """Not asked for by its text: what was asked for is on the record of the read, too."""
    records = watch.ask("audit", "query", "--kind", "approval")["records"]
    return next(int(each["index"]) for each in records if each["payload"].get("reason") == SECRET)


@pytest.mark.parametrize("killed", [True, False])
def test_a_reason_is_in_no_file_after_its_redaction(tmp_path: Path, killed: bool) -> None:
    watch = Watch(tmp_path, INCIDENT, ASKS_FOR_REPAIRS)
    lived_through(watch, killed=killed)
    index = record_of_the_answer(watch)
    before = watch.ask("approvals", "list", "--all")["approvals"]
    assert "watchkeeper.db" in files_with(tmp_path, SECRET)
    told = watch.ask("audit", "redact", str(index), "--place", "/payload/reason", "--reason", "ticket 4711", "--yes")
    assert told["erased"] == [{"index": index, "places": ["/payload/reason"]}]
    assert files_with(tmp_path, SECRET) == [], told
    assert watch.fsck() == 0
    after = watch.ask("approvals", "list", "--all")["approvals"]
    assert [each["id"] for each in after] == [each["id"] for each in before], "what was asked for is still listed"
    watch.close()


def test_lines_that_systems_wrote_are_in_no_file_after_their_redaction(tmp_path: Path) -> None:
    """The kernel's line stands in the incident, the diagnosis and the proposal, and stood in inbox and thread."""
    watch = Watch(tmp_path, INCIDENT, ASKS_FOR_REPAIRS)
    lived_through(watch, killed=True)
    with Log.open(watch.database) as log:
        line = next(
            part.text for record in log.query(kind="incident") for part in log.parts(record.index) if "Xid" in part.text
        )
        holding = [record.index for record in log.query() if any(line in part.text for part in log.parts(record.index))]
    assert len(holding) > 1 and "watchkeeper.db" in files_with(tmp_path, line)
    for index in holding:
        watch.ask("audit", "redact", str(index), "--reason", "ticket 4711", "--yes")
    assert files_with(tmp_path, line) == []
    assert watch.fsck() == 0
    assert watch.ask("incidents", "list")["incidents"], "the incident is still known"
    watch.close()


def test_with_the_log_in_postgresql_the_server_forgets_when_its_owner_has_it_rewrite_the_table(
    tmp_path: Path, server: Postgresql
) -> None:
    server.sql(f"GRANT CREATE, USAGE ON SCHEMA public TO {OWNER}", database="audit")
    migrate(make_url(server.url(OWNER)), writers=(WRITER,), readers=(READER,), redactors=(REDACTOR,))
    watch = Watch(tmp_path, INCIDENT, ASKS_FOR_REPAIRS, server.url(WRITER))
    lived_through(watch, killed=True)
    index = record_of_the_answer(watch)
    data = server.data / "base"
    server.sql("CHECKPOINT")
    assert files_with(data, SECRET) and files_with(tmp_path, SECRET)
    desk = tmp_path / "privacy"
    desk.mkdir()
    (desk / "watchkeeper.yaml").write_text(yaml.safe_dump({"log": server.url(REDACTOR)}), encoding="utf-8")
    told = asked_at(
        desk, "audit", "redact", str(index), "--place", "/payload/reason", "--reason", "ticket 4711", "--yes"
    )
    assert "redact-copies" in told["copies"], "the agent is somewhere else"
    watch.ask("audit", "redact-copies")
    assert files_with(tmp_path, SECRET) == []
    assert files_with(data, SECRET), "a dead row is still a row"
    assert "ERROR" not in server.sql("VACUUM FULL log_parts", OWNER, "audit")
    server.sql("CHECKPOINT")
    assert files_with(data, SECRET) == []
    assert watch.fsck() == 0
    watch.close()


def asked_at(folder: Path, *words: str) -> Any:
    done = subprocess.run([WATCHKEEPER, *words, "--json"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)
