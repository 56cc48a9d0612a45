"""Since when a gang is below its minimum, where no object says so.

A pod that waits says since when; one that is gone says nothing, and a moment later its successor may be there. How long
the others run is no measure of it: they may have run whole until that moment. So the look's own memory counts, from the
first look that saw it so. What follows from it is left to others.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from agent.domain.cluster import ClusterView, Gang, GangState, ObjectRef
from agent.evidence.lookup import in_order


class StuckWatch:
    """In memory: after a restart the time counts anew, since nobody watched meanwhile."""

    def __init__(self) -> None:
        self._since: dict[tuple[ObjectRef, str], datetime] = {}
        self._looked_at: datetime | None = None

    def look(self, view: ClusterView, now: datetime, after_s: int) -> list[Gang]:
        """Those of which nothing says since when, and that every look for `after_s` has seen stuck; dated by the first
        look. After half of that time without one nobody knows whether they were whole meanwhile: it begins anew.
        """
        if self._looked_at is not None and now - self._looked_at > timedelta(seconds=after_s / 2):
            self._since = {}
        self._looked_at = now
        silent = [g for g in in_order(view.gangs) if g.state is GangState.STUCK and g.stuck_since is None]
        self._since = {(g.ref, g.uid): self._since.get((g.ref, g.uid), now) for g in silent}
        seen = [replace(g, stuck_since=self._since[g.ref, g.uid]) for g in silent]
        return [g for g in seen if g.stuck_since and now - g.stuck_since >= timedelta(seconds=after_s)]
