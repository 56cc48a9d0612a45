"""Whose share of what others lend is how large?"""

from scheduler_core.cases.form import Answer, Case, ShareEntry
from scheduler_core.shares import share
from scheduler_core.snapshot import Snapshot


def answer(case: Case, snapshot: Snapshot) -> Answer:
    tree = snapshot.quota_tree
    found = {place[1]: share(tree, place, snapshot.usage) for place in tree.places()}
    return Answer(shares={name: ShareEntry(each.value, each.resource) for name, each in found.items()})
