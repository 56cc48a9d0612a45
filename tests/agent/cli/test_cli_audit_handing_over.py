"""What a reviewer hands over at the command line: events for other systems, a month's report."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from reviewing import NODE, answered, call


def test_events_for_other_systems(site: Any) -> None:
    answered(site)
    outcome = {
        "action": "cordon_node", "proposal": "inc-1/1", "incident": "inc-1", "step": 0, "outcome": "succeeded",
        "target": NODE, "detail": "", "final": True, "undo": False,
    }  # fmt: skip
    site.ledger.record("outcome", outcome)
    assert call("export", "--format", "cloudevents", "--into", "ce", "--incident", "inc-1").exit_code == 0
    events = [json.loads(line) for line in Path("ce/cloudevents.ndjson").read_text("utf-8").splitlines()]
    assert [event["id"] for event in events] == ["0", "1", "2", "3", "4", "5"]
    assert call("export", "--format", "cloudevents", "--into", "held", "--withhold").exit_code == 0
    assert "alice" in Path("ce/cloudevents.ndjson").read_text("utf-8")
    assert "alice" not in Path("held/cloudevents.ndjson").read_text("utf-8")
    assert call("export", "--format", "ocsf", "--into", "ocsf").exit_code == 0
    (event,) = map(json.loads, Path("ocsf/ocsf.ndjson").read_text("utf-8").splitlines())
    assert (event["class_uid"], event["activity_name"], event["status"]) == (7001, "Isolate", "Success")
    unsigned = call("export", "--into", "proved")
    assert unsigned.exit_code == 2 and "Name the log's key" in unsigned.stderr
    assert [r.payload["door"] for r in site.log.query(kind="log_read")] == ["audit export"] * 3


def test_a_months_report_is_a_page_and_its_tables(site: Any) -> None:
    answered(site, by="<b>mallory</b>")
    month = datetime.now(UTC).strftime("%Y-%m")
    made = call("checkpoint", "--key", "log.key", "--new-key", "example.com/lab", "--into", "k", "--json")
    (file,) = Path("k").iterdir()
    anchor = ["--checkpoint", str(file), "--key", json.loads(made.stdout)["key"]]
    told = call("report", "--month", month, "--into", "report", *anchor)
    assert told.exit_code == 0, told.stderr
    page = Path("report/report.html").read_text("utf-8")
    assert "example.com/lab" in page and "&lt;b&gt;mallory&lt;/b&gt;" in page and "<b>mallory" not in page
    assert "intact" in page and "NOT INTACT" not in page and "support record-keeping" in page
    assert sorted(path.name for path in Path("report").iterdir()) == [
        "actions.csv", "approvals.csv", "break_glass.csv", "decisions.csv", "exceptions.csv", "failures.csv",
        "reads.csv", "report.html",
    ]  # fmt: skip
    again = call("report", "--month", month, "--into", "report")
    assert again.exit_code == 1 and "report is there already" in again.stderr
    assert call("report", "--month", "2026-13", "--into", "x").exit_code == 2


def test_a_report_of_a_log_that_was_changed_says_so(site: Any) -> None:
    with closing(sqlite3.connect(site.path, isolation_level=None)) as database:
        database.execute("DROP TRIGGER log_records_update")
        database.execute("UPDATE log_records SET actor = 'somebody' WHERE \"index\" = 2")
    told = call("report", "--month", datetime.now(UTC).strftime("%Y-%m"), "--into", "report")
    assert told.exit_code == 1 and "NOT INTACT" in told.stdout
    assert "actor is &#39;somebody&#39;" in Path("report/report.html").read_text("utf-8")


def test_a_month_that_has_not_been_and_one_that_is_not_over(site: Any) -> None:
    for month in ("9999-12", "9998-01", (datetime.now(UTC) + timedelta(days=40)).strftime("%Y-%m")):
        told = call("report", "--month", month, "--into", "x")
        assert told.exit_code == 2 and f"{month} has not been yet" in told.stderr and not Path("x").exists()
    told = call("report", "--month", datetime.now(UTC).strftime("%Y-%m"), "--into", "now")
    assert "The month is not over" in told.stdout
    assert "Unfinished" in Path("now/report.html").read_text("utf-8")
    assert call("report", "--month", "2020-01", "--into", "then").exit_code == 0
    assert "Unfinished" not in Path("then/report.html").read_text("utf-8")
