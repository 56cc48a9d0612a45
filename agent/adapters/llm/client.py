"""One chat completion at a time, at any endpoint that speaks OpenAI's protocol. `openai` is imported here alone.

Servers differ in how an answer's form is asked for: some fail on a JSON schema, some on any form at all. The client
steps down from the richest request to the plainest, and remembers the one that worked. An answer has a time and a size,
however slowly its bytes come and however many there are. What it means is not the client's business.
"""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, cast

logger = logging.getLogger("watchkeeper.llm")

REQUEST_TIMEOUT_S: Final = 30.0  # of one call with all that it tries; a slower model is no help in an incident
TRIES_ALIKE: Final = 2  # one lost connection or one busy moment is usual, a second is an outage
PAUSE_S: Final = 2.0  # before the second try: a server that counts calls lets the next one in
MAX_ANSWER_TOKENS: Final = 600  # a diagnosis and three remedies need about 300
MAX_BODY_BYTES: Final = 262_144  # of a completion with everything around it; an answer is a sixteenth of this
FORMS: Final = ("json_schema", "json_object", "prompt")
NOT_IN_THIS_FORM: Final = (400, 422, 500, 501)  # what servers say to a form that they do not know
BUSY: Final = (429, 502, 503, 504)
Message = Mapping[str, str]


class ModelFault(Exception):
    """The model gave no answer."""


class Chat(Protocol):
    """What the loop needs of a model."""

    def ask(self, messages: Sequence[Message], schema: Mapping[str, Any], timeout_s: float) -> str:
        """The answer's text. Raises ModelFault."""
        ...


class _Status(Exception):
    """The server answers with this instead of a completion; what else it says is not read."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the model's server answers {status}")
        self.status = status


class ModelClient:
    """May be asked from several threads."""

    def __init__(self, endpoint: str, model: str, key: str | None, *, request_timeout_s: float = REQUEST_TIMEOUT_S):
        import openai

        logging.getLogger("openai").setLevel(logging.WARNING)
        for transport in ("httpx", "httpx2"):
            logging.getLogger(transport).setLevel(logging.WARNING)
        self._openai = openai
        self._model = model
        self._timeout_s = request_timeout_s
        self._form = FORMS[0]
        # A redirect would send what the incident tells, and maybe the key, to a place that nobody configured.
        http = openai.DefaultHttpxClient(follow_redirects=False, event_hooks={"response": [_only_ok]})
        self._client = openai.OpenAI(base_url=endpoint, api_key=key or "none", max_retries=0, http_client=http)

    def ask(self, messages: Sequence[Message], schema: Mapping[str, Any], timeout_s: float) -> str:
        ends_at = time.monotonic() + min(timeout_s, self._timeout_s)
        for form in FORMS[FORMS.index(self._form) :]:
            try:
                text = self._tried(messages, _options(form, schema), ends_at)
            except _Status as error:
                if form == FORMS[-1] or error.status not in NOT_IN_THIS_FORM:
                    raise ModelFault(str(error)) from error
                logger.info("the model's server answers %s to the form %s", error.status, form)
                continue
            self._form = form
            return text
        raise ModelFault("the model's server takes no form of request")

    def _tried(self, messages: Sequence[Message], options: Mapping[str, Any], ends_at: float) -> str:
        """Once, and once more where that may be of use and there is time. Raises ModelFault and _Status."""
        for left in reversed(range(TRIES_ALIKE)):
            try:
                return _text(self._body(messages, options, ends_at))
            except ModelFault:
                raise
            except Exception as error:  # the client's or its transport's: they have no common root
                refused = _refusal(error)
                if refused is not None and refused.status not in BUSY:
                    raise refused from error
                in_time = not isinstance(error, self._openai.APITimeoutError) and time.monotonic() + PAUSE_S < ends_at
                if not left or not in_time:
                    raise ModelFault(str(refused or f"the model does not answer: {type(error).__name__}")) from error
                time.sleep(PAUSE_S)
        raise ModelFault("the model does not answer")

    def _body(self, messages: Sequence[Message], options: Mapping[str, Any], ends_at: float) -> bytes:
        """The bytes of one completion, read piece by piece: a timeout of the transport counts for each piece anew."""
        left_s = ends_at - time.monotonic()
        if left_s <= 0:
            raise ModelFault("the model does not answer in time")
        completions = self._client.with_options(timeout=left_s).chat.completions.with_streaming_response
        body = bytearray()
        with completions.create(model=self._model, messages=cast(Any, list(messages)), **options) as response:
            for piece in response.iter_bytes():
                body += piece
                if len(body) > MAX_BODY_BYTES:
                    raise ModelFault(f"the model's answer is longer than {MAX_BODY_BYTES} bytes")
                if time.monotonic() > ends_at:
                    raise ModelFault("the model does not answer in time")
        return bytes(body)


def _refusal(error: Exception) -> _Status | None:
    """The status that it comes of, if it does."""
    return next((each for each in (error, error.__cause__) if isinstance(each, _Status)), None)


def _only_ok(response: Any) -> None:
    if response.status_code != 200:
        raise _Status(response.status_code)


def _text(body: bytes) -> str:
    """Raises ModelFault."""
    try:
        text = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ModelFault("the model's server sends no chat completion") from error
    if not isinstance(text, str):
        raise ModelFault("the model says nothing")
    return text.encode("utf-8", "replace").decode()  # half a surrogate cannot be recorded


def _options(form: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The plainest request carries nothing that an endpoint could stumble over; time alone bounds it."""
    if form == "prompt":
        return {}
    bounds = {"max_tokens": MAX_ANSWER_TOKENS, "temperature": 0.0}
    if form == "json_object":
        return {**bounds, "response_format": {"type": "json_object"}}
    named = {"name": "answer", "strict": False, "schema": dict(schema)}
    return {**bounds, "response_format": {"type": "json_schema", "json_schema": named}}
