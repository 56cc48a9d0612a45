"""What may be erased stands apart from the record: behind a salted commitment, which the record's hash covers.

A record names the places that are sealed and a commitment for each; the text itself is a *part*, kept in a table of
its own with its salt. Erasing the part changes no record, so every proof stays valid, and the salt that goes with it
leaves nothing to guess the text by. Salted digests in place of values, with the salts handed out apart, is what
Selective Disclosure for JWTs does (IETF, SD-JWT); the form here is ours. Standard library alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from audit.errors import RecordRefused

if TYPE_CHECKING:
    from audit.record import Record

SALT_BYTES = 32
"""As long as the hash: a short text cannot be found by trying."""

MAX_PLACES = 4096
"""Of one record. Each is a row; more of them are a document, whose hash belongs here and whose text does not."""

SEALED_ACTOR = "(sealed)"
"""An actor is never empty; this stands in the record where who it was is a part."""

ACTOR, ATTRIBUTES, PAYLOAD = "/actor", "/attributes/", "/payload"
_COMMITMENT = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Part:
    """A sealed text, and what opens the commitment at its place (a JSON Pointer into the record)."""

    place: str
    salt: bytes
    text: str

    @property
    def word(self) -> str | None:
        """What the record is found by through this part: attributes and actors are, payloads are not."""
        return None if self.place.startswith(PAYLOAD) else self.text

    @property
    def commitment(self) -> str:
        """Hex. The 0x02 keeps it from being a leaf or a node of the tree; the salt's length is fixed."""
        return hashlib.sha256(b"\x02" + self.salt + self.text.encode()).hexdigest()


def seal(record: Record, places: Iterable[str], salt: Callable[[], bytes]) -> tuple[Record, tuple[Part, ...]]:
    """The record with commitments for these places, and the parts that open them. Raises RecordRefused.

    The record keeps its texts: what is stored of it is `hidden`. A place must hold a text.
    """
    parts: list[Part] = []
    if not places:
        return record, ()
    for place in sorted(set(places)):
        found = text_at(record, place)
        if found is None:
            raise RecordRefused(place, "no text to be sealed")
        parts.append(Part(place, salt(), found))
    if len(parts) > MAX_PLACES:
        raise RecordRefused("/sealed", f"{len(parts)} places where {MAX_PLACES} may be")
    return replace(record, sealed={part.place: part.commitment for part in parts}), tuple(parts)


def hidden(record: Record) -> Record:
    """The record as it is attested: null, or nothing, where a text is sealed."""
    if not record.sealed:
        return record
    attributes = {name: value for name, value in record.attributes.items() if ATTRIBUTES + name not in record.sealed}
    return replace(
        record,
        actor=SEALED_ACTOR if ACTOR in record.sealed else record.actor,
        attributes=attributes,
        payload=_with(record.payload, {place: None for place in record.sealed if place.startswith(PAYLOAD)}),
    )


def opened(record: Record, parts: Iterable[Part]) -> Record:
    """The record with these texts at their places. Raises RecordRefused where one is not what was committed to."""
    actor, attributes, payload = record.actor, dict(record.attributes), {}
    for part in parts:
        if record.sealed.get(part.place) != part.commitment:
            raise RecordRefused(part.place, "what is kept apart is not what the record commits to")
        if part.place == ACTOR:
            actor = part.text
        elif part.place.startswith(ATTRIBUTES):
            attributes[part.place.removeprefix(ATTRIBUTES)] = part.text
        else:
            payload[part.place] = part.text
    return replace(record, actor=actor, attributes=attributes, payload=_with(record.payload, payload))


def closed_places(record: Record) -> tuple[str, ...]:
    """Sealed places whose text is not at hand: erased, or held back."""
    return tuple(place for place in sorted(record.sealed) if text_at(record, place) in (None, SEALED_ACTOR))


def filled(record: Record, word: str) -> Record:
    """The record with a word where a text is not at hand, for readers who expect texts."""
    closed = closed_places(record)
    names = [place.removeprefix(ATTRIBUTES) for place in closed if place.startswith(ATTRIBUTES)]
    return replace(
        record,
        actor=word if ACTOR in closed else record.actor,
        attributes={**record.attributes, **dict.fromkeys(names, word)},
        payload=_with(record.payload, {place: word for place in closed if place.startswith(PAYLOAD)}),
    )


def check_form(record: Record) -> None:
    """Raises RecordRefused for a record whose sealed places are not such that only their parts can fill them."""
    if not isinstance(record.sealed, dict) or not record.sealed:
        raise RecordRefused("/sealed", "nothing is sealed, for which there is the older form")
    for place, value in record.sealed.items():
        if not isinstance(value, str) or not _COMMITMENT.fullmatch(value):
            raise RecordRefused(f"/sealed{place}", "no commitment of 64 hex digits")
        if place == ACTOR:
            empty = record.actor == SEALED_ACTOR
        elif place.startswith(ATTRIBUTES):
            empty = place.removeprefix(ATTRIBUTES) not in record.attributes
        else:
            empty = _is_null(record.payload, place)
        if not empty:
            raise RecordRefused(place, "sealed, and not empty")


def text_at(record: Record, place: str) -> str | None:
    """None where there is no text."""
    if place == ACTOR:
        return record.actor
    if place.startswith(ATTRIBUTES):
        return record.attributes.get(place.removeprefix(ATTRIBUTES))
    try:
        found = _look(record.payload, _tokens(place))
    except LookupError:
        return None
    return found if isinstance(found, str) else None


def pointer(tokens: Iterable[str | int]) -> str:
    """The place in the payload that these members lead to (RFC 6901)."""
    return PAYLOAD + "".join(f"/{str(token).replace('~', '~0').replace('/', '~1')}" for token in tokens)


def _tokens(place: str) -> list[str]:
    head, *rest = place.split("/")[1:] or [""]
    if f"/{head}" != PAYLOAD:
        raise LookupError(place)
    return [token.replace("~1", "/").replace("~0", "~") for token in rest]


def _look(value: Any, tokens: list[str]) -> Any:
    for token in tokens:
        if isinstance(value, list):
            if not token.isdecimal():
                raise LookupError(token)
            value = value[int(token)]
        elif isinstance(value, dict):
            value = value[token]
        else:
            raise LookupError(token)
    return value


def _is_null(payload: Any, place: str) -> bool:
    try:
        return _look(payload, _tokens(place)) is None
    except LookupError:
        return False


def _with(payload: Any, texts: Mapping[str, str | None]) -> Any:
    """The payload with these at their places. What leads to them is copied, all else shared: nobody writes into it."""
    own: dict[tuple[str, ...], Any] = {}
    for place, text in texts.items():
        way = tuple(_tokens(place))
        if not way:
            own[()] = text
            continue
        holder = _own(payload, (), own)
        for depth in range(1, len(way)):
            holder = _own(holder, way[:depth], own)
        holder[_key(holder, way[-1])] = text
    return own.get((), payload)


def _own(holder: Any, way: tuple[str, ...], own: dict[tuple[str, ...], Any]) -> Any:
    """The copy of what is at this way: made once, and put in its place. `holder` has it, or is it at the way's end."""
    if way in own:
        return own[way]
    found = _look(holder, [way[-1]]) if way else holder
    if not isinstance(found, dict | list):
        raise LookupError(way[-1] if way else PAYLOAD)
    own[way] = found.copy()
    if way:
        holder[_key(holder, way[-1])] = own[way]
    return own[way]


def _key(holder: Any, token: str) -> Any:
    return int(token) if isinstance(holder, list) else token
