"""The ladder of repairs: what the site is asked to do next about a sick node, and when it is one for support.

Pure. Whether anything may be asked now (cordoned, empty, nobody else at work) is for the playbooks and the policies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.domain.cluster import Node
from agent.domain.outcome import PastAction
from agent.evidence.xid import FirstAction

REPAIR_WINDOW_S = 7 * 24 * 3600  # a fault that comes back after repeated repairs in a week is one for support
REPAIRS_AT_MOST = 3
REPAIRS = frozenset({"reset_gpu", "reboot", "replace"})
RESET_ONCE = frozenset({64})  # a row remapping that failed: one reset may help, a second never did


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of the repair system about one node. `here`: in this incident, oldest first; `week`: repairs by
    anybody of us within seven days; `diagnosed`: before this incident."""

    here: tuple[PastAction, ...]
    week: tuple[PastAction, ...]
    diagnosed: bool

    @property
    def operations(self) -> tuple[str, ...]:
        return tuple(str(past.parameters.get("operation")) for past in self.here)

    @property
    def repaired_at(self) -> datetime | None:
        """When the newest repair of this incident was over: what was said before tells nothing of after it."""
        repairs = [past for past in self.here if past.parameters.get("operation") in REPAIRS]
        return (repairs[-1].verified_at or repairs[-1].at) if repairs else None

    @property
    def mended(self) -> dict[str, datetime]:
        """The GPUs whose reset in this incident helped, and since when."""
        return {
            str(past.parameters["gpu_uuid"]): past.verified_at
            for past in self.here
            if _is_reset(past) and past.helped and past.verified_at is not None and past.parameters.get("gpu_uuid")
        }


def asked_about(node: Node, incident: str, history: Sequence[PastAction], now: datetime) -> Asked:
    since = now - timedelta(seconds=REPAIR_WINDOW_S)
    ours = [
        past
        for past in history
        if past.action == "request_node_repair"
        and past.target.name == node.name
        and past.outcome == "succeeded"
        and not past.undo
        and past.at >= since
    ]
    return Asked(
        here=tuple(past for past in ours if past.incident == incident),
        week=tuple(past for past in ours if past.parameters.get("operation") in REPAIRS),
        diagnosed=any(p.parameters.get("operation") == "diagnose" and p.incident != incident for p in ours),
    )


def next_operation(action: FirstAction, codes: Sequence[int], asked: Asked, *, gpu: str | None, empty: bool) -> str:
    """What to ask for next; empty when there is nothing left to ask. `gpu`: its UUID, None where that is not known;
    `empty`: nobody's pods are on the node."""
    if "support" in asked.operations:
        return ""
    match action:
        case FirstAction.RESET_GPU:
            return _after_resets(codes, asked, gpu=gpu, empty=empty)
        case FirstAction.REBOOT:
            return "support" if "reboot" in asked.operations or _often_enough(asked) else "reboot"
        case FirstAction.WORKFLOW:
            return _looked_into(asked)
        case _:
            return ""


def _after_resets(codes: Sequence[int], asked: Asked, *, gpu: str | None, empty: bool) -> str:
    if _often_enough(asked) or "reboot" in asked.operations:
        return "support"
    once = bool(RESET_ONCE & set(codes))
    if any(gpu in (None, past.parameters.get("gpu_uuid")) for past in asked.here if _is_reset(past)):
        return "reboot" if empty and not once else "support"
    if once and any(_is_reset(past) for past in asked.week):
        return "support"
    if gpu is None:
        return "" if "diagnose" in asked.operations else "diagnose"
    return "reset_gpu"


def _is_reset(past: PastAction) -> bool:
    return past.parameters.get("operation") == "reset_gpu"


def _looked_into(asked: Asked) -> str:
    if asked.diagnosed:
        return "support"  # it was looked into within the week, and here it is again
    return "" if "diagnose" in asked.operations else "diagnose"


def _often_enough(asked: Asked) -> bool:
    return len(asked.week) >= REPAIRS_AT_MOST
