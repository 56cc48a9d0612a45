"""The running agent has its log kept: a place that is away delays nothing and is caught up, a contradiction ends it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.adapters.anchoring import RETRY_S, Anchoring, Keys, person_called
from agent.adapters.ledger import AuditLedger
from agent.adapters.notify import LogNotifier
from agent.cli.house import WallClock
from audit.fsck import fsck
from audit.kept import believed, notes_in
from audit.log import Log
from audit.notes import SignatureType
from audit.signing import Signer, new_key


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log.open(tmp_path / "audit.db", durability="memory") as opened:
        yield opened


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return new_key("example.com/lab", SignatureType.ED25519, tmp_path / "log.key")


def anchoring(log: Log, signer: Signer, *places: Path, every_s: int = 3600) -> Anchoring:
    ledger = AuditLedger(log, WallClock(), "watchkeeper")
    alarm = person_called(LogNotifier(), ledger)
    return Anchoring(log, Keys(signer), [str(place) for place in places], every_s, WallClock(), alarm)


def until(look: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not look():
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.01)


def test_a_place_that_is_away_is_told_asked_again_and_caught_up(
    log: Log, signer: Signer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    place = tmp_path / "worm"
    place.write_text("not mounted")
    one = anchoring(log, signer, place)
    log.append("heartbeat", actor="agent")
    assert one.once(str(place)) == RETRY_S
    assert one.once(str(place)) == RETRY_S
    (standing,) = one.standing().values()
    assert standing["records"] is None and "worm" in standing["fault"]
    assert caplog.text.count("keeps nothing now") == 1, "once, not at every try"
    log.append("heartbeat", actor="agent")
    place.unlink()
    place.mkdir()
    assert one.once(str(place)) == 3600
    (standing,) = one.standing().values()
    assert (standing["records"], standing["fault"]) == (2, None)
    assert "keeps a checkpoint of 2 records" in caplog.text
    kept = believed("worm", notes_in(place), [signer.key])
    assert fsck(tmp_path / "audit.db", kept=kept).covered == 2


def test_one_thread_for_each_place_and_none_waits_for_another(log: Log, signer: Signer, tmp_path: Path) -> None:
    away, good = tmp_path / "away", tmp_path / "good"
    away.write_text("not mounted")
    both = anchoring(log, signer, away, good, every_s=1)
    log.append("heartbeat", actor="agent")
    both.start()
    until(lambda: good.is_dir() and list(good.iterdir()))
    log.append("heartbeat", actor="agent")
    away.unlink()
    until(lambda: away.is_dir() and list(away.iterdir()))
    until(lambda: len(list(good.iterdir())) == 2)
    both.stop()
    assert [file.name for file in away.iterdir()] == ["0000000000000000002.checkpoint"]


def test_a_log_that_was_rewritten_calls_a_person_once_and_is_signed_nowhere(
    log: Log, signer: Signer, tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for _ in range(3):
        log.append("heartbeat", actor="agent")
    anchoring(log, signer, old).once(str(old))
    with Log.open(tmp_path / "forged.db", durability="memory") as forged:
        for _ in range(5):
            forged.append("heartbeat", actor="somebody else")
        one = anchoring(forged, signer, old, new)
        one.once(str(old))
        one.once(str(old))
        one.once(str(new))
        (notice,) = forged.query(kind="notice")
        assert "not those of the checkpoint" in str(notice.payload)
        assert all("not those of the checkpoint" in each["fault"] for each in one.standing().values())
    assert not new.exists() and len(list(old.iterdir())) == 1


def test_a_log_that_cannot_be_read_is_told_and_asked_again(log: Log, signer: Signer, tmp_path: Path) -> None:
    one = anchoring(log, signer, tmp_path / "worm")
    log.close()  # its connections are opened anew
    (tmp_path / "audit.db").write_bytes(b"overwritten" * 1000)
    assert one.once(str(tmp_path / "worm")) == RETRY_S
    (standing,) = one.standing().values()
    assert "audit.db" in standing["fault"]
