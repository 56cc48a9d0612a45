"""Reads the body of a server's answer as strictly as a decision asks for.

Python's JSON reader takes more than JSON: of two keys of one name the last, NaN, and as deep a nest as the stack of
whoever calls holds. A server, or something in its place, that says one thing to one reader and another to the next
decides nothing: every such body is Unreadable.
"""

import json
from typing import Any

NESTING_AT_MOST = 64  # a verdict with its provenance nests eight deep


class Unreadable(ValueError):
    """This is no JSON that every reader reads alike."""


def strict_json(body: bytes) -> Any:
    """The value of a body. Raises Unreadable, whatever the bytes are."""
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except UnicodeDecodeError as fault:
        raise Unreadable(f"it is not UTF-8: {fault.reason} at byte {fault.start}") from fault
    except RecursionError:
        raise Unreadable("it nests without end") from None
    except ValueError as fault:
        raise Unreadable(str(fault)) from fault
    _refuse_deep(value)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise Unreadable(f"a map says {next(name for name in names if names.count(name) > 1)[:80]!r} twice")
    return found


def _no_number(word: str) -> Any:
    raise Unreadable(f"{word} is no number of JSON")


def _refuse_deep(value: Any) -> None:
    layer, depth = [value], 0
    while layer:
        depth += 1
        if depth > NESTING_AT_MOST:
            raise Unreadable(f"it nests deeper than {NESTING_AT_MOST}")
        maps = [inner for each in layer if isinstance(each, dict) for inner in each.values()]
        lists = [inner for each in layer if isinstance(each, list) for inner in each]
        layer = [inner for inner in (*maps, *lists) if isinstance(inner, dict | list)]
