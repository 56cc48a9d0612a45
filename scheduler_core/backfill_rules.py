"""The numbers of reservation and backfill, each with its unit and its reason. What becomes of them: `backfill.py`."""

from dataclasses import dataclass

from scheduler_core.errors import Invalid, require_number, require_whole
from scheduler_core.model import Seconds

DEPTH_LIMIT = 64  # gangs that hold a time; every one is tried again for every gang that wants to go ahead
AGING_S = 6 * 3600  # a site has four classes of priority or so: the lowest has climbed to the highest within a day
PATIENCE_S = 3600  # four in five GPU pods of the public openb trace had ended within an hour


@dataclass(frozen=True)
class Rules:
    """Frozen, like the settings that they are part of."""

    depth: int = 1  # gangs that hold a start: 1 is EASY, more is the conservative kind
    aging_s: Seconds | None = AGING_S  # waiting so long lifts a gang by one class of priority; None: never
    patience_s: Seconds | None = (
        PATIENCE_S  # after so long a gang holds its place though nobody knows the time; None: never
    )
    queues: frozenset[str] | None = None  # whose gangs hold and are held back; None: everybody's, without a queue too

    def __post_init__(self) -> None:
        require_whole("Rules", "backfill", "depth", self.depth, least=1)
        if self.depth > DEPTH_LIMIT:
            raise Invalid("Rules", "backfill", "depth", f"{self.depth} is above {DEPTH_LIMIT}")
        for name in ("aging_s", "patience_s"):
            if getattr(self, name) is not None:
                require_number("Rules", "backfill", name, getattr(self, name))
        if self.aging_s == 0:
            raise Invalid("Rules", "backfill", "aging_s", "0 is not above 0")

    def govern(self, queue: str | None) -> bool:
        return self.queues is None or queue in self.queues


EASY = Rules()
CONSERVATIVE = Rules(depth=8)  # that many of the longest waiting hold a time; each one more costs a try per candidate
