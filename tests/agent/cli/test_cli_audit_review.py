"""What a reviewer does at the command line: find, read on the record, report, hand over, erase, let old records go."""

import csv
import io
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.adapters.ledger import AuditLedger
from agent.adapters.store import Store
from agent.cli import audit, incidents
from agent.domain.incident import IncidentState
from audit.fsck import fsck
from audit.log import Log
from audit.record import leaf_hash

NODE = {"apiVersion": "v1", "kind": "Node", "name": "gpu-3"}


def call(*arguments: str) -> Any:
    return CliRunner().invoke(audit.app, list(arguments))


def answered(site: Any, by: str = "alice", reason: str = "tenant agreed") -> int:
    """An answer as the desk records it; its index."""
    payload = {
        "request": "apr-12345678", "incident": "inc-1", "proposal": "inc-1/1", "action": "cordon_node", "counted": True,
        "target": NODE, "tenant": "research", "by": by, "door": "cli", "reason": reason, "decision": "approve",
        "digest": "d", "at": datetime.now(UTC).isoformat(), "groups": [],
    }  # fmt: skip
    site.ledger.record("approval", payload, attributes={"approver": by})
    return int(site.log.size()) - 1


def closed(site: Any) -> None:
    row = site.store.incidents.row("inc-1")
    site.store.incidents.save(row.incident, IncidentState.RESOLVED)


# --- finding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--approver", "alice"], [4]),
        (["--approver", "bob"], []),
        (["--text", "fell off"], [0, 1]),
        (["--text", "AGREED", "--text", "tenant"], [4]),
        (["--text", "agreed", "--text", "nobody"], []),
        (["--kind", "proposal", "--kind", "verdict"], [1, 2, 5]),
        (["--policy", "94"], [5]),
        (["--policy", "95"], []),
        (["--decision", "allow", "--action", "cordon_node"], [5]),
        (["--actor", "watchkeeper", "--tenant", "research"], [1, 4]),
    ],
)
def test_records_are_found_by_what_a_reviewer_knows(site: Any, arguments: list[str], found: list[int]) -> None:
    answered(site)
    verdict = {"verdict": {"decision": "allow", "policy_digest": "94af", "reasons": []}, "input": {}}
    site.ledger.record("verdict", verdict, attributes={"decision": "allow", "action": "cordon_node"})
    told = json.loads(call("query", *arguments, "--json").stdout)["records"]
    assert [record["index"] for record in told] == found


def test_a_query_is_given_as_lines_and_as_a_table_for_a_spreadsheet(site: Any) -> None:
    answered(site)
    lines = call("query", "--incident", "inc-1", "--format", "ndjson").stdout.splitlines()
    assert [json.loads(line)["kind"] for line in lines][-1] == "approval" and len(lines) == 5
    rows = list(csv.DictReader(io.StringIO(call("query", "--approver", "alice", "--format", "csv").stdout)))
    assert [(row["index"], row["approver"], row["target"]) for row in rows] == [("4", "alice", "Node/gpu-3")]
    site.ledger.record("notice", {"message": "x", "audience": "oncall", "target": NODE}, attributes={"tenant": "=1+1"})
    (row,) = csv.DictReader(io.StringIO(call("query", "--kind", "notice", "--format", "csv").stdout))
    assert row["tenant"] == "'=1+1", "a spreadsheet does not execute what a stranger wrote"
    for arguments in (["--incident", "inc-1"], ["--text", "tenant"]):
        assert max(map(len, call("query", *arguments).stdout.splitlines())) <= 80


# --- reading is on the record -----------------------------------------------------------------------------------------


def test_whoever_reads_is_on_the_record(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.cli.house.login_of", lambda uid: "erin")
    call("query", "--incident", "inc-1", "--text", "XID")
    call("show", "1")
    call("timeline", "inc-1")
    CliRunner().invoke(incidents.app, ["show", "inc-1"])
    records = list(site.log.query(kind="log_read"))
    reads = [record.payload for record in records]
    assert [(read["by"], read["door"], read["count"]) for read in reads] == [
        ("erin", "audit query", 2), ("erin", "audit show", 1), ("erin", "audit timeline", 4),
        ("erin", "incidents show", 4),
    ]  # fmt: skip
    asked = reads[0]["asked"]
    assert (asked["incident"], asked["words"], reads[0]["first"], reads[0]["last"]) == ("inc-1", "['XID']", 0, 1)
    assert {record.actor for record in records} == {"cli/erin"}
    assert len(list(site.log.query(incident="inc-1"))) == 4, "who reads about an incident is no part of its story"
    assert "erin read 2 records by audit query" in " ".join(call("query", "--kind", "log_read").stdout.split())


def test_a_check_of_the_agents_own_log_is_on_the_record_and_one_of_a_copy_changes_nothing(
    site: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("agent.cli.house.login_of", lambda uid: "erin")
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(site.path)) as ours, closing(sqlite3.connect(copy)) as theirs:
        ours.backup(theirs)
    before = copy.read_bytes()
    copy.chmod(0o400)
    assert call("fsck", "--db", str(copy)).exit_code == 0
    assert copy.read_bytes() == before
    assert not list(site.log.query(kind="log_read"))
    size = site.log.size()
    told = call("fsck", "--size", "2", "--root", site.log.root(2).hex())
    assert told.exit_code == 0 and "no record" not in told.stderr, told.stderr
    (record,) = site.log.query(kind="log_read")
    said = record.payload
    assert (said["by"], said["door"], said["count"], said["asked"]["size"]) == ("erin", "audit fsck", size, "2")
    assert fsck(site.path).ok


def test_a_check_leaves_a_file_of_an_earlier_version_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening it to write would bring it up to date, which is the agent's to do."""
    monkeypatch.chdir(tmp_path)
    old = tmp_path / "watchkeeper.db"
    statements = Path(__file__).parents[2] / "audit" / "version_1" / "log.sql"
    with closing(sqlite3.connect(old)) as database:
        database.executescript(statements.read_text(encoding="utf-8"))
    before = old.read_bytes()
    told = call("fsck")
    assert told.exit_code == 0 and "left as it is" in told.stderr and old.read_bytes() == before


def test_a_check_goes_on_where_it_cannot_be_recorded(site: Any) -> None:
    with closing(sqlite3.connect(site.path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        held = call("fsck")
        holder.execute("DROP TRIGGER log_records_update")
        holder.execute("UPDATE log_records SET actor = 'mallory' WHERE \"index\" = 1")
        holder.commit()
    assert held.exit_code == 0 and "on no record" in held.stderr
    before = site.log.size()
    bad = call("fsck")
    assert bad.exit_code == 1 and "left as it is" in bad.stderr and site.log.size() == before


def test_a_log_that_cannot_be_written_is_read_and_that_is_said(site: Any) -> None:
    with closing(sqlite3.connect(site.path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        told = call("query", "--kind", "incident")
        holder.rollback()
    assert told.exit_code == 0 and "This read is on no record" in told.stderr and "Incident opened" in told.stdout


def test_a_file_that_nobody_may_write_is_read_and_left_as_it_is(site: Any, tmp_path: Path) -> None:
    folder = tmp_path / "medium"
    folder.mkdir()
    copy = folder / "copy.db"
    with closing(sqlite3.connect(site.path)) as ours, closing(sqlite3.connect(copy)) as theirs:
        ours.backup(theirs)
    with closing(sqlite3.connect(copy)) as theirs:
        assert theirs.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
    before = copy.read_bytes()
    copy.chmod(0o444)
    call("checkpoint", "--key", "log.key", "--new-key", "example.com/lab", "--into", "k")
    for arguments in (["query"], ["show", "1"], ["timeline", "inc-1"], ["export", "--key", "log.key", "--into", "out"]):
        told = call(*arguments, "--db", str(copy))
        assert told.exit_code == 0 and "This read is on no record" in told.stderr, told.stderr
    assert copy.read_bytes() == before and [file.name for file in folder.iterdir()] == ["copy.db"]
    refused = call("redact", "1", "--reason", "x", "--yes", "--db", str(copy))
    assert refused.exit_code != 0 and copy.read_bytes() == before


# --- erasing ----------------------------------------------------------------------------------------------------------


def test_a_record_of_a_closed_incident_is_redacted_with_a_reason(site: Any) -> None:
    index = answered(site)
    closed(site)
    asked = ["redact", str(index), "--reason", "ticket 4711"]
    assert "Nothing was erased. Add --yes" in call(*asked).stdout and site.log.get(index).payload["by"] == "alice"
    told = call(*asked, "--place", "/payload/reason", "--yes")
    assert told.exit_code == 0 and "record 4: /payload/reason" in told.stdout, told.stderr
    assert (site.log.get(index).payload["reason"], site.log.get(index).payload["by"]) == (None, "alice")
    page = call("show", str(index)).stdout
    assert "/payload/reason was erased" in page and "alice approved by cli: (redacted)." in page
    checked = call("fsck")
    assert checked.exit_code == 0 and "redacted: record 4: /payload/reason" in checked.stdout
    assert "Erased /payload/reason of record 4: ticket 4711." in " ".join(call("timeline", "inc-1").stdout.split())


def test_a_person_is_erased_wherever_the_name_is_sealed(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.cli.house.login_of", lambda uid: "alice")
    mine, others = answered(site), answered(site, by="bob")
    call("query", "--approver", "alice")
    monkeypatch.setattr("agent.cli.house.login_of", lambda uid: "carol")
    closed(site)
    told = call("redact", "--person", "alice", "--reason", "ticket 4711", "--yes", "--json")
    assert told.exit_code == 0, told.stderr
    erased = {entry["index"]: entry["places"] for entry in json.loads(told.stdout)["erased"]}
    assert erased[mine] == ["/attributes/approver", "/payload/by"] and others not in erased
    read = next(record.index for record in site.log.query(kind="log_read"))
    assert erased[read] == ["/actor", "/payload/asked/approver", "/payload/by"]
    assert not list(site.log.query(words=["alice"])) and not list(site.log.query(approver="alice"))
    assert fsck(site.path).ok


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        (["redact", "4", "--yes"], 2, "An erasure needs a reason"),
        (["redact", "--reason", "x", "--yes"], 2, "Say which record"),
        (["redact", "--person", "alice", "--reason", "alice asked", "--yes"], 2, "The reason names the person"),
        (["redact", "4", "--reason", "x", "--yes"], 4, "Record 4 is about inc-1, which is open"),
        (["redact", "99", "--reason", "x", "--yes"], 1, "There is no record 99"),
        (["retain", "--days", "182", "--yes"], 4, "182 days is less than the 183"),
    ],
)
def test_what_may_not_go_stays(site: Any, arguments: list[str], status: int, why: str) -> None:
    answered(site)
    size = site.log.size()
    told = call(*arguments)
    assert (told.exit_code, why in told.stderr) == (status, True), told.stderr
    assert site.log.size() - len(list(site.log.query(kind="log_read"))) == size


class LongAgo:
    def now(self) -> datetime:
        return datetime.now(UTC) - timedelta(days=500)


def test_old_records_are_dropped_by_the_settings_retention(site: Any) -> None:
    assert "0 records are older than 400 days." in call("retain").stdout
    path = site.path.with_name("old.db")
    with Log.open(path, durability="memory") as log:
        ledger = AuditLedger(log, LongAgo(), "watchkeeper", seal=True)
        Store.open(path, clock=LongAgo(), ledger=ledger, durability="memory").close()
        for number in range(3):
            ledger.record("notice", {"message": f"n{number}"})
    db = ["--db", str(path)]
    assert "3 records are older than 400 days. Add --yes" in call("retain", *db).stdout
    assert call("retain", *db, "--yes").stdout.startswith("Dropped 3 records, 0 to 2; record 3 says so.")
    checked = call("fsck", *db)
    assert checked.exit_code == 0 and "records 0 to 2 were dropped" in " ".join(checked.stdout.split())
    gone = call("show", "1", *db)
    assert gone.exit_code == 1 and "dropped by retention" in gone.stderr


# --- handing over -----------------------------------------------------------------------------------------------------


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


# --- what is not as it was appended -----------------------------------------------------------------------------------


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


# --- months, pages, searches ------------------------------------------------------------------------------------------


def test_a_month_that_has_not_been_and_one_that_is_not_over(site: Any) -> None:
    for month in ("9999-12", "9998-01", (datetime.now(UTC) + timedelta(days=40)).strftime("%Y-%m")):
        told = call("report", "--month", month, "--into", "x")
        assert told.exit_code == 2 and f"{month} has not been yet" in told.stderr and not Path("x").exists()
    told = call("report", "--month", datetime.now(UTC).strftime("%Y-%m"), "--into", "now")
    assert "The month is not over" in told.stdout
    assert "Unfinished" in Path("now/report.html").read_text("utf-8")
    assert call("report", "--month", "2020-01", "--into", "then").exit_code == 0
    assert "Unfinished" not in Path("then/report.html").read_text("utf-8")


def test_pages_have_an_end_though_each_is_a_record_of_its_own(site: Any) -> None:
    following: dict[str, int] | None = {"after": -1, "before": site.log.size()}
    seen: list[int] = []
    while following:
        pages = [str(each) for name, value in following.items() for each in (f"--{name}", value)]
        told = json.loads(call("query", "--limit", "1", *pages, "--json").stdout)
        seen += [record["index"] for record in told["records"]]
        assert told["more"] == (told["next"] is not None)
        following = told["next"]
    assert seen == [0, 1, 2, 3]
    assert "More: --after 0 --before" in call("query", "--limit", "1", "--after", "-1").stderr


def test_the_newest_say_what_asks_for_those_before_them(site: Any) -> None:
    size, following, seen = site.log.size(), {"before": site.log.size()}, []
    while following:
        told = json.loads(call("query", "--limit", "3", "--before", str(following["before"]), "--json").stdout)
        seen = [record["index"] for record in told["records"]] + seen
        assert told["more"] == (told["next"] is not None)
        following = told["next"]
    assert seen == list(range(size))
    assert "More: --before" in call("query", "--limit", "1").stderr
    assert json.loads(call("query", "--limit", "999", "--json").stdout)["more"] is False


@pytest.mark.parametrize(
    "command",
    [["query"], ["query", "--after", "0"], ["timeline", "inc-1"], ["export", "--format", "ocsf", "--into", "x"]],
)
def test_a_record_that_was_changed_with_its_leaf_is_not_shown(site: Any, command: list[str]) -> None:
    answered(site)
    with closing(sqlite3.connect(site.path)) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        (body,) = database.execute('SELECT body FROM log_records WHERE "index" = 1').fetchone()
        other = body.replace(b"gpu-3", b"gpu-4")
        database.execute('UPDATE log_records SET body = ?, leaf = ? WHERE "index" = 1', (other, leaf_hash(other)))
        database.commit()
    done = call(*command)
    assert done.exit_code == 1 and "does not lead to the root of the log" in done.stderr, done.output
    assert not Path("x").exists()


def test_looking_for_a_person_to_erase_is_on_the_record(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(site)
    closed(site)
    monkeypatch.setattr("agent.cli.house.login_of", lambda uid: "erin")
    assert "record 4" in call("redact", "--person", "alice", "--reason", "ticket 4711").stdout
    assert "record 4" in call("redact", "4", "--reason", "ticket 4711").stdout
    reads = [record.payload for record in site.log.query(kind="log_read")]
    assert [(read["by"], read["door"], read["asked"].get("person")) for read in reads] == [
        ("erin", "audit redact", "alice"), ("erin", "audit redact", None),
    ]  # fmt: skip
    assert call("redact", "--person", "alice", "--reason", "ticket 4711", "--yes").exit_code == 0
    assert not list(site.log.query(words=["alice"])), "nor is the name in the record of the search"
