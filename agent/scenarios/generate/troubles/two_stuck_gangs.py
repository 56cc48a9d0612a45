"""Two gangs each wait for what the other holds: the smaller one gives way, whole, and the larger one starts.

Tempting but wrong: to requeue the larger, or both, or to evict a few pods of one.
"""

from datetime import timedelta
from random import Random

from agent.scenarios.generate import telemetry
from agent.scenarios.generate.gangs import reference, started
from agent.scenarios.generate.site import Injected, Site, Touches, Trouble, seconds

PAGED_AFTER = timedelta(minutes=15)


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    """Of five nodes the larger gang holds three and wants four; the smaller holds two and wants three."""
    large, small = f"vlm-{site.label}", f"ocr-{site.label}"
    since = site.moment(at)
    objects = [
        *started(site, large, site.nodes[:3], 1, since),
        *started(site, small, site.nodes[3:5], 1, since),
    ]
    pod = {"namespace": site.tenant.name, "pod": f"{large}-3"}
    gives_way = {"action": "requeue_gang", "target": reference(site, small)}
    return Injected(
        timeline=[
            *({"at": seconds(at), "apply": each} for each in objects),
            telemetry.alert(site, at + PAGED_AFTER, "KubePodNotReady", pod),
        ],
        actions=[{"anyOf": [gives_way], "times": {"min": 1, "max": 1}}],
        forbidden=[{"action": "*", "target": reference(site, large)}],
    )


TROUBLE = Trouble("two-stuck-gangs", nodes=5, inject=inject, touches=Touches(gangs=1))
