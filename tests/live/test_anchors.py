"""Anchors on the real thing: git's own program and daemon, an S3 server, and the protocol of a Kubernetes object.

What each must do is the same, and asked of each: keep, never write over, refuse a log that was rewritten, and show it.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from api_server import ApiServer
from kubernetes.client import ApiClient, Configuration
from minio.error import S3Error
from objectstore import ACCESS, SECRET, ObjectStore
from servers import free_port, wait_for

from agent.adapters.anchoring import Anchoring, Keys
from agent.cli.audit_anchoring import kept_at
from agent.cli.house import WallClock
from audit.anchoring.anchor import Anchor, AnchorDiffers, AnchorUnavailable
from audit.anchoring.bucket import WriteOnce
from audit.anchoring.configmap import KEPT_AT_MOST, MANAGER, ConfigMapAnchor
from audit.anchoring.git import GitAnchor
from audit.anchoring.places import anchor_at
from audit.anchoring.publishing import NotAnExtension, checkpoint
from audit.checkpoints import Checkpoint
from audit.fsck import fsck
from audit.kept import Refused, believed
from audit.log import Log
from audit.notes import SignatureType
from audit.signing import Signer, new_key

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    running = ObjectStore(tmp_path_factory.mktemp("objectstore"))
    yield running
    running.stop()


@pytest.fixture
def api() -> Iterator[ApiServer]:
    running = ApiServer()
    yield running
    running.stop()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A bare one, of git's own making."""
    git(tmp_path, "init", "--quiet", "--bare", "anchors.git")
    return tmp_path / "anchors.git"


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return new_key("example.com/gpu-cluster", SignatureType.ED25519, tmp_path / "log.key")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log.open(tmp_path / "audit.db") as opened:
        yield opened


@pytest.fixture(params=["folder", "git", "bucket", "configmap"])
def anchor(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signer: Signer
) -> Iterator[Anchor]:
    """One of each, as the settings would name it."""
    match request.param:
        case "folder":
            (tmp_path / "worm").mkdir()
            yield anchor_at(str(tmp_path / "worm"), lambda: NOW)
        case "git":
            yield anchor_at(f"git+file://{request.getfixturevalue('repository')}", lambda: NOW)
        case "bucket":
            store: ObjectStore = request.getfixturevalue("store")
            known_to(monkeypatch)
            bucket = store.bucket(f"b-{abs(hash(request.node.name)) % 10**9}")
            yield anchor_at(f"s3+http://{store.endpoint}/{bucket}/gpu-cluster?region=us-east-1", lambda: NOW)
        case _:
            yield configmap(request.getfixturevalue("api"))


def known_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


def configmap(api: ApiServer) -> ConfigMapAnchor:
    client = ApiClient(Configuration(host=api.url))
    client.user_agent = MANAGER
    return ConfigMapAnchor(client, "watchkeeper", "audit-anchor")


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def grow(log: Log, records: int, text: str = "as it was") -> None:
    for _ in range(records):
        log.append("incident", actor="agent", payload={"text": text})


# --- the same for all -------------------------------------------------------------------------------------------------


def test_it_keeps_what_it_was_given_and_hands_it_back(anchor: Anchor, log: Log, signer: Signer) -> None:
    notes = []
    for records in (3, 4, 9):
        grow(log, records)
        done = checkpoint(log, signer, [anchor])
        assert done.away == ()
        notes.append(str(done.note).encode())
    assert anchor.newest() == notes[-1]
    assert (anchor.since(0), anchor.since(7)) == (notes, notes[1:])
    assert checkpoint(log, signer, [anchor]).away == (), "the same again is harmless"
    assert anchor.since(0) == notes


def test_it_never_writes_over_what_it_keeps(anchor: Anchor, signer: Signer) -> None:
    first = str(signer.sign(Checkpoint(signer.key.name, 7, bytes(32)))).encode()
    other = str(signer.sign(Checkpoint(signer.key.name, 7, b"\1" * 32))).encode()
    anchor.keep(7, first)
    anchor.keep(7, first)
    with pytest.raises(AnchorDiffers):
        anchor.keep(7, other)
    assert anchor.since(0) == [first]


def test_it_shows_a_log_that_was_rebuilt_with_the_key_in_hand(
    anchor: Anchor, log: Log, signer: Signer, tmp_path: Path
) -> None:
    for records in (4, 3, 5):
        grow(log, records)
        checkpoint(log, signer, [anchor])
    kept = believed(anchor.name, anchor.since(0), [signer.key])
    honest = fsck(tmp_path / "audit.db", kept=kept)
    assert (honest.ok, honest.covered) == (True, 12)
    with Log.open(tmp_path / "forged.db", clock=clock_of(log)) as forged:
        for index in range(14):
            forged.append("incident", actor="agent", payload={"text": "nicer" if index == 5 else "as it was"})
        with pytest.raises(NotAnExtension):
            checkpoint(forged, signer, [anchor])
    verdict = fsck(tmp_path / "forged.db", kept=kept)
    assert verdict.integrity.ok and verdict.completeness.ok
    assert [(each.code, each.index) for each in verdict.anchoring.problems] == [("root_differs", 4)]


def clock_of(log: Log) -> Callable[[], datetime]:
    """The times of the records that are there, and then some."""
    times = [datetime.fromisoformat(record.at) for record in log.query()]
    ticks = iter([*times, *(times[-1] + timedelta(seconds=n) for n in range(1, 99))])
    return lambda: next(ticks)


# --- git --------------------------------------------------------------------------------------------------------------


def test_gits_own_program_finds_a_history_and_no_fault(repository: Path, log: Log, signer: Signer) -> None:
    anchor = GitAnchor(str(repository), lambda: int(NOW.timestamp()))
    for _ in range(3):
        grow(log, 2)
        checkpoint(log, signer, [anchor])
    git(repository, "fsck", "--strict")
    told = git(repository, "log", "--format=%s|%an|%aI", "checkpoints").splitlines()
    assert [line.split("|")[0] for line in told] == [f"Checkpoint of {size} records" for size in (6, 4, 2)]
    assert told[0].endswith("|watchkeeper|2026-11-22T12:00:00+00:00") or told[0].endswith("|2026-11-22T12:00:00Z")
    assert git(repository, "show", "checkpoints:checkpoint").encode() == anchor.newest()
    assert git(repository, "ls-tree", "--name-only", "checkpoints").split() == ["checkpoint"]


def test_what_others_have_on_the_branch_stays(repository: Path, tmp_path: Path, log: Log, signer: Signer) -> None:
    """Somebody's own file on the branch is no checkpoint, and is not silently buried."""
    git(tmp_path, "clone", "--quiet", str(repository), "work")
    work = tmp_path / "work"
    (work / "README").write_text("hello")
    git(work, "checkout", "-q", "-b", "checkpoints")
    git(work, "add", "README")
    git(work, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "hello")
    git(work, "push", "-q", "origin", "checkpoints")
    anchor = GitAnchor(str(repository), lambda: 0)
    grow(log, 1)
    from audit.notes import NoteRefused

    with pytest.raises(NoteRefused):
        checkpoint(log, signer, [anchor])
    assert git(repository, "log", "--format=%s", "checkpoints").split() == ["hello"]


def test_over_gits_protocol_a_protected_branch_cannot_be_rewritten(
    repository: Path, tmp_path: Path, log: Log, signer: Signer
) -> None:
    port = free_port()
    command = ["git", "daemon", "--export-all", "--enable=receive-pack", "--reuseaddr", "--listen=127.0.0.1"]
    command += [f"--port={port}", f"--base-path={repository.parent}", str(repository.parent)]
    git(repository, "config", "receive.denyNonFastForwards", "true")
    git(repository, "config", "receive.denyDeletes", "true")
    daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        anchor = anchor_at(f"git+git://127.0.0.1:{port}/{repository.name}", lambda: NOW)
        wait_for("the git daemon", lambda: reaches(anchor))
        for _ in range(2):
            grow(log, 2)
            assert checkpoint(log, signer, [anchor]).away == ()
        assert len(anchor.since(0)) == 2
        git(tmp_path, "clone", "--quiet", "-b", "checkpoints", f"git://127.0.0.1:{port}/{repository.name}", "copy")
        git(tmp_path / "copy", "reset", "--quiet", "--hard", "HEAD~1")
        command = ["git", "push", "--quiet", "--force", "origin", "checkpoints"]
        refused = subprocess.run(command, cwd=tmp_path / "copy", capture_output=True, text=True, check=False)
        assert refused.returncode != 0 and "denying" in refused.stderr + refused.stdout
        git(repository, "fsck", "--strict")
    finally:
        daemon.terminate()
        daemon.wait()
    with pytest.raises(AnchorUnavailable):
        anchor.newest()
    (away,) = checkpoint(log, signer, [anchor]).away
    assert away[0] == anchor.name


def reaches(anchor: Anchor) -> bool:
    try:
        anchor.newest()
    except AnchorUnavailable:
        return False
    return True


def test_a_folder_that_is_no_repository_is_told(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(AnchorUnavailable, match="nothing"):
        GitAnchor(str(tmp_path / "nothing"), lambda: 0).newest()


# --- S3 ---------------------------------------------------------------------------------------------------------------


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


# --- Kubernetes -------------------------------------------------------------------------------------------------------


def test_the_object_is_written_by_apply_under_our_name(api: ApiServer, log: Log, signer: Signer) -> None:
    anchor = configmap(api)
    for _ in range(2):
        grow(log, 1)
        checkpoint(log, signer, [anchor])
    writes = [(verb, manager) for verb, _, manager in api.requests if verb != "GET"]
    assert writes == [("POST", MANAGER), ("PATCH", MANAGER), ("PATCH", MANAGER)]
    assert all(agent.startswith(MANAGER) for agent in api.agents)
    (standing,) = api.objects.values()
    assert sorted(standing["data"]) == ["0000000000000000001.checkpoint", "0000000000000000002.checkpoint"]


def test_two_agents_cannot_take_each_others_checkpoint_back(api: ApiServer, signer: Signer) -> None:
    """The second was made from a version that is gone: refused, and right the next time."""
    one, two = configmap(api), configmap(api)
    notes = {size: str(signer.sign(Checkpoint(signer.key.name, size, bytes(32)))).encode() for size in (1, 2, 3)}
    one.keep(1, notes[1])
    read = two._get

    def then_the_other_writes() -> object:
        standing = read()
        one.keep(2, notes[2])
        return standing

    two._get = then_the_other_writes  # type: ignore[method-assign,assignment]
    with pytest.raises(AnchorUnavailable, match="409"):
        two.keep(3, notes[3])
    two._get = read  # type: ignore[method-assign]
    two.keep(3, notes[3])
    assert two.since(0) == [notes[1], notes[2], notes[3]]


def test_the_object_stays_small(api: ApiServer, signer: Signer) -> None:
    anchor = configmap(api)
    anchor.keep(1, str(signer.sign(Checkpoint(signer.key.name, 1, bytes(32)))).encode())
    (standing,) = api.objects.values()
    note = standing["data"]["0000000000000000001.checkpoint"]
    standing["data"] = {f"{size:019d}.checkpoint": note for size in range(1, KEPT_AT_MOST + 1)}
    size = KEPT_AT_MOST + 1
    anchor.keep(size, str(signer.sign(Checkpoint(signer.key.name, size, bytes(32)))).encode())
    (standing,) = api.objects.values()
    assert len(standing["data"]) == KEPT_AT_MOST and min(standing["data"]) == "0000000000000000002.checkpoint"
    assert sum(map(len, standing["data"].values())) < 1024 * 1024 / 2


def test_what_it_may_not_do_is_told(api: ApiServer) -> None:
    api.forbidden = True
    with pytest.raises(AnchorUnavailable, match="403"):
        configmap(api).newest()
