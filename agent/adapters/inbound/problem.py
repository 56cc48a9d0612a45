"""Refusals over HTTP, as RFC 9457 problem documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

from agent.adapters.inbound.delivery import Malformed

MEDIA_TYPE = "application/problem+json"
_TYPE_PREFIX = "urn:watchkeeper:problem:"
SHOWN = 100  # refused items that an answer names; all are counted


@dataclass(eq=False)  # compared and hashed as an exception
class Problem(Exception):
    """`slug` names the kind of problem, `place` where in what was sent it lies."""

    status: HTTPStatus
    slug: str
    detail: str
    place: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self, instance: str) -> JSONResponse:
        document = {
            "type": _TYPE_PREFIX + self.slug,
            "title": self.slug.replace("-", " ").capitalize(),
            "status": self.status.value,
            "detail": self.detail,
            "instance": instance,
            "place": self.place,
            **self.more,
        }
        return JSONResponse(document, self.status.value, dict(self.headers), MEDIA_TYPE)


def malformed(refused: Sequence[Malformed], accepted: int) -> Problem:
    """400, although `accepted` signals of the same delivery are stored: sending it again would change nothing."""
    first = refused[0]
    return Problem(
        HTTPStatus.BAD_REQUEST,
        "malformed-input",
        f"{first} ({accepted} accepted, {len(refused)} refused)",
        place=first.place or "body",
        more={
            "accepted": accepted,
            "refused": [{"place": r.place, "reason": r.reason} for r in refused[:SHOWN]],
            "refused_count": len(refused),
        },
    )
