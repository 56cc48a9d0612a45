"""How long a gang that was sent back waits before it may try again, and when it has tried often enough."""

from dataclasses import dataclass

from scheduler_core.errors import require_number, require_whole
from scheduler_core.model import Seconds

_DOUBLINGS_MOST = 62  # beyond this any base is above any cap, and the number stays an ordinary one


@dataclass(frozen=True)
class Backoff:
    """base x 2^(n-1), at most the cap; after `limit` returns the gang is deactivated. Kueue's defaults."""

    base_s: Seconds = 60
    cap_s: Seconds = 3600
    limit: int | None = None

    def __post_init__(self) -> None:
        for name in ("base_s", "cap_s"):
            require_number("Backoff", "requeue", name, getattr(self, name))
        if self.limit is not None:
            require_whole("Backoff", "requeue", "limit", self.limit)

    def delay_s(self, returns: int) -> Seconds:
        require_whole("Backoff", "requeue", "returns", returns, least=1)
        return min(self.cap_s, self.base_s * (1 << min(returns - 1, _DOUBLINGS_MOST)))

    def exhausted(self, returns: int) -> bool:
        return self.limit is not None and returns > self.limit
