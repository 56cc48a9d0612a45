"""What every store of the log must do, whatever database is behind it: imported by the tests of each."""

from __future__ import annotations

import re
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


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param("x" * 10_000_000, "10000002 bytes where 1048576 may be", id="10 MB"),
        pytest.param({"a": float("nan")}, "nan has no JSON form", id="NaN"),
        pytest.param([float("-inf")], "-inf has no JSON form", id="infinity"),
        pytest.param(nested(100_000), "nested deeper than 32 levels", id="nesting bomb"),
        pytest.param({"n": 10**4000}, "integer beyond 2^53-1", id="huge integer"),
        pytest.param({"text": "\ud800"}, "lone surrogate at character 0", id="lone surrogate"),
        pytest.param({"\udfff": 1}, "lone surrogate", id="lone surrogate in a key"),
        pytest.param(b"\xff\xfe", "bytes is not JSON", id="invalid UTF-8"),
        pytest.param({1: "a", "1": "b"}, "int where a string belongs", id="a key twice once written"),
        pytest.param({"a": {1, 2}}, "set is not JSON", id="no JSON"),
    ],
)
def test_bad_input_is_refused_with_a_reason_and_nothing_is_written(log: Log, payload: object, reason: str) -> None:
    log.append("intent", actor="agent")
    root = log.root()
    with pytest.raises(RecordRefused, match=re.escape(reason)):
        log.append("intent", actor="agent", payload=payload, unique_key="bad")
    assert (log.size(), log.root(), log.find("bad")) == (1, root, None)
    assert log.append("intent", actor="agent", payload="good", unique_key="bad").index == 1


def test_odd_text_is_kept_as_it_is(log: Log) -> None:
    """NUL, both forms of an accented letter, and what lies beyond the Basic Multilingual Plane: bytes are bytes."""
    odd = {
        "nul": "a\0b",
        "nfc": "caf\u00e9",
        "nfd": "cafe\u0301",
        "\U0001f600": "\uffff\U0010ffff",
        "\0": ["\x7f\u2028"],
    }
    sealed = ["/payload/nul", "/payload/nfd"]
    index = log.append("intent", actor="\u00e9", payload=odd, attributes={"a": "\U0001f600"}, sealed=sealed).index
    assert log.get(index).payload == odd
    assert [record.index for record in log.query(a="\U0001f600")] == [index]


# --- what is sealed ---------------------------------------------------------------------------------------------------

SEALED = ("/payload/reason", "/payload/said/0/text", "/attributes/approver", "/actor")


def answer(log: Log, by: str = "alice", reason: str = "tenant agreed", incident: str = "i-7") -> int:
    """An approval with a name, a reason and a quoted line, which may all be erased later."""
    return log.append(
        "approval",
        actor=f"cli/{by}",
        attributes={"incident": incident, "approver": by},
        payload={"by": "see approver", "reason": reason, "said": [{"text": "NVRM: Xid 79\0"}, {"n": 1}]},
        unique_key=f"approval/{log.size()}",
        sealed=SEALED,
    ).index


def test_a_sealed_record_reads_like_any_other_and_holds_no_text(log: Log) -> None:
    index = answer(log)
    record = log.get(index)
    assert (record.actor, record.attributes) == ("cli/alice", {"incident": "i-7", "approver": "alice"})
    assert record.payload["reason"] == "tenant agreed" and record.payload["said"][0]["text"] == "NVRM: Xid 79\0"
    assert record == log.find("approval/0") == next(log.query(kind="approval"))
    body = canonical_bytes(record)
    assert log.root() == rfc9162.mth([body]) and record.schema == 2 and sorted(record.sealed) == sorted(SEALED)
    for text in (b"alice", b"tenant agreed", b"Xid"):
        assert text not in body


def test_a_unique_key_that_is_taken_shows_the_whole_record(log: Log) -> None:
    answer(log)
    with pytest.raises(AlreadyRecorded) as refusal:
        log.append("approval", actor="bob", unique_key="approval/0")
    assert refusal.value.existing.payload["reason"] == "tenant agreed"


def test_a_sealed_name_is_found_like_any_other(log: Log) -> None:
    fill(log, 3)
    mine, hers = answer(log, "alice"), answer(log, "bob")
    log.append("approval", actor="agent", attributes={"approver": "alice", "incident": "i-7"})

    def found(**conditions: object) -> list[int]:
        return [record.index for record in log.query(**conditions)]  # type: ignore[arg-type]

    assert found(approver="alice") == [mine, 5] and found(approver="bob", incident="i-7") == [hers]
    assert found(approver="alice", incident="i-7", kind="approval", limit=1) == [mine]
    assert found(approver="alice", after_index=mine) == [5]
    assert found(actor="cli/bob") == [hers] and found(actor="agent-0") == [0]


def test_two_texts_that_are_alike_have_nothing_in_common_in_the_record(log: Log) -> None:
    first, second = log.get(answer(log)), log.get(answer(log))
    assert first.payload == second.payload
    assert all(first.sealed[place] != second.sealed[place] for place in SEALED)


def test_words_are_found_in_records_and_in_what_is_sealed(log: Log) -> None:
    fill(log, 4)
    index = answer(log, reason='said "now" \\ later, Größe 漢')
    log.append("notice", actor="agent", payload={"message": 'the "Rack" is \\ hot', "policy_digest": "94af"})

    def found(*words: str, **conditions: object) -> list[int]:
        return [record.index for record in log.query(words=words, **conditions)]  # type: ignore[arg-type]

    assert found("XID") == [index] and found("xid 79") == [index] and found("alice") == [index]
    assert found('"NOW" \\', "Größe 漢") == [index] and found('"rack" is \\ HOT') == [5]
    assert found("hot", "cold") == [] and found("number", kind="intent") == [1, 3]
    assert [record.index for record in log.query(member=("policy_digest", "94"))] == [5]
    assert [record.index for record in log.query(member=("policy_digest", "4a"))] == []
    assert [record.index for record in log.query(kind=["notice", "approval"])] == [index, 5]


def test_what_is_sealed_is_bounded_with_the_payload_that_it_is_of(log: Log) -> None:
    """It stands apart from the record, and yet every writer of a batch waits for it."""
    half = "x" * 600_000
    log.append("intent", actor="agent", payload={"a": half}, sealed=["/payload/a"])
    for sealed in (["/payload/a"], ["/payload/a", "/payload/b"], []):
        with pytest.raises(RecordRefused, match=r"/payload: \d+ bytes where 1048576 may be"):
            log.append("intent", actor="agent", payload={"a": half, "b": half}, sealed=sealed, unique_key="big")
    with pytest.raises(RecordRefused, match=r"10000\d+ bytes where 1048576 may be"):
        log.append("intent", actor="agent", payload={"a": "x" * 10_000_000}, sealed=["/payload/a"], unique_key="big")
    assert (log.size(), log.find("big")) == (1, None)


@pytest.mark.parametrize(
    "place", ["/payload/by/x", "/payload/n", "/payload", "/attributes/none", "/kind", "reason", ""]
)
def test_only_a_text_can_be_sealed(log: Log, place: str) -> None:
    with pytest.raises(RecordRefused) as refusal:
        log.append("approval", actor="agent", payload={"by": "alice", "n": 1}, sealed=[place])
    assert refusal.value.place == place and log.size() == 0


def test_a_record_in_which_nothing_is_sealed_is_what_it_always_was(log: Log) -> None:
    record = log.append("approval", actor="agent", payload={"by": "alice"})
    assert record.schema == 1 and b"sealed" not in canonical_bytes(record)
