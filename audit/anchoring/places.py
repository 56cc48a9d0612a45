"""Which anchor a place names. The libraries that some kinds need are imported for those alone, and may be missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from audit.anchoring.anchor import Anchor, AnchorUnavailable
from audit.anchoring.folder import FolderAnchor

FORMS = """FOLDER or file:///FOLDER; git+https://HOST/REPOSITORY, git+ssh://…, git+git://… or git+file:///…, each with
#BRANCH; s3+https://HOST/BUCKET[/PREFIX][?region=R&lock_days=N]; kubernetes://NAMESPACE/NAME"""

_GIT = ("git+https", "git+http", "git+ssh", "git+git", "git+file")
_S3 = ("s3+https", "s3+http")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")  # RFC 1123, as an object's name is
MAX_LOCK_DAYS = 36_500


class NoSuchAnchor(ValueError):
    """The text names no place."""


def check(text: str) -> str:
    """The text, or NoSuchAnchor. Reaches for nothing."""
    url = urlsplit(text)
    try:
        port = url.port
    except ValueError as error:
        raise NoSuchAnchor(f"{url.scheme}://…: {error}") from error
    if url.password is not None:
        raise NoSuchAnchor(f"{url.scheme}://{url.hostname}/…: credentials come from files or the environment")
    if url.scheme in ("", "file"):
        good = bool(url.path) and not url.netloc
    elif url.scheme in _GIT:
        good = bool(url.path.strip("/")) and (url.scheme == "git+file" or bool(url.hostname))
    elif url.scheme in _S3:
        good = bool(url.hostname) and bool(url.path.strip("/")) and not url.username and _lock_days(url.query) != 0
    elif url.scheme == "kubernetes":
        good = all(_NAME.fullmatch(part) for part in (url.netloc, url.path.strip("/"))) and port is None
    else:
        good = False
    if not good:
        raise NoSuchAnchor(f"{text!r} names no anchor; expected {' '.join(FORMS.split())}")
    return text


def anchor_at(text: str, now: Callable[[], datetime]) -> Anchor:
    """Raises NoSuchAnchor, and AnchorUnavailable where the library for it is not installed."""
    url = urlsplit(check(text))
    try:
        if url.scheme in _GIT:
            from audit.anchoring.git import BRANCH, GitAnchor

            place = url._replace(scheme=url.scheme.removeprefix("git+"), fragment="").geturl()
            return GitAnchor(place.removeprefix("file://"), lambda: int(now().timestamp()), url.fragment or BRANCH)
        if url.scheme in _S3:
            from audit.anchoring.bucket import BucketAnchor, client

            bucket, _, prefix = url.path.strip("/").partition("/")
            region = parse_qs(url.query).get("region", [None])[0]
            store = client(url.netloc, secure=url.scheme == "s3+https", region=region)
            name = f"{url.netloc}/{bucket}{f'/{prefix}' if prefix else ''}"
            return BucketAnchor(store, bucket, prefix, name, now, _lock_days(url.query))
        if url.scheme == "kubernetes":
            from audit.anchoring.configmap import ConfigMapAnchor, access

            return ConfigMapAnchor(access(), url.netloc, url.path.strip("/"))
    except ImportError as error:
        extra = {"g": "git", "s": "s3"}.get(url.scheme[0], "kubernetes")
        raise AnchorUnavailable(
            f"{url.scheme}: {error.name} is not installed: pip install watchkeeper[{extra}]"
        ) from error
    return FolderAnchor(Path(url.path))


def _lock_days(query: str) -> int | None:
    """0 for a number that is none."""
    text = parse_qs(query).get("lock_days", [None])[0]
    if text is None:
        return None
    return int(text) if text.isdecimal() and len(text) < 6 and 1 <= int(text) <= MAX_LOCK_DAYS else 0
