"""Small quota trees drawn by hypothesis, and what the documents say about them, written down a second time."""

from dataclasses import replace
from fractions import Fraction

from hypothesis import strategies as st

from scheduler_core import Cohort, FlavorResource, Policy, PreemptionRules, Queue, Quota

GPU = "nvidia.com/gpu"
KEY = FlavorResource("default", GPU)

amounts = st.integers(0, 12)
limits = st.none() | amounts
quotas = st.builds(Quota, resource=st.just(GPU), nominal=amounts, borrowing_limit=limits, lending_limit=limits)


def lawful(quota: Quota, kind: str, above: str | None) -> Quota:
    """As the nouns take it: no limits without somebody above, and no queue lends more than it has."""
    if above is None:
        return replace(quota, borrowing_limit=None, lending_limit=None)
    lends = quota.lending_limit
    return quota if kind == "cohort" or lends is None else replace(quota, lending_limit=min(lends, quota.nominal))


def lawful_rules(rules: PreemptionRules) -> PreemptionRules:
    """Who may not reclaim may not send others back to borrow."""
    return replace(rules, borrow=rules.borrow and rules.reclaim is not Policy.NEVER)


weights = st.sampled_from([0, 1, 2, Fraction(1, 2), Fraction(3, 10)])


@st.composite
def trees(draw):
    """Up to four cohorts under each other in any way, up to four queues in them or alone."""
    cohorts = []
    for index in range(draw(st.integers(1, 4))):
        parent = draw(st.sampled_from([None, *[each.name for each in cohorts]])) if cohorts else None
        own = tuple(lawful(each, "cohort", parent) for each in draw(st.lists(quotas, max_size=1)))
        cohorts.append(Cohort(name=f"c{index}", parent=parent, quotas=own, weight=draw(weights)))
    names = st.sampled_from([None, *[each.name for each in cohorts]])
    queues = []
    for index in range(draw(st.integers(1, 4))):
        above = draw(names)
        own = (lawful(draw(quotas), "queue", above),)
        queues.append(Queue(name=f"q{index}", cohort=above, quotas=own, weight=draw(weights)))
    return queues, cohorts


class Balances:
    """KEP-79: T(x) is what a subtree has left for others; an admission is right while nobody's debt is too large.

    A queue: quota - usage. A cohort: quota + the sum over its children of min(lending limit, T). Below the root T may
    fall to minus the borrowing limit, at the root to 0. Nothing of the core's own formulas is in here.
    """

    def __init__(self, queues, cohorts):
        self.parents = {("cohort", each.name): each.parent and ("cohort", each.parent) for each in cohorts}
        self.parents |= {("queue", each.name): each.cohort and ("cohort", each.cohort) for each in queues}
        self.quota = {("cohort", each.name): next(iter(each.quotas), None) for each in cohorts}
        self.quota |= {("queue", each.name): each.quotas[0] for each in queues}

    def left(self, place, used):
        own = self.quota[place].nominal if self.quota[place] else 0
        children = [child for child, parent in self.parents.items() if parent == place]
        return own - used.get(place, 0) + sum(self._lent(child, used) for child in children)

    def _lent(self, place, used):
        left, limit = self.left(place, used), self.quota[place].lending_limit if self.quota[place] else None
        return left if limit is None else min(limit, left)

    def hold(self, used):
        return all(self.left(place, used) >= -self._debt(place) for place in self.parents)

    def _debt(self, place):
        if self.parents[place] is None:
            return 0
        limit = self.quota[place].borrowing_limit if self.quota[place] else None
        return 10**9 if limit is None else limit
