"""Inbox, timers and incidents on a real file, seen by two processes."""

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from desk_world import START, HandClock, Opened

from agent.adapters.ledger import AuditLedger
from agent.adapters.store import Store
from agent.adapters.store.inbox import SEEN_RETENTION_DAYS
from agent.domain.cluster import node_ref
from agent.domain.incident import Incident, IncidentState, Symptom
from agent.domain.signal import Signal, XidBody
from agent.ports import StoreUnavailable, WakeUp
from audit.log import Log


def signal(identity: str, *, node: str = "gpu-3", at: datetime = START) -> Signal:
    return Signal(id=identity, source="prometheus", type="gpu.xid", time=at, body=XidBody(node=node, xid=79))


def incident(identity: str, *, node: str = "gpu-3", at: datetime = START) -> Incident:
    return Incident(
        id=identity, symptom=Symptom.GPU_FAULT, subject=node_ref(node), opened_at=at, signals=(signal("s-1", at=at),)
    )


def test_a_redelivery_is_a_no_op_even_after_it_was_done(opened: Opened, another: Callable[[], Opened]) -> None:
    inbox = opened.store.inbox
    assert [inbox.put(signal(i)) for i in ("a", "b", "a")] == [True, True, False]
    assert inbox.take(10) == [signal("a"), signal("b")]
    assert inbox.take(1) == [signal("a")]
    inbox.done([signal("a")])
    inbox.done([])
    assert another().store.inbox.take(10) == [signal("b")]
    assert another().store.inbox.put(signal("a")) is False
    assert inbox.take(10) == [signal("b")]


def test_the_same_id_of_another_source_is_another_signal(opened: Opened) -> None:
    assert opened.store.inbox.put(signal("a"))
    assert opened.store.inbox.put(signal("a").model_copy(update={"source": "alertmanager"}))


def test_names_of_done_signals_are_forgotten_after_the_retention(opened: Opened) -> None:
    inbox = opened.store.inbox
    inbox.put(signal("a"))
    inbox.put(signal("waits"))
    inbox.done([signal("a")])
    opened.clock.pass_by(days=SEEN_RETENTION_DAYS, seconds=1)
    inbox.put(signal("b"))
    inbox.done([signal("b")])
    assert inbox.put(signal("a")) is True
    assert inbox.put(signal("b")) is False
    assert inbox.put(signal("waits")) is False


def test_one_wake_up_per_incident_in_order(opened: Opened, another: Callable[[], Opened]) -> None:
    timers = opened.store.timers
    assert timers.next_due() is None
    timers.set("inc-2", START + timedelta(minutes=5))
    timers.set("inc-1", START + timedelta(minutes=5))
    timers.set("inc-3", START + timedelta(minutes=1, microseconds=7))
    timers.set("inc-4", START)
    timers.set("inc-4", START + timedelta(hours=1))
    timers.clear("inc-none")
    timers = another().store.timers
    assert timers.next_due() == START + timedelta(minutes=1, microseconds=7)
    assert timers.due(START + timedelta(minutes=1)) == []
    assert timers.due(START + timedelta(minutes=5)) == [
        WakeUp("inc-3", START + timedelta(minutes=1, microseconds=7)),
        WakeUp("inc-1", START + timedelta(minutes=5)),
        WakeUp("inc-2", START + timedelta(minutes=5)),
    ]
    timers.clear("inc-3")
    assert timers.next_due() == START + timedelta(minutes=5)


def test_what_was_found_empty_is_read_again_after_any_commit(opened: Opened, another: Callable[[], Opened]) -> None:
    ours, theirs = opened.store, another().store
    later = START + timedelta(minutes=5)
    for name, writer in (("ours", ours), ("theirs", theirs)):
        for identity in (f"{name}-1", f"{name}-2"):
            assert (ours.inbox.take(1), ours.timers.next_due(), ours.timers.due(later)) == ([], None, [])
            writer.inbox.put(signal(identity))
            writer.timers.set("inc-1", START)
            assert ours.inbox.take(1) == [signal(identity)]
            assert (ours.timers.next_due(), ours.timers.due(later)) == (START, [WakeUp("inc-1", START)])
            writer.timers.clear("inc-1")
            writer.inbox.done([signal(identity)])


def test_incidents_open_and_close(opened: Opened) -> None:
    incidents = opened.store.incidents
    first, second = incident("inc-1"), incident("inc-2", at=START + timedelta(minutes=1))
    incidents.save(second, IncidentState.OPEN)
    incidents.save(first, IncidentState.OPEN, playbook="xid-79")
    assert incidents.open() == [first, second]
    grown = first.model_copy(update={"signal_count": 9})
    incidents.save(grown, IncidentState.OPEN)
    assert incidents.get("inc-1") == grown and incidents.get("inc-9") is None
    assert incidents.last_closed(first.key) is None
    closed_at = opened.clock.pass_by(minutes=3)
    incidents.save(grown, IncidentState.RESOLVED)
    opened.clock.pass_by(minutes=3)
    incidents.save(grown, IncidentState.RESOLVED)
    assert incidents.last_closed(first.key) == (grown, IncidentState.RESOLVED, closed_at)
    row = incidents.row("inc-1")
    assert row and (row.playbook, row.closed_at) == ("xid-79", closed_at)
    assert incidents.open() == [second]
    later = opened.clock.pass_by(minutes=3)
    incidents.save(second, IncidentState.CANCELLED)
    assert incidents.last_closed(first.key) == (second, IncidentState.CANCELLED, later)
    assert incidents.closed_since(first.key, closed_at) == [grown, second]
    assert incidents.closed_since(first.key, later) == [second]
    assert incidents.closed_since("gpu_fault:Node/other", closed_at) == []
    assert [r.incident.id for r in incidents.listed()] == ["inc-1", "inc-2"]
    assert [r.incident.id for r in incidents.listed(limit=1)] == ["inc-2"]
    assert [r.incident.id for r in incidents.listed(until=START + timedelta(minutes=1))] == ["inc-1"]
    assert [r.incident.id for r in incidents.listed(since=START + timedelta(minutes=1))] == ["inc-2"]


def test_incidents_are_rebuilt_from_the_log(opened: Opened) -> None:
    first, second = incident("inc-1"), incident("inc-2")
    opened.ledger.record("incident", first.json_object())
    opened.ledger.record("incident", second.json_object())
    opened.ledger.record("diagnosis", {"incident": "inc-1", "playbook": "xid-79"})
    grown = first.model_copy(update={"signal_count": 9})
    opened.ledger.record("incident", grown.json_object())
    closed_at = opened.clock.pass_by(minutes=3)
    opened.ledger.record("incident_closed", {"incident": "inc-1", "state": "resolved"})
    opened.store.incidents.save(incident("inc-9"), IncidentState.OPEN)
    opened.store.rebuild_projections(opened.log.query())
    assert opened.store.incidents.open() == [second]
    row = opened.store.incidents.row("inc-1")
    assert row and (row.incident, row.state, row.playbook, row.closed_at) == (
        grown,
        IncidentState.RESOLVED,
        "xid-79",
        closed_at,
    )


def test_a_file_that_is_no_store_is_one_clear_fault(opened: Opened, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("other") / "notes.txt"
    path.write_text("no database " * 100)
    with pytest.raises(StoreUnavailable, match=r"notes\.txt"):
        Store.open(path, clock=HandClock(), ledger=opened.ledger)


def test_a_locked_store_is_a_fault_and_works_again(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.adapters.store.database.LOCK_TIMEOUT_S", 0.05)
    log = Log.open(opened.path)
    hasty = Store.open(opened.path, clock=opened.clock, ledger=AuditLedger(log, opened.clock, "hasty"))
    blocker = sqlite3.connect(opened.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        hasty.inbox.put(signal("a"))
    blocker.execute("ROLLBACK")
    blocker.close()
    assert hasty.inbox.put(signal("a"))
    hasty.close()
    log.close()


def test_what_another_process_writes_of_an_incident_is_seen_at_once(
    opened: Opened, another: Callable[[], Opened]
) -> None:
    mine, other = opened.store.incidents, another().store.incidents
    first = incident("inc-1")
    mine.save(first, IncidentState.OPEN)
    assert (other.get("inc-1"), other.is_open("inc-1")) == (first, True)
    more = first.model_copy(update={"signal_count": 2})
    other.save(more, IncidentState.OPEN)
    assert (mine.get("inc-1"), mine.open()) == (more, [more])
    other.save(more, IncidentState.RESOLVED)
    assert (mine.is_open("inc-1"), mine.open()) == (False, [])
    assert [each.id for each in mine.closed_since(first.key, START)] == ["inc-1"]


def test_a_wake_up_of_another_process_is_cleared_all_the_same(opened: Opened, another: Callable[[], Opened]) -> None:
    mine, other = opened.store.timers, another().store.timers
    mine.clear("inc-1")
    other.set("inc-1", START)
    assert mine.due(START) == [WakeUp("inc-1", START)]
    mine.clear("inc-1")
    assert other.due(START) == [] and other.next_due() is None
