"""What may every queue and cohort still take, and what could it take at most?"""

from collections.abc import Callable

from scheduler_core.cases.form import Amounts, Answer, Case
from scheduler_core.quota import FlavorResource
from scheduler_core.quota_tree import Place
from scheduler_core.snapshot import Snapshot


def answer(case: Case, snapshot: Snapshot) -> Answer:
    tree = snapshot.quota_tree
    return Answer(
        available=_each(snapshot, lambda place, key: tree.available(place, key, snapshot.usage)),
        potential=_each(snapshot, tree.potential),
    )


def _each(snapshot: Snapshot, amount: Callable[[Place, FlavorResource], int]) -> Amounts:
    """By every flavor and resource that anything in the tree has a quota for."""
    tree = snapshot.quota_tree
    return {place[1]: {str(key): amount(place, key) for key in tree.keys(tree.root(place))} for place in tree.places()}
