"""JSON as the API server sends it, however deep somebody made it nest.

The server takes 10,000 levels, also in `managedFields`, which whoever may write an object may write; Python's parser
takes some hundred. Such an object must not hide the others on its page: what lies too deep is read as null.
"""

import json
import re
from typing import Any

LEVELS = 100  # what Kubernetes and its operators define themselves nests 30 levels or so
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)


def parsed(data: bytes) -> Any:
    """Raises ValueError for what is no JSON."""
    try:
        return json.loads(data)
    except RecursionError:
        return json.loads(cut(data))


def levelled(value: Any) -> Any:
    return json.loads(cut(json.dumps(value).encode()))


def cut(data: bytes, levels: int = LEVELS) -> bytes:
    """Valid JSON with null in the place of what nests deeper."""
    depth, kept_to = 0, 0
    parts: list[bytes] = []
    for token in _TOKENS.finditer(data):
        mark = token.group()
        if mark in (b"{", b"["):
            if depth == levels:
                parts += (data[kept_to : token.start()], b"null")
            depth += 1
        elif mark in (b"}", b"]"):
            depth -= 1
            if depth == levels:
                kept_to = token.end()
    return b"".join((*parts, data[kept_to:]))
