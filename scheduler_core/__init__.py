"""Gang and queue scheduling as arithmetic: no Kubernetes, no clock, no I/O, no chance.

Start reading at `scheduler.cycle`; ask questions with `what_if` and `explain`. Everything a caller needs is named here.
"""

from scheduler_core.changes import (
    Activate,
    AddNode,
    Change,
    Cordon,
    Drain,
    Evict,
    Remove,
    RemoveNode,
    Requeue,
    Scale,
    SetQuota,
    Stop,
    Submit,
    Uncordon,
    apply_all,
)
from scheduler_core.errors import Conflict, Duplicate, Invalid, SchedulerError, Unknown
from scheduler_core.explain import Explanation, Reason, explain, explain_all, explain_pod
from scheduler_core.model import (
    Gang,
    Node,
    NodeTerm,
    Pod,
    PodSet,
    PodShape,
    Requirement,
    Taint,
    Toleration,
)
from scheduler_core.pods import Refusal, place_pods
from scheduler_core.quota import Cohort, Flavor, FlavorResource, Queue, Quota, StopPolicy, Strategy, Undeclared
from scheduler_core.requeue import Backoff
from scheduler_core.scheduler import CycleResult, cycle, run
from scheduler_core.settings import Settings
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import Assignment
from scheduler_core.state import Admission, Bound, GangState, Phase
from scheduler_core.whatif import Effect, what_if

__all__ = [
    "Activate",
    "AddNode",
    "Admission",
    "Assignment",
    "Backoff",
    "Bound",
    "Change",
    "Cohort",
    "Conflict",
    "Cordon",
    "CycleResult",
    "Drain",
    "Duplicate",
    "Effect",
    "Evict",
    "Explanation",
    "Flavor",
    "FlavorResource",
    "Gang",
    "GangState",
    "Invalid",
    "Node",
    "NodeTerm",
    "Phase",
    "Pod",
    "PodSet",
    "PodShape",
    "Queue",
    "Quota",
    "Reason",
    "Refusal",
    "Remove",
    "RemoveNode",
    "Requeue",
    "Requirement",
    "Scale",
    "SchedulerError",
    "SetQuota",
    "Settings",
    "Snapshot",
    "Stop",
    "StopPolicy",
    "Strategy",
    "Submit",
    "Taint",
    "Toleration",
    "Uncordon",
    "Undeclared",
    "Unknown",
    "apply_all",
    "cycle",
    "explain",
    "explain_all",
    "explain_pod",
    "place_pods",
    "run",
    "what_if",
]
