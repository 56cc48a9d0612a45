"""A long history is recorded by what the log says of it, and told again as it was: to the byte, or not at all."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from agent.adapters.ledger import AuditLedger
from agent.adapters.ledger.histories import Histories
from agent.domain.base import canonical, rfc3339
from agent.evidence.past_shown import history_shown
from agent.evidence.recorded_input import WHOLE_AT_MOST, Written, as_recorded, whole
from audit.log import Log
from tests.agent.ledger.test_audit_ledger import intent, outcome
from tests.agent.ledger.test_past_folding import START, Hand

LONG = WHOLE_AT_MOST + 7


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log.open(tmp_path / "log.db", durability="memory") as opened:
        yield opened


@pytest.fixture
def clock() -> Hand:
    return Hand()


def seen(ledger: AuditLedger, clock: Hand) -> tuple[dict[str, Any], Any]:
    history = ledger.past_actions(clock.at - timedelta(days=7))
    return {"now": rfc3339(clock.at), "proposal": {"digest": "d"}, "history": history_shown(history, clock.at)}, history


def act(ledger: AuditLedger, clock: Hand, number: int) -> None:
    clock.at += timedelta(seconds=1, milliseconds=number, microseconds=7)
    ledger.record("intent", intent(f"inc-{number}/0"))
    ledger.record("outcome", outcome(f"inc-{number}/0"))


def test_a_short_history_is_recorded_whole(log: Log, clock: Hand) -> None:
    ledger = AuditLedger(log, clock, "watchkeeper")
    for number in range(WHOLE_AT_MOST):
        act(ledger, clock, number)
    shown, history = seen(ledger, clock)
    assert as_recorded(shown, history) == shown
    assert Written(shown, history).form == canonical(shown)


def test_a_long_one_is_told_again_as_it_was_whatever_came_after(log: Log, clock: Hand) -> None:
    ledger = AuditLedger(log, clock, "watchkeeper")
    kept = []
    for number in range(LONG + 5):
        act(ledger, clock, number)
        if number >= LONG:
            shown, history = seen(ledger, clock)
            assert Written(shown, history).form == canonical(shown)
            kept.append((as_recorded(shown, history), shown))
            ledger.record("verification", {"proposal": f"inc-{number}/0", "helped": False})
    histories = Histories(log)
    for recorded, shown in (*kept, kept[0]):
        assert "history" not in recorded and len(canonical(recorded)) < 1_000
        assert whole(recorded, histories.told, history_shown) == shown


def test_an_action_whose_end_came_to_be_known_is_told_with_it(log: Log, clock: Hand) -> None:
    """What was written of an action before is not used once it has become another."""
    ledger = AuditLedger(log, clock, "watchkeeper")
    for number in range(LONG):
        act(ledger, clock, number)
    ledger.record("intent", intent("inc-last/0"))
    told = []
    for _ in range(2):
        shown, history = seen(ledger, clock)
        assert Written(shown, history).form == canonical(shown)
        told.append(shown["history"][-1]["outcome"])
        ledger.record("outcome", outcome("inc-last/0", "failed"))
    assert told == ["unknown", "failed"]


def test_a_history_that_is_not_as_it_was_is_not_told(log: Log, clock: Hand) -> None:
    ledger = AuditLedger(log, clock, "watchkeeper")
    for number in range(LONG):
        act(ledger, clock, number)
    shown, history = seen(ledger, clock)
    recorded = as_recorded(shown, history)
    fewer = recorded | {"history_of": recorded["history_of"] | {"records": recorded["history_of"]["records"] - 1}}
    assert whole(fewer, Histories(log).told, history_shown) == fewer


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1e7) | st.floats(-1e22, 1e22) | st.integers(0, 10**9), min_size=1, max_size=5))
def test_an_age_is_written_in_one_form(ages: list[float]) -> None:
    from agent.domain.cluster import node_ref
    from agent.domain.outcome import PastAction

    action = PastAction(at=START, action="cordon_node", target=node_ref("gpu-1"), outcome="succeeded", incident="i")
    shown = {"now": rfc3339(START), "history": [{**history_shown([action], START)[0], "age_s": age} for age in ages]}
    assert Written(shown, [action] * len(ages)).form == canonical(shown)
    assert Written(shown, []).form == canonical(shown)
