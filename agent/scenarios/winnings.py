"""What the agent won back, counted from the log's records alone: GPUs that were held for nothing, from when it helped.

An action counts from its verification to the end of the run, for as many GPUs as its blast radius names: a gang that
stood still and trains (or gave its place to one that does), a notebook that nobody used, a node that was mended. What
was given back on need stops counting then.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

COUNTED = frozenset({"requeue_gang", "reclaim_idle_gpu", "request_node_repair"})


class Record(Protocol):
    @property
    def kind(self) -> str: ...

    @property
    def at(self) -> str: ...

    @property
    def payload(self) -> Any: ...


def gpu_hours_won_back(records: Iterable[Record], end: datetime) -> float:
    """Rounded to a tenth."""
    proposals: dict[str, Mapping[str, Any]] = {}
    won: dict[str, float] = {}
    for record in records:
        if record.kind == "proposal":
            proposals[record.payload["id"]] = record.payload
        elif record.kind == "verification" and record.payload["helped"]:
            proposal = proposals[record.payload["proposal"]]
            hours = _gpus(proposal) * (end - datetime.fromisoformat(record.at)).total_seconds() / 3600
            if proposal.get("undoes"):
                won[proposal["undoes"]] = won.get(proposal["undoes"], 0.0) - hours
            elif proposal["action"] in COUNTED:
                won[proposal["id"]] = hours
    return round(sum(won.values()), 1)


def _gpus(proposal: Mapping[str, Any]) -> int:
    return int(proposal["blast_radius"]["gpus"])
