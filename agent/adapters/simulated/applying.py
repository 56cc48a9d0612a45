"""Server-side apply as far as this world needs it: lists that are maps by a key; what a manager names no more goes.

By force: what is applied wins. Which other manager owned a field before is not kept here, so nobody is refused for it;
the contract with the live server is about what one manager writes, twice.
"""

from collections.abc import Mapping
from typing import Any

from agent.ports import JsonObject

_KEYS = {"conditions": "type", "admissionChecks": "name"}  # x-kubernetes-list-map-keys of the lists that we write


def applied(target: JsonObject, manifest: JsonObject, before: JsonObject | None) -> JsonObject:
    """`before` is what the same manager applied the last time."""
    return _merged(target, manifest, before or {})


def _merged(target: Any, wanted: Mapping[str, Any], before: Mapping[str, Any]) -> JsonObject:
    result = dict(target) if isinstance(target, Mapping) else {}
    for name in before:
        if name not in wanted:
            result.pop(name, None)
    for name, value in wanted.items():
        was = before.get(name)
        if isinstance(value, Mapping):
            result[name] = _merged(result.get(name), value, was if isinstance(was, Mapping) else {})
        elif isinstance(value, list) and name in _KEYS:
            listed = result.get(name)
            result[name] = _by_key(_KEYS[name], listed if isinstance(listed, list) else [], value, was or [])
        else:
            result[name] = value
    return result


def _by_key(key: str, listed: list[Any], wanted: list[Any], before: list[Any]) -> list[Any]:
    old, new, was = ({each.get(key): each for each in entries} for entries in (listed, wanted, before))
    kept = {name: each for name, each in old.items() if name in new or name not in was}
    for name, each in new.items():
        kept[name] = _merged(kept.get(name), each, was.get(name) or {})
    return list(kept.values())
