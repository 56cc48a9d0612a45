"""What the questions about one workload share: which one it is, and how its places are told."""

from collections.abc import Mapping

from scheduler_core.cases.fields import BadCase
from scheduler_core.cases.form import Case, Entry, PodSetEntry
from scheduler_core.snapshot import Snapshot
from scheduler_core.state import Domains


def incoming_of(case: Case, snapshot: Snapshot) -> str:
    """The one that the case names, or the only one that waits."""
    waiting = snapshot.pending_gangs()
    if case.incoming is not None:
        return case.incoming
    if len(waiting) != 1:
        raise BadCase("incoming", f"is missing, and {len(waiting)} workloads wait")
    return waiting[0]


def entry_of(
    queue: str | None, counts: Mapping[str, int], flavors: Mapping[str, Mapping[str, str]], places: Domains
) -> Entry:
    """Pod sets as an admission holds them."""
    pod_sets = (PodSetEntry(name, count, flavors.get(name, {}), places.get(name, ())) for name, count in counts.items())
    return Entry(queue, tuple(pod_sets))
