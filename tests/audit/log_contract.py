"""What every store of the log must do, whatever database is behind it: imported by the tests of each."""

from __future__ import annotations

import threading

import pytest
import rfc9162

from audit.errors import AlreadyRecorded, NoSuchRecord, RecordRefused
from audit.log import Log
from audit.proofs import verify_consistency, verify_inclusion
from audit.record import canonical_bytes, leaf_hash


def fill(log: Log, count: int) -> None:
    for number in range(count):
        log.append(
            "intent" if number % 2 else "verdict",
            actor=f"agent-{number % 3}",
            attributes={"incident": f"i-{number % 5}", "target": f"gpu-{number % 2}"},
            payload={"number": number},
            unique_key=f"key-{number}",
        )


def test_an_append_is_a_record_with_the_next_index(log: Log) -> None:
    first = log.append("incident", actor="sense", attributes={"incident": "i-1"}, payload=("XID", 79))
    assert (first.index, first.at, first.payload) == (0, "2026-01-31T12:00:00.000000Z", ["XID", 79])
    assert log.append("incident", actor="sense", at="2026-02-01T00:00:00+01:00").at == "2026-01-31T23:00:00.000000Z"
    assert log.get(0) == first
    assert log.size() == 2


def test_a_unique_key_is_taken_once(log: Log) -> None:
    first = log.append("intent", actor="agent", payload=1, unique_key="digest/step-1/1")
    with pytest.raises(AlreadyRecorded) as refusal:
        log.append("intent", actor="agent", payload=2, unique_key="digest/step-1/1")
    assert refusal.value.existing == first == log.find("digest/step-1/1")
    assert log.size() == 1
    assert log.find("other") is None


def test_records_without_a_unique_key_may_be_alike(log: Log) -> None:
    assert [log.append("heartbeat", actor="agent").index for _ in range(2)] == [0, 1]


def test_every_record_and_every_past_is_provable(log: Log) -> None:
    fill(log, 21)
    bodies = [canonical_bytes(log.get(index)) for index in range(21)]
    assert log.root() == rfc9162.mth(bodies)
    for index, body in enumerate(bodies):
        verify_inclusion(index, 21, leaf_hash(body), log.inclusion_proof(index), log.root())
        verify_inclusion(index, index + 1, leaf_hash(body), log.inclusion_proof(index, index + 1), log.root(index + 1))
        verify_consistency(index + 1, log.root(index + 1), 21, log.root(), log.consistency_proof(index + 1))


def test_queries_combine_conditions_and_keep_log_order(log: Log) -> None:
    fill(log, 30)

    def numbers(**conditions: object) -> list[int]:
        return [record.payload["number"] for record in log.query(**conditions)]  # type: ignore[arg-type]

    assert numbers() == list(range(30))
    assert numbers(kind="intent", limit=3) == [1, 3, 5]
    assert numbers(incident="i-1") == [1, 6, 11, 16, 21, 26]
    assert numbers(incident="i-1", target="gpu-0", after_index=6) == [16, 26]
    assert numbers(attributes={"incident": "i-1"}, target=None, actor="agent-0") == [6, 21]
    assert numbers(since=log.get(27).at) == [27, 28, 29]
    assert numbers(until=log.get(2).at) == [0, 1]
    assert numbers(incident="nobody") == []
    assert numbers(limit=0) == []


def test_a_query_reads_page_by_page_and_ends_where_the_log_ended(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.log.PAGE_RECORDS", 4)
    fill(log, 10)
    seen = []
    for record in log.query(target="gpu-0"):
        seen.append(record.index)
        log.append("heartbeat", actor="agent", attributes={"target": "gpu-0"})
    assert seen == [0, 2, 4, 6, 8]
    assert [record.index for record in log.query(limit=6, after_index=1)] == [2, 3, 4, 5, 6, 7]


def test_what_is_not_there_is_an_error(log: Log) -> None:
    fill(log, 2)
    for ask in (
        lambda: log.get(2),
        lambda: log.get(-1),
        lambda: log.root(3),
        lambda: log.inclusion_proof(2),
        lambda: log.inclusion_proof(0, 3),
        lambda: log.consistency_proof(3),
    ):
        with pytest.raises(NoSuchRecord):
            ask()


def test_threads_append_without_gap_and_a_key_has_one_winner(log: Log) -> None:
    lost: list[AlreadyRecorded] = []
    held: list[tuple[str, int]] = []

    def work(name: str) -> None:
        for number in range(25):
            record = log.append("intent", actor=name, payload=number)
            held.append((name, record.index))
            try:
                log.append("intent", actor=name, unique_key=f"race-{number}")
            except AlreadyRecorded as refusal:
                lost.append(refusal)

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.size() == 8 * 25 + 25
    assert len(lost) == 7 * 25
    assert all(refusal.existing == log.find(str(refusal.existing.unique_key)) for refusal in lost)
    assert all(log.get(index).actor == name for name, index in held), "what append returned is what is stored"


def test_a_text_that_not_every_database_can_keep_is_refused_by_all(log: Log) -> None:
    for fields in (
        {"actor": "a\0b"},
        {"actor": "a", "unique_key": "k\0"},
        {"actor": "a", "attributes": {"target": "\0"}},
    ):
        with pytest.raises(RecordRefused, match="NUL"):
            log.append("intent", **fields)  # type: ignore[arg-type]
    assert log.append("intent", actor="a", payload="in the payload it is welcome: \0").payload.endswith("\0")
    assert log.size() == 1
