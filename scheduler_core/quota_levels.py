"""How far up the quota tree a request has to reach: the levels that borrowing and reclaiming are weighed by.

A queue that stays within its own quota borrows at level 0; else the level is the height of the smallest cohort around
it that has room. `quota_tree.py` holds the amounts; who may be sent back for them is `preemption.py`'s business.
"""

from collections.abc import Collection, Mapping

from scheduler_core.quota import FlavorResource
from scheduler_core.quota_tree import Place, QuotaTree, Usage

Amounts = Mapping[FlavorResource, int]


def exceeds_with(tree: QuotaTree, place: Place, key: FlavorResource, amount: int, usage: Usage) -> bool:
    """Would the place, with so much more, use more than its own (a queue) or its subtree's (a cohort) quota?"""
    return usage.get((place, key), 0) + amount > tree.subtree(place, key)


def within_quota(tree: QuotaTree, place: Place, keys: Collection[FlavorResource], usage: Usage) -> bool:
    return not any(exceeds_with(tree, place, key, 0, usage) for key in keys)


def height(tree: QuotaTree, place: Place) -> int:
    """Steps down to the furthest leaf; a cohort with queues alone has height 1, a queue 0."""
    return tree.height(place)


def lowest_level(tree: QuotaTree, queue: Place, key: FlavorResource, amount: int, usage: Usage) -> tuple[int, bool]:
    """The height of the smallest subtree around the queue with room for so much more, and whether there is a larger.

    Where none has room it is the height of the whole tree, and there is none larger.
    """
    way, left = tree.way(queue, key), amount
    for above in range(len(way) - 1, -1, -1):
        (place, _), subtree, local, _ = way[above]
        used = usage.get((place, key), 0)
        if used + left <= subtree or (above == 0 and place == queue):
            return tree.height(place), above > 0
        left -= max(0, local - used)
    return tree.height(way[0][0][0]), False


def fits_within(tree: QuotaTree, place: Place, wanted: Amounts, usage: Usage) -> tuple[bool, dict[FlavorResource, int]]:
    """Has the place's own subtree room for all of it, and what of it would be asked of the place above."""
    fits, rest = True, {}
    for key, amount in wanted.items():
        at, subtree, local, _ = tree.way(place, key)[-1]
        used = usage.get(at, 0)
        fits = fits and used + amount <= subtree
        rest[key] = max(0, amount - max(0, local - used))
    return fits, rest
