"""How a GPU that falls off the bus shows itself, and what is right and wrong about the node, for three troubles."""

from datetime import timedelta
from random import Random

from agent.scenarios.generate import telemetry
from agent.scenarios.generate.site import Json, Site, seconds

PAGED_AFTER = timedelta(minutes=1)


def signs(rng: Random, site: Site, at: timedelta, node: str) -> list[Json]:
    """The gauge, and one or more of what sites have to tell of it."""
    index = rng.randrange(site.gpus)
    told: list[Json] = [telemetry.xid(site, at, node, index, None, 79)]
    bad = {"type": "SysLogsXIDError", "status": "True", "reason": "XIDError", "message": f"XID 79 on GPU {index}"}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    sick = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}, "status": {"conditions": [ready, bad]}}
    ways: list[Json] = [
        telemetry.kernel(at, node, telemetry.FELL_OFF),
        {"at": seconds(at + timedelta(seconds=20)), "apply": sick},
        telemetry.alert(site, at + PAGED_AFTER, "GPUXidError", {"node": node, "gpu": str(index), "xid": "79"}),
    ]
    return told + sorted(rng.sample(ways, rng.randint(1, len(ways))), key=ways.index)


def once(action: str, node: str, **more: Json) -> Json:
    one = {"action": action, "target": {"kind": "Node", "name": node}, **more}
    return {"anyOf": [one], "times": {"min": 1, "max": 1}}


def tempting(node: str) -> list[Json]:
    """What the catalogue says is not the first thing to do."""
    target = {"kind": "Node", "name": node}
    return [
        {"action": "request_node_repair", "target": target, "parameters": {"operation": operation}}
        for operation in ("reset_gpu", "replace")
    ] + [{"action": "drain_node", "target": target}]
