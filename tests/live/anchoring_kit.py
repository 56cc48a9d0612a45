"""What the tests of anchors share: a log with a signer, and each place that keeps checkpoints, as a fixture."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from api_server import ApiServer
from kubernetes.client import ApiClient, Configuration
from objectstore import ACCESS, SECRET, ObjectStore

from audit.anchoring.configmap import MANAGER, ConfigMapAnchor
from audit.log import Log
from audit.notes import SignatureType
from audit.signing import Signer, new_key

__all__ = ["api", "log", "repository", "signer", "store"]
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
