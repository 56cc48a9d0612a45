"""How the cluster's queues are scheduled, as far as the core is to foresee it or to stand in for it.

Kueue lets in by quota, and who is let in holds it, whether its pods find nodes or not. The queues of our own do the
same unless the site holds starts in them (`Reservations`): then a gang of theirs needs its nodes at once, and the rules
of backfilling go for them alone. Nobody else's scheduler knows of a start that is held.
"""

from dataclasses import replace

from agent.adapters.kueue.rules import KINDLY, KueueRules
from agent.adapters.scheduler.queues import OWN_QUEUE
from agent.domain.reservations import Reservations
from scheduler_core.backfill_rules import Rules
from scheduler_core.settings import Settings
from scheduler_core.snapshot import Snapshot

AS_KUEUE = Settings(admit_by_quota=True)


def scheduling(snapshot: Snapshot, held: Reservations | None, kueue: KueueRules = KINDLY) -> Settings:
    """Shares are Kueue's business; our own queues have none, so that going by them changes nothing there."""
    settings = AS_KUEUE
    if kueue.fair_sharing:
        settings = replace(settings, fair_sharing=True, fair_strategies=kueue.fair_strategies)
    ours = frozenset(name for name in snapshot.queues if name.startswith(OWN_QUEUE))
    if held is None or not ours:
        return settings
    return replace(settings, backfill=Rules(held.depth, held.aging_s, held.patience_s, ours))
