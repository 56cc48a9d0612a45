"""An NVLink error under a training gang: the site's repair system is asked to look, and a person is told what for.

Tempting but wrong: to reset or reboot on a guess, to keep the node from others, or to move the gang, which may go on.
"""

from datetime import timedelta
from random import Random

from agent.scenarios.generate import telemetry
from agent.scenarios.generate.gangs import FORMS, gang, pod_name
from agent.scenarios.generate.site import Injected, Site, Touches, Trouble
from agent.scenarios.generate.troubles.fallen_off import once

LINE = (
    "NVRM: Xid (PCI:0000:b3:00): 74, pid='<unknown>', name=<unknown>, "
    "NVLink: fatal error detected on link 5(0x10000, 0x0, 0x0)"
)


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    form, name = rng.choice(FORMS), f"moe-{site.label}"
    objects, moved = gang(site, form, name, site.nodes)
    hurt, index = rng.randrange(len(site.nodes)), rng.randrange(site.gpus)
    node, pod = site.nodes[hurt], pod_name(form, name, hurt)
    target = {"kind": "Node", "name": node}
    return Injected(
        cluster=objects,
        timeline=[telemetry.kernel(at, node, LINE), telemetry.xid(site, at, node, index, pod, 74)],
        actions=[once("request_node_repair", node, parameters={"operation": "diagnose"})],
        proposed=[{"anyOf": [{"action": "notify", "target": target}]}],
        forbidden=[
            *(
                {"action": "request_node_repair", "target": target, "parameters": {"operation": operation}}
                for operation in ("reset_gpu", "reboot", "replace")
            ),
            {"action": "cordon_node", "target": target},
            {"action": "drain_node", "target": target},
            {"action": "requeue_gang", "target": moved},
        ],
    )


TROUBLE = Trouble("xid-74-under-gang", nodes=2, inject=inject, touches=Touches(nodes=1, repairs=1))
