"""status.conditions, which nodes, pods, jobs and workloads all write in one form."""

from datetime import datetime
from functools import lru_cache

from agent.adapters.kubernetes.fields import Fields
from agent.domain.cluster import Condition

CONDITIONS_KEPT = 10_000


def conditions_of(status: Fields) -> tuple[Condition, ...]:
    return tuple(
        _condition(
            entry.required_text("type"),
            entry.text("status", "Unknown"),
            entry.text("reason"),
            entry.text("message"),
            entry.moment("lastTransitionTime"),
        )
        for entry in status.objects("conditions")
    )


@lru_cache(maxsize=CONDITIONS_KEPT)
def _condition(kind: str, status: str, reason: str, message: str, since: datetime | None) -> Condition:
    """What is alike is one: most pods of a gang say the same at the same time."""
    return Condition(type=kind, status=status, reason=reason, message=message, since=since)


def find(conditions: tuple[Condition, ...], kind: str, status: str) -> Condition | None:
    return next((c for c in conditions if c.type == kind and c.status == status), None)
