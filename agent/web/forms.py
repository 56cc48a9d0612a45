"""Answers as they come in, as JSON or from the page's form, and that a form is one that we showed to this person.

A browser sends a person's credentials along whichever site made it post (the proxy's cookie becomes our header), so a
form is only taken with a seal that no other site can make: it is of this process, for this account, this request and
this digest, and good for an hour. What browsers say of a request's origin (Sec-Fetch-Site) is heeded besides.
"""

from __future__ import annotations

import hmac
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import Headers

from agent.adapters.inbound.delivery import Malformed
from agent.adapters.inbound.limits import Limits
from agent.adapters.inbound.problem import Problem, malformed
from agent.adapters.inbound.wire import fault_words, json_document
from agent.answering import REASON_CHARACTERS_MAX, Said
from agent.domain.approval import ApprovalRequest

BODY_BYTES_MAX: Final = 65_536  # a reason of 2,000 characters, percent-encoded, four bytes each, is 24,000
FIELDS_MAX: Final = 8
SEALED_FOR_S: Final = 3600  # as long as a request usually waits
_SAME: Final = ("same-origin", "none")


class Answer(BaseModel):
    """What a door without a form is sent. The digest is that of what was looked at, in full."""

    model_config = ConfigDict(extra="forbid", strict=True)

    decision: Literal["approve", "reject", "withdraw"]
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    reason: str = Field(default="", max_length=REASON_CHARACTERS_MAX)
    tier: int | None = Field(default=None, ge=0, le=100)

    def said(self, request: str) -> Said:
        return Said(request, self.digest, self.decision, self.reason, tier=self.tier)


def json_answer(body: bytes) -> Answer:
    """Raises Problem, 400, with the place of the first fault."""
    try:
        return _read(json_document(body, Limits(max_body_bytes=BODY_BYTES_MAX), _each_once))
    except Malformed as fault:
        raise malformed([fault], 0) from fault


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A word that comes twice may be read by whoever looks at it on the way as the other of the two."""
    given = dict(pairs)
    if len(given) != len(pairs):
        raise Malformed("body", "a field comes twice")
    return given


def form_answer(body: bytes) -> tuple[Answer, str]:
    """The answer and the seal. Raises Problem."""
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
        given: dict[str, object] = dict(pairs)
        if len(given) != len(pairs):
            raise Malformed("body", "a field comes twice")
        seal, tier = str(given.pop("seal", "")), str(given.pop("tier", ""))
        if not (tier.isascii() and tier.isdigit()):
            raise Malformed("tier", "expected a number")
        return _read({**given, "tier": int(tier[:4])}), seal
    except Malformed as fault:
        raise malformed([fault], 0) from fault
    except ValueError as fault:  # no UTF-8, or too many fields
        raise malformed([Malformed("body", "this is no form of ours")], 0) from fault


def _read(document: object) -> Answer:
    try:
        return Answer.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Malformed(place, fault_words(first["type"], first["msg"])) from None


def same_origin(headers: Headers) -> None:
    """Raises Problem where the browser itself says that another site made it send this."""
    if headers.get("sec-fetch-site", "none") not in _SAME:
        raise _not_ours("Another site made your browser send this, so it does not count.")


class Seals:
    """`secret` is of this process: a form from before a restart is shown again."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def seal(self, account: str, request: ApprovalRequest, now: datetime) -> str:
        return self._made(account, request.id, request.digest, int(now.timestamp()))

    def check(self, given: str, account: str, request: str, digest: str, now: datetime) -> None:
        """Raises Problem for a form that we did not show to this account, or not lately."""
        at = given.partition(".")[0]
        shown_at = int(at) if at.isascii() and at.isdigit() and len(at) <= 12 else 0
        made = self._made(account, request, digest, shown_at)
        if not hmac.compare_digest(made.encode(), given.encode("utf-8", "replace")):
            raise _not_ours("This form is not one that was shown to you, so it does not count.")
        if not 0 <= now.timestamp() - shown_at <= SEALED_FOR_S:
            raise _not_ours("This form was shown too long ago, so it does not count.")

    def _made(self, account: str, request: str, digest: str, at: int) -> str:
        about = "\0".join((str(at), account, request, digest))
        return f"{at}.{hmac.new(self._secret, about.encode(), 'sha256').hexdigest()}"


def _not_ours(detail: str) -> Problem:
    return Problem(HTTPStatus.FORBIDDEN, "not-our-form", f"{detail} Open the request again.", more={"code": "form"})
