"""One chat completion at a time, at any endpoint that speaks OpenAI's protocol. `openai` is imported here alone.

Servers differ in how an answer's form is asked for: some fail on a JSON schema, some on any form at all. The client
steps down from the richest request to the plainest, and remembers the one that worked. What an answer means is not its
business.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, cast

logger = logging.getLogger("watchkeeper.llm")

REQUEST_TIMEOUT_S: Final = 30.0  # a slower model keeps the other incidents waiting
MAX_RETRIES: Final = 1  # of the openai client's own: one lost connection is usual, a second is an outage
MAX_ANSWER_TOKENS: Final = 600  # a diagnosis and three remedies need about 300
FORMS: Final = ("json_schema", "json_object", "prompt")
Message = Mapping[str, str]


class ModelFault(Exception):
    """The model gave no answer."""


class Chat(Protocol):
    """What the loop needs of a model."""

    def ask(self, messages: Sequence[Message], schema: Mapping[str, Any], timeout_s: float) -> str:
        """The answer's text. Raises ModelFault."""
        ...


class ModelClient:
    def __init__(self, endpoint: str, model: str, key: str | None, *, request_timeout_s: float = REQUEST_TIMEOUT_S):
        import openai

        logging.getLogger("openai").setLevel(logging.WARNING)
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._openai = openai
        self._model = model
        self._timeout_s = request_timeout_s
        self._form = FORMS[0]
        self._client = openai.OpenAI(base_url=endpoint, api_key=key or "none", max_retries=MAX_RETRIES)

    def ask(self, messages: Sequence[Message], schema: Mapping[str, Any], timeout_s: float) -> str:
        for form in FORMS[FORMS.index(self._form) :]:
            try:
                text = self._asked(messages, _options(form, schema), min(timeout_s, self._timeout_s))
            except self._openai.APIStatusError as error:
                if form == FORMS[-1] or error.status_code not in (400, 422, 500, 501):
                    raise ModelFault(f"the model's server answers {error.status_code}") from error
                logger.info("the model's server answers %s to the form %s", error.status_code, form)
                continue
            except (self._openai.OpenAIError, ValueError) as error:
                raise ModelFault(f"the model does not answer: {type(error).__name__}") from error
            self._form = form
            return text
        raise ModelFault("the model's server takes no form of request")

    def _asked(self, messages: Sequence[Message], options: Mapping[str, Any], timeout_s: float) -> str:
        said: Any = self._client.with_options(timeout=timeout_s).chat.completions.create(
            model=self._model, messages=cast(Any, list(messages)), **options
        )
        try:
            text = said.choices[0].message.content
        except (AttributeError, IndexError, TypeError) as error:
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
