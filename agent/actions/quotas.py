"""Where a queue writes its quotas: in Kueue's nested resource groups, or in the flat list of our own Queue.

What is a wise amount is for others; `set_queue_quota` reads and writes through here.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from agent.actions.written import Manifest, spec_of
from agent.domain.cluster import ObjectRef

AMOUNTS = {"nominal": "nominalQuota", "borrowing_limit": "borrowingLimit", "lending_limit": "lendingLimit"}
Place = tuple[str, str]  # flavor and resource


def quotas(manifest: Manifest, target: ObjectRef, place: Place, amounts: Mapping[str, Any]) -> dict[str, object]:
    """The whole list: a merge patch replaces lists."""
    name = list_of(target)
    spec: dict[str, Any] = {name: deepcopy(list(spec_of(manifest).get(name) or ()))}
    there = entry(spec, target, place)
    if there is None:
        raise ValueError(f"{target} has no quota for {place[1]} in flavor {place[0]}")
    for key, amount in amounts.items():
        name_there = field(target, key)
        if amount is None:
            there.pop(name_there, None)
        else:
            there[name_there] = str(amount) if isinstance(there.get(name_there), str) else amount
    return spec


def entry(spec: Manifest, target: ObjectRef, place: Place) -> dict[str, Any] | None:
    return next((each for where, each in _entries(spec, target) if where == place), None)


def _entries(spec: Manifest, target: ObjectRef) -> Iterator[tuple[Place, dict[str, Any]]]:
    if target.kind == "Queue":
        for each in spec.get("quotas") or ():
            yield (each.get("flavor") or "default", each.get("resource") or ""), each
        return
    for group in spec.get("resourceGroups") or ():
        for flavor in group.get("flavors") or ():
            for each in flavor.get("resources") or ():
                yield (flavor.get("name") or "", each.get("name") or ""), each


def list_of(target: ObjectRef) -> str:
    return "quotas" if target.kind == "Queue" else "resourceGroups"


def field(target: ObjectRef, name: str) -> str:
    return "nominal" if target.kind == "Queue" and name == "nominal" else AMOUNTS[name]


def cohort(spec: Manifest) -> str | None:
    return spec.get("cohortName") or spec.get("cohort") or None  # v1beta2, v1beta1 and ours
