"""A month of the log as tables and a page: who did what by whose leave, what failed, and what cannot be said."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.compliance.evidence import Evidence, evidence, figures
from agent.compliance.report import Anchor, Integrity, csv_files, html
from audit.log import Log
from audit.redaction import redact

MONTH = datetime(2026, 10, 1, tzinfo=UTC)
END = datetime(2026, 11, 1, tzinfo=UTC)
NODE = {"apiVersion": "v1", "kind": "Node", "name": "gpu-3"}
HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log.open(tmp_path / "log.db", durability="memory") as opened:
        yield opened


class Day:
    """Records of one day in October, a minute apart."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.at = MONTH + timedelta(days=4, hours=9)

    def record(self, kind: str, payload: dict[str, Any], minutes: float = 1, sealed: tuple[str, ...] = ()) -> int:
        self.at += timedelta(minutes=minutes)
        attributes = {name: payload[name] for name in ("incident", "tenant") if payload.get(name)}
        actor = "watchkeeper"
        return self.log.append(
            kind, actor=actor, at=self.at, attributes=attributes, payload=payload, sealed=sealed
        ).index

    def step(self, proposal: str = "inc-1/0", **more: Any) -> dict[str, Any]:
        base = {"proposal": proposal, "incident": "inc-1", "action": "drain_node", "target": NODE, "step": 0}
        return base | {"undo": False, "tenant": "research"} | more

    def acts(self, outcome: str = "succeeded", proposal: str = "inc-1/0", detail: str = "") -> int:
        self.record("intent", self.step(proposal))
        return self.record("outcome", self.step(proposal, outcome=outcome, detail=detail, final=True))

    def asks(self, request: str = "apr-1", proposal: str = "inc-1/0") -> None:
        asked = self.step(proposal, request=request, requested_at=(self.at + timedelta(minutes=1)).isoformat())
        needs = {"groups": [{"name": "gpu-oncall", "count": 1}]}
        self.record("approval_requested", asked | {"expires_at": "2026-10-05T20:00:00Z", "requirement": needs})

    def answers(self, by: str, minutes: float, decision: str = "approve", **more: Any) -> int:
        said = {"request": "apr-1", "by": by, "decision": decision, "counted": True, "door": "cli", "reason": HOSTILE}
        at = (self.at + timedelta(minutes=minutes)).isoformat()
        return self.record("approval", self.step() | said | {"at": at} | more, minutes, sealed=("/payload/by",))

    def evidence(self) -> Evidence:
        return evidence(self.log.query(), MONTH, END)


@pytest.fixture
def day(log: Log) -> Day:
    return Day(log)


def test_every_step_says_by_whose_leave(day: Day) -> None:
    alone = day.acts(proposal="inc-2/0")
    day.asks()
    day.answers("alice", 7.5)
    day.answers("bob", 2)
    asked = day.acts()
    made = day.evidence()
    assert [(row[0], row[3], row[6], row[7]) for row in made.tables["actions"]] == [
        (alone, "drain_node", "policy alone", "succeeded"),
        (asked, "drain_node", "alice, bob", "succeeded"),
    ]


def test_who_approved_what_and_how_fast(day: Day) -> None:
    day.asks()
    day.answers("alice", 7.5)
    day.answers("bob", 22.5, "reject")
    day.record("approval", day.step(request="apr-1", decision="expired", counted=True, at=day.at.isoformat()))
    made = day.evidence()
    told = [(row[2], row[3], row[6], row[7], row[8], row[9]) for row in made.tables["approvals"]]
    assert told == [
        ("drain_node", "Node/gpu-3", 7.5, "alice", "approve", "cli"),
        ("drain_node", "Node/gpu-3", 30.0, "bob", "reject", "cli"),
        ("drain_node", "Node/gpu-3", 30.0, "", "expired", ""),
    ]
    shown = dict(figures(made))
    assert shown["minutes until an answer"] == "18.8 in the middle, 30.0 at most"
    assert (shown["answers by people"], shown["requests that nobody answered in time"]) == ("1 approved, 1 rejected", 1)


def test_decisions_are_counted_by_policy(day: Day) -> None:
    for digest, phase, decision in (
        ("a" * 64, "propose", "allow"),
        ("a" * 64, "execute", "allow"),
        ("b" * 64, "propose", "deny"),
    ):
        verdict = {"decision": decision, "policy_digest": digest, "reasons": []}
        for _ in range(2):
            day.record("verdict", {"verdict": verdict, "input": {"phase": phase}})
    assert day.evidence().tables["decisions"] == [
        ("a" * 12, "execute", "allow", 2),
        ("a" * 12, "propose", "allow", 2),
        ("b" * 12, "propose", "deny", 2),
    ]


def test_what_failed_and_what_was_never_finished(day: Day) -> None:
    failed = day.acts("failed", detail="409 from the API server")
    undone = day.acts("undo_failed", "inc-1/1")
    day.record("intent", day.step("inc-1/2"))
    lost = day.log.size() - 1
    unhelpful = day.record(
        "verification", {"proposal": "inc-1/0", "helped": False, "statement": "still hot", "incident": "inc-1"}
    )
    day.record("outcome", day.step(outcome="failed", history=True))
    made = day.evidence()
    assert [row[0] for row in made.tables["failures"]] == [failed, undone, lost, unhelpful]
    told = " ".join(str(row[3]) for row in made.tables["failures"])
    assert "409 from the API server" in told and "An intent without an outcome." in told and "still hot" in told


def test_exceptions_break_glass_and_reads_have_tables_of_their_own(day: Day) -> None:
    strange = day.record("refused", {"door": "alertmanager", "place": "/alerts/0", "reason": "no labels"})
    day.asks()
    uncounted = day.answers("mallory", 1, counted=False, code="not_in_group")
    opened = day.record("break_glass", {"by": "carol", "reason": "ticket 1"})
    unknown = day.record("policy_loaded", {"other": "form"})
    for count in (3, 4):
        day.record("log_read", {"by": "erin", "door": "audit query", "count": count, "asked": {}})
    made = day.evidence()
    assert [row[0] for row in made.tables["exceptions"]] == [strange, uncounted, unknown]
    assert [row[0] for row in made.tables["break_glass"]] == [opened]
    assert made.tables["reads"] == [("erin", "audit query", 2, 7)]
    assert made.tables["approvals"][0][7] == "mallory" and not made.minutes


def test_hours_without_a_heartbeat_are_told_and_the_others_are_proved(log: Log) -> None:
    beats = [MONTH + timedelta(hours=hour, seconds=30) for hour in range(31 * 24) if hour not in range(100, 105)]
    for at in beats:
        log.append("heartbeat", actor="watchkeeper", at=at)
    (gap,) = evidence(log.query(), MONTH, END).gaps
    assert (gap.after, gap.hours, gap.since) == (99, 6, MONTH + timedelta(hours=99, seconds=30))
    (whole,) = evidence([], MONTH, END).gaps
    assert (whole.hours, whole.after) == (31 * 24, None)


def test_what_was_redacted_is_shown_as_that(day: Day) -> None:
    day.asks()
    index = day.answers("alice", 1)
    redact(day.log, index, actor="carol", reason="ticket 4711", at=day.at)
    made = day.evidence()
    assert made.tables["approvals"][0][7] == "(redacted)"
    assert "Erased /payload/by of record" in str(made.tables["exceptions"][0][2])


# --- the page ---------------------------------------------------------------------------------------------------------


def page(made: Evidence, *, anchors: tuple[Anchor, ...] = (), intact: bool = True) -> str:
    integrity = Integrity(12, "ab" * 32, intact, () if intact else ("record 3: changed",), 0, 1, anchors)
    return html("2026-10", "lab", END, made, integrity)


def test_the_page_says_what_it_supports_and_never_that_anybody_complies(day: Day) -> None:
    day.acts()
    told = page(day.evidence())
    assert "support record-keeping under the EU AI Act" in told
    assert "Articles 12 and 19" in told and "SOC 2 CC8.1" in told and "ISO/IEC 27001:2022 A.8.15" in told
    assert "complian" not in told.lower() and "complies" not in told.lower()


def test_the_page_states_the_root_the_anchors_and_what_is_broken(day: Day) -> None:
    anchors = (Anchor("example.com/lab", 9, "cd" * 32, "example.com/lab", holds=True),)
    told = page(day.evidence(), anchors=anchors)
    assert "ab" * 32 in told and "cd" * 32 in told and ">yes<" in told and "No anchor was given" not in told
    broken = page(day.evidence(), anchors=(Anchor("lab", 9, "cd" * 32, "lab", holds=False),), intact=False)
    assert "NOT INTACT" in broken and "record 3: changed" in broken and ">NO<" in broken
    assert "No anchor was given" in page(day.evidence())


def test_what_strangers_wrote_is_escaped_and_runs_in_no_spreadsheet(day: Day) -> None:
    day.acts("failed", detail=HOSTILE)
    day.record("notification_failed", {"audience": HOSTILE, "reason": "x"})
    day.record("log_read", {"by": "=cmd()", "door": "audit query", "count": 1, "asked": {}})
    made = day.evidence()
    told = page(made)
    assert "<script>" not in told and "&lt;script&gt;" in told
    rows = list(csv.DictReader(io.StringIO(csv_files(made)["reads.csv"])))
    assert rows == [{"who": "'=cmd()", "door": "audit query", "reads": "1", "records seen": "1"}]
    assert all(text.endswith("\r\n") for text in csv_files(made).values())


def test_a_month_without_records_is_a_page_too(log: Log) -> None:
    told = page(evidence(log.query(), MONTH, END))
    assert "no records of the log" in " ".join(told.split()) and told.count("<p>None.</p>") == 7


def test_the_same_month_is_the_same_page_byte_for_byte(day: Day) -> None:
    day.acts()
    assert page(day.evidence()) == page(day.evidence())
