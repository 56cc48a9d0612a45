"""One request to the API server and its answer, as JSON or as a fault. The only place that speaks HTTP.

What only reads is asked again, a few times, where a second try may succeed; what changes something never is: whether it
happened is for the workflow to find out. Credentials that are no longer accepted are read again, once, and so is the
authority that we know the server by, where it shows a certificate of another.
"""

import json
import logging
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import urlencode

import urllib3
from kubernetes import client
from kubernetes.config.config_exception import ConfigException
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay

from agent.acting import current
from agent.adapters.kubernetes.live.access import USER_AGENT, Configure
from agent.adapters.kubernetes.live.reading import parsed
from agent.adapters.kubernetes.live.refusals import fault_of
from agent.ports import Clock, ClusterFault, ClusterUnavailable, JsonObject, TooManyRequests, Unauthorized

CONNECT_TIMEOUT_S = 3.0
READ_BYTES = 65_536  # at most, at a time
READ_TIMEOUT_S = 10.0  # a list page of 500 large objects takes one
WRITE_TIMEOUT_S = (
    5.0  # all of it: a leader that cannot renew its lease for 10 s must not write behind the next one's back
)
TRIES_TO_READ = 3
READ_AT_MOST_S = 10.0  # all tries together; then whoever asked says that the server does not answer
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
SKEW_TOLD_S = 5.0  # the Date header has whole seconds, and an answer may be late by one or two
SKEW_TOLD_AGAIN_S = 60.0  # how far it must have moved to be news
_HARMLESS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/"

Told = Callable[[str, str, str], None]
"""Told (door, place, reason) of what somebody should know."""

log = logging.getLogger("watchkeeper.apiserver")


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    timeout: urllib3.Timeout
    query: Sequence[tuple[str, str]] = ()
    body: JsonObject | None = None
    accept: str = "application/json"
    content_type: str = ""
    may_send: Callable[[], None] | None = None

    @property
    def payload(self) -> "bytes | _LastLook | None":
        if self.body is None:
            return None
        written = json.dumps(self.body).encode()
        return written if self.may_send is None else _LastLook(written, self.may_send)

    @property
    def headers(self) -> dict[str, str]:
        said = {"Accept": self.accept, "User-Agent": user_agent()}
        return {**said, "Content-Type": self.content_type} if self.content_type else said

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class _LastLook:
    """A body that is only sent if it still may be, asked when the connection stands and the headers are on their way:
    a machine that was frozen until now, or that waited for a login or a handshake, sends half a request, which is none.
    """

    def __init__(self, written: bytes, may_send: Callable[[], None]) -> None:
        self._written, self._may_send = written, may_send

    def __len__(self) -> int:
        return len(self._written)

    def __iter__(self) -> Iterator[bytes]:
        self._may_send()
        yield self._written


class Connection:
    """Safe for several threads."""

    def __init__(self, configure: Configure, clock: Clock, told: Told) -> None:
        self._configure = configure
        self._clock = clock
        self._told = told
        self._lock = threading.Lock()
        self._client = client.ApiClient(configure())
        self._generation = 0
        self._skew_told_s = 0.0
        self.skew_s = 0.0
        """How far our clock is ahead of the server's, as its last answer said."""

    def read(self, path: str, query: Sequence[tuple[str, str]] = (), accept: str = "application/json") -> JsonObject:
        tries = Retrying(
            stop=stop_after_attempt(TRIES_TO_READ) | stop_after_delay(READ_AT_MOST_S),
            retry=retry_if_exception_type((ClusterUnavailable, TooManyRequests)),
            wait=_pause,
            reraise=True,
        )
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S)
        return tries(self._asked, _Request("GET", path, timeout, query, accept=accept))

    def ready(self) -> bool:
        """Does the server say that it has read all its CRDs, and whatever else it serves by? No word counts as yes."""
        asked = _Request("GET", "/readyz", urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S))
        with _faults(str(asked)):
            response = self._sent(asked)
            response.read()
            response.release_conn()
        return response.status < 500

    def write(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        body: JsonObject,
        content_type: str = "application/json",
        timeout_s: float = WRITE_TIMEOUT_S,
        may_send: Callable[[], None] | None = None,
    ) -> JsonObject:
        """`may_send` is asked as the last thing, and raises where the request must not be made any more."""
        timeout = urllib3.Timeout(total=timeout_s)
        return self._asked(_Request(method, path, timeout, query, body, content_type=content_type, may_send=may_send))

    @contextmanager
    def stream(self, path: str, query: Sequence[tuple[str, str]], read_timeout_s: float) -> Iterator[Iterator[bytes]]:
        """The lines of an answer that goes on. Raises ClusterFault, then or while it is read."""
        asked = f"GET {path} (watch)"
        with _faults(asked):
            timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=read_timeout_s)
            response = self._sent(_Request("GET", path, timeout, query))
            try:
                if response.status != 200:
                    raise fault_of(response.status, response.read(), response.headers, asked)
                yield _lines(response)
            finally:
                response.close()  # its connection is not used again: the rest of the answer was not read
                response.release_conn()

    def close(self) -> None:
        self._client.close()  # type: ignore[no-untyped-call]

    def _asked(self, request: _Request) -> JsonObject:
        with _faults(str(request)):
            response = self._sent(request)
            data = response.read()
            response.release_conn()
        if not 200 <= response.status < 300:
            raise fault_of(response.status, data, response.headers, str(request))
        try:
            found = parsed(data)
        except ValueError as error:
            raise ClusterUnavailable(f"{request}: the answer is no JSON: {error}") from error
        if not isinstance(found, dict):
            raise ClusterUnavailable(f"{request}: the answer is no object")
        return found

    def _sent(self, request: _Request) -> urllib3.BaseHTTPResponse:
        generation, begun = self._generation, time.monotonic()
        try:
            response = self._sent_once(request, begun)
        except urllib3.exceptions.SSLError as error:
            if not _unknown_authority(error) or not self._renewed(generation):
                raise
            return self._sent_once(request, begun)  # nothing of it was sent: the server was not believed
        if response.status == Unauthorized.status and self._renewed(generation):
            response.close()
            response = self._sent_once(request, begun)
        return response

    def _sent_once(self, request: _Request, begun: float) -> urllib3.BaseHTTPResponse:
        api, body, payload = self._client, request.body, request.payload
        sent = request.headers
        api.update_params_for_auth(sent, [], ["BearerToken"], request.path, request.method, body)  # may log in anew
        url = api.configuration.host + request.path + (f"?{urlencode(request.query)}" if request.query else "")
        response: urllib3.BaseHTTPResponse = api.rest_client.pool_manager.request(
            request.method,
            url,
            body=payload,
            headers=sent if payload is None else {**sent, "Content-Length": str(len(payload))},
            timeout=_left(request.timeout, time.monotonic() - begun, str(request)),
            preload_content=False,
            retries=False,
            redirect=False,
        )
        self._compare_clocks(response.headers)
        return response

    def _renewed(self, generation: int) -> bool:
        """Reads the credentials again, unless another thread has since."""
        with self._lock:
            if self._generation != generation:
                return True
            try:
                fresh = client.ApiClient(self._configure())
            except ClusterFault as fault:
                log.warning("the credentials cannot be read again: %s", fault)
                return False
            self._client, self._generation = fresh, generation + 1
        log.info("the API server and we do not accept each other any more: the credentials are read again")
        return True

    def _compare_clocks(self, headers: Mapping[str, str]) -> None:
        try:
            theirs = parsedate_to_datetime(headers.get("Date", ""))
        except (ValueError, TypeError):
            return
        ours = self._clock.now()
        self.skew_s = (ours - theirs.replace(tzinfo=theirs.tzinfo or UTC)).total_seconds()
        with self._lock:
            news = abs(self.skew_s) > SKEW_TOLD_S and abs(self.skew_s - self._skew_told_s) > SKEW_TOLD_AGAIN_S
            news = news or (abs(self.skew_s) > SKEW_TOLD_S >= abs(self._skew_told_s))
            if not news:
                return
            self._skew_told_s = self.skew_s
        ahead = "ahead of" if self.skew_s > 0 else "behind"
        self._told("apiserver", "clock", f"this machine's clock is {abs(self.skew_s):.0f} s {ahead} the API server's")


def _unknown_authority(error: urllib3.exceptions.SSLError) -> bool:
    return any(isinstance(each, ssl.SSLCertVerificationError) for each in (*error.args, error.__cause__))


def _left(timeout: urllib3.Timeout, gone_s: float, asked: str) -> urllib3.Timeout:
    """A kubeconfig's helper may wait for a person to log in. Raises ClusterUnavailable where that took all the time."""
    if not isinstance(timeout.total, int | float):
        return timeout
    if gone_s >= timeout.total:
        raise ClusterUnavailable(f"{asked}: not sent: logging in took {gone_s:.0f} s")
    return urllib3.Timeout(total=timeout.total - gone_s)


def user_agent() -> str:
    """With the incident and the step that is done now, so that the API server's audit log leads to ours."""
    deed = current()
    if deed is None:
        return USER_AGENT
    return f"{USER_AGENT} incident/{_harmless(deed.incident)} action/{_harmless(deed.step)}"


def _harmless(text: str) -> str:
    return "".join(letter if letter in _HARMLESS else "_" for letter in text)[:200]


def _pause(state: RetryCallState) -> float:
    """As long as the server says; else a little longer each time, and not all agents at once."""
    fault = state.outcome.exception() if state.outcome else None
    said = fault.retry_after_s if isinstance(fault, ClusterUnavailable | TooManyRequests) else None
    grown = min(FIRST_PAUSE_S * 2 ** (state.attempt_number - 1), LONGEST_PAUSE_S)
    return float(min(max(said or 0.0, grown * random.uniform(0.5, 1.0)), LONGEST_PAUSE_S))  # noqa: S311 - no secret


@contextmanager
def _faults(asked: str) -> Iterator[None]:
    """What urllib3 and the client raise, as the port's fault."""
    try:
        yield
    except (urllib3.exceptions.HTTPError, OSError, ConfigException) as error:
        said = " ".join(str(error).split())[:300]
        fault = ClusterUnavailable(f"{asked}: {said or type(error).__name__}")
        raise fault from error


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """As soon as each is there, also where the answer comes without the chunks that would tell its parts."""
    rest = b""
    while part := response.read1(READ_BYTES):
        *whole, rest = (rest + part).split(b"\n")
        yield from (line for line in whole if line)
