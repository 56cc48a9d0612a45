"""How a scheduler is set up. One frozen value; the defaults are Kueue's where Kueue has the setting."""

from dataclasses import dataclass, field

from scheduler_core.policies import policy
from scheduler_core.requeue import Backoff

CYCLES_LIMIT = 100_000  # a run stops by itself long before: every cycle admits, places or parks something


@dataclass(frozen=True)
class Settings:
    policy: str = "bestfit"
    place: bool = True  # False: admit by quota alone, as Kueue does; somebody else binds the pods
    admit_by_quota: bool = False  # with `place`: who has quota is in, and holds it while its pods find no nodes
    backoff: Backoff = field(default_factory=Backoff)

    def __post_init__(self) -> None:
        policy(self.policy)


DEFAULTS = Settings()
