"""What a reviewer finds and reads at the command line, and that reading is on the record."""

import csv
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from reviewing import NODE, answered, call
from typer.testing import CliRunner

from agent.cli import incidents
from audit.fsck import fsck

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
