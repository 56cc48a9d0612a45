"""A GPU falls off the bus while the site's repair system does not answer: the node stays cordoned until it does.

A person is called, or the repair is asked for again once there is somebody to ask; nothing else comes meanwhile that
wants a repair. Tempting but wrong: to give the sick node back, or to try other repairs one after the other.
"""

from datetime import timedelta
from random import Random

from agent.scenarios.generate.arrivals import REPAIRS_AN_HOUR
from agent.scenarios.generate.site import Injected, Site, Touches, Trouble, seconds
from agent.scenarios.generate.troubles.fallen_off import once, signs, tempting

AWAY = timedelta(minutes=40)  # longer than anybody waits for an answer
EARLIER = timedelta(minutes=1)


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    node = site.nodes[0]
    target = {"kind": "Node", "name": node}
    away = {"target": "repair", "kind": rng.choice(("down", "error")), "for": seconds(AWAY)}
    asked = {"action": "request_node_repair", "target": target, "parameters": {"operation": "reboot"}}
    back = {"action": "uncordon_node", "target": target}
    return Injected(
        timeline=[{"at": seconds(at - EARLIER), "fault": away}, *signs(rng, site, at, node)],
        actions=[once("cordon_node", node)],
        allowed=[{**asked, "outcome": "*"}, {"anyOf": [back], "notBefore": seconds(at - EARLIER + AWAY)}],
        forbidden=[*tempting(node), {"anyOf": [back], "notAfter": seconds(at - EARLIER + AWAY)}],
    )


TROUBLE = Trouble("repair-fails", nodes=1, inject=inject, touches=Touches(nodes=1, repairs=REPAIRS_AN_HOUR))
