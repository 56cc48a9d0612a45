"""Who takes how much of what others lend: the dominant resource share, at any place of the quota tree.

Borrowed is what a queue or cohort uses beyond its own quota, summed over the flavors of a resource; lendable is what
its parent could give it at most. The share is 1000 x borrowed / lendable of the resource where that is largest, divided
by the place's weight: dominant resource fairness (Ghodsi et al., NSDI 2011) over borrowed quota, as Kueue counts it.
Exact fractions, so that equal shares compare as equal. Usage that decays with time is `decay`'s business, elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from scheduler_core.quota import FlavorResource
from scheduler_core.quota_tree import Place, QuotaTree, Usage

PER_WHOLE = 1000  # shares are told in thousandths
UNWEIGHTED_SHARE = 2**63 - 1  # of a place of weight 0 that borrows: above every other, and still an int64
_NOTHING: Mapping[FlavorResource, int] = {}


@dataclass(frozen=True)
class Share:
    ratio: Fraction  # before the weight
    weight: int | Fraction
    resource: str = ""  # the one that dominates; empty where nothing counts
    borrowed: frozenset[FlavorResource] = frozenset()  # all that it uses beyond its quota

    @property
    def order(self) -> tuple[bool, Fraction]:
        """Sorts shares: lower ones are served first, higher ones give back first. Weight 0 comes after all others."""
        if self.weight == 0 and self.ratio:
            return True, self.ratio
        return False, self.ratio / self.weight if self.ratio else self.ratio

    @property
    def value(self) -> int:
        """As a whole number, rounded up, so that a borrower never looks like one who does not borrow."""
        unweighted, amount = self.order
        return UNWEIGHTED_SHARE if unweighted else ceil(amount)


def share(tree: QuotaTree, place: Place, usage: Usage, more: Mapping[FlavorResource, int] = _NOTHING) -> Share:
    """The share of a queue or a cohort, with `more` on top of what it uses. Who stands alone borrows from nobody."""
    parent, weight = tree.parent(place), tree.weight(place)
    if parent is None:
        return Share(Fraction(0), weight)
    borrowed: dict[str, int] = {}
    keys = []
    for key in tree.keys(place):
        beyond = usage.get((place, key), 0) + more.get(key, 0) - tree.subtree(place, key)
        if beyond > 0:
            borrowed[key.resource] = borrowed.get(key.resource, 0) + beyond
            keys.append(key)
    ratio, resource = _dominant(borrowed, tree.lendable(parent)) if borrowed else (Fraction(0), "")
    return Share(ratio, weight, resource, frozenset(keys))


def _dominant(borrowed: Mapping[str, int], lendable: Mapping[str, int]) -> tuple[Fraction, str]:
    """Of equals the first by name. What nobody could lend has no share."""
    ratios = [
        (Fraction(PER_WHOLE * amount, lendable[resource]), resource)
        for resource, amount in sorted(borrowed.items())
        if lendable.get(resource, 0) > 0
    ]
    return max(ratios, key=lambda pair: pair[0], default=(Fraction(0), ""))
