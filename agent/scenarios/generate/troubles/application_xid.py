"""An XID of the application's own making under a service: the node is well and nothing is done to it."""

from datetime import timedelta
from random import Random

from agent.scenarios.generate import telemetry
from agent.scenarios.generate.services import service
from agent.scenarios.generate.site import Injected, Site, Trouble

LINES = {
    13: "NVRM: Xid (PCI:0000:b3:00): 13, pid=4411, name=python, Graphics SM Warp Exception: Out Of Range Address",
    31: "NVRM: Xid (PCI:0000:b3:00): 31, pid=5120, name=python, MMU Fault: ENGINE GRAPHICS faulted @ 0x7f2a_00000000",
    94: "NVRM: Xid (PCI:0000:b3:00): 94, pid=6033, name=python, Contained: SM (0x1). RST: No, D-RST: No",
}


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    name, node = f"chat-{site.label}", site.nodes[0]
    objects, _ = service(site, name, site.gpus // 2, (node, node))
    code, index = rng.choice(sorted(LINES)), rng.randrange(site.gpus)
    about = {"node": node, "gpu": str(index), "xid": str(code)}
    return Injected(
        cluster=objects,
        timeline=[
            telemetry.xid(site, at, node, index, None, code),
            telemetry.kernel(at, node, LINES[code]),
            telemetry.alert(site, at + timedelta(minutes=1), "GPUXidError", about),
        ],
        forbidden=[
            {"action": "*", "target": {"kind": "Node", "name": node}},
            {"action": "*", "target": {"kind": "Deployment", "name": name}},
        ],
    )


TROUBLE = Trouble("application-xid", nodes=1, inject=inject)
