"""How a Kueue is set up, as far as it changes who is let in: what its configuration says, and how literally it is read.

A scenario's manifests are read kindly: quotas that name GPUs alone, no namespaces, flavors that nobody wrote down. The
objects of a live API server are read to the letter, since the Kueue beside them does the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from agent.adapters.kueue.transformations import Transformation, generated
from scheduler_core.quota import Undeclared
from scheduler_core.settings import FairStrategy


@dataclass(frozen=True, slots=True)
class KueueRules:
    literal: bool = False  # what is missing keeps out, as in a real Kueue; else it is overlooked
    undeclared: Undeclared = Undeclared.IGNORE  # a request for what no quota of the queue names
    fair_sharing: bool = False
    fair_strategies: tuple[FairStrategy, ...] = tuple(FairStrategy)
    ignored_prefixes: tuple[str, ...] = ()  # resources that no quota is asked for (excludeResourcePrefixes)
    transformations: tuple[Transformation, ...] = ()
    queues_by_creation: bool = False  # who was sent back for pods that were not ready keeps its age (requeuingStrategy)

    @property
    def uncharged(self) -> tuple[str, ...]:
        """What the names of resources begin with that are charged to nobody."""
        return (*self.ignored_prefixes, *(each.input for each in self.transformations if each.replaces))

    def charged(self, requests: Mapping[str, int]) -> dict[str, int]:
        """These requests of a pod, and what they are charged besides. What is ignored is not transformed either."""
        known = {name: amount for name, amount in requests.items() if not name.startswith(self.ignored_prefixes)}
        total = dict(requests)
        for name, amount in generated(known, self.transformations).items():
            total[name] = total.get(name, 0) + amount
        return total

    @property
    def made_up(self) -> frozenset[str]:
        """Resources that only quotas know."""
        return frozenset(name for each in self.transformations for name, _ in each.outputs)

    def sharing(self) -> "KueueRules":
        """Kueue writes shares into the status of its queues only where it goes by them."""
        return replace(self, fair_sharing=True)


KINDLY = KueueRules()
TO_THE_LETTER = KueueRules(literal=True, undeclared=Undeclared.BLOCK)
