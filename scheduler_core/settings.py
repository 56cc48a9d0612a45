"""How a scheduler is set up. One frozen value; the defaults are Kueue's where Kueue has the setting."""

from dataclasses import dataclass, field
from enum import StrEnum

from scheduler_core.backfill_rules import Rules
from scheduler_core.errors import Invalid, require_member, require_whole
from scheduler_core.policies import policy
from scheduler_core.requeue import Backoff

CYCLES_LIMIT = 100_000  # a run stops by itself long before: every cycle admits, places or parks something


class FairStrategy(StrEnum):
    """When a gang of one queue may be sent back for the sake of another queue's share."""

    FINAL_SHARE = "LessThanOrEqualToFinalShare"  # the taker's share stays at or below the giver's afterwards
    INITIAL_SHARE = "LessThanInitialShare"  # the taker's share stays below the giver's of before


@dataclass(frozen=True)
class Settings:
    policy: str = "bestfit"
    place: bool = True  # False: admit by quota alone, as Kueue does; somebody else binds the pods
    admit_by_quota: bool = False  # with `place`: who has quota is in, and holds it while its pods find no nodes
    backoff: Backoff = field(default_factory=Backoff)
    fair_sharing: bool = False  # order and preemption by dominant share instead of by priority and age alone
    fair_strategies: tuple[FairStrategy, ...] = tuple(FairStrategy)  # tried one after the other
    balanced: bool = False  # pod sets that prefer a level are spread evenly (Kueue's gate TASBalancedPlacement)
    heads: int | None = 1  # gangs of one queue in one cycle: 1 as Kueue; None: all that wait
    backfill: Rules | None = None  # reservations in `scheduler.run`; None: none, as Kueue, which knows nothing of them

    @property
    def by_quota(self) -> bool:
        """Who has quota is in, as in Kueue: then it is Kueue's cycle that lets in (`settling.py`). Queues that hold
        starts never let in by quota alone; where all do, nothing is left for that cycle."""
        all_hold_starts = self.backfill is not None and self.backfill.queues is None
        return (self.admit_by_quota or not self.place) and not all_hold_starts

    def __post_init__(self) -> None:
        policy(self.policy)
        if not self.fair_strategies or len(set(self.fair_strategies)) != len(self.fair_strategies):
            raise Invalid("Settings", "scheduler", "fair_strategies", "names none, or one of them twice")
        for each in self.fair_strategies:
            require_member("Settings", "scheduler", "fair_strategies", each, FairStrategy)
        if self.heads is not None:
            require_whole("Settings", "scheduler", "heads", self.heads, least=1)


DEFAULTS = Settings()
