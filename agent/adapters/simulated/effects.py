"""The journal of everything that was changed through the ports, so that a runner can ask which action explains it."""

from dataclasses import dataclass
from datetime import datetime

from agent.domain.cluster import ObjectRef
from agent.ports import JsonObject


@dataclass(frozen=True, slots=True)
class Effect:
    who: str  # the field manager
    verb: str  # patch | patch_status | scale | evict | bind | create | request_repair | withdraw_repair
    ref: ObjectRef
    body: JsonObject
    at: datetime
