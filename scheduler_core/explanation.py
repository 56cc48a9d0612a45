"""An answer to "why is it pending": one reason, the number that binds, and what would free it."""

from dataclasses import dataclass
from enum import StrEnum

from scheduler_core.model import Seconds
from scheduler_core.quota_levers import Lever


class Reason(StrEnum):
    SUSPENDED = "Suspended"
    HELD = "Held"
    BACKING_OFF = "BackingOff"
    BEHIND_HEAD = "BehindHead"
    BEHIND_RESERVATION = "BehindReservation"  # it fits, and would delay a start that is held for another
    NO_MATCHING_FLAVOR = "NoMatchingFlavor"
    EXCEEDS_MAX_QUOTA = "ExceedsMaxQuota"
    WAITING_FOR_QUOTA = "WaitingForQuota"
    WAITING_FOR_PREEMPTED = "WaitingForPreemptedWorkloads"
    TOPOLOGY_PLACEMENT_FAILED = "TopologyPlacementFailed"
    NODES_EXCLUDED = "NodesExcluded"
    NODES_UNAVAILABLE = "NodesUnavailable"
    NO_MATCHING_NODE = "NoMatchingNode"
    POD_TOO_LARGE = "PodTooLarge"
    FRAGMENTED = "Fragmented"
    INSUFFICIENT_CAPACITY = "InsufficientCapacity"
    FITS = "Fits"  # nothing stands in the way: the next cycle starts it


@dataclass(frozen=True)
class Explanation:
    reason: Reason
    message: str
    remedy: str
    resource: str = ""  # what binds: a node resource, or flavor/resource of a queue
    wanted: int = 0
    available: int = 0
    holders: tuple[str, ...] = ()  # gangs that hold what binds, those with most of it first
    nodes: tuple[str, ...] = ()  # nodes the remedy is about
    lacking: tuple[tuple[str, str, int], ...] = ()  # what must come free for it: node or queue, resource, how much
    levers: tuple[Lever, ...] = ()  # of quota: the limits to raise, or the usage that must end, all of them together
    until_s: Seconds | None = None  # when it may try again, or starts at the latest
