"""An Incident: signals about one subject that belong together, and how it ended."""

from datetime import datetime
from enum import StrEnum

from agent.domain.base import Noun, digest_of
from agent.domain.cluster import ObjectRef
from agent.domain.signal import Signal

SIGNALS_KEPT = 20  # the newest that an incident carries; the rest are counted, the log has them all


class Symptom(StrEnum):
    """What kind of trouble, before anyone knows the cause. An incident's key is symptom and subject."""

    GPU_FAULT = "gpu_fault"
    NODE_UNHEALTHY = "node_unhealthy"
    IDLE_GPU = "idle_gpu"
    GANG_STUCK = "gang_stuck"
    RESTORE_NEEDED = "restore_needed"
    WORKLOAD_FAILING = "workload_failing"
    WORKLOAD_HANGS = "workload_hangs"
    SERVICE_SATURATED = "service_saturated"
    SERVICE_OVERSIZED = "service_oversized"
    QUEUE_STARVED = "queue_starved"
    QUOTA_UNUSED = "quota_unused"
    ADMISSION_LOOP = "admission_loop"
    GANG_WAITING = "gang_waiting"
    PREEMPTION_CASCADE = "preemption_cascade"
    HOLD_OVER = "hold_over"  # the agent holds nodes or a queue, and the reason is over
    REMAP_PENDING = "remap_pending"  # a GPU's row remapping waits for a reset, and nobody is on the node
    STRAGGLER = "straggler"  # one member of a gang is slow, and the others wait for it
    TELEMETRY_FAULT = "telemetry_fault"
    ALERT = "alert"


class IncidentState(StrEnum):
    OPEN = "open"
    RESOLVED = "resolved"  # remedied and verified
    CANCELLED = "cancelled"  # it recovered by itself, or the owner spoke up
    NO_ACTION = "no_action"  # understood, and the right thing is to do nothing
    REFUSED = "refused"  # a policy denied what would have helped
    REJECTED = "rejected"  # a person said no
    EXPIRED = "expired"  # nobody answered in time: the same as no
    ESCALATED = "escalated"  # a person was called and has it now
    ROLLED_BACK = "rolled_back"  # what was done did not help and was undone
    FAILED = "failed"  # an action failed and could not be undone; a person was called


class Incident(Noun):
    id: str
    symptom: Symptom
    subject: ObjectRef
    opened_at: datetime
    signals: tuple[Signal, ...]
    signal_count: int = 1
    recovered_at: datetime | None = None
    relapses: dict[str, int] = {}  # how often each state (a condition, an alert) came back after it had recovered

    @property
    def key(self) -> str:
        return incident_key(self.symptom, self.subject)


def incident_key(symptom: Symptom, subject: ObjectRef) -> str:
    return f"{symptom}:{subject}"


def incident_id(key: str, first: Signal) -> str:
    """Derived from what opened it, so that a replay names it alike."""
    return "inc-" + digest_of([key, first.source, first.id])[:10]
