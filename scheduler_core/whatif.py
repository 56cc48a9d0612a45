"""What would happen if? Fork, apply, let the scheduler run until nothing changes, read the effect, undo.

Gangs whose queue lets them send others back do so. The snapshot is afterwards what it was, to the last entry. With
`until_s` the run goes on through the ends of the back-offs up to that time; nothing finishes meanwhile, since the core
knows no run times. `what_if` with no changes is the counterfactual: what the scheduler does anyway.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scheduler_core.changes import Change, apply_all
from scheduler_core.explain import explain_all, explain_pod
from scheduler_core.explanation import Explanation
from scheduler_core.journal import Mark
from scheduler_core.model import Seconds
from scheduler_core.settings import DEFAULTS, Settings
from scheduler_core.settling import settle
from scheduler_core.snapshot import Snapshot
from scheduler_core.standing import Standing, standing, with_nodes
from scheduler_core.start import Assignment
from scheduler_core.state import Phase
from scheduler_core.victims import Preemption

RIVALS_LIMIT = 32  # gangs tried one by one; each costs a scheduling run, milliseconds to a second on large clusters


@dataclass(frozen=True)
class Effect:
    started: tuple[str, ...]  # gangs that run now and did not before: admitted whole, or completed
    stopped: tuple[str, ...]  # gangs that ran and no longer do (moved ones count as neither)
    still_pending: Mapping[str, Explanation]  # every gang that does not run at the end
    placed_pods: Mapping[str, str]  # pods of no gang -> node
    waiting_pods: Mapping[str, Explanation]  # pods of no gang left without a node
    assignments: tuple[Assignment, ...]  # every decision taken, in order
    preemptions: tuple[Preemption, ...]  # who was sent back for whom, in order
    before: Standing
    after: Standing

    @property
    def gpus_free_before(self) -> int:
        return self.before.free

    @property
    def gpus_free_after(self) -> int:
        return self.after.free

    @property
    def gangs_running_before(self) -> int:
        return len(self.before.running)

    @property
    def gangs_running_after(self) -> int:
        return len(self.after.running)


def what_if(
    snapshot: Snapshot,
    changes: Sequence[Change],
    now_s: Seconds,
    *,
    settings: Settings = DEFAULTS,
    until_s: Seconds | None = None,
    before: Standing | None = None,
) -> Effect:
    """`before`: how the snapshot stands, where that is known already."""
    with snapshot.fork():
        before = before or standing(snapshot)
        mark = snapshot.mark()
        apply_all(snapshot, changes, now_s, settings)
        assignments: list[Assignment] = []
        preemptions: list[Preemption] = []
        placed: dict[str, str] = {}
        at_s: Seconds | None = now_s
        end_s = now_s
        while at_s is not None:
            end_s = at_s
            settled = settle(snapshot, at_s, settings)
            for result in settled.results:
                assignments += [*result.completed, *result.admitted]
                placed.update(result.placed or {})
            preemptions += settled.preemptions
            at_s = None if until_s is None else _next_wake_s(snapshot, at_s, until_s)
        after = _after(before, snapshot, mark)
        return Effect(
            started=tuple(sorted(after.running - before.running)),
            stopped=tuple(sorted(before.running - after.running)),
            still_pending=explain_all(snapshot, end_s, settings, settled=True),
            placed_pods=placed,
            waiting_pods={
                name: explain_pod(snapshot, pod, settings) for name, pod in sorted(snapshot.waiting_pods.items())
            },
            assignments=tuple(assignments),
            preemptions=tuple(preemptions),
            before=before,
            after=after,
        )


def _after(before: Standing, snapshot: Snapshot, mark: Mark) -> Standing:
    """Most of what is asked about is one node, and nobody waits: then nobody is counted again."""
    if snapshot.unchanged(mark):
        return before
    return with_nodes(before, snapshot) if snapshot.only_nodes_changed(mark) else standing(snapshot)


def _running(snapshot: Snapshot) -> set[str]:
    return {name for name in snapshot.gangs if snapshot.phase(name) is Phase.RUNNING}


def _next_wake_s(snapshot: Snapshot, after_s: Seconds, until_s: Seconds) -> Seconds | None:
    times = (snapshot.state_of(name).requeue_at_s for name in snapshot.pending_gangs())
    return min((time for time in times if time is not None and after_s < time <= until_s), default=None)


def unblocked_by(
    snapshot: Snapshot, gang: str, now_s: Seconds, *, settings: Settings = DEFAULTS, limit: int = RIVALS_LIMIT
) -> tuple[str, ...]:
    """Gangs any one of which, sent back whole, would let this one run: stuck ones first, then the least important.

    Which of them may be sent back is not for the core to say. None are named for a gang that runs, or soon will.
    """
    if gang in _running(snapshot) or gang in what_if(snapshot, [], now_s, settings=settings).started:
        return ()
    rivals = [name for name in snapshot.gangs if name != gang and snapshot.phase(name) is not Phase.PENDING]
    rivals.sort(key=lambda name: _cost_of_return(snapshot, name))
    return tuple(name for name in rivals[:limit] if _runs_without(snapshot, gang, name, now_s, settings))


def _cost_of_return(snapshot: Snapshot, name: str) -> tuple[bool, int, int, str]:
    rival = snapshot.gang(name)
    return (snapshot.phase(name) is Phase.RUNNING, rival.priority, len(snapshot.pods_of(name)), name)


def _runs_without(snapshot: Snapshot, gang: str, rival: str, now_s: Seconds, settings: Settings) -> bool:
    with snapshot.fork():
        snapshot.evict(rival, now_s, delay_s=1)
        settle(snapshot, now_s, settings)
        return snapshot.phase(gang) is Phase.RUNNING
