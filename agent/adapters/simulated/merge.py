"""RFC 7386 (JSON merge patch) and copies of JSON values.

Stored objects are never changed in place: a merge makes new containers along the path and shares the rest. The one
library that does this (json-merge-patch) changes its argument in place, so the RFC's own function stands here.
"""

from typing import Any

from agent.ports import JsonObject


def merged(target: JsonObject, patch: JsonObject) -> JsonObject:
    """RFC 7386, section 2: null removes, objects merge, everything else replaces."""
    result = dict(target)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            inner = result.get(name)
            result[name] = merged(inner if isinstance(inner, dict) else {}, value)
        else:
            result[name] = value
    return result


def copied(value: JsonObject) -> JsonObject:
    """A deep copy of a JSON object: what leaves the store is the reader's own."""
    return {name: _copy(each) for name, each in value.items()}


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return copied(value)
    if isinstance(value, list):
        return [_copy(each) for each in value]
    return value
