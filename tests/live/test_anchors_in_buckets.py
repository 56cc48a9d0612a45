"""The bucket anchor on an S3 server: versions and lock, what somebody deletes, and what cannot be read."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from anchoring_kit import *  # noqa: F403 - its fixtures
from anchoring_kit import NOW, grow, known_to
from minio.error import S3Error
from objectstore import ObjectStore
from servers import free_port

from agent.adapters.anchoring import Anchoring, Keys
from agent.cli.audit_anchoring import kept_at
from agent.cli.house import WallClock
from audit.anchoring.anchor import AnchorDiffers, AnchorUnavailable
from audit.anchoring.bucket import WriteOnce
from audit.anchoring.places import anchor_at
from audit.anchoring.publishing import checkpoint
from audit.checkpoints import Checkpoint
from audit.fsck import fsck
from audit.kept import Refused, believed
from audit.log import Log
from audit.signing import Signer


def test_a_bucket_with_versions_and_lock_keeps_what_somebody_wrote_over(
    store: ObjectStore, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner writes over it, past our client: every version is still read, so it shows. Nobody deletes it."""
    known_to(monkeypatch)
    bucket = store.bucket("locked", lock=True)
    now = datetime.now(UTC)
    anchor = anchor_at(f"s3+http://{store.endpoint}/{bucket}?region=us-east-1&lock_days=1", lambda: now)
    note = str(signer.sign(Checkpoint(signer.key.name, 7, bytes(32)))).encode()
    other = str(signer.sign(Checkpoint(signer.key.name, 7, b"\1" * 32))).encode()
    anchor.keep(7, note)
    (kept,) = store.owner.list_objects(bucket, include_version=True)
    until = store.owner.get_object_retention(bucket, kept.object_name or "", version_id=kept.version_id)
    assert until is not None and until.mode == "COMPLIANCE"
    store.owner.put_object(bucket, kept.object_name or "", BytesIO(other), len(other))
    assert sorted(anchor.since(0)) == sorted([note, other])
    with pytest.raises(S3Error):
        store.owner.remove_object(bucket, kept.object_name or "", version_id=kept.version_id)
    found = believed(anchor.name, anchor.since(0), [signer.key])
    assert len(found) == 2


def test_a_bucket_that_somebody_deleted_from_is_told(
    store: ObjectStore, log: Log, signer: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delete marker hides an object from whoever lists it. What it held still counts, and a person hears of it."""
    known_to(monkeypatch)
    monkeypatch.setattr(WriteOnce, "urlopen", with_times_that_minio_reads(WriteOnce.urlopen))
    bucket = store.bucket("deleted-from", versions=True)
    place = f"s3+http://{store.endpoint}/{bucket}?region=us-east-1"
    anchor = anchor_at(place, lambda: NOW)
    for _ in range(2):
        grow(log, 3)
        assert checkpoint(log, signer, [anchor]).lost == ()
    notes = anchor.since(0)
    for each in list(store.owner.list_objects(bucket)):
        store.owner.remove_object(bucket, each.object_name or "")
    assert list(store.owner.list_objects(bucket)) == []
    assert anchor.since(0) == notes and anchor.newest() == notes[-1]
    assert anchor.gone() == [f"{size:019d}.checkpoint" for size in (3, 6)]
    grow(log, 1)
    done = checkpoint(log, signer, [anchor])
    assert done.away == () and "kept checkpoints were deleted there: 2, the first 0" in done.lost[0]
    found = kept_at([place], [str(signer.key)])
    assert [each.code for each in found if isinstance(each, Refused)] == ["anchor_deleted"] * 2
    verdict = fsck(tmp_path / "audit.db", kept=found)
    assert not verdict.ok and verdict.covered == 7
    alarms: list[str] = []
    agent = Anchoring(log, Keys(signer), [place], 3600, WallClock(), alarms.append)
    agent.once(place)
    assert len(alarms) == 1 and "deleted there" in alarms[0]
    assert "deleted there" in str(agent.standing()[place])


def with_times_that_minio_reads(ask: Callable[..., Any]) -> Callable[..., Any]:
    """This server writes the time of a delete marker to the nanosecond, as S3 itself does not, and the client takes no
    more than six digits of it."""

    def asked(*arguments: Any, **more: Any) -> Any:
        answer = ask(*arguments, **more)
        if "versions" in arguments[2]:
            answer._body = re.sub(rb"(\.[0-9]{6})[0-9]+Z", rb"\1Z", answer.data)
        return answer

    return asked


def test_a_listing_that_cannot_be_read_is_told(
    store: ObjectStore, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_to(monkeypatch)
    bucket = store.bucket("odd-times", versions=True)
    place = f"s3+http://{store.endpoint}/{bucket}?region=us-east-1"
    anchor_at(place, lambda: NOW).keep(7, str(signer.sign(Checkpoint(signer.key.name, 7, bytes(32)))).encode())
    for each in list(store.owner.list_objects(bucket)):
        store.owner.remove_object(bucket, each.object_name or "")
    (found,) = kept_at([place], [str(signer.key)])
    assert isinstance(found, Refused) and found.code == "anchor_unreadable"


def test_a_second_write_is_refused_by_the_server_itself(
    store: ObjectStore, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two agents at once: both saw nothing there, and one loses."""
    known_to(monkeypatch)
    bucket = store.bucket("conditional")
    anchor = anchor_at(f"s3+http://{store.endpoint}/{bucket}?region=us-east-1", lambda: NOW)
    note = str(signer.sign(Checkpoint(signer.key.name, 7, bytes(32)))).encode()
    other = str(signer.sign(Checkpoint(signer.key.name, 7, b"\1" * 32))).encode()
    standing = anchor._standing  # type: ignore[attr-defined]
    looked: list[str] = []

    def nothing_yet(key: str) -> bytes | None:
        looked.append(key)
        return None if len(looked) == 1 else standing(key)

    anchor.keep(7, note)
    monkeypatch.setattr(anchor, "_standing", nothing_yet)
    with pytest.raises(AnchorDiffers):
        anchor.keep(7, other)
    assert len(looked) == 2 and anchor.since(0) == [note]


def test_no_bucket_no_key_and_no_server_are_told_without_a_secret(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known_to(monkeypatch)
    with pytest.raises(AnchorUnavailable, match="NoSuchBucket"):
        anchor_at(f"s3+http://{store.endpoint}/none?region=us-east-1", lambda: NOW).newest()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-wrong-secret")
    with pytest.raises(AnchorUnavailable) as fault:
        anchor_at(f"s3+http://{store.endpoint}/none?region=us-east-1", lambda: NOW).newest()
    assert "a-wrong-secret" not in str(fault.value) and "Signature" in str(fault.value)
    with pytest.raises(AnchorUnavailable):
        anchor_at(f"s3+http://127.0.0.1:{free_port()}/none?region=us-east-1", lambda: NOW).newest()
