"""What runs well all day on the nodes that no trouble was given: gangs and services, with some nodes left free."""

from random import Random

from agent.scenarios.generate import limits
from agent.scenarios.generate.gangs import FORMS, gang
from agent.scenarios.generate.ground import Ground
from agent.scenarios.generate.services import service
from agent.scenarios.generate.site import Json

GANG_NODES_MAX = 4
FREE_ONE_IN = 5  # so often a node stays empty
GANGS_PERCENT = 70


def background(rng: Random, ground: Ground) -> list[Json]:
    objects: list[Json] = []
    number = 0
    while most := max(ground.room.values()):
        number += 1
        site = ground.site(rng, f"pool-{number}", rng.randint(1, min(GANG_NODES_MAX, most)))
        if rng.randrange(FREE_ONE_IN) == 0:
            continue
        if rng.randrange(100) < GANGS_PERCENT:
            objects += gang(site, rng.choice(FORMS), f"train-{site.label}", site.nodes)[0]
        else:
            name = f"serve-{site.label}"
            objects += [*service(site, name, site.gpus, site.nodes, limits.SERVING)[0], limits.budget(site, name)]
    return objects
