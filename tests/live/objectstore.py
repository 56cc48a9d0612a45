"""A real S3 server on loopback (versitygw, Apache-2.0, built from its Go module), with versions and object lock."""

from __future__ import annotations

from pathlib import Path

import pytest
from go_tools import CannotBuild, built
from minio import Minio
from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig
from servers import Server, free_port

ACCESS, SECRET = "anchors-of-a-test", "nothing-that-opens-anything-else"


class ObjectStore:
    """`owner` is the one who makes buckets; it is no client of ours that is under test."""

    def __init__(self, folder: Path) -> None:
        try:
            self._binary = built("objectstore")
        except CannotBuild as error:
            pytest.fail(str(error))
        self._folder = folder
        self.port = free_port()
        for each in ("data", "versions", "meta"):
            (folder / each).mkdir()
        self.endpoint = f"127.0.0.1:{self.port}"
        self.start()
        self.owner = Minio(self.endpoint, ACCESS, SECRET, secure=False, region="us-east-1")

    def start(self) -> None:
        command = [str(self._binary), "--port", self.endpoint, "--quiet", "--health", "/healthy"]
        command += ["posix", "--versioning-dir", str(self._folder / "versions")]
        command += ["--sidecar", str(self._folder / "meta"), str(self._folder / "data")]
        env = {"ROOT_ACCESS_KEY": ACCESS, "ROOT_SECRET_KEY": SECRET}
        self._server = Server("objectstore", command, f"http://{self.endpoint}/healthy", self._folder, env)

    def stop(self) -> None:
        self._server.stop()

    def bucket(self, name: str, *, versions: bool = False, lock: bool = False) -> str:
        self.owner.make_bucket(name, object_lock=lock)
        if versions:
            self.owner.set_bucket_versioning(name, VersioningConfig(ENABLED))
        return name
