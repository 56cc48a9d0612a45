"""One question to an OPA server, within a deadline whatever the server does.

`opa_client` speaks the API. What it leaves to chance is settled here: its time-out is one per read, so a server that
sends a byte a second could hold us for ever; no proxy, no .netrc and no redirect of this machine's environment may send
the question elsewhere; an answer is no longer than a verdict can be.
"""

from concurrent.futures import Future, TimeoutError as Late
from dataclasses import dataclass, field
from pathlib import Path
from threading import BoundedSemaphore, Thread
from typing import Any
from urllib.parse import urlsplit

import requests
from opa_client.opa import OpaClient  # type: ignore[import-untyped]
from urllib3.exceptions import HTTPError

from agent.adapters.opa.body import Unreadable, strict_json
from agent.ports import JsonObject, PolicyUnavailable

OK = 200  # OPA's only status for a decision, whatever it is; 201 or 206 is somebody else's or a part
ANSWER_AT_MOST_BYTES = 1 << 20  # a verdict has about a thousand
HANGING_AT_MOST = 4  # questions that a server was left alone with; after that it is not asked until one comes back
_CHUNK_BYTES = 65_536
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class OpaPlace:
    """Where the server is and how it is spoken to. The token is a secret: it is in no text of this object."""

    url: str
    token: str | None = field(default=None, repr=False)
    ca_file: Path | None = None  # instead of the authorities that this machine trusts
    certificate_file: Path | None = None  # ours, with its key, where the server wants to know its clients
    key_file: Path | None = None
    timeout_s: float = 1.5


class AnswerTooLong(requests.exceptions.ContentDecodingError):
    """More bytes than any verdict has."""


class AnswerOdd(requests.exceptions.ContentDecodingError):
    """No answer of an OPA server that every reader reads alike."""


class _Client(OpaClient):  # type: ignore[misc]  # untyped
    """Opa_client's session without what the environment of this machine would add to it."""

    def _init_session(self) -> requests.Session:
        session: requests.Session = super()._init_session()
        session.trust_env = False
        session.max_redirects = 0
        session.hooks["response"] += [_read_whole, _refuse_odd]
        return session


class OpaServer:
    """Raises PolicyUnavailable: policy.unreachable, policy.timeout or policy.error."""

    def __init__(self, place: OpaPlace) -> None:
        address = urlsplit(place.url)
        secure = address.scheme == "https"
        certificate = (str(place.certificate_file), str(place.key_file)) if place.certificate_file else None
        self._timeout_s = place.timeout_s
        self._hanging = BoundedSemaphore(HANGING_AT_MOST)
        self._client = _Client(
            host=f"[{address.hostname}]" if ":" in (address.hostname or "") else address.hostname or "",
            port=address.port or _PORTS[address.scheme],
            ssl=str(place.ca_file) if secure and place.ca_file else secure,
            cert=certificate,
            token=place.token,
            retries=0,  # the stage asks again, about a fresh look
            timeout=place.timeout_s,
        )

    def query(self, policy_input: JsonObject, package: str, rule: str) -> JsonObject:
        """The server's whole answer, with where it has it from (`provenance`)."""
        asked: dict[str, Any] = {"provenance": "true", "strict-builtin-errors": "true"}
        answer = self._within(lambda: self._client.query_rule(policy_input, package, rule, query_params=asked))
        if not isinstance(answer, dict):
            raise PolicyUnavailable("policy.ill_typed", f"the server's answer is a {type(answer).__name__}")
        return answer

    def healthy(self) -> bool:
        """Is it up with its bundles active? False on any fault."""
        try:
            return bool(self._within(lambda: self._client.check_health(query={"bundles": "true"})))
        except PolicyUnavailable:
            return False

    def close(self) -> None:
        self._client.close_connection()

    def _within(self, ask: Any) -> Any:
        if not self._hanging.acquire(blocking=False):
            raise PolicyUnavailable("policy.timeout", f"{HANGING_AT_MOST} questions to the server are still open")
        future: Future[Any] = Future()
        Thread(target=self._ask, args=(ask, future), name="opa-question", daemon=True).start()
        try:
            return future.result(self._timeout_s)
        except (Late, requests.exceptions.Timeout):
            raise PolicyUnavailable("policy.timeout", f"the server gave no answer in {self._timeout_s:g} s") from None
        except requests.exceptions.RequestException as fault:
            raise _unavailable(fault) from fault
        except (ValueError, RecursionError, HTTPError) as fault:
            raise PolicyUnavailable("policy.error", f"the server's answer cannot be read: {fault}") from fault

    def _ask(self, ask: Any, future: "Future[Any]") -> None:
        try:
            future.set_result(ask())
        except Exception as fault:  # noqa: BLE001 (told to who waits)
            future.set_exception(fault)
        finally:
            self._hanging.release()


def _read_whole(response: requests.Response, **_options: Any) -> requests.Response:
    """Reads the body here, where its length can be limited, before `requests` would without a limit."""
    parts, size = [], 0
    for part in response.iter_content(_CHUNK_BYTES):
        size += len(part)
        if size > ANSWER_AT_MOST_BYTES:
            response.close()
            raise AnswerTooLong(f"the server's answer has more than {ANSWER_AT_MOST_BYTES} bytes")
        parts.append(part)
    response._content = b"".join(parts)
    return response


def _refuse_odd(response: requests.Response, **_options: Any) -> requests.Response:
    """Of what claims to have worked: another status than OPA's, or a body that is read differently by others. The
    health of a server has no body that matters."""
    asked = response.request.method == "POST"
    if response.ok and not response.is_redirect and response.status_code != OK:
        raise AnswerOdd(f"the server answered {response.status_code}, not {OK}")
    if asked and response.status_code == OK:
        try:
            strict_json(response.content)
        except Unreadable as fault:
            raise AnswerOdd(str(fault)) from fault
    return response


def _unavailable(fault: requests.exceptions.RequestException) -> PolicyUnavailable:
    """No connection is another thing than an answer that is none."""
    response = fault.response
    if response is not None:
        return PolicyUnavailable("policy.error", f"the server answered {response.status_code}: {_words(response)}")
    torn = (
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
        requests.exceptions.JSONDecodeError,
    )
    if isinstance(fault, torn):
        return PolicyUnavailable("policy.error", f"the server's answer cannot be read: {fault}")
    return PolicyUnavailable("policy.unreachable", f"the OPA server cannot be reached: {type(fault).__name__}")


def _words(response: requests.Response) -> str:
    try:
        return str(response.json()["message"])[:200]
    except (ValueError, KeyError, TypeError, RecursionError):
        return response.reason or "nothing"
