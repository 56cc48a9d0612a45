"""Which records a query means, in SQL.

A condition on an attribute or an actor looks into the parts as well (`audit.sealing`): a name that was sealed is found
until it is erased. Attributes lead where there are any: their indexes deliver matches in log order, so a page reads
just a page, however long the log is. Full text has no index: it reads what the other conditions leave over.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import (
    Alias,
    ColumnElement,
    LargeBinary,
    Select,
    Subquery,
    Text,
    cast,
    func,
    literal,
    or_,
    select,
    union_all,
)

from audit.sealing import ACTOR, ATTRIBUTES
from audit.storage.schema import attributes, parts, records


@dataclass(frozen=True, slots=True)
class Query:
    """Which records. Times are in the log's own form; all conditions must hold.

    `words` are found anywhere in a record or its parts, in any case of ASCII letters. `member` is a member of the
    payload, at whatever depth, whose text begins so.
    """

    kinds: Sequence[str] = field(default_factory=tuple)
    actor: str | None = None
    attributes: Sequence[tuple[str, str]] = field(default_factory=tuple)
    since: str | None = None
    until: str | None = None
    words: Sequence[str] = field(default_factory=tuple)
    member: tuple[str, str] | None = None


def selection(
    query: Query, first: int, end: int, dialect: str, sealed_names: frozenset[str] = frozenset()
) -> Select[int, bytes, bytes]:
    """Index, body and leaf of matching records from `first` up to, not including, `end`, in log order. `sealed_names`
    are the attributes by which parts are found, too: see `sealed_words`."""
    statement = select(records.c.index, records.c.body, records.c.leaf)
    order: ColumnElement[int] = records.c.index
    for position, (name, value) in enumerate(query.attributes):
        found = _sealed_too(name, value, first, end) if name in sealed_names else attributes.alias()
        statement = statement.join(found, found.c.index == records.c.index)
        if isinstance(found, Alias):
            statement = statement.where(found.c.name == name, found.c.value == value)
        order = order if position else found.c.index
    if query.kinds:
        statement = statement.where(records.c.kind.in_(query.kinds))
    if query.actor is not None:
        named = select(parts.c.index).where(parts.c.place == ACTOR, parts.c.word == query.actor)
        statement = statement.where(or_(records.c.actor == query.actor, records.c.index.in_(named)))
    if query.since is not None:
        statement = statement.where(records.c.at >= query.since)
    if query.until is not None:
        statement = statement.where(records.c.at < query.until)
    for word in query.words:
        statement = statement.where(_has_word(word, dialect))
    if query.member is not None:
        name, begin = query.member
        statement = statement.where(_within(records.c.body, f"{_escaped(name)}:{_escaped(begin)[:-1]}", dialect))
    return statement.where(order >= first, order < end).order_by(order)


def sealed_words(name: str, value: str) -> Select[int]:
    """Whether any part is found by this attribute: hardly any is, and the way around the parts is the fast one."""
    return select(parts.c.index).where(parts.c.place == ATTRIBUTES + name, parts.c.word == value).limit(1)


def _sealed_too(name: str, value: str, first: int, end: int) -> Subquery:
    plain = select(attributes.c.index).where(attributes.c.name == name, attributes.c.value == value)
    sealed = select(parts.c.index).where(parts.c.place == ATTRIBUTES + name, parts.c.word == value)
    return union_all(
        plain.where(attributes.c.index >= first, attributes.c.index < end),
        sealed.where(parts.c.index >= first, parts.c.index < end),
    ).subquery()


def _has_word(word: str, dialect: str) -> ColumnElement[bool]:
    """In the record as it is written, where quotes and controls are escaped, or in a part, where they are not."""
    in_part = select(parts.c.index).where(parts.c.index == records.c.index, _within(parts.c.text, word, dialect))
    return or_(_within(records.c.body, _escaped(word)[1:-1], dialect), in_part.exists())


def _within(column: ColumnElement[bytes], text: str, dialect: str) -> ColumnElement[bool]:
    if dialect == "postgresql":
        return _postgresql_position(column, text) > 0
    return func.instr(func.lower(cast(column, Text)), _lower(text)) > 0


def _postgresql_position(column: ColumnElement[bytes], text: str) -> ColumnElement[int]:
    """Bytes spelled out, not text: PostgreSQL has no text for a NUL, which a part may hold."""
    lowered = func.lower(func.encode(column, "escape"))
    wanted = func.lower(func.encode(literal(text.encode(), LargeBinary), "escape"))
    return func.strpos(lowered, wanted)


def _escaped(text: str) -> str:
    """As RFC 8785 writes it."""
    return json.dumps(text, ensure_ascii=False)


def _lower(text: str) -> str:
    """SQLite's lower() knows ASCII alone."""
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)
