"""A GPU falls off the bus where nothing runs: cordon, reboot, give back. No gang is anybody's business here."""

from datetime import timedelta
from random import Random

from agent.scenarios.generate.site import Injected, Site, Touches, Trouble
from agent.scenarios.generate.troubles.fallen_off import once, signs, tempting


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    node = site.nodes[0]
    reboot = once("request_node_repair", node, parameters={"operation": "reboot"})
    return Injected(
        timeline=signs(rng, site, at, node),
        actions=[once("cordon_node", node), reboot, once("uncordon_node", node)],
        forbidden=tempting(node),
    )


TROUBLE = Trouble("xid-79-on-empty-node", nodes=1, inject=inject, touches=Touches(nodes=1, repairs=1))
