"""The view after a few changes, made of the one before: what most changes are, at a cost that does not grow with them.

Three kinds of change leave all else standing: a node or a pod that says something new of itself under the same owner
and the same gang's name, and a pod that comes or goes and that nothing names as its owner. After any other everything
is brought together anew (translate.py), and the result is the same to the last entry.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from agent.adapters.kubernetes.meeting import Meeting, PodKey, pod_key
from agent.adapters.kubernetes.memo import Memo
from agent.adapters.kubernetes.owners import Key, key_of
from agent.adapters.kubernetes.parsed import Parsed
from agent.domain.cluster import ClusterView, Gang, ObjectRef, Pod
from agent.domain.pod_index import Shared

NODE, POD = ("", "Node"), ("", "Pod")
CHANGES_MAX = 500  # of more, bringing everything together anew is hardly dearer


class Change(NamedTuple):
    """One object before and after; None where it was not there, or is not any more."""

    before: Parsed | None
    after: Parsed | None


def patched(
    view: ClusterView, meeting: Meeting, changes: Sequence[Change], now: datetime, memo: Memo
) -> ClusterView | None:
    """None where everything has to be brought together anew. Raises MalformedObject; then `meeting` is of no more use.

    `meeting` goes on to what is so after the changes."""
    owning = {key_of(after.owner) for _, after in changes if after is not None and after.owner is not None}
    if len(changes) > CHANGES_MAX or not all(_leaves_the_rest(each, meeting, owning) for each in changes):
        return None
    memo.forget(len(meeting.world))
    nodes, gone, come = dict(view.nodes), [], []
    for before, after in changes:
        if after is not None and after.node is not None:
            meeting.put(after)
            nodes[after.node.name] = after.node
            continue
        if before is not None:
            gone.append(view.pods[_place(before)])
            meeting.leave(gone[-1])
            if after is None:
                meeting.drop(before)
        if after is not None:
            meeting.put(after)
            come.append(meeting.placed(after, memo))
            meeting.join(come[-1])
    about_nodes = replace(view, taken_at=now, nodes=nodes, objects=_objects(view, meeting, changes))
    return _with_pods(about_nodes, meeting, gone, come, memo) if gone or come else about_nodes


def _leaves_the_rest(change: Change, meeting: Meeting, owning: Collection[Key]) -> bool:
    """`owning`: whom the changes of this look name as owners; one may come after what it owns."""
    before, after = change
    one = after or before
    if one is None or one.key[:2] not in (NODE, POD) or one.key in meeting.above_workloads:
        return False
    if before is not None and after is not None and _stands(before, after):
        return True
    names_groups = any(each is not None and each.names.native is not None for each in change)
    named = one.key in meeting.owners.owning or one.key in owning
    return one.key[:2] == POD and not names_groups and not named


def _stands(before: Parsed, after: Parsed) -> bool:
    return (before.ref, before.owner, before.names) == (after.ref, after.owner, after.names)


def _place(one: Parsed) -> PodKey:
    return one.key.namespace, one.key.name


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


def _with_pods(
    view: ClusterView, meeting: Meeting, gone: Sequence[Pod], come: Sequence[Pod], memo: Memo
) -> ClusterView:
    pods = dict(view.pods)
    for pod in gone:
        del pods[pod_key(pod)]
    pods |= {pod_key(pod): pod for pod in come}
    pods = {place: pods[place] for place in sorted(pods)}
    return replace(
        view,
        pods=pods,
        gangs=_gangs(view.gangs, meeting, {pod.gang for pod in (*gone, *come) if pod.gang}, memo),
        disruptions=meeting.disruptions(list(pods.values())),
        beside_nodes=object(),
        shared=Shared(view.index.after(pods, gone, come)),
    )


def _gangs(
    gangs: Mapping[ObjectRef, Gang], meeting: Meeting, touched: Iterable[ObjectRef], memo: Memo
) -> Mapping[ObjectRef, Gang]:
    made = [meeting.gang(key_of(ref), memo) for ref in touched]
    return {**gangs, **{gang.ref: gang for gang in made}} if made else gangs
