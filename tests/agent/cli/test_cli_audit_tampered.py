"""What is not as it was appended is neither shown nor handed over by a reviewer's commands, and the rest is."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from reviewing import answered, call
from typer.testing import CliRunner

from agent.cli.main import app
from audit.record import leaf_hash


@pytest.fixture
def tampered(site: Any) -> Any:
    """Record 2 is still a good record to look at, and record 3 is none: neither hashes to its leaf."""
    answered(site)
    with closing(sqlite3.connect(site.path, isolation_level=None)) as database:
        database.execute("DROP TRIGGER log_records_update")
        (body,) = database.execute('SELECT body FROM log_records WHERE "index" = 2').fetchone()
        assert b"escalate" in body
        database.execute('UPDATE log_records SET body = ? WHERE "index" = 2', (body.replace(b"escalate", b"approve!"),))
        database.execute("UPDATE log_records SET body = x'7b' WHERE \"index\" = 3")
    return site


@pytest.mark.parametrize("form", ["table", "json", "ndjson", "csv"])
def test_a_query_never_shows_what_was_changed_and_goes_on(tampered: Any, form: str) -> None:
    told = call("query", "--format", form)
    assert told.exit_code == 1 and "approve!" not in told.stdout
    assert "record 2: what is stored" in told.stderr and "record 3: " in told.stderr
    if form == "json":
        said = json.loads(told.stdout)
        assert ([record["index"] for record in said["records"]], said["damaged"]) == ([0, 1, 4], [2, 3])


@pytest.mark.parametrize("form", ["cloudevents", "ocsf", "proved"])
def test_an_export_never_hands_over_what_was_changed(tampered: Any, form: str) -> None:
    call("checkpoint", "--key", "log.key", "--new-key", "example.com/lab", "--into", "k")
    key = ["--key", "log.key"] if form == "proved" else []
    told = call("export", "--format", form, "--into", "out", *key)
    assert (told.exit_code, Path("out").exists()) == (1, False) and "record 2: " in told.stderr
    told = call("export", "--format", form, "--into", "out", "--damaged", "--json", *key)
    assert told.exit_code == 1 and "record 2: " in told.stderr and json.loads(told.stdout)["damaged"] == [2, 3]
    assert "approve!" not in "".join(file.read_text("utf-8") for file in Path("out").glob("*.ndjson"))
    assert call("export", "--format", form, "--into", "part", "--kind", "approval", *key).exit_code == 0


def test_a_report_goes_on_past_a_record_that_is_none(tampered: Any) -> None:
    told = call("report", "--month", datetime.now(UTC).strftime("%Y-%m"), "--into", "report")
    page = Path("report/report.html").read_text("utf-8")
    assert told.exit_code == 1 and "NOT INTACT" in told.stdout and "NOT INTACT" in page
    assert "record 2: " in page and "record 3: " in page and "alice" in page


@pytest.mark.parametrize(
    "command",
    [
        ["audit", "query"],
        ["audit", "query", "--after", "0"],
        ["audit", "timeline", "inc-1"],
        ["audit", "export", "--format", "ocsf", "--into", "x"],
        ["incidents", "show", "inc-1"],
        ["policy", "replay"],
    ],
    ids=" ".join,
)
def test_a_record_that_was_changed_with_its_leaf_is_not_shown(site: Any, command: list[str]) -> None:
    answered(site)
    with closing(sqlite3.connect(site.path)) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        (body,) = database.execute('SELECT body FROM log_records WHERE "index" = 2').fetchone()
        other = body.replace(b"A person must approve.", b"No one has to approve.")
        assert other != body
        database.execute('UPDATE log_records SET body = ?, leaf = ? WHERE "index" = 2', (other, leaf_hash(other)))
        database.commit()
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1 and "does not lead to the root of the log" in done.stderr, done.output
    assert not Path("x").exists()
