"""A change carried over to the object as it is now, where others may have written since it was looked at.

A merge patch replaces lists whole, so that one made from an old look takes away what was written in between. Here only
the difference between what was seen and what is wanted is put on top of what is there: other parts stay as others
wrote them, and where that very part reads otherwise than it did, nothing is written and the place is named. It is the
three-way merge of diff3, member by member in objects and lists. Pure; whoever writes names the version that was read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.actions.written import merge_patch
from agent.ports import Changed, JsonObject

SHOWN_AT_MOST = 120  # characters of a value that a message repeats


def rebased(now: JsonObject, seen: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch for `now`. `seen` and `wanted` have the form of one; parts that `seen` does not name are as they
    are wanted. Raises Changed."""
    made: dict[str, Any] = {name: value for name, value in wanted.items() if name not in seen}
    for name, before in seen.items():
        there = now.get(name) or {}
        after = _merged(there, before or {}, wanted.get(name) or {}, name)
        made[name] = merge_patch(there, after)
    return made


def _merged(now: Any, seen: Any, wanted: Any, place: str) -> Any:
    if _same(wanted, seen) or _same(wanted, now):
        return now
    if _same(now, seen):
        return wanted
    if all(isinstance(each, Mapping) for each in (now, seen, wanted)):
        return _object(now, seen, wanted, place)
    if all(isinstance(each, list | None) for each in (now, seen, wanted)):
        return _list(now or [], seen or [], wanted or [], place)
    raise Changed(f"{place} reads {_shown(now)} now, not {_shown(seen)}")


def _same(one: Any, other: Any) -> bool:
    """A list that is not there has nobody in it."""
    return bool(one == other) or all(each is None or each == [] for each in (one, other))


def _object(now: Mapping[str, Any], seen: Mapping[str, Any], wanted: Mapping[str, Any], place: str) -> dict[str, Any]:
    after = dict(now)
    for name in sorted({*seen, *wanted}):
        value = _merged(now.get(name), seen.get(name), wanted.get(name), f"{place}.{name}")
        if value is None:
            after.pop(name, None)
        else:
            after[name] = value
    return after


def _list(now: Sequence[Any], seen: Sequence[Any], wanted: Sequence[Any], place: str) -> list[Any]:
    """Member by member while there are as many; else as a set of which some are added, or some are taken."""
    if len(now) == len(seen) == len(wanted):
        trios = zip(now, seen, wanted, strict=True)
        return [_member(*trio, f"{place}[{index}]") for index, trio in enumerate(trios)]
    added = [each for each in wanted if each not in seen]
    taken = [each for each in seen if each not in wanted]
    if added and taken:
        raise Changed(f"{place} has {len(now)} members now, not {len(seen)}")
    return [*(each for each in now if each not in taken), *(each for each in added if each not in now)]


def _member(now: Any, seen: Any, wanted: Any, place: str) -> Any:
    """The one at the same place must be the same one: by all that it says plainly and that is not to be changed."""
    if wanted != seen and all(isinstance(each, Mapping) for each in (now, seen, wanted)):
        for name in sorted({*now, *seen}):
            plain = not isinstance(seen.get(name), Mapping | list) and seen.get(name) == wanted.get(name)
            if plain and now.get(name) != seen.get(name):
                raise Changed(f"{place}.{name} reads {_shown(now.get(name))} now, not {_shown(seen.get(name))}")
    return _merged(now, seen, wanted, place)


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= SHOWN_AT_MOST else f"{text[:SHOWN_AT_MOST]}…"
