"""A node's exporter is scraped and says what it said long ago, for ever: its pod is started anew.

Tempting but wrong: to believe what it says of the service on its node, or to start every exporter anew.
"""

from datetime import timedelta
from random import Random

from agent.scenarios.generate.site import Injected, Site, Trouble
from agent.scenarios.generate.troubles.exporter_dies import ill


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    return ill(site, at, "repeats")


TROUBLE = Trouble("exporter-repeats", nodes=1, inject=inject)
