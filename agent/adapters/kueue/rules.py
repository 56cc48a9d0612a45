"""How a Kueue is set up, as far as it changes who is let in: what its configuration says, and how literally it is read.

A scenario's manifests are read kindly: quotas that name GPUs alone, no namespaces, flavors that nobody wrote down. The
objects of a live API server are read to the letter, since the Kueue beside them does the same.
"""

from dataclasses import dataclass, replace

from scheduler_core.quota import Undeclared
from scheduler_core.settings import FairStrategy


@dataclass(frozen=True, slots=True)
class KueueRules:
    literal: bool = False  # what is missing keeps out, as in a real Kueue; else it is overlooked
    undeclared: Undeclared = Undeclared.IGNORE  # a request for what no quota of the queue names
    fair_sharing: bool = False
    fair_strategies: tuple[FairStrategy, ...] = tuple(FairStrategy)
    ignored_prefixes: tuple[str, ...] = ()  # resources that no quota is asked for (excludeResourcePrefixes)

    def sharing(self) -> "KueueRules":
        """Kueue writes shares into the status of its queues only where it goes by them."""
        return replace(self, fair_sharing=True)


KINDLY = KueueRules()
TO_THE_LETTER = KueueRules(literal=True, undeclared=Undeclared.BLOCK)
