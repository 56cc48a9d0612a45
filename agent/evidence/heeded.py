"""Whether whoever keeps an object has seen how it reads now: `observedGeneration` in its conditions.

Kueue writes it on its ClusterQueues, LocalQueues and Workloads. A lever of which nobody has taken notice has done
nothing yet, whatever the spec says. Objects whose keeper tells no generations are not asked.
"""

from collections.abc import Mapping
from typing import Any

from agent.domain.cluster import ClusterView, ObjectRef
from agent.evidence.lookup import raw_object

Raw = Mapping[str, Any]


def unseen(view: ClusterView, ref: ObjectRef) -> str:
    """In words, what of it nobody has taken notice of; empty where somebody has, or tells nothing of the kind."""
    raw = raw_object(view, ref)
    wanted, seen = generations(raw), observed(raw)
    if seen is None or seen >= wanted:
        return ""
    return f"its controller has seen generation {seen} of {ref}, which is at {wanted} now"


def generations(raw: Raw) -> int:
    """How often its spec was written; 0 where that is not said."""
    return _whole(_part(raw, "metadata").get("generation")) or 0


def observed(raw: Raw) -> int | None:
    """The newest generation that a condition tells of; None where none does."""
    listed = _part(raw, "status").get("conditions")
    conditions = [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    told = (_whole(each.get("observedGeneration")) for each in conditions)
    return max((each for each in told if each is not None), default=None)


def _part(raw: Raw, name: str) -> Raw:
    part = raw.get(name)
    return part if isinstance(part, Mapping) else {}


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
