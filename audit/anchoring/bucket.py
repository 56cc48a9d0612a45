"""A bucket of an S3-compatible store as an anchor: one object for each size, written only where there is none.

The write carries `If-None-Match: *`, so a server that knows conditional writes refuses a second one, and in a bucket
with versions every version counts. A bucket with object lock keeps each as long as its
default says, or for `lock_days`. Credentials: the environment (AWS_… or MINIO_…), or AWS's credentials file.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import urllib3
from minio import Minio
from minio.commonconfig import COMPLIANCE
from minio.credentials.providers import AWSConfigProvider, ChainedProvider, EnvAWSProvider, EnvMinioProvider
from minio.error import MinioException, S3Error
from minio.retention import Retention

from audit.anchoring.anchor import AnchorDiffers, AnchorUnavailable, file_name, same
from audit.kept import SUFFIX
from audit.notes import MAX_NOTE_BYTES

CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 5.0, 10.0
"""One small object."""

TRIES = 3
"""urllib3's own retries, within a second: more is for the next checkpoint."""

PRECONDITION_FAILED = "PreconditionFailed"
_NO_VERSIONS = ("NotImplemented", "MethodNotAllowed")


class WriteOnce(urllib3.PoolManager):
    """Adds the condition to every write: minio has no argument for it. It is no signed header, which S3 allows."""

    def urlopen(self, method: str, url: str, redirect: bool = True, **more: Any) -> Any:  # type: ignore[override]
        if method == "PUT":
            more["headers"] = {**(more.get("headers") or {}), "If-None-Match": "*"}
        return super().urlopen(method, url, redirect, **more)


def client(endpoint: str, *, secure: bool, region: str | None = None) -> Minio:
    """With credentials from the environment or files. `endpoint` is host:port."""
    retries = urllib3.Retry(total=TRIES - 1, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504))
    timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S)
    pool = WriteOnce(timeout=timeout, retries=retries, cert_reqs="CERT_REQUIRED")
    found = ChainedProvider([EnvAWSProvider(), EnvMinioProvider(), AWSConfigProvider()])
    return Minio(endpoint, credentials=found, secure=secure, region=region, http_client=pool)


class BucketAnchor:
    """`now` dates the lock. The bucket is made by whoever owns it, with versions and locks as they want them."""

    def __init__(
        self, store: Minio, bucket: str, prefix: str, name: str, now: Callable[[], datetime], lock_days: int | None
    ) -> None:
        self._store = store
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._now = now
        self._lock_days = lock_days
        self.name = name

    def newest(self) -> bytes | None:
        with self._faults():
            names = sorted({key for key, _ in self._found(0)})
            return self._read(names[-1], self._last_version(names[-1])) if names else None

    def since(self, size: int) -> list[bytes]:
        """Every version of every object: one that was written over is still there, and so is what it was before."""
        with self._faults():
            return [self._read(key, version) for key, version in sorted(self._found(size), key=lambda one: one[0])]

    def gone(self) -> list[str]:
        """Objects with a delete marker. What a bucket without versions has lost leaves no trace in it."""
        with self._faults():
            return sorted({each.object_name for each in self._listed() if each.is_delete_marker})

    def keep(self, size: int, note: bytes) -> None:
        key = self._prefix + file_name(size)
        with self._faults():
            standing = self._standing(key)
            if standing is None:
                try:
                    self._write(key, note)
                    return
                except S3Error as error:
                    if error.code != PRECONDITION_FAILED:
                        raise
                standing = self._standing(key)
        if standing is None or not same(standing, note):
            raise AnchorDiffers(f"{self.name} keeps another checkpoint of {size} records")

    def _write(self, key: str, note: bytes) -> None:
        lock = None
        if self._lock_days is not None:
            lock = Retention(COMPLIANCE, self._now() + timedelta(days=self._lock_days))
        self._store.put_object(
            self._bucket, key, io.BytesIO(note), len(note), content_type="text/plain; charset=utf-8", retention=lock
        )

    def _standing(self, key: str) -> bytes | None:
        try:
            return self._read(key, None)
        except S3Error as error:
            if error.code in ("NoSuchKey", "NoSuchVersion"):
                return None
            raise

    def _read(self, key: str, version: str | None) -> bytes:
        answer = self._store.get_object(self._bucket, key, version_id=version)
        try:
            return bytes(answer.read(MAX_NOTE_BYTES + 1))
        finally:
            answer.close()
            answer.release_conn()

    def _found(self, size: int) -> Iterator[tuple[str, str | None]]:
        """Newest version of each first, as the store lists them."""
        first = self._prefix + file_name(size)
        for each in self._listed():
            if not each.is_delete_marker and each.object_name >= first:
                yield each.object_name, each.version_id if each.version_id != "null" else None

    def _last_version(self, key: str) -> str | None:
        """Of one that somebody has put a delete marker on, too: what it kept was kept."""
        return next(version for found, version in self._found(0) if found == key)

    def _listed(self) -> Iterator[Any]:
        try:
            listed = list(self._store.list_objects(self._bucket, prefix=self._prefix, include_version=True))
        except S3Error as error:
            if error.code not in _NO_VERSIONS:
                raise
            listed = list(self._store.list_objects(self._bucket, prefix=self._prefix))
        return (each for each in listed if each.object_name and each.object_name.endswith(SUFFIX))

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except S3Error as error:
            raise AnchorUnavailable(f"{self.name}: {error.code}: {error.message}") from error
        except (MinioException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            said = " ".join(str(error).split())
            raise AnchorUnavailable(f"{self.name}: {type(error).__name__}: {said[:200]}") from error
