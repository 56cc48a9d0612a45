"""Where an issuer's public keys come from: a file that somebody keeps, or the issuer's own JWK Set over HTTPS.

Providers rotate their keys, and are away at times. A set is fetched again after FRESH_S, and at once for a key that it
does not have; of an issuer that does not answer the last set is good until GOOD_FOR_S, and then the door stays shut.
Nothing is asked for more often than every AGAIN_S, whatever strangers send.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from agent.domain.identity import Issuer

FRESH_S: Final = 300  # a key that its issuer took back is believed no longer than this while the issuer answers
GOOD_FOR_S: Final = 3600  # an outage of the provider longer than this shuts the door; the terminal is another
AGAIN_S: Final = 10  # between two questions: a flood of forged key ids is no flood at the provider
FETCH_S: Final = 3.0  # a healthy provider answers in a tenth of it
SET_BYTES_MAX: Final = 262_144  # some two hundred keys
KEY_TYPES: Final = frozenset({"RSA", "EC"})  # of the algorithms that may be configured

Fetch = Callable[[str], bytes]
log = logging.getLogger("watchkeeper.oidc")


class KeysUnreadable(Exception):
    """The issuer's keys are not there, or are none; the door stays shut."""


class Keys(Protocol):
    """`kid` is the key that a token names, if it names one."""

    def current(self, kid: str | None) -> KeySet: ...


def keys_of(issuer: Issuer, fetch: Fetch, seconds: Callable[[], float]) -> Keys:
    if issuer.keys_file is not None:
        return FileKeys(issuer.keys_file)
    return FetchedKeys(str(issuer.jwks_uri), fetch, seconds)


class FileKeys:
    """Read again when the file changes."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: tuple[int, KeySet] | None = None

    def current(self, kid: str | None) -> KeySet:
        try:
            stamp = self._file.stat().st_mtime_ns
            if self._known is None or self._known[0] != stamp:
                self._known = (stamp, key_set(self._file.read_bytes(), str(self._file)))
        except OSError as error:
            raise KeysUnreadable(f"{self._file}: {error}") from error
        return self._known[1]


class FetchedKeys:
    """Of many who ask at once one fetches; the others go on with what is known."""

    def __init__(self, uri: str, fetch: Fetch, seconds: Callable[[], float]) -> None:
        self._uri = uri
        self._fetch = fetch
        self._seconds = seconds
        self._lock = threading.Lock()
        self._known: tuple[float, KeySet] | None = None
        self._tried_at: float | None = None

    def current(self, kid: str | None) -> KeySet:
        if self._known is None or self._wanted(kid):
            self._ask(kid, waiting=self._known is None)
        known = self._known
        if known is None or self._seconds() - known[0] > GOOD_FOR_S:
            raise KeysUnreadable(f"{self._uri} does not give its keys")
        return known[1]

    def _ask(self, kid: str | None, *, waiting: bool) -> None:
        """One asks; whoever has nothing to go on with waits for what becomes of it."""
        if not self._lock.acquire(blocking=waiting):
            return
        try:
            if self._wanted(kid):
                self._refresh()
        finally:
            self._lock.release()

    def _wanted(self, kid: str | None) -> bool:
        now, known = self._seconds(), self._known
        if self._tried_at is not None and now - self._tried_at < AGAIN_S:
            return False
        if known is None or now - known[0] > FRESH_S:
            return True
        return kid is not None and all(key.kid != kid for key in known[1].keys)

    def _refresh(self) -> None:
        self._tried_at = self._seconds()
        try:
            self._known = (self._tried_at, key_set(self._fetch(self._uri), self._uri))
        except (KeysUnreadable, httpx.HTTPError, OSError) as error:
            log.warning("the keys at %s are not read: %s", self._uri, error)


def key_set(content: bytes, place: str) -> KeySet:
    """The keys by which signatures can be checked. A shared secret among them would let each of its readers sign."""
    try:
        keys: list[Mapping[str, Any]] = json.loads(content)["keys"]
        if any(key.get("kty") == "oct" for key in keys):
            raise KeysUnreadable(f"{place}: a key of type oct is no public key")
        usable = [dict(key) for key in keys if key.get("kty") in KEY_TYPES and key.get("use", "sig") == "sig"]
        if not usable:
            raise KeysUnreadable(f"{place}: there is no public key for signatures in it")
        return KeySet.import_key_set({"keys": usable})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, JoseError) as error:
        raise KeysUnreadable(f"{place}: {error}") from error


def fetch(uri: str) -> bytes:
    """Within FETCH_S in all, however slowly it drips, and no more than SET_BYTES_MAX. Redirects are not followed: keys
    come from where the settings say. Raises httpx.HTTPError or KeysUnreadable."""
    until, content = time.monotonic() + FETCH_S, b""
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    with httpx.stream("GET", uri, timeout=FETCH_S, headers=headers, follow_redirects=False) as answer:
        if answer.status_code != httpx.codes.OK:
            raise KeysUnreadable(f"{uri} answers {answer.status_code}")
        for chunk in answer.iter_raw():
            content += chunk
            if len(content) > SET_BYTES_MAX:
                raise KeysUnreadable(f"{uri} answers with more than {SET_BYTES_MAX} bytes")
            if time.monotonic() > until:
                raise KeysUnreadable(f"{uri} takes longer than {FETCH_S:g} s")
    return content
