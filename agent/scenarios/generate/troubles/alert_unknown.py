"""An alert that nobody here has heard of: a person gets it. Tempting but wrong: whatever its name seems to suggest."""

from datetime import timedelta
from random import Random

from agent.scenarios.generate import telemetry
from agent.scenarios.generate.site import Injected, Site, Trouble

NAMES = ("FabricManagerLagging", "CheckpointStoreSlow", "LicenceServerAway", "EtcdDefragOverdue")


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    about = {"namespace": site.tenant.name, "component": site.label}
    return Injected(timeline=[telemetry.alert(site, at, rng.choice(NAMES), about)])


TROUBLE = Trouble("alert-unknown", nodes=0, inject=inject)
