"""The quick look at a row: written out, are its copies the very bytes of its body?

A record has one form, so its copies say all of its bytes but the payload's, and only that is left to be read. A row
that passes has nothing wrong that `audit.record.parse` and a comparison of its copies would find, at half their cost.
What does not pass is no finding yet: `audit.rescan` reads the whole body and says what is wrong, or that nothing is.
"""

from __future__ import annotations

from collections.abc import Mapping
from json.encoder import encode_basestring as _quoted
from typing import Any

from audit import canonical
from audit.errors import RecordRefused
from audit.record import AT_FORM, SCHEMA
from audit.removals import REDACTION, RETENTION

_READ_WHOLE = frozenset({REDACTION, RETENTION})
"""Records that mean something to the check itself."""


def are_the_body(
    index: int,
    kind: Any,
    at: Any,
    actor: Any,
    unique_key: Any,
    attributes: Mapping[Any, Any],
    body: bytes,
) -> bool:
    """Of a record of the form without sealed places. ASCII alone, where the order of names has but one meaning."""
    try:
        if kind in _READ_WHOLE or not AT_FORM.fullmatch(at):
            return False
        pairs = ",".join([f"{_quoted(name)}:{_quoted(attributes[name])}" for name in sorted(attributes)])
        head = f'{{"actor":{_quoted(actor)},"at":"{at}","attributes":{{{pairs}}},"index":{index},'
        head += f'"kind":{_quoted(kind)},"payload":'
        tail = f',"schema":{SCHEMA},"unique_key":{"null" if unique_key is None else _quoted(unique_key)}}}'
        if not (head.isascii() and tail.isascii() and body.startswith(head.encode()) and body.endswith(tail.encode())):
            return False
        # Where head and tail overlap this is empty, and no value.
        canonical.read(body[len(head) : -len(tail)])
    except (TypeError, RecordRefused):  # what is no text cannot be quoted
        return False
    return True
