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


def assemble(parsed: Sequence[Parsed], now: datetime) -> Translation:
    """Brings parsed objects together. Where one comes in two API versions, the first one given counts.

    An object whose fault shows only beside the others is left out, and the rest is assembled again without it.
    """
    malformed: list[MalformedObject] = []
    while True:
        try:
            return Translation(_view(parsed, now), tuple(malformed))
        except MalformedObject as error:
            rest = [p for p in parsed if p.root.values is not error.raw]
            if len(rest) == len(parsed):
                raise
            malformed.append(error)
            parsed = rest


def _view(parsed: Sequence[Parsed], now: datetime) -> ClusterView:
    world: dict[Key, Parsed] = {}
    for one in parsed:
        world.setdefault(one.key, one)
    world = {key: world[key] for key in sorted(world)}
    roots = {key: one.root for key, one in world.items()}
    refs = {key: one.ref for key, one in world.items()}
    owners = Owners(refs, {key: one.owner for key, one in world.items() if one.owner})
    membership = Membership(roots, refs, {key: one.names for key, one in world.items()}, owners)
    pods = [_placed(one, owners, membership, world) for one in world.values() if one.pod]
    gangs = _gangs(world, membership, pods)
    return ClusterView(
        taken_at=now,
        nodes={one.node.name: one.node for one in world.values() if one.node},
        pods={(pod.ref.namespace or "", pod.ref.name): pod for pod in pods},
        workloads={workload.ref: workload for workload in _workloads(world, owners)},
        gangs={gang.ref: gang for gang in gangs},
        disruptions=tuple(disruption_of(roots[k], pods) for k in roots if k[:2] == ("policy", "PodDisruptionBudget")),
        namespaces=_namespaces(roots),
        objects={one.ref: one.root.values for one in world.values()},
    )


def _placed(one: Parsed, owners: Owners, membership: Membership, world: Mapping[Key, Parsed]) -> Pod:
    assert one.pod is not None  # noqa: S101 - the caller chose pods
    gang = membership.of(one.ref)
    return replace(one.pod, owner=owners.top(one.ref), gang=world[gang].ref if gang else None)


def _gangs(world: Mapping[Key, Parsed], membership: Membership, pods: Sequence[Pod]) -> list[Gang]:
    members: dict[ObjectRef, list[Pod]] = {}
    for pod in pods:
        if pod.gang:
            members.setdefault(pod.gang, []).append(pod)
    gangs = []
    for key in sorted(membership.gangs):
        job_ref = membership.job_of(key)
        job = world.get(key_of(job_ref)) if job_ref else None
        own = members.get(world[key].ref, [])
        gangs.append(gang_of(world[key].root, job_ref, job.root if job else None, own))
    return gangs


def _workloads(world: Mapping[Key, Parsed], owners: Owners) -> list[Workload]:
    found = []
    for one in world.values():
        if is_workload(one.root, owners):
            above = [world.get(key_of(ref)) for ref in owners.chain(one.ref)[1:]]
            found.append(workload_of(one.root, tuple(o.root for o in above if o)))
    return found


def _namespaces(roots: Mapping[Key, Fields]) -> dict[str, dict[str, str]]:
    return {
        key.name: root.within("metadata").strings("annotations")
        for key, root in roots.items()
        if key[:2] == ("", "Namespace")
    }
