"""A record: one piece of evidence, and the only bytes it is attested by.

Everything that is attested is inside those bytes: the index, the time and the actor as much as the payload. The log
gives `kind`, attributes and payload no meaning; those who write records do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from audit import canonical, merkle
from audit.canonical import JsonValue, plain, plain_and_written, text
from audit.errors import RecordRefused
from audit.sealing import check_form, hidden

SCHEMA, SEALED_SCHEMA = 1, 2
"""Version of the form below, inside every record: 2 has sealed places, and is written only where there are some. A
reader knows all versions that were ever written and refuses what it does not know."""

MAX_PAYLOAD_BYTES = 1024 * 1024
"""Canonical bytes. Larger evidence belongs in an object store, with its hash here."""
MAX_ATTRIBUTES = 32
MAX_ATTRIBUTE_VALUE_BYTES = 1024
"""Attributes are for finding records; what they describe is in the payload."""
MAX_ACTOR_BYTES = 256
MAX_UNIQUE_KEY_BYTES = 512

_NAME = re.compile(r"[a-z][a-z0-9_.]{0,63}", re.ASCII)
_STRINGS = frozenset({str})
AT_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of the log. `at` always has the form 2026-01-31T12:00:00.000000Z, so that text order is time order.

    `sealed` has the commitment for each place whose text is kept apart (`audit.sealing`); as far as they are at hand,
    the texts are at their places all the same.
    """

    index: int
    kind: str
    at: str
    actor: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    payload: JsonValue = None
    unique_key: str | None = None
    sealed: Mapping[str, str] = field(default_factory=dict)

    @property
    def schema(self) -> int:
        return SEALED_SCHEMA if self.sealed else SCHEMA


_SEALED_FIELDS = frozenset(Record.__slots__)
_FIELDS = {SCHEMA: _SEALED_FIELDS - {"sealed"}, SEALED_SCHEMA: _SEALED_FIELDS}
"""Beside the schema itself."""


def timestamp(at: datetime | str) -> str:
    """The log's form of a time. A time without a zone is refused: it would mean another moment elsewhere."""
    try:
        moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    except ValueError as error:
        raise RecordRefused("/at", f"not an RFC 3339 time: {at!r:.60}") from error
    if moment.tzinfo is None:
        raise RecordRefused("/at", "a time without a zone")
    try:
        moment = moment.astimezone(UTC)
    except OverflowError as error:
        raise RecordRefused("/at", "a time outside the years 1 to 9999") from error
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def checked(record: Record) -> Record:
    """The record with plain JSON inside, or `RecordRefused`. What this returns, `canonical_bytes` can write."""
    return checked_and_written(record)[0]


def checked_and_written(record: Record) -> tuple[Record, bytes | None]:
    """The same, and the payload as Python's own encoder writes it, where that was seen on the way."""
    copy, form = plain_and_written(record.payload) or (None, None)
    if not _NAME.fullmatch(text(record.kind, "/kind")):
        raise RecordRefused("/kind", f"not of the form {_NAME.pattern}")
    if len(record.attributes) > MAX_ATTRIBUTES:
        raise RecordRefused("/attributes", f"more than {MAX_ATTRIBUTES}")
    for name in record.attributes:
        if not _NAME.fullmatch(text(name, "/attributes")):
            raise RecordRefused("/attributes", f"the name {name!r:.80} is not of the form {_NAME.pattern}")
    key = record.unique_key
    whole = Record(
        index=record.index,
        kind=str(record.kind),
        at=timestamp(record.at),
        actor=_short(record.actor, "/actor", MAX_ACTOR_BYTES),
        attributes={
            str(name): _short(value, f"/attributes/{name}", MAX_ATTRIBUTE_VALUE_BYTES)
            for name, value in sorted(record.attributes.items())
        },
        payload=plain(record.payload, "/payload") if form is None else copy,
        unique_key=None if key is None else _short(key, "/unique_key", MAX_UNIQUE_KEY_BYTES),
    )
    return whole, form


def _short(value: object, place: str, max_bytes: int) -> str:
    size_bytes = len(text(value, place).encode())
    if size_bytes > max_bytes:
        raise RecordRefused(place, f"{size_bytes} bytes where {max_bytes} may be")
    if "\0" in text(value, place):
        raise RecordRefused(place, "a NUL character, which not every database can keep in a text")
    if not size_bytes and place in ("/actor", "/unique_key"):
        raise RecordRefused(place, "empty")
    return text(value, place)


def canonical_bytes(record: Record, write: Callable[[JsonValue], bytes] = canonical.write) -> bytes:
    """What is stored and hashed, by any writer of RFC 8785. The record must have come from `checked` or `parse`."""
    record = hidden(record)
    return with_payload(record, payload_bytes(record, write), write)


def with_payload(record: Record, payload: bytes, write: Callable[[JsonValue], bytes]) -> bytes:
    """The same of a record that is hidden, whose payload was written already."""
    head = write(
        {
            "actor": record.actor,
            "at": record.at,
            "attributes": dict(record.attributes),
            "index": record.index,
            "kind": record.kind,
        }
    )
    sealed = {"sealed": dict(record.sealed)} if record.sealed else {}
    tail = write({"schema": record.schema, **sealed, "unique_key": record.unique_key})
    return head[:-1] + b',"payload":' + payload + b"," + tail[1:]


def payload_bytes(record: Record, write: Callable[[JsonValue], bytes] = canonical.write) -> bytes:
    """Raises RecordRefused if they are too many, with what is sealed or without it: as the record has it."""
    return within_limit(write(record.payload))


def within_limit(payload: bytes) -> bytes:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise RecordRefused("/payload", f"{len(payload)} bytes where {MAX_PAYLOAD_BYTES} may be")
    return payload


def leaf_hash(body: bytes) -> bytes:
    """The record's leaf in the tree, from its canonical bytes."""
    return merkle.leaf_hash(body)


def parse(body: bytes) -> Record:
    """The record in canonical bytes, or `RecordRefused`. Only the canonical form of a record passes."""
    value = canonical.read(body)
    if not isinstance(value, dict) or "schema" not in value:
        raise RecordRefused("", "not an object with a schema")
    schema = value.pop("schema")
    if type(schema) is not int or schema not in _FIELDS:
        raise RecordRefused("/schema", f"{schema!r:.20} is not a form this reader knows")
    if value.keys() != _FIELDS[schema]:
        raise RecordRefused("", f"not an object with exactly schema, {', '.join(sorted(_FIELDS[schema]))}")
    _check_types(value)
    record = Record(**value)
    if schema == SEALED_SCHEMA:
        check_form(record)
    return record


def _check_types(value: dict[str, JsonValue]) -> None:
    if type(value["index"]) is not int or value["index"] < 0:
        raise RecordRefused("/index", "not an index")
    for name in ("kind", "actor", "at"):
        if not isinstance(value[name], str):
            raise RecordRefused(f"/{name}", "not a string")
    if not AT_FORM.fullmatch(value["at"]):
        raise RecordRefused("/at", "not a time of the form 2026-01-31T12:00:00.000000Z")
    if value["unique_key"] is not None and not isinstance(value["unique_key"], str):
        raise RecordRefused("/unique_key", "neither a string nor null")
    attributes = value["attributes"]
    if not isinstance(attributes, dict) or not _STRINGS.issuperset(map(type, attributes.values())):
        raise RecordRefused("/attributes", "not an object of strings")
