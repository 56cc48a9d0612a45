"""Has the agent touched too large a share of all nodes within a short time? The sum of policies/guardrails/breaker,
for the moments at which nobody asks the policies: after each step, and with each look of the agent's own.

The rule decides about proposals and lets what is decided on out; here everything counts that was begun. A test holds
the two to each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from agent.domain.duration import parse_duration
from agent.domain.outcome import PastAction
from agent.domain.standing import Standing

UNCOUNTED: Final = frozenset({"notify", "uncordon_node"})
"""Telling people takes nothing, and who gives a node back harms nobody."""

NOTICED_WITHIN: Final = timedelta(hours=1)
"""A burst is noticed this late, too: an agent that died over it is started again with growing pauses (five minutes at
most in Kubernetes), when the window may be over. What is older was seen by somebody, and the nodes of that time are
not the nodes of now."""


@dataclass(frozen=True, slots=True)
class Trip:
    touched: tuple[str, ...]
    total: int
    percent: int
    window: str
    newest_at: datetime

    @property
    def reason(self) -> str:
        """In the rule's own words (its METADATA)."""
        return (
            f"The agent touched {len(self.touched)} of {self.total} nodes within {self.window}; "
            f"the breaker trips at {self.percent}%"
        )


def trip(
    history: Sequence[PastAction], limits: Mapping[str, Any], standing: Standing, nodes_total: int, now: datetime
) -> Trip | None:
    """The trip that the window up to the newest touch comes to; None where there is none, or it stands already."""
    limit = (limits.get("blast_radius") or {}).get("breaker")
    if limit is None or standing.breaker_tripped_at is not None:
        return None
    reset = standing.breaker_reset_at
    counted = [
        past
        for past in history
        if past.nodes and not past.undo and past.action not in UNCOUNTED and (reset is None or past.at >= reset)
    ]
    newest = max((past.at for past in counted), default=None)
    if newest is None or newest < now - NOTICED_WITHIN:
        return None
    since = newest - parse_duration(limit["window"])
    touched = tuple(sorted({node for past in counted if past.at > since for node in past.nodes}))
    if len(touched) * 100 < int(limit["percent"]) * nodes_total:
        return None
    return Trip(touched, nodes_total, int(limit["percent"]), str(limit["window"]), newest)
