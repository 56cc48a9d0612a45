"""A gang misses a node that a visitor still holds; the visitor leaves, and the gang completes by itself.

Right: nothing, and nobody is called. Tempting but wrong: to requeue the gang while it only has to wait a few minutes.
"""

from datetime import timedelta
from random import Random

from agent.scenarios.generate.gangs import reference, started
from agent.scenarios.generate.manifests import pod_spec, running
from agent.scenarios.generate.site import Injected, Site, Trouble, seconds

LEAVES_AFTER_S = (60, 110)  # a gang without a place counts as stuck after two minutes


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    name, visitor = f"asr-{site.label}", f"eval-{site.label}"
    leaves = at + timedelta(seconds=rng.randint(*LEAVES_AFTER_S))
    pod = running(site, visitor, site.nodes[2], pod_spec(site, site.gpus, "eval:0.3", "Never"), None, {"app": visitor})
    gone = {"apiVersion": "v1", "kind": "Pod", "namespace": site.tenant.name, "name": visitor}
    return Injected(
        cluster=[pod],
        timeline=[
            *({"at": seconds(at), "apply": each} for each in started(site, name, site.nodes[:2], 1, site.moment(at))),
            {"at": seconds(leaves), "delete": gone},
        ],
        forbidden=[{"action": action, "target": reference(site, name)} for action in ("*", "notify")],
    )


TROUBLE = Trouble("stuck-gang-completes", nodes=3, inject=inject)
