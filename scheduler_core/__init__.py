"""Gang and queue scheduling as arithmetic: no Kubernetes, no clock, no I/O, no chance.

Start reading at `scheduler.cycle`; ask questions with `what_if` and `explain`. Everything a caller needs is named here.

>>> snapshot = Snapshot(
...     nodes=[Node(f"gpu-{i}", {"nvidia.com/gpu": 8}) for i in range(4)],
...     queues=[Queue(name="research", quotas=(Quota(resource="nvidia.com/gpu", nominal=64),))],
... )
>>> for name in ("llama", "mixtral"):
...     trainers = PodSet(count=3, requests={"nvidia.com/gpu": 8})
...     snapshot.add_gang(Gang(name=name, queue="research", pod_sets=(trainers,)))
>>> for node, pod, gang in [("gpu-0", "l-0", "llama"), ("gpu-1", "l-1", "llama"),
...                         ("gpu-2", "m-0", "mixtral"), ("gpu-3", "m-1", "mixtral")]:
...     snapshot.occupy(node, {"nvidia.com/gpu": 8}, pod, gang)  # two gangs hold half of what they need each
>>> explain(snapshot, "llama", now_s=0).message
'it lacks 8 nvidia.com/gpu; 0 are free on 4 nodes'
>>> effect = what_if(snapshot, [Requeue("mixtral", delay_s=600)], now_s=0)
>>> effect.started, effect.still_pending["mixtral"].reason.value
(('llama',), 'BackingOff')
>>> snapshot.phase("llama").value, len(run(snapshot, now_s=0).admitted)  # nothing of it stayed
('Partial', 0)
"""

from scheduler_core.changes import (
    Activate,
    AddNode,
    Change,
    Cordon,
    Drain,
    Evict,
    Mend,
    Remove,
    RemoveNode,
    Requeue,
    Reserve,
    Scale,
    SetQuota,
    Stop,
    Submit,
    Uncordon,
    apply_all,
)
from scheduler_core.defragment import Move, defragment
from scheduler_core.elastic import Resized
from scheduler_core.errors import Conflict, Duplicate, Invalid, SchedulerError, Unknown
from scheduler_core.explain import explain, explain_all, explain_pod
from scheduler_core.explanation import Explanation, Reason
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
from scheduler_core.quota import (
    Cohort,
    Flavor,
    FlavorResource,
    Fungibility,
    LocalQueue,
    Policy,
    PreemptionRules,
    Preference,
    Queue,
    Quota,
    ResourceGroup,
    StopPolicy,
    Strategy,
    Undeclared,
    WhenCan,
)
from scheduler_core.requeue import Backoff
from scheduler_core.scheduler import CycleResult, cycle, run
from scheduler_core.settings import FairStrategy, Settings
from scheduler_core.snapshot import Snapshot
from scheduler_core.start import Assignment
from scheduler_core.state import Admission, Bound, GangState, Phase
from scheduler_core.topologies import Mode as TopologyMode, Slice, Topology, TopologyRequest
from scheduler_core.whatif import Effect, unblocked_by, what_if

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
    "FairStrategy",
    "Flavor",
    "FlavorResource",
    "Fungibility",
    "Gang",
    "GangState",
    "Invalid",
    "LocalQueue",
    "Mend",
    "Move",
    "Node",
    "NodeTerm",
    "Phase",
    "Pod",
    "PodSet",
    "PodShape",
    "Policy",
    "PreemptionRules",
    "Preference",
    "Queue",
    "Quota",
    "Reason",
    "Refusal",
    "Remove",
    "RemoveNode",
    "Requeue",
    "Requirement",
    "Reserve",
    "Resized",
    "ResourceGroup",
    "Scale",
    "SchedulerError",
    "SetQuota",
    "Settings",
    "Slice",
    "Snapshot",
    "Stop",
    "StopPolicy",
    "Strategy",
    "Submit",
    "Taint",
    "Toleration",
    "Topology",
    "TopologyMode",
    "TopologyRequest",
    "Uncordon",
    "Undeclared",
    "Unknown",
    "WhenCan",
    "apply_all",
    "cycle",
    "defragment",
    "explain",
    "explain_all",
    "explain_pod",
    "place_pods",
    "run",
    "unblocked_by",
    "what_if",
]
