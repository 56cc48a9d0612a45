"""All that the agent can do, as a list that a reader can see. What is not here, it cannot do."""

from typing import Any

from agent.actions.activate_workload import ActivateWorkload
from agent.actions.base import Action
from agent.actions.cordon_node import CordonNode
from agent.actions.deactivate_workload import DeactivateWorkload
from agent.actions.defragment import Defragment
from agent.actions.drain_node import DrainNode
from agent.actions.evict_pod import EvictPod
from agent.actions.hold_queue import HoldQueue
from agent.actions.notify import Notify
from agent.actions.reclaim_idle_gpu import ReclaimIdleGpu
from agent.actions.request_node_repair import RequestNodeRepair
from agent.actions.requeue_gang import RequeueGang
from agent.actions.reserve_capacity import ReserveCapacity
from agent.actions.restart_workload import RestartWorkload
from agent.actions.resume_queue import ResumeQueue
from agent.actions.rollback_workload import RollbackWorkload
from agent.actions.scale_workload import ScaleWorkload
from agent.actions.set_queue_quota import SetQueueQuota
from agent.actions.uncordon_node import UncordonNode

ACTIONS: tuple[Action[Any], ...] = (
    CordonNode(),
    UncordonNode(),
    DrainNode(),
    RequeueGang(),
    DeactivateWorkload(),
    ActivateWorkload(),
    HoldQueue(),
    ResumeQueue(),
    SetQueueQuota(),
    ReserveCapacity(),
    Defragment(),
    EvictPod(),
    ScaleWorkload(),
    RestartWorkload(),
    RollbackWorkload(),
    RequestNodeRepair(),
    ReclaimIdleGpu(),
    Notify(),
)

CATALOGUE: dict[str, Action[Any]] = {action.name: action for action in ACTIONS}
