"""The pods of a view by who owns them and by where they are: worked out once, and kept current where a few change."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from agent.domain.cluster import Identity, Pod

K = TypeVar("K", bound=Hashable)


class PodIndex:
    """What is asked again and again of the same pods, worked out once."""

    def __init__(self, pods: Mapping[tuple[str, str], Pod]) -> None:
        self.pods = pods

    @cached_property
    def by_owner(self) -> Mapping[Identity, tuple[Pod, ...]]:
        found: dict[Identity, list[Pod]] = {}
        for pod in sorted(self.pods.values(), key=_place):
            for identity in _over(pod):
                found.setdefault(identity, []).append(pod)
        return {identity: tuple(pods) for identity, pods in found.items()}

    @cached_property
    def by_name(self) -> Mapping[str, tuple[Pod, ...]]:
        """As `by_owner`, by what the owner or gang is called in words, whatever its API group."""
        found: dict[str, tuple[Pod, ...]] = {}
        for (kind, namespace, name, _), pods in self.by_owner.items():
            words = f"{kind}/{namespace}/{name}" if namespace else f"{kind}/{name}"
            found[words] = (*found.get(words, ()), *pods)
        return found

    @cached_property
    def by_node(self) -> Mapping[str, tuple[Pod, ...]]:
        found: dict[str, list[Pod]] = {}
        for pod in self.pods.values():
            if pod.node is not None:
                found.setdefault(pod.node, []).append(pod)
        return {node: tuple(pods) for node, pods in found.items()}

    def after(self, pods: Mapping[tuple[str, str], Pod], gone: Sequence[Pod], come: Sequence[Pod]) -> PodIndex:
        """The index of `pods`, which are these but for those that are gone and those that have come."""
        index = PodIndex(pods)
        if "by_owner" in self.__dict__:
            index.__dict__["by_owner"] = _changed(self.by_owner, gone, come, _over)
        if "by_node" in self.__dict__:
            index.__dict__["by_node"] = _changed(self.by_node, gone, come, lambda p: (p.node,) if p.node else ())
        return index


def _over(pod: Pod) -> Iterable[Identity]:
    return {ref.identity: None for ref in (pod.owner, pod.gang) if ref is not None}


def _place(pod: Pod) -> tuple[str, str]:
    return pod.ref.namespace or "", pod.ref.name


def _changed(
    table: Mapping[K, tuple[Pod, ...]], gone: Sequence[Pod], come: Sequence[Pod], keys: Callable[[Pod], Iterable[K]]
) -> dict[K, tuple[Pod, ...]]:
    found = dict(table)
    for pod in gone:
        for key in keys(pod):
            found[key] = tuple(p for p in found[key] if p is not pod)
    for pod in come:
        for key in keys(pod):
            found[key] = tuple(sorted((*found.get(key, ()), pod), key=_place))
    for key in {key for pod in gone for key in keys(pod)}:
        if not found[key]:
            del found[key]
    return found


class Shared:
    """What views of one cluster hand on to each other, as long as it is about the same."""

    def __init__(self, index: PodIndex | None = None) -> None:
        self.index = index
