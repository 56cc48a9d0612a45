"""What a gang asks for once its flavors are chosen, and the ground on which it is weighed whom it may send back."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from scheduler_core.holders import Holder, Holders
from scheduler_core.model import Gang, Seconds
from scheduler_core.pencil import Pencil
from scheduler_core.quota import FlavorResource, Policy, Queue
from scheduler_core.quota_tree import Place
from scheduler_core.settings import DEFAULTS, Settings

PlacedWithout = Callable[[Sequence[str]], bool]  # would its pods find places, were these gangs gone?


_ANY, _NEVER, _NEWER_EQUAL = Policy.ANY, Policy.NEVER, Policy.LOWER_OR_NEWER_EQUAL


class Bid(NamedTuple):
    gang: Gang
    queue: Queue
    queued_s: Seconds
    wants: Mapping[FlavorResource, int]  # the charge that it would be
    short: frozenset[FlavorResource]  # what of it is not free: whoever holds some may be in its way
    placed_without: PlacedWithout | None = None  # None: quota decides alone

    @property
    def place(self) -> Place:
        return ("queue", self.queue.name)


@dataclass(frozen=True)
class Ground:
    """Everything that preemption is decided on. The pencil is written on while weighing, and left as it was."""

    pencil: Pencil
    holders: Holders
    queues: Mapping[str, Queue]
    now_s: Seconds
    settings: Settings = DEFAULTS
    spared: Collection[str] = ()  # gangs that nobody may send back

    def may_go(self, bid: Bid, holder: Holder, policy: Policy) -> bool:
        """By the preemptor's rule and the victim's protection; where it stands in the cohort is not looked at."""
        if holder.name == bid.gang.name or holder.name in self.spared or bid.short.isdisjoint(holder.charge):
            return False
        return _outranks(bid, holder, policy) and not self._protected(holder)

    def _protected(self, holder: Holder) -> bool:
        """Who has hardly begun is left to run for a while, unless it is leaving anyway."""
        least_s = self.queues[holder.queue[1]].min_runtime_s
        return bool(least_s) and not holder.evicted and self.now_s - holder.at_s < least_s


def _outranks(bid: Bid, holder: Holder, policy: Policy) -> bool:
    if policy is _ANY or (policy is not _NEVER and holder.priority < bid.gang.priority):
        return True
    equal_and_newer = holder.priority == bid.gang.priority and bid.queued_s < holder.queued_s
    return policy is _NEWER_EQUAL and equal_and_newer
