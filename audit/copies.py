"""The quick look at a row: written out, are its copies the very bytes of its body?

A record has one form, so its copies say all of its bytes but the payload's, and only that is left to be read. A row
that passes has nothing wrong that `audit.record.parse` and a comparison of its copies would find, at half their cost.
What does not pass is no finding yet: `audit.rescan` reads the whole body and says what is wrong, or that nothing is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from audit import canonical
from audit.errors import RecordRefused
from audit.record import AT_FORM, SCHEMA
from audit.removals import REDACTION, RETENTION

_quoted = json.JSONEncoder(ensure_ascii=False).encode
_TEXT = frozenset({str})
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
    texts = (kind, at, actor, "" if unique_key is None else unique_key, *attributes, *attributes.values())
    if not _TEXT.issuperset(map(type, texts)) or kind in _READ_WHOLE or not AT_FORM.fullmatch(at):
        return False
    pairs = ",".join([f"{_quoted(name)}:{_quoted(attributes[name])}" for name in sorted(attributes)])
    head = f'{{"actor":{_quoted(actor)},"at":"{at}","attributes":{{{pairs}}},"index":{index},"kind":{_quoted(kind)},'
    head += '"payload":'
    tail = f',"schema":{SCHEMA},"unique_key":{_quoted(unique_key)}}}'
    if not (head.isascii() and tail.isascii() and body.startswith(head.encode()) and body.endswith(tail.encode())):
        return False
    try:
        # Where head and tail overlap this is empty, and no value.
        canonical.read(body[len(head) : -len(tail)])
    except RecordRefused:
        return False
    return True
