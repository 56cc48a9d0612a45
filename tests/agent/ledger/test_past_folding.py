"""What the agent remembers of its actions without reading its own records back: the same as whoever reads all."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from agent.adapters.ledger import AuditLedger
from agent.domain.cluster import node_ref
from agent.domain.outcome import PastAction
from agent.ports import LedgerUnavailable
from audit.log import Log
from audit.redaction import redact
from tests.agent.ledger.test_audit_ledger import intent, outcome
from tests.tried import tried

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
ALWAYS = datetime.min.replace(tzinfo=UTC)


class Hand:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log.open(tmp_path / "log.db", durability="memory") as opened:
        yield opened


def test_what_this_process_appends_is_not_read_back(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = AuditLedger(log, Hand(), "watchkeeper")
    ledger.record("heartbeat", {"at": "now"})
    ledger.record("intent", intent("inc-1/0"))
    ledger.record("outcome", outcome("inc-1/0"))
    monkeypatch.setattr(Log, "query", lambda *_, **__: pytest.fail("it reads what it wrote itself"))
    assert [a.outcome for a in ledger.past_actions(ALWAYS)] == ["succeeded"]
    assert ledger.standing().breaker_tripped_at is None


def test_what_another_process_appends_between_is_seen_at_once(log: Log) -> None:
    mine, other = AuditLedger(log, Hand(), "watchkeeper"), AuditLedger(log, Hand(), "cli/alice")
    mine.record("intent", intent("inc-1/0"))
    other.record("level_changed", {"change": "frozen", "by": "alice", "reason": "stop"})
    mine.record("outcome", outcome("inc-1/0"))
    assert mine.standing().frozen_at == START
    assert [a.outcome for a in mine.past_actions(ALWAYS)] == ["succeeded"]
    other.record("level_changed", {"change": "thawed", "by": "alice", "reason": "go"})
    assert mine.standing().frozen_at is None


def test_a_record_that_cannot_be_folded_is_durable_and_told_of_when_it_is_read(log: Log) -> None:
    ledger = AuditLedger(log, Hand(), "watchkeeper")
    ledger.record("intent", {"no": "proposal"}, unique_key="k")
    assert ledger.find("k") == {"no": "proposal"}
    with pytest.raises(LedgerUnavailable, match="record 0, intent, is not understood: KeyError"):
        ledger.past_actions(ALWAYS)


NODE = {"apiVersion": "v1", "kind": "Node", "name": "gpu-3"}
MALFORMED = {
    "intent without a target": ("intent", {"proposal": "inc-9/0", "action": "cordon_node"}),
    "intent of no form": ("intent", ["inc-9/0"]),
    "intent on a text": ("intent", intent("inc-9/0", blast_radius="gpu-3")),
    "history of no zone": ("outcome", {"history": True, "action": "x", "target": NODE, "at": "2026-11-01T09:00:00"}),
    "history of no time": ("outcome", {"history": True, "action": "x", "target": NODE, "at": 5}),
    "history before time": (
        "outcome",
        {"history": True, "action": "x", "target": NODE, "at": "0001-01-01T00:00+09:00"},
    ),
    "outcome of many": ("outcome", outcome("inc-1/0") | {"proposal": ["inc-1/0"]}),
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("before", [0, 2])
def test_a_malformed_record_is_named_and_no_look_counts_without_it(log: Log, name: str, before: int) -> None:
    """Nothing is kept of it, so that each later look says the same, and none tells a past that lacks it."""
    kind, payload = MALFORMED[name]
    clock = Hand()
    running, reading = AuditLedger(log, clock, "watchkeeper"), AuditLedger(log, clock, "cli/alice")
    for number in range(before):
        running.record("intent", intent(f"inc-{number}/0"))
    log.append(kind, actor="somebody", at=START, payload=payload)
    running.record("intent", intent("inc-5/0"))
    for ledger in (running, reading, running, reading):
        for look in (lambda each=ledger: each.past_actions(ALWAYS), ledger.standing):
            with pytest.raises(LedgerUnavailable, match=f"record {before}, {kind}, is not understood: "):
                look()
        clock.at += timedelta(minutes=1)


def test_a_granted_level_is_understood_alike_before_and_after_who_granted_it_was_erased(log: Log) -> None:
    running = AuditLedger(log, Hand(), "watchkeeper", seal=True)
    grant = {"action": "cordon_node", "tenant": "", "from": "act_with_approval", "to": "act", "evidence": {"runs": 40}}
    running.record("level_changed", {**grant, "change": "granted", "by": "alice", "reason": "forty went well"})
    redact(log, 0, actor="cli/bob", reason="it was asked for", places=None, at=START)
    (record,) = log.query(kind="level_changed")
    assert record.payload["by"] is None
    restarted = AuditLedger(log, Hand(), "watchkeeper", seal=True)
    assert restarted.standing() == running.standing()
    assert restarted.standing().frozen_at is None
    assert [level.level.value for level in restarted.standing().levels] == ["act"]


_STEP = st.tuples(
    st.sampled_from(["mine", "other"]),
    st.sampled_from(["intent", "outcome", "verification", "history", "heartbeat", "level_changed", "look"]),
    st.integers(0, 3),  # which proposal
    st.integers(-2, 3),  # minutes since the one before: clocks of two machines differ
)


@tried(60)
@given(st.lists(_STEP, max_size=25))
def test_two_writers_fold_what_a_fresh_reader_folds(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, int, int]]
) -> None:
    with Log.open(tmp_path_factory.mktemp("fold") / "log.db", durability="memory") as log:
        clock = Hand()
        ledgers = {name: AuditLedger(log, clock, name) for name in ("mine", "other")}
        for who, what, number, minutes in steps:
            clock.at += timedelta(minutes=minutes)
            _one(ledgers[who], what, f"inc-{number}/0")
        fresh = AuditLedger(log, clock, "fresh")
        for ledger in ledgers.values():
            for since in (ALWAYS, START, START + timedelta(minutes=2)):
                told = ledger.past_actions(since)
                assert told == fresh.past_actions(since)
                assert told == sorted((a for a in ledger.past_actions(ALWAYS) if a.at >= since), key=lambda a: a.at)
            assert ledger.standing() == fresh.standing()


def _one(ledger: AuditLedger, what: str, proposal: str) -> None:
    match what:
        case "look":
            ledger.past_actions(START)
            ledger.standing()
        case "intent":
            ledger.record(what, intent(proposal))
        case "outcome":
            ledger.record(what, outcome(proposal))
        case "history":
            ledger.record("outcome", outcome(proposal, history=True, at="2026-11-02T08:59:00Z"))
        case "verification":
            ledger.record(what, {"proposal": proposal, "helped": True})
        case "level_changed":
            ledger.record(what, {"change": "breaker_tripped", "reason": "too much"})
        case _:
            ledger.record(what, {})


def test_what_policies_are_shown_follows_the_outcome() -> None:
    begun = PastAction(at=START, action="cordon_node", target=node_ref("n"), outcome="unknown", incident="inc-1")
    assert begun.for_policies["outcome"] == "unknown"
    assert begun.model_copy(update={"outcome": "succeeded"}).for_policies["outcome"] == "succeeded"
