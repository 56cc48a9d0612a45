"""The view after a few changes, made of the one before: what most changes are, at a cost that does not grow with them.

Two kinds of change leave all else what it is: an object that says something new of itself, but the same of its owner
and of the gangs that it is of or stands for; and one that comes or goes, which is no gang's and which nothing names as
its owner. After any other everything is brought together anew (translate.py), and the result is the same to the last
entry.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from agent.adapters.kubernetes.gang_size import minimum_of
from agent.adapters.kubernetes.meeting import BUDGET, NAMESPACE, Meeting, PodKey, pod_key
from agent.adapters.kubernetes.membership import read_of
from agent.adapters.kubernetes.memo import Memo
from agent.adapters.kubernetes.owners import Key, key_of
from agent.adapters.kubernetes.parsed import Parsed
from agent.adapters.kubernetes.workloads import is_workload_kind
from agent.domain.cluster import ClusterView, Gang, Node, ObjectRef, Pod, Workload
from agent.domain.pod_index import Shared

POD = ("", "Pod")
CHANGES_MAX = 500  # of more, bringing everything together anew is hardly dearer


class Change(NamedTuple):
    """One object before and after; None where it was not there, or is not any more."""

    before: Parsed | None
    after: Parsed | None

    @property
    def one(self) -> Parsed:
        one = self.after or self.before
        assert one is not None  # noqa: S101 - what is neither before nor after is no change
        return one


def patched(
    view: ClusterView, meeting: Meeting, changes: Sequence[Change], now: datetime, memo: Memo
) -> ClusterView | None:
    """None where everything has to be brought together anew. Raises MalformedObject. After either `meeting` is of no
    more use; else it goes on to what is so after the changes."""
    changes = [each for each in changes if each.before is not None or each.after is not None]
    owning = {key_of(after.owner) for _, after in changes if after is not None and after.owner is not None}
    if len(changes) > CHANGES_MAX or not all(_leaves_the_rest(each, meeting, owning) for each in changes):
        return None
    memo.forget(len(meeting.world))
    gone: list[Pod] = []
    come: list[Pod] = []
    for change in changes:
        before, after = change
        if before is not None and before.pod is not None:
            gone.append(view.pods[_place(before)])
            meeting.leave(gone[-1])
        if not _meets(change, meeting):
            return None
        if after is not None and after.pod is not None:
            come.append(meeting.placed(after, memo))
            meeting.join(come[-1])
    meeting.order()
    after_all = replace(view, taken_at=now, nodes=_nodes(view, changes), objects=_objects(view, meeting, changes))
    if all(each.one.node is not None and _stands(each) for each in changes):
        return after_all
    return _beside_nodes(after_all, meeting, changes, gone, come, memo)


def _leaves_the_rest(change: Change, meeting: Meeting, owning: Collection[Key]) -> bool:
    """`owning`: whom the changes of this look name as owners; one may come after what it owns."""
    if _stands(change):
        return True
    key, refs = change.one.key, {each.ref for each in change if each is not None}
    if key in meeting.owners.owning or key in owning or len(refs) > 1:
        return False
    return key[:2] == POD or not any(each is not None and _is_some_gangs(each, meeting) for each in change)


def _is_some_gangs(one: Parsed, meeting: Meeting) -> bool:
    names_one = one.names.kueue is not None or one.names.native is not None
    return names_one or minimum_of(one.root) > 0 or meeting.membership.speaks_of(one.key)


def _stands(change: Change) -> bool:
    before, after = change
    if before is None or after is None:
        return False
    same = (before.ref, before.owner, before.names) == (after.ref, after.owner, after.names)
    return same and read_of(before.root) == read_of(after.root)


def _meets(change: Change, meeting: Meeting) -> bool:
    """Puts it there; False where others are not what they were because of it."""
    before, after = change
    if after is not None and _stands(change):
        meeting.renew(after)
        return True
    return (before is None or meeting.go(before)) and (after is None or meeting.come(after))


def _place(one: Parsed) -> PodKey:
    return one.key.namespace, one.key.name


def _nodes(view: ClusterView, changes: Iterable[Change]) -> Mapping[str, Node]:
    told = [each for each in changes if each.one.node is not None]
    nodes = dict(view.nodes)
    for before, after in told:
        if after is not None and after.node is not None:
            nodes[after.node.name] = after.node
        elif before is not None and before.node is not None:
            del nodes[before.node.name]
    if all(each.before is not None for each in told):
        return nodes if told else view.nodes
    return {name: nodes[name] for name in sorted(nodes)}


def _objects(
    view: ClusterView, meeting: Meeting, changes: Iterable[Change]
) -> Mapping[ObjectRef, Mapping[str, object]]:
    if any(before is None or after is None or before.ref != after.ref for before, after in changes):
        return {one.ref: one.root.values for one in meeting.world.values()}
    objects = dict(view.objects)
    for _, after in changes:
        if after is not None:
            objects[after.ref] = after.root.values
    return objects


def _beside_nodes(
    view: ClusterView,
    meeting: Meeting,
    changes: Sequence[Change],
    gone: Sequence[Pod],
    come: Sequence[Pod],
    memo: Memo,
) -> ClusterView:
    keys = [each.one.key for each in changes]
    said = {gang for key in keys for gang in meeting.gangs_about(key)}
    touched = said | {key_of(pod.gang) for pod in (*gone, *come) if pod.gang}
    pods = _pods(view.pods, gone, come)
    budgets = bool(gone or come) or any(key[:2] == BUDGET for key in keys)
    return replace(
        view,
        pods=pods,
        gangs=_gangs(view.gangs, meeting, touched, memo),
        workloads=_workloads(view.workloads, meeting, changes, memo),
        disruptions=meeting.disruptions(list(pods.values())) if budgets else view.disruptions,
        namespaces=meeting.namespaces() if any(key[:2] == NAMESPACE for key in keys) else view.namespaces,
        beside_nodes=object(),
        shared=view.shared if pods is view.pods else Shared(view.index.after(pods, gone, come)),
    )


def _pods(pods: Mapping[PodKey, Pod], gone: Sequence[Pod], come: Sequence[Pod]) -> Mapping[PodKey, Pod]:
    if not gone and not come:
        return pods
    left = dict(pods)
    for pod in come:
        left[pod_key(pod)] = pod
    for place in {pod_key(pod) for pod in gone} - {pod_key(pod) for pod in come}:
        del left[place]
    return left if left.keys() == pods.keys() else {place: left[place] for place in sorted(left)}


def _gangs(
    gangs: Mapping[ObjectRef, Gang], meeting: Meeting, touched: Iterable[Key], memo: Memo
) -> Mapping[ObjectRef, Gang]:
    made = [meeting.gang(key, memo) for key in touched]
    return {**gangs, **{gang.ref: gang for gang in made}} if made else gangs


def _workloads(
    workloads: Mapping[ObjectRef, Workload], meeting: Meeting, changes: Iterable[Change], memo: Memo
) -> Mapping[ObjectRef, Workload]:
    """Those that have changed, and those of which what has changed says something."""
    own = {each.one.key for each in changes if is_workload_kind(each.one.root)}
    under = {key for each in changes for key in meeting.workloads_under(each.one.key)}
    now = {key: meeting.workload(key, memo) for key in own | under}
    gone = {key for key, made in now.items() if made is None}
    left = {ref: known for ref, known in workloads.items() if key_of(ref) not in gone} if gone else workloads
    made = {each.ref: each for each in now.values() if each is not None}
    if made.keys() <= left.keys():
        return {**left, **made} if made else left
    return {ref: (made.get(ref) or left[ref]) for ref in sorted({*left, *made}, key=key_of)}
