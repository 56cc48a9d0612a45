"""Did the server keep what it was asked to write? It may answer 200 and have written something else. Pure.

A mutating webhook changes what it likes, in a dry run too. What is compared are the values that a merge patch names;
what it takes away is not, for the server may have a default of its own for that. Quantities have several spellings.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from agent.faults import Altered

TOLD_AT_MOST = 3
SHOWN_CHARS = 80
_NOT_WRITTEN = ("metadata.uid", "metadata.resourceVersion")  # preconditions
_QUANTITY = re.compile(r"\d+(\.\d+)?[a-zA-Z]{0,2}")


def check_kept(asked: Mapping[str, Any], answered: Mapping[str, Any]) -> None:
    """Raises Altered, naming the fields."""
    found = list(_differing(asked, answered, ""))
    if found:
        more = f" and {len(found) - TOLD_AT_MOST} more" if len(found) > TOLD_AT_MOST else ""
        told = "; ".join(found[:TOLD_AT_MOST])
        raise Altered(f"the server makes something else of it (a mutating webhook may): {told}{more}")


def _differing(asked: Any, found: Any, place: str) -> Iterator[str]:
    if asked is None or place in _NOT_WRITTEN:
        return
    if isinstance(asked, Mapping) and isinstance(found, Mapping | None):
        for name, value in asked.items():
            yield from _differing(value, (found or {}).get(name), f"{place}.{name}" if place else name)
    elif isinstance(asked, list) and isinstance(found, list) and len(asked) == len(found):
        for index, (one, other) in enumerate(zip(asked, found, strict=True)):
            yield from _differing(one, other, f"{place}[{index}]")
    elif isinstance(asked, list) and isinstance(found, list):
        missing = [each for each in asked if each not in found]  # others may be added
        if missing:
            yield f"{place} lacks {_shown(missing[0])}"
    elif not _alike(asked, found):
        yield f"{place} is {_shown(found)}, not {_shown(asked)}"


def _alike(asked: Any, found: Any) -> bool:
    if asked == found or (not asked and not found):  # false, 0 and nothing are left out of what is stored
        return True
    return all(_QUANTITY.fullmatch(str(each)) for each in (asked, found)) and isinstance(found, str)


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"
