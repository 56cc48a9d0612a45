"""How long a waiting gang waits at most, as far as anybody knows: until those that run must end.

The core knows no run times. Who knows when a gang has to end (a deadline written into it) says so; without that there
is no number, and none is made up. What ends earlier, or comes anew meanwhile, is not foreseen.
"""

from collections.abc import Collection, Mapping, Sequence

from scheduler_core.changes import Change, apply_all
from scheduler_core.model import Seconds
from scheduler_core.settings import DEFAULTS, Settings
from scheduler_core.settling import settle
from scheduler_core.snapshot import Snapshot
from scheduler_core.state import Phase

ENDS_LIMIT = 16  # each costs one scheduling run: tens of milliseconds on a thousand nodes


def waits_at_most(
    snapshot: Snapshot,
    changes: Sequence[Change],
    gangs: Collection[str],
    ends: Mapping[str, Seconds],
    now_s: Seconds,
    settings: Settings = DEFAULTS,
) -> dict[str, Seconds]:
    """Of these gangs, those that start once the others have ended when they must: in how many seconds from now."""
    found: dict[str, Seconds] = {}
    if not ends or not gangs:
        return found
    with snapshot.fork():
        apply_all(snapshot, changes, now_s, settings)
        settle(snapshot, now_s, settings)
        running = {name: end for name, end in ends.items() if name in snapshot.gangs and snapshot.pods_of(name)}
        for name, end_s in sorted(running.items(), key=lambda pair: (pair[1], pair[0]))[:ENDS_LIMIT]:
            snapshot.remove_gang(name)
            at_s = max(now_s, end_s)
            settle(snapshot, at_s, settings)
            for gang in sorted(set(gangs) - set(found)):
                if gang in snapshot.gangs and snapshot.phase(gang) is Phase.RUNNING:
                    found[gang] = at_s - now_s
    return found
