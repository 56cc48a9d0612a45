"""How far a model's word may reach: the incident's subject and what hangs directly on it, as the view names it.

A text that a stranger wrote may talk a model into naming somebody else's work. Such a target is dropped here, before
any policy is asked. What a playbook may reach is not decided here.
"""

from collections.abc import Iterable

from agent.domain.cluster import ClusterView, ObjectRef, Pod, node_ref
from agent.evidence.lookup import find_gang, find_node, pods_of


class Reach:
    def __init__(self, subject: ObjectRef, view: ClusterView) -> None:
        self._subject = subject
        self._near = sorted(_near(subject, view), key=lambda ref: (str(ref), ref.api_version))

    def find(self, kind: str, namespace: str | None, name: str, api_version: str | None) -> ObjectRef | str:
        """The object of these names, or the sentence that says why it is none."""
        found = [
            ref
            for ref in self._near
            if (ref.kind, ref.namespace, ref.name) == (kind, namespace or None, name)
            and api_version in (None, ref.api_version)
        ]
        if len(found) == 1:
            return found[0]
        asked = f"{kind}/{namespace}/{name}" if namespace else f"{kind}/{name}"
        if found:
            return f"{asked} is the name of {len(found)} objects: say its apiVersion"
        return f"{asked} is not in the cluster, or has nothing to do with {self._subject}"


def _near(subject: ObjectRef, view: ClusterView) -> set[ObjectRef]:
    """Of a node: what runs on it. Of a pod: its node and whose it is. Of a gang: its pods, not their nodes."""
    if find_node(view, subject) is not None:
        return {subject, *_holders(view.pods_on(subject.name), view)}
    pod = view.pods.get((subject.namespace or "", subject.name)) if subject.kind == "Pod" else None
    if pod is not None:
        on = {node_ref(pod.node)} if pod.node in view.nodes and pod.node is not None else set()
        return {*on, *_holders([pod], view)}
    gang = find_gang(view, subject)
    if gang is None and subject not in view.workloads:
        return set()
    of_gang = _holders(pods_of(view, gang.ref), view) if gang else set()
    names = {ref for ref in (gang.ref, gang.job) if ref} if gang else set()
    return {subject, *names, *of_gang, *_holders(pods_of(view, subject), view)}


def _holders(pods: Iterable[Pod], view: ClusterView) -> set[ObjectRef]:
    """The pods, and the workloads and gangs that they belong to."""
    found: set[ObjectRef] = set()
    for pod in pods:
        found |= {ref for ref in (pod.ref, pod.owner, pod.gang) if ref is not None}
        gang = view.gangs.get(pod.gang) if pod.gang else None
        if gang is not None and gang.job is not None:
            found.add(gang.job)
    return found
