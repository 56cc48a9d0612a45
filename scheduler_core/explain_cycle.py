"""What Kueue's cycle would do for a gang, where that differs from what free quota alone would say.

Of quota and nodes the other modules tell at length, flavor by flavor. The cycle knows more: it may rather send others
back than take what is free (`whenCanPreempt`), or keep what is free for a gang that comes first. So it is asked as
well, by its own code, and what it says goes.
"""

from collections.abc import Collection

from scheduler_core.desk import Desk
from scheduler_core.explain_waits import awaits, kept_by_gates
from scheduler_core.explanation import Explanation, Reason
from scheduler_core.fungibility import Mode
from scheduler_core.kueue_cycle import decide
from scheduler_core.model import Gang, Seconds
from scheduler_core.nomination import Nomination
from scheduler_core.settings import Settings
from scheduler_core.settling_as_kueue import holding_starts
from scheduler_core.snapshot import Snapshot
from scheduler_core.state import Phase

_SAID_BY_THE_CYCLE = (Reason.WAITING_FOR_PREEMPTED, Reason.HELD)
_KEPT_FOR_OTHERS = Explanation(
    Reason.WAITING_FOR_QUOTA,
    "what it asks for is free, and kept for a gang of its cohort that comes first",
    "see why that gang waits",
)


class Asked:
    """The desk is laid out when the first gang asks. `settled`: cycles have run, and who waits now still waits."""

    def __init__(
        self, snapshot: Snapshot, now_s: Seconds, settings: Settings, spared: Collection[str], settled: bool
    ) -> None:
        self._snapshot, self._now_s, self._settings, self._spared = snapshot, now_s, settings, spared
        self._others = holding_starts(snapshot, settings)
        self._desk: Desk | None = None
        self._settled = settled

    def corrected(self, gang: Gang, lacking: Explanation | None) -> Explanation | None:
        """`lacking` is what is told of quota and seats; None: they are there."""
        if not self._goes_by_the_cycle(gang) or (lacking is not None and lacking.reason in _SAID_BY_THE_CYCLE):
            return lacking
        if self._desk is None:
            self._desk = Desk(self._snapshot, self._now_s, self._settings, spared=self._spared)
        return self._said(lacking, decide(self._desk, gang.name, self._now_s))

    def _goes_by_the_cycle(self, gang: Gang) -> bool:
        waits = gang.queue is not None and self._snapshot.phase(gang.name) is Phase.PENDING
        return self._settings.by_quota and waits and gang.queue not in self._others

    def _said(self, lacking: Explanation | None, found: Nomination) -> Explanation | None:
        if found.victims:
            base = lacking or _preferred(found)
            names = [each.gang for each in found.victims]
            if found.gang.preemption_gates:
                return kept_by_gates(base, found.gang)
            return awaits(base, names, "are sent back for it", "the next cycle sends them back")
        if found.mode is Mode.FIT:
            return _KEPT_FOR_OTHERS if self._settled else None
        reason, told = found.reason or Reason.WAITING_FOR_QUOTA, found.detail or "the cycle lets it in on no flavor"
        return lacking or Explanation(reason, told, "see what its queue may take")


def _preferred(found: Nomination) -> Explanation:
    flavors = ", ".join(sorted({each for chosen in found.flavors.values() for each in chosen.values()}))
    told = f"its queue's rules choose {flavors}, where it must send others back, before flavors that are free"
    return Explanation(Reason.WAITING_FOR_PREEMPTED, told, "")
