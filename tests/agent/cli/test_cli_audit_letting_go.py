"""What a reviewer erases and lets go at the command line, and what may not go."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from reviewing import answered, call, closed

from agent.adapters.ledger import AuditLedger
from agent.adapters.store import Store
from audit.fsck import fsck
from audit.log import Log


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
