"""How many pods a PodDisruptionBudget lets go right now. Pure.

What a scenario wrote into the budget's status stands until a controller has had reason to count anew.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated.keys import controller_key
from agent.adapters.simulated.pods import finished, ready, selects
from agent.ports import JsonObject

Find = Callable[[Key], JsonObject | None]


def guards(budget: JsonObject, pod: JsonObject) -> bool:
    same = budget["metadata"].get("namespace") == pod["metadata"].get("namespace")
    return same and selects((budget.get("spec") or {}).get("selector"), pod["metadata"].get("labels"))


def allowed(budget: JsonObject, pods: Iterable[JsonObject], find: Find) -> int:
    said = (budget.get("status") or {}).get("disruptionsAllowed")
    return said if isinstance(said, int) else int(counted(budget, pods, find)["disruptionsAllowed"])


def counted(budget: JsonObject, pods: Iterable[JsonObject], find: Find) -> JsonObject:
    """The status that the disruption controller would write. `find` gives an object by its key."""
    mine = [pod for pod in pods if guards(budget, pod) and not finished(pod)]
    healthy, expected = sum(1 for pod in mine if ready(pod)), _expected(mine, find)
    must_stay = _must_stay(budget.get("spec") or {}, expected)
    return {
        "currentHealthy": healthy,
        "desiredHealthy": must_stay,
        "expectedPods": expected,
        "disruptionsAllowed": max(0, healthy - must_stay),
    }


def _expected(mine: list[JsonObject], find: Find) -> int:
    """What the pods' owners want, so that a pod just evicted is missed; unowned pods count as they are."""
    wanted: dict[Key, int] = {}
    unowned = 0
    for pod in mine:
        key = controller_key(pod)
        owner = find(key) if key else None
        replicas = (owner.get("spec") or {}).get("replicas") if owner else None
        if key is not None and isinstance(replicas, int):
            wanted[key] = replicas
        else:
            unowned += 1
    return sum(wanted.values()) + unowned


def _must_stay(spec: JsonObject, expected: int) -> int:
    if spec.get("maxUnavailable") is not None:
        return max(0, expected - _share(spec["maxUnavailable"], expected))
    return _share(spec.get("minAvailable", 1), expected)


def _share(value: Any, expected: int) -> int:
    """Kubernetes rounds both percentages up."""
    text = str(value)
    return math.ceil(expected * int(text[:-1]) / 100) if text.endswith("%") else int(text)
