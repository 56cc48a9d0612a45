"""What the tests of a reviewer share: a call of `watchkeeper audit`, an answer on the record, a closed incident."""

from datetime import UTC, datetime
from typing import Any

from typer.testing import CliRunner

from agent.cli import audit
from agent.domain.incident import IncidentState

NODE = {"apiVersion": "v1", "kind": "Node", "name": "gpu-3"}


def call(*arguments: str) -> Any:
    return CliRunner().invoke(audit.app, list(arguments))


def answered(site: Any, by: str = "alice", reason: str = "tenant agreed") -> int:
    """An answer as the desk records it; its index."""
    payload = {
        "request": "apr-12345678", "incident": "inc-1", "proposal": "inc-1/1", "action": "cordon_node", "counted": True,
        "target": NODE, "tenant": "research", "by": by, "door": "cli", "reason": reason, "decision": "approve",
        "digest": "d", "at": datetime.now(UTC).isoformat(), "groups": [],
    }  # fmt: skip
    site.ledger.record("approval", payload, attributes={"approver": by})
    return int(site.log.size()) - 1


def closed(site: Any) -> None:
    row = site.store.incidents.row("inc-1")
    site.store.incidents.save(row.incident, IncidentState.RESOLVED)
