"""Wanted against got. Each key of the expectation is compared whole; inside one entry only what it names.

For the questions that every queue has an answer to, cohorts may be named beside the queues or left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from scheduler_core.cases.form import Amounts, Answer, Binding, Case, Entry, PodSetEntry, ShareEntry
from scheduler_core.fungibility import Mode
from scheduler_core.state import DomainCount
from scheduler_core.units import told

T = TypeVar("T")


def differences(case: Case, got: Answer) -> tuple[str, ...]:
    return tuple(f"expect.{told_difference}" for told_difference in _Comparing(case, got).all())


class _Comparing:
    def __init__(self, case: Case, got: Answer) -> None:
        self._case, self._wanted, self._got = case, case.expect, got
        plain = [each.name for each in case.workloads]
        self._shown = {
            each.gang.name: each.name if plain.count(each.name) == 1 else each.gang.name for each in case.workloads
        }

    def all(self) -> Iterator[str]:
        wanted, got = self._wanted, self._got
        for key in ("pending", "inadmissible"):
            names: tuple[str, ...] | None = getattr(wanted, key)
            if names is not None:
                yield from self._same(key, self._names(names), self._names(getattr(got, key) or ()))
        for key in ("mode", "borrowing"):
            if getattr(wanted, key) is not None:
                yield from self._same(key, getattr(wanted, key), getattr(got, key))
        yield from self._preempted()
        yield from self._reasons()
        yield from self._by_name("resized", self._wanted.resized, self._got.resized)
        yield from self._bindings()
        yield from self._remedies()
        yield from self._admitted()
        for key in ("available", "potential"):
            yield from self._amounts(key, getattr(wanted, key), getattr(got, key))
        yield from self._shares()

    def _names(self, names: Sequence[str] | Mapping[str, object]) -> list[str]:
        return sorted(self._shown[name] for name in names)

    def _same(self, key: str, wanted: object, got: object) -> Iterator[str]:
        if wanted != got:
            yield f"{key}: wanted {wanted}, got {got}"

    def _preempted(self) -> Iterator[str]:
        wanted, got = self._wanted.preempted, self._got.preempted or {}
        if wanted is not None:
            yield from self._same("preempted", self._names(wanted), self._names(got))
            for name in sorted(set(wanted) & set(got)):
                if wanted[name] is not None:
                    yield from self._same(f"preempted.{self._shown[name]}", wanted[name], got[name])

    def _reasons(self) -> Iterator[str]:
        wanted, got = self._wanted.reason, self._got.reason or {}
        if wanted is not None:
            show = self._shown
            yield from self._same(
                "reason",
                {show[name]: reason for name, reason in sorted(wanted.items())},
                {show[name]: reason for name, reason in sorted(got.items())},
            )

    def _by_name(
        self, key: str, wanted: Mapping[str, object] | None, got: Mapping[str, object] | None
    ) -> Iterator[str]:
        if wanted is not None:
            show, got = self._shown, got or {}
            told = [{show[name]: each for name, each in sorted(side.items())} for side in (wanted, got)]
            yield from self._same(key, *told)

    def _bindings(self) -> Iterator[str]:
        """Of the workloads that are named; a number that is not named is not compared."""
        for name, wanted in sorted((self._wanted.binding or {}).items()):
            got = (self._got.binding or {}).get(name, Binding())
            for key in ("resource", "wanted", "available"):
                if getattr(wanted, key) is not None:
                    yield from self._same(f"binding.{self._shown[name]}.{key}", getattr(wanted, key), getattr(got, key))

    def _remedies(self) -> Iterator[str]:
        for name, wanted in sorted((self._wanted.remedy or {}).items()):
            yield from self._same(f"remedy.{self._shown[name]}", wanted, (self._got.remedy or {}).get(name))

    def _admitted(self) -> Iterator[str]:
        wanted, got = self._wanted.admitted, self._got.admitted or {}
        if wanted is None or (not wanted and self._got.mode is Mode.PREEMPT):
            return  # where others must first be sent back nobody is admitted yet
        yield from self._same("admitted", self._names(wanted), self._names(got))
        for name in sorted(set(wanted) & set(got)):
            yield from self._entry(f"admitted.{self._shown[name]}", wanted[name], got[name])

    def _entry(self, key: str, wanted: Entry, got: Entry) -> Iterator[str]:
        if wanted.cluster_queue is not None:
            yield from self._same(f"{key}.cluster_queue", wanted.cluster_queue, got.cluster_queue)
        if wanted.pod_sets is None:
            return
        there = {each.name: each for each in got.pod_sets or ()}
        yield from self._same(f"{key}.pod_sets", sorted(each.name for each in wanted.pod_sets), sorted(there))
        for each in wanted.pod_sets:
            if each.name in there:
                yield from self._pod_set(f"{key}.pod_sets.{each.name}", each, there[each.name])

    def _pod_set(self, key: str, wanted: PodSetEntry, got: PodSetEntry) -> Iterator[str]:
        if wanted.count is not None:
            yield from self._same(f"{key}.count", wanted.count, got.count)
        if wanted.flavors is not None:
            yield from self._same(f"{key}.flavors", dict(wanted.flavors), dict(got.flavors or {}))
        if wanted.topology is not None and not _stand_alike(wanted.topology, got.topology or ()):
            yield f"{key}.topology: wanted {_domains(wanted.topology)}, got {_domains(got.topology or ())}"

    def _places(self, key: str, wanted: Mapping[str, T] | None, got: Mapping[str, T] | None) -> Iterator[str]:
        """Every cluster queue must be named, and nothing that is not there; cohorts may be."""
        if wanted is not None:
            queues = {each.name for each in self._case.queues}
            named = sorted(name for name in wanted if name in queues or name not in (got or {}))
            yield from self._same(key, named, sorted(queues))

    def _amounts(self, key: str, wanted: Amounts | None, got: Amounts | None) -> Iterator[str]:
        yield from self._places(key, wanted, got)
        for name, amounts in sorted((wanted or {}).items()):
            there = (got or {}).get(name, {})
            for each, amount in sorted(amounts.items()):
                has, resource = there.get(each, 0), each.partition("/")[2]
                yield from self._same(f"{key}.{name}.{each}", told(resource, amount), told(resource, has))

    def _shares(self) -> Iterator[str]:
        wanted, got = self._wanted.shares, self._got.shares
        yield from self._places("shares", wanted, got)
        for name, share in sorted((wanted or {}).items()):
            there = (got or {}).get(name, ShareEntry())
            if share.value is not None:
                yield from self._same(f"shares.{name}.value", share.value, there.value)
            if share.resource is not None:
                yield from self._same(f"shares.{name}.resource", share.resource, there.resource)


def _stand_alike(wanted: Sequence[DomainCount], got: Sequence[DomainCount]) -> bool:
    """Counted at the level that the expectation names: 4 in a rack are 4 on the nodes of that rack."""

    def inside(each: DomainCount, domain: DomainCount) -> bool:
        host = len(domain.values) == 1 and each.values[-1:] == domain.values  # Kueue names hosts alone
        return host or each.values[: len(domain.values)] == domain.values

    counted = all(domain.count == sum(each.count for each in got if inside(each, domain)) for domain in wanted)
    return counted and sum(each.count for each in wanted) == sum(each.count for each in got)


def _domains(domains: Sequence[DomainCount]) -> str:
    return str([{"domain": list(each.values), "count": each.count} for each in domains])
