"""How many replicas a HorizontalPodAutoscaler wants: the arithmetic of its controller. Pure.

As in Kubernetes: within a tenth of the target nothing is done; pods that say nothing count as idle when more replicas
are asked for and as fully used when fewer are; the highest of several metrics counts. Of `behavior` the windows of
stabilisation and `selectPolicy: Disabled` are heeded, and the default pace upwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from agent.ports import JsonObject

TOLERANCE = 0.1
DOWN_WINDOW_S = 300  # Kubernetes' default: the highest wish of the last five minutes counts
UP_WINDOW_S = 0
FASTEST_FACTOR, FASTEST_PODS = 2, 4  # upwards, by what is more: double, or four more

Past = Sequence[tuple[datetime, int]]  # what was wished for, oldest first


@dataclass(frozen=True, slots=True)
class Bounds:
    """Why the wish was cut, in the words of the condition ScalingLimited."""

    replicas: int
    reason: str = "DesiredWithinRange"

    @property
    def limited(self) -> bool:
        return self.reason != "DesiredWithinRange"


def by_pods(values: Mapping[str, float], ready: Sequence[str], current: int, target: float) -> int:
    """For a metric of each pod, with the average that one should have."""
    known = [values[name] for name in ready if name in values]
    missing = len(ready) - len(known)
    if not known:
        return current
    usage = sum(known) / (target * len(known))
    if missing and usage != 1:
        filled = sum(known) + (target * missing if usage < 1 else 0)
        again = filled / (target * (len(known) + missing))
        if (again - 1) * (usage - 1) <= 0:
            return current
        usage = again
    return current if _close(usage) else ceil(_rounded(usage * (len(known) + missing)))


def by_value(total: float, ready: int, current: int, target: float) -> int:
    """For one number, with the value that it should have."""
    usage = total / target
    return current if _close(usage) else ceil(_rounded(usage * max(1, ready)))


def by_average(total: float, current: int, target: float) -> int:
    """For one number, with the share of it that each replica should have."""
    return current if _close(total / (target * max(1, current))) else ceil(_rounded(total / target))


def stabilised(wish: int, current: int, past: Past, spec: JsonObject, now: datetime) -> int:
    """No lower than the highest wish within the window downwards, no higher than the lowest within the one upwards."""
    down = [wish, *_since(past, now, _window(spec, "scaleDown", DOWN_WINDOW_S))]
    up = [wish, *_since(past, now, _window(spec, "scaleUp", UP_WINDOW_S))]
    return min(max(current, min(up)), max(down))


def bounded(wish: int, current: int, spec: JsonObject) -> Bounds:
    least, most = int(spec.get("minReplicas") or 1), int(spec.get("maxReplicas") or 1)
    behavior = spec.get("behavior") or {}
    if wish > current and (behavior.get("scaleUp") or {}).get("selectPolicy") == "Disabled":
        return Bounds(current, "ScaleUpLimit")
    if wish < current and (behavior.get("scaleDown") or {}).get("selectPolicy") == "Disabled":
        return Bounds(current, "ScaleDownLimit")
    if wish < least:
        return Bounds(least, "TooFewReplicas")
    fastest = max(FASTEST_FACTOR * current, current + FASTEST_PODS)
    if wish > min(most, fastest):
        return Bounds(min(most, fastest), "TooManyReplicas" if most <= fastest else "ScaleUpLimit")
    return Bounds(wish)


def _close(usage: float) -> bool:
    return abs(usage - 1) <= TOLERANCE


def _rounded(value: float) -> float:
    """Without the dust of floating point, that would ask for a replica more."""
    return round(value, 6)


def _window(spec: JsonObject, direction: str, default_s: int) -> int:
    said = ((spec.get("behavior") or {}).get(direction) or {}).get("stabilizationWindowSeconds")
    return default_s if said is None else int(said)


def _since(past: Past, now: datetime, window_s: int) -> list[int]:
    return [wish for at, wish in past if now - at < timedelta(seconds=window_s)]
