"""The one translation of Kubernetes JSON to the domain's nouns, for the live cluster and the simulated one alike.

Each noun has its file (nodes, pods, workloads, gangs); here the objects meet, since a pod's owner and its gang are
said by the objects around it. A malformed object costs only itself: it is reported, and the rest is translated.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from agent.adapters.kubernetes.fields import Fields, MalformedObject
from agent.adapters.kubernetes.gangs import gang_of
from agent.adapters.kubernetes.membership import Membership
from agent.adapters.kubernetes.memo import Memo
from agent.adapters.kubernetes.nodes import disruption_of
from agent.adapters.kubernetes.owners import Key, Owners, key_of
from agent.adapters.kubernetes.parsed import Parsed, parse
from agent.adapters.kubernetes.workloads import is_workload, workload_of
from agent.domain.cluster import ClusterView, Gang, ObjectRef, Pod, Workload
from agent.ports import JsonObject


@dataclass(frozen=True, slots=True)
class Translation:
    view: ClusterView
    malformed: tuple[MalformedObject, ...]


def view_of(objects: Iterable[JsonObject], now: datetime) -> ClusterView:
    """The view of these objects. Raises the first MalformedObject; `translate` skips and reports instead."""
    translation = translate(objects, now)
    if translation.malformed:
        raise translation.malformed[0]
    return translation.view


def translate(objects: Iterable[JsonObject], now: datetime) -> Translation:
    parsed, malformed = [], []
    for raw in objects:
        try:
            parsed.append(parse(raw))
        except MalformedObject as error:
            malformed.append(error)
    translation = assemble(parsed, now)
    return Translation(translation.view, (*malformed, *translation.malformed))


def assemble(parsed: Sequence[Parsed], now: datetime, memo: Memo | None = None) -> Translation:
    """Brings parsed objects together. Where one comes in two API versions, the first one given counts.

    An object whose fault shows only beside the others is left out, and the rest is assembled again without it. `memo`
    is of whoever assembles the same cluster again and again.
    """
    memo = memo or Memo()
    memo.forget(len(parsed))
    malformed: list[MalformedObject] = []
    while True:
        try:
            return Translation(_view(parsed, now, memo), tuple(malformed))
        except MalformedObject as error:
            rest = [p for p in parsed if p.root.values is not error.raw]
            if len(rest) == len(parsed):
                raise
            malformed.append(error)
            parsed = rest


def _view(parsed: Sequence[Parsed], now: datetime, memo: Memo) -> ClusterView:
    world: dict[Key, Parsed] = {}
    for one in parsed:
        world.setdefault(one.key, one)
    world = {key: world[key] for key in sorted(world)}
    roots = {key: one.root for key, one in world.items()}
    refs = {key: one.ref for key, one in world.items()}
    owners = Owners(refs, {key: one.owner for key, one in world.items() if one.owner})
    membership = Membership(roots, refs, {key: one.names for key, one in world.items()}, owners)
    pods = [_placed(one, owners, membership, world, memo) for one in world.values() if one.pod]
    gangs = _gangs(world, membership, pods, memo)
    return ClusterView(
        taken_at=now,
        nodes={one.node.name: one.node for one in world.values() if one.node},
        pods={(pod.ref.namespace or "", pod.ref.name): pod for pod in pods},
        workloads={workload.ref: workload for workload in _workloads(world, owners, memo)},
        gangs={gang.ref: gang for gang in gangs},
        disruptions=tuple(disruption_of(roots[k], pods) for k in roots if k[:2] == ("policy", "PodDisruptionBudget")),
        namespaces=_namespaces(roots),
        objects={one.ref: one.root.values for one in world.values()},
    )


def _placed(one: Parsed, owners: Owners, membership: Membership, world: Mapping[Key, Parsed], memo: Memo) -> Pod:
    pod = one.pod
    assert pod is not None  # noqa: S101 - the caller chose pods
    owner, gang = owners.top(one.ref), membership.of(one.ref)
    ref = world[gang].ref if gang else None
    return memo.of(("pod", one.key), (one, owner, ref), lambda: replace(pod, owner=owner, gang=ref))


def _gangs(world: Mapping[Key, Parsed], membership: Membership, pods: Sequence[Pod], memo: Memo) -> list[Gang]:
    members: dict[ObjectRef, list[Pod]] = {}
    for pod in pods:
        if pod.gang:
            members.setdefault(pod.gang, []).append(pod)
    return [_gang(key, world, membership, members.get(world[key].ref, []), memo) for key in sorted(membership.gangs)]


def _gang(key: Key, world: Mapping[Key, Parsed], membership: Membership, own: Sequence[Pod], memo: Memo) -> Gang:
    job_ref = membership.job_of(key)
    job = world.get(key_of(job_ref)) if job_ref else None
    return memo.of(
        ("gang", key),
        (world[key], job_ref, job, *own),
        lambda: gang_of(world[key].root, job_ref, job.root if job else None, own),
    )


def _workloads(world: Mapping[Key, Parsed], owners: Owners, memo: Memo) -> list[Workload]:
    found = []
    for one in world.values():
        if is_workload(one.root, owners):
            above = tuple(o for o in (world.get(key_of(ref)) for ref in owners.chain(one.ref)[1:]) if o)
            found.append(_workload(one, above, memo))
    return found


def _workload(one: Parsed, above: tuple[Parsed, ...], memo: Memo) -> Workload:
    return memo.of(
        ("workload", one.key), (one, *above), lambda: workload_of(one.root, tuple(each.root for each in above))
    )


def _namespaces(roots: Mapping[Key, Fields]) -> dict[str, dict[str, str]]:
    return {
        key.name: root.within("metadata").strings("annotations")
        for key, root in roots.items()
        if key[:2] == ("", "Namespace")
    }
