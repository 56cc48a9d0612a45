"""The ground that the wire forms share: JSON that is safe to keep, times, and pydantic's faults in our own words."""

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from agent.adapters.inbound.delivery import Malformed
from agent.adapters.inbound.limits import LIMITS, Limits
from agent.domain.base import parse_rfc3339

NO_TIME_YEAR = 1  # Go's zero time, 0001-01-01T00:00:00Z, means that there is none
_FIRST_YEAR = 1970
_MAX_SAFE_INTEGER = 2**53 - 1  # what RFC 8785 can say exactly
_MAX_DEPTH = 64


class Wire(BaseModel):
    """Lenient about keys that we do not read, strict about those that we do; numbers are taken where text is meant."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)


def _moment(value: object) -> datetime | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str | datetime):
        raise ValueError("expected an RFC 3339 time")
    try:
        moment = parse_rfc3339(value) if isinstance(value, str) else value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of range") from None
    if moment.year <= NO_TIME_YEAR:
        return None
    if moment.year < _FIRST_YEAR:
        raise ValueError(f"expected a time after {_FIRST_YEAR}")
    return moment


Moment = Annotated[datetime | None, BeforeValidator(_moment)]
"""An RFC 3339 time with its zone; None for Go's zero time."""

AnyWire = TypeVar("AnyWire", bound=Wire)


def read(form: type[AnyWire], document: object) -> AnyWire:
    """`document` as that form. Raises Malformed with the first fault's path."""
    try:
        return form.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise Malformed(_path(first["loc"]), fault_words(first["type"], first["msg"])) from None


def json_document(
    body: bytes, limits: Limits = LIMITS, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> Any:
    """The JSON value in `body`: UTF-8, finite numbers, no lone surrogates, and no deeper than anybody needs.

    `pairs` makes an object of its members, where it matters that one comes twice.
    """
    if len(body) > limits.max_body_bytes:
        raise Malformed("", f"more than {limits.max_body_bytes} bytes")
    try:
        document = json.loads(text_of(body), parse_constant=_no_constant, object_pairs_hook=pairs)
        _check_depth(document)
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except Malformed:
        raise
    except UnicodeEncodeError:
        raise Malformed("", "not UTF-8 text") from None
    except RecursionError:
        raise Malformed("", f"nested more than {_MAX_DEPTH} deep") from None
    except json.JSONDecodeError as error:
        raise Malformed(f"line {error.lineno} column {error.colno}", f"not JSON: {error.msg}") from None
    except ValueError as error:
        raise Malformed("", f"not JSON: {error}") from None
    return document


def text_of(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"byte {error.start}", "not UTF-8 text") from None


def plain(value: object) -> Any:
    """A JSON value that has an RFC 8785 form: larger integers become text, what is no JSON its text."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) <= _MAX_SAFE_INTEGER else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return str(value)


def cut(text: str, limits: Limits = LIMITS) -> str:
    return text if len(text) <= limits.max_text_chars else text[: limits.max_text_chars - 1] + "…"


def check_count(place: str, count: int, most: int) -> None:
    if count > most:
        raise Malformed(place, f"{count} items, at most {most} in one delivery")


def check_name(place: str, name: str | None, limits: Limits = LIMITS) -> None:
    """What a stranger says that an object is called: it is looked for, told and kept, so it has to be a name."""
    if name is None:
        return
    if len(name) > limits.max_name_chars:
        raise Malformed(place, f"no name: longer than {limits.max_name_chars} characters")
    if not name.isprintable() or any(letter.isspace() for letter in name):
        raise Malformed(place, "no name: it has characters that no name has")


def check_labels(place: str, labels: Mapping[str, str], limits: Limits = LIMITS) -> None:
    check_count(place, len(labels), limits.max_labels)
    for name, value in labels.items():
        if len(name) > limits.max_label_chars or len(value) > limits.max_label_chars:
            raise Malformed(f"{place}.{name[:64]}", f"longer than {limits.max_label_chars} characters")


def _check_depth(document: object) -> None:
    level: list[object] = [document]
    for _ in range(_MAX_DEPTH):
        level = [inner for value in level for inner in _inner(value)]
        if not level:
            return
    raise Malformed("", f"nested more than {_MAX_DEPTH} deep")


def _inner(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


_WORDS = {
    "missing": "missing",
    "model_type": "expected an object",
    "dict_type": "expected an object",
    "list_type": "expected a list",
    "string_type": "expected text",
    "string_too_short": "empty",
}


def fault_words(kind: str, message: str) -> str:
    said = message.removeprefix("Value error, ")
    return _WORDS.get(kind) or said.replace("Input should be", "expected", 1)
