"""The quick look at a row: written out, are its copies the very bytes of its body?

A record has one form, so its copies say all of its bytes but the payload's, and only that is left to be read; what is
sealed is said by the parts. A row that passes has nothing wrong that reading the whole body and comparing would find,
at half the cost. What does not pass is no finding yet: `audit.rescan` looks again and says what is wrong, if anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring as _quoted
from typing import Any

from audit import canonical
from audit.errors import RecordRefused
from audit.record import AT_FORM, SCHEMA, SEALED_SCHEMA, Record
from audit.removals import REDACTION, RETENTION
from audit.rows import PartRow, RecordRow
from audit.sealing import PAYLOAD, SALT_BYTES, check_form

_READ_WHOLE = frozenset({REDACTION, RETENTION})
"""Records that mean something to the check itself."""


def are_the_body(row: RecordRow, attributes: Mapping[Any, Any], parts: Sequence[PartRow]) -> bool:
    """False also where it would take more to know: where something was erased, and where a name is not ASCII, of which
    the order has but one meaning."""
    index, kind, at, actor, unique_key, body, _ = row
    try:
        if kind in _READ_WHOLE or not AT_FORM.fullmatch(at):
            return False
        head = f'{{"actor":{_quoted(actor)},"at":"{at}","attributes":{_members(attributes)},"index":{index},'
        head += f'"kind":{_quoted(kind)},"payload":'
        sealed = _commitments(parts)
        tail = f',"schema":{SCHEMA},' if not sealed else f',"schema":{SEALED_SCHEMA},"sealed":{_members(sealed)},'
        tail += f'"unique_key":{"null" if unique_key is None else _quoted(unique_key)}}}'
        if not (head.isascii() and tail.isascii() and body.startswith(head.encode()) and body.endswith(tail.encode())):
            return False
        # Where head and tail overlap this is empty, and no value.
        payload = canonical.read(body[len(head) : -len(tail)])
        if sealed:
            check_form(Record(index, kind, at, actor, attributes, payload, unique_key, sealed))
    except (TypeError, ValueError, AttributeError, RecordRefused):  # what is no text cannot be quoted
        return False
    return True


def _members(texts: Mapping[Any, Any]) -> str:
    return "{" + ",".join([f"{_quoted(name)}:{_quoted(texts[name])}" for name in sorted(texts)]) + "}"


def _commitments(parts: Sequence[PartRow]) -> dict[str, str]:
    """What these parts open; an error if one is no part, or is found by what it does not say."""
    opened = {}
    for _, place, salt, text, word in parts:
        if len(salt) != SALT_BYTES or word != (None if place.startswith(PAYLOAD) else text.decode()):
            raise ValueError(place)
        text.decode()
        opened[place] = hashlib.sha256(b"\x02" + salt + text).hexdigest()
    if len(opened) != len(parts):
        raise ValueError("one place twice")
    return opened
