"""Records that were dropped too early: what a forged record of retention has to say, and what gives it away."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tampering import NOON

from audit.bundle import check, main
from audit.bundle_finding import Finding
from audit.errors import LogDamaged
from audit.export import ExportRefused, export
from audit.fsck import fsck
from audit.log import Log
from audit.notes import SignatureType
from audit.record import timestamp
from audit.retention import retain
from audit.signing import new_key
from audit.verdict import Verdict

NOW = NOON + timedelta(days=300)
GOOD: dict[str, Any] = {
    "first_dropped": 0, "first_kept": 4, "days": 183, "before": timestamp(NOW - timedelta(days=183)), "reason": "",
}  # fmt: skip


def forged(log: Log, path: Path, payload: dict[str, Any], told: str = "4", days_old: int = 20) -> Verdict:
    """Ten records so many days old, of which four are let go by somebody who writes such a record."""
    for _ in range(10):
        log.append("intent", actor="agent", at=NOW - timedelta(days=days_old))
    log.append("retention", actor="cli/mallory", at=NOW, attributes={"first_kept": told}, payload=payload)
    with log.store.writing() as transaction:
        transaction.drop(4)
    return fsck(path)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"days": 1}, "1 days, and a log is kept for 183 at least"),
        ({"days": 182, "before": timestamp(NOW - timedelta(days=182))}, "182 days"),
        ({"days": True}, "True days"),
        ({"days": 400}, "is not 400 days before"),
        ({"days": 10**12}, "retention as it has to be"),
        ({"before": timestamp(NOW - timedelta(days=1))}, "is not 183 days before"),
        ({"before": "once"}, "'once' is no moment"),
        ({"first_kept": 3}, "not told the same twice"),
        ({"first_dropped": 4}, "it drops the records 4 to 4"),
    ],
)
def test_a_record_of_retention_that_retention_would_not_write(
    log: Log, path: Path, wrong: dict[str, Any], why: str
) -> None:
    verdict = forged(log, path, GOOD | wrong)
    assert [(each.code, each.index) for each in verdict.completeness.problems] == [
        ("retention_invalid", 10), ("dropped_unsaid", 0),
    ] or [(each.code, each.index) for each in verdict.completeness.problems] == [
        ("dropped_unsaid", 0), ("retention_invalid", 10),
    ]  # fmt: skip
    assert why in "\n".join(verdict.lines())
    assert "as a record says" not in "\n".join(verdict.lines())


def test_one_that_says_nothing(log: Log, path: Path) -> None:
    assert "'first_kept' is missing [retention_invalid]" in "\n".join(forged(log, path, {}).lines())


@pytest.mark.parametrize("told", ["1000", "9" * 19])
def test_one_that_lets_go_what_comes_after_it(log: Log, path: Path, told: str) -> None:
    verdict = forged(log, path, GOOD | {"first_kept": 1000}, told)
    assert "retention_invalid" in [each.code for each in verdict.completeness.problems]


def test_one_whose_cut_is_behind_what_it_keeps(log: Log, path: Path) -> None:
    verdict = forged(log, path, GOOD, days_old=200)
    assert [(each.code, each.index) for each in verdict.completeness.problems] == [("retention_invalid", 10)]


def test_one_that_is_as_it_has_to_be_drops_what_its_neighbours_do_not_show_to_be_old(log: Log, path: Path) -> None:
    """No proof: an agent that stood still for so long leaves the same log. A person has to judge."""
    verdict = forged(log, path, GOOD)
    assert verdict.ok
    assert [(each.code, each.index) for each in verdict.warnings.problems] == [("retention_unproven", 10)]


def test_a_log_that_was_written_all_the_time_shows_that_what_went_was_old(log: Log, path: Path) -> None:
    for hours in range(0, 300 * 24, 12):
        log.append("heartbeat", actor="agent", at=NOON + timedelta(hours=hours))
    assert retain(log, 190, actor="cli/carol", now=NOW) is not None
    verdict = fsck(path)
    assert verdict.ok and verdict.dropped and not verdict.warnings.problems


def test_what_is_unsaid_is_not_told_as_said(log: Log, path: Path) -> None:
    verdict = Verdict("log", dropped=9)
    verdict.completeness.add("dropped_unsaid", 4, "records 4 to 8 were dropped, and no record says so")
    assert "retention: records 0 to 3 were dropped as a record says; their leaves are here" in list(verdict.lines())


# --- and in an export -------------------------------------------------------------------------------------------------


def exported(log: Log, path: Path, *, damaged: bool = False) -> Finding:
    """As its own verifier sees the whole of this log."""
    signer = new_key("example.com/gpu-cluster", SignatureType.ED25519, path.with_name("log.key"))
    told: list[LogDamaged] = []
    export(path.with_name("made"), log, signer, log.size(), damaged=told.append if damaged else None)
    found = check(path.with_name("made"), [str(signer.key)])
    assert [(each.index, each.reason) for each in told] == found.of_the_log
    return found


def test_an_export_tells_of_a_record_of_retention_that_retention_would_not_write(log: Log, path: Path) -> None:
    forged(log, path, GOOD | {"days": 1})
    with pytest.raises(ExportRefused, match=r"dropped, and no record says so|kept for 183 at least"):
        exported(log, path)
    path.with_name("log.key").unlink()
    found = exported(log, path, damaged=True)
    assert not found.ok and [index for index, _ in found.of_the_log] == [0, 10]
    assert "1 days, and a log is kept for 183 at least" in "\n".join(found.problems)


def test_an_export_tells_of_a_cut_behind_what_is_kept(log: Log, path: Path) -> None:
    forged(log, path, GOOD, days_old=200)
    found = exported(log, path, damaged=True)
    assert [index for index, _ in found.of_the_log] == [10] and "its first, is" in found.problems[0]


def test_an_export_warns_where_what_went_may_have_been_too_young(
    log: Log, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forged(log, path, GOOD)
    found = exported(log, path)
    assert found.ok and len(found.warnings) == 1 and found.warnings[0].startswith("record 10: what it dropped may be")
    assert main([], path.with_name("made")) == 0
    assert "warning: record 10: what it dropped may be younger than 183 days" in capsys.readouterr().out
