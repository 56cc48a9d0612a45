"""From when on, or from how many on, something counts: the limits of judgement that a site may set, as one value.

A shorter time is no better agent: below each lower bound things that mend themselves would be taken for trouble. What
is not here is no matter of taste (what a witness is, how far a window looks back) or belongs to the policies' data,
such as how long a notebook must have been idle (`idle.minimum`).
"""

from typing import Any, Self

from pydantic import Field, model_validator

from agent.domain.base import Noun

HOUR = 3600


def _limit(default: int, most: int, what: str, *, least: int, because: str, step: int = 1) -> Any:
    """`because`: what goes wrong below `least`."""
    return Field(default, ge=least, le=most, multiple_of=step, description=what, json_schema_extra={"because": because})


class Thresholds(Noun):
    """Times in seconds (`_s`), counts (`_min`: from so many on)."""

    gang_stuck_after_s: int = _limit(
        600, 4 * HOUR, "a gang below its minimum is stuck",
        least=300, because="images of a training take minutes to pull, and Kueue's own PodsReady time-out is five",
    )  # fmt: skip
    gang_unplaced_after_s: int = _limit(
        120, HOUR, "a gang whose missing pods have no node may be requeued for a stuck one",
        least=60, because="a scheduler places the pods of one gang within some cycles",
    )  # fmt: skip
    gang_waiting_after_s: int = _limit(
        900, 24 * HOUR, "a gang waits although GPUs enough are free, or since its place was taken",
        least=300, because="pods go by themselves within their grace, and those of the next start",
    )  # fmt: skip
    quota_empty_after_s: int = _limit(
        600, 24 * HOUR, "quota that a gang holds without pods is told of, where others wait for it",
        least=300, because="Kueue's own PodsReady time-out takes it back after five minutes",
    )  # fmt: skip
    quota_empty_unasked_after_s: int = _limit(
        3600, 7 * 24 * HOUR, "the same, where nobody waits for it",
        least=600, because="nobody is hurt, and the job may only be slow to make its pods",
    )  # fmt: skip
    queue_starved_after_s: int = _limit(
        1800, 24 * HOUR, "a gang within its queue's share that borrowers keep waiting is starved",
        least=600, because="a borrower is asked to lose its work: one that ends by itself costs nothing",
    )  # fmt: skip
    queue_reclaims_after_s: int = _limit(
        3600, 24 * HOUR, "the same, where the queue takes its share back by itself",
        least=900, because="Kueue's preemption takes a cycle, and its victims their grace",
    )  # fmt: skip
    admission_loop_times_min: int = _limit(
        3, 100, "a gang that was sent back so often, because its pods were not ready in time, loops",
        least=2, because="once is bad luck",
    )  # fmt: skip
    admission_loop_sure_min: int = _limit(
        5, 100, "so often that a person is asked to switch it off, although nothing tells the cause",
        least=3, because="twice may be one slow image",
    )  # fmt: skip
    admission_loop_recent_s: int = _limit(
        3600, 24 * HOUR, "a loop that has not turned for longer has ended",
        least=600, because="Kueue's back-off between two turns is minutes, and up to an hour",
    )  # fmt: skip
    cascade_links_min: int = _limit(
        3, 100, "so many preemptions in a row are a cascade",
        least=2, because="one preemption is how priorities work",
    )  # fmt: skip
    cascade_times_min: int = _limit(
        3, 100, "so are so many of one gang",
        least=2, because="one preemption is how priorities work",
    )  # fmt: skip
    cascade_within_s: int = _limit(
        3600, 24 * HOUR, "preemptions count together within it",
        least=600, because="links follow each other as gangs arrive, not within a minute",
    )  # fmt: skip
    cascade_going_on_s: int = _limit(
        900, 4 * HOUR, "a cascade whose last link is older has ended",
        least=300, because="what has just been requeued is let in within minutes, and is the next link then",
    )  # fmt: skip
    hang_after_s: int = _limit(
        1800, 4 * HOUR, "a training without a step, for three times its longest pause too, may hang",
        least=600, because="five minutes after the last step are read for neither time; the rest shows that they spin",
    )  # fmt: skip
    hang_steady_s: int = _limit(
        900, HOUR, "so long it must have made steps before",
        least=600, because="compiling the first step, or loading from a checkpoint, takes minutes too",
    )  # fmt: skip
    straggler_slow_s: int = _limit(
        1200, 2 * HOUR, "a training that has gone slower all this time, in slots of 300 s, is held up",
        least=600, because="an evaluation or a checkpoint slows it down for one slot", step=300,
    )  # fmt: skip
    straggler_best_s: int = _limit(
        1800, 3 * HOUR, "and it must have gone faster for so long, in slots of 300 s",
        least=900, because="one fast slot is no pace to go by", step=300,
    )  # fmt: skip
    service_saturated_after_s: int = _limit(
        600, 3000, "a service with more requests than it can serve is saturated",
        least=300, because="a rush shorter than a replica takes to load its weights is over before help comes",
    )  # fmt: skip
    service_oversized_after_s: int = _limit(
        24 * HOUR, 7 * 24 * HOUR, "a service that was too large through all this time is oversized",
        least=24 * HOUR, because="whoever has not seen a day has not seen its peak",
    )  # fmt: skip
    service_oversized_replicas_min: int = _limit(
        3, 1000, "a service with fewer replicas never is",
        least=3, because="of two, one is there for the other",
    )  # fmt: skip
    rollout_restarts_min: int = _limit(
        3, 100, "a pod of a new revision that restarted so often crash-loops",
        least=2, because="one crash at the start may be a model server that was not up yet",
    )  # fmt: skip
    backoff_events_min: int = _limit(
        5, 100, "a BackOff event that was repeated so often tells of a failing workload",
        least=2, because="one back-off is a restart",
    )  # fmt: skip
    exporter_silent_after_s: int = _limit(
        600, 1500, "an exporter of which nothing is heard, looked for every 300 s, is silent",
        least=600, because="Prometheus looks back 300 s, and a restart of an exporter takes a minute or two", step=300,
    )  # fmt: skip
    exporter_frozen_after_s: int = _limit(
        1200, 2 * HOUR, "an exporter that repeats itself is frozen, one whose engine counter stays at 0 stuck",
        least=600, because="a busy host may keep DCGM waiting for minutes",
    )  # fmt: skip
    remap_idle_after_s: int = _limit(
        600, 24 * HOUR, "a node that nobody is on is free for the reset that a row remapping waits for",
        least=300, because="pods of the next job follow those of the last within minutes",
    )  # fmt: skip
    node_not_ready_after_s: int = _limit(
        300, HOUR, "a node that is not ready is sick",
        least=120, because="a kubelet that restarts misses some heartbeats of 40 s",
    )  # fmt: skip
    node_quiet_s: int = _limit(
        900, 4 * HOUR, "a node that has been well for so long has recovered",
        least=300, because="a flapping kubelet is back within minutes",
    )  # fmt: skip
    node_flaps_min: int = _limit(
        3, 100, "a node that was not ready again so often flaps",
        least=2, because="one relapse is a slow reboot",
    )  # fmt: skip
    gpu_hot_after_s: int = _limit(
        1800, 24 * HOUR, "a GPU that stays hot is told of",
        least=600, because="GPUs throttle and cool by themselves",
    )  # fmt: skip

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        pairs = (
            ("admission_loop_times_min", "admission_loop_sure_min"),
            ("cascade_going_on_s", "cascade_within_s"),
            ("quota_empty_after_s", "quota_empty_unasked_after_s"),
        )
        for less, more in pairs:
            if getattr(self, less) > getattr(self, more):
                raise ValueError(f"{less} must not be greater than {more}")
        return self


USUAL = Thresholds()
"""What holds where nobody has set anything: the default of those who are given one, never read past them."""
