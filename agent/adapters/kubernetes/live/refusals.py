"""What an answer of the API server that is no success means, as one of the port's faults. Pure.

The forms: metav1.Status in the body, Retry-After beside 429 and 503. A DisruptionBudget's 429 and that of
priority-and-fairness are one fault: nothing was done, and it may be asked again.
"""

import json
from collections.abc import Mapping
from typing import Any

from agent.adapters.kubernetes.live.reading import parsed
from agent.ports import (
    ClusterFault,
    ClusterUnavailable,
    Conflict,
    FieldConflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    NotServed,
    ServerError,
    TooManyRequests,
    Unauthorized,
)

MESSAGE_CHARS = 500  # an admission webhook may say more than a log should hold
RETRY_AFTER_AT_MOST_S = 600.0  # beyond it a server's wish is a mistake
_BY_STATUS: Mapping[int, type[ClusterFault]] = {
    400: Invalid,  # what cannot even be read: a text where a number belongs
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: Invalid,
    409: Conflict,
    410: Gone,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    429: TooManyRequests,
    503: ClusterUnavailable,
    504: ClusterUnavailable,
}

_NOT_A_WEBHOOKS_TO_SAY = (401, 404, 410)  # it chooses the code of its no freely: these would mean something else


def fault_of(status: int, body: bytes, headers: Mapping[str, str], asked: str) -> ClusterFault:
    """`asked` names the request, for the message."""
    said = _status(body)
    message = f"{asked}: {_message(said, body) or f'status {status}'}"
    causes = _causes(said)
    fault: ClusterFault
    status = 403 if status in _NOT_A_WEBHOOKS_TO_SAY and _denied(said) else status
    if status == 409 and any(cause.get("reason") == "FieldManagerConflict" for cause in causes):
        fault = FieldConflict(message, {str(each.get("field")): str(each.get("message")) for each in causes})
    elif status == 422 and any(cause.get("field") == "metadata.uid" for cause in causes):
        fault = Conflict(message)  # how a merge patch with the uid of an earlier object is turned down
    elif status == 404 and not _details(said).get("name"):
        fault = NotServed(message)
    else:
        fault = _BY_STATUS.get(status, ServerError if status >= 500 else ClusterFault)(message)
    if type(fault).status != status:
        fault.status = status
    if isinstance(fault, TooManyRequests | ClusterUnavailable):
        fault.retry_after_s = _retry_after(headers)
    return fault


def fault_in(status: Mapping[str, Any], asked: str) -> ClusterFault:
    """Of an ERROR in a watch: the object is a metav1.Status."""
    code = status.get("code")
    return fault_of(code if isinstance(code, int) else 500, json.dumps(status).encode(), {}, asked)


def _status(body: bytes) -> Mapping[str, Any]:
    try:
        found = parsed(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.get("kind") == "Status" else {}


def _message(said: Mapping[str, Any], body: bytes) -> str:
    text = str(said.get("message") or "") or body.decode(errors="replace")
    printable = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * MESSAGE_CHARS])
    short = " ".join(printable.split())
    return short if len(short) <= MESSAGE_CHARS else f"{short[:MESSAGE_CHARS]}…"


def _denied(said: Mapping[str, Any]) -> bool:
    text = str(said.get("message") or "")
    return text.startswith('admission webhook "') and " denied the request" in text


def _causes(said: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    causes = _details(said).get("causes")
    return [each for each in causes if isinstance(each, dict)] if isinstance(causes, list) else []


def _details(said: Mapping[str, Any]) -> Mapping[str, Any]:
    details = said.get("details")
    return details if isinstance(details, dict) else {}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    return min(float(text), RETRY_AFTER_AT_MOST_S) if text.isdecimal() and len(text) < 10 else None
