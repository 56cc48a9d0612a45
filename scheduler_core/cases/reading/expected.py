"""What must come of a case. Only what its question can answer may be expected; every workload named must be there."""

from collections.abc import Callable, Collection
from typing import TypeVar

from scheduler_core.cases.fields import BadCase, Fields, chosen, read, text_at
from scheduler_core.cases.form import EXPECTABLE, Answer, Ask, Binding, Entry, PodSetEntry, ShareEntry, Workload
from scheduler_core.cases.quantities import counted
from scheduler_core.cases.reading.workloads import domain
from scheduler_core.fungibility import Mode

T = TypeVar("T")
Resolve = Callable[[str, str], str]  # a workload's name and the place -> the gang's


def names_of(workloads: tuple[Workload, ...]) -> Resolve:
    """Plain names where they are unique, namespace/name always."""
    by_name: dict[str, list[str]] = {}
    for each in workloads:
        by_name.setdefault(each.name, []).append(each.gang.name)
        by_name.setdefault(each.gang.name, []).append(each.gang.name)

    def resolve(name: str, where: str) -> str:
        found = by_name.get(name, [])
        if len(found) != 1:
            told = "there is no such workload" if not found else "several namespaces have one: write namespace/name"
            raise BadCase(where, f"{name!r}: {told}")
        return found[0]

    return resolve


class ExpectReader:
    def __init__(self, ask: Ask, resolve: Resolve, places: Collection[str]) -> None:
        self._ask, self._resolve, self._places = ask, resolve, places

    def __call__(self, fields: Fields) -> Answer:
        known = {key: fields.has(key) for key in Answer.__dataclass_fields__}
        for key, told in known.items():
            if told and key not in EXPECTABLE[self._ask]:
                raise BadCase(fields.at(key), f"ask {self._ask} can expect {', '.join(EXPECTABLE[self._ask])}")
        mode = fields.maybe_text("mode")
        answer = Answer(
            admitted=self._by_workload(fields, "admitted", _entry) if known["admitted"] else None,
            preempted=self._by_workload(fields, "preempted", _maybe_text) if known["preempted"] else None,
            pending=self._names(fields, "pending") if known["pending"] else None,
            inadmissible=self._names(fields, "inadmissible") if known["inadmissible"] else None,
            mode=None if mode is None else chosen(Mode, mode, fields.at("mode")),
            borrowing=fields.maybe_whole("borrowing"),
            available=self._amounts(fields, "available") if known["available"] else None,
            potential=self._amounts(fields, "potential") if known["potential"] else None,
            shares=self._shares(fields) if known["shares"] else None,
            reason=self._by_workload(fields, "reason", text_at) if known["reason"] else None,
            resized=self._by_workload(fields, "resized", _sizes) if known["resized"] else None,
            binding=self._by_workload(fields, "binding", _binding) if known["binding"] else None,
            remedy=self._by_workload(fields, "remedy", text_at) if known["remedy"] else None,
        )
        for key in known:
            fields.raw(key)  # the nulls
        return answer

    def _names(self, fields: Fields, key: str) -> tuple[str, ...]:
        return tuple(sorted(self._resolve(text_at(value, where), where) for value, where in fields.items(key)))

    def _by_workload(self, fields: Fields, key: str, reader: Callable[[object, str], T]) -> dict[str, T]:
        entries = fields.entries(key).items()
        return {self._resolve(name, where): reader(value, where) for name, (value, where) in entries}

    def _amounts(self, fields: Fields, key: str) -> dict[str, dict[str, int]]:
        result: dict[str, dict[str, int]] = {}
        for name, (value, where) in fields.entries(key).items():
            self._known_place(name, where)
            inner = Fields({"all": value}, "").entries("all")
            result[name] = {each: _amount(each, raw, f"{where}.{each}") for each, (raw, _) in inner.items()}
        return result

    def _shares(self, fields: Fields) -> dict[str, ShareEntry]:
        result = {}
        for name, (value, where) in fields.entries("shares").items():
            self._known_place(name, where)
            result[name] = read(value, where, _share)
        return result

    def _known_place(self, name: str, where: str) -> None:
        if name not in self._places:
            raise BadCase(where, f"there is no cluster queue or cohort {name!r}")


def _amount(key: str, value: object, where: str) -> int:
    flavor, slash, resource = key.partition("/")
    if not (flavor and slash and resource):
        raise BadCase(where, f"{key!r} is not flavor/resource")
    return counted(resource, value, where, up=True, negative=True)


def _share(fields: Fields) -> ShareEntry:
    return ShareEntry(fields.maybe_whole("value"), _maybe_text(fields.raw("resource"), fields.at("resource")))


def _maybe_text(value: object, where: str) -> str | None:
    return None if value is None else text_at(value, where, empty=True)


def _sizes(value: object, where: str) -> dict[str, int]:
    """Pods by pod set."""
    fields = Fields(value, where)
    return {name: fields.maybe_whole(name) or 0 for name in (value if isinstance(value, dict) else ())}


def _binding(value: object, where: str) -> Binding:
    return read(value, where, lambda fields: Binding(fields.maybe_text("resource"), *_numbers(fields)))


def _numbers(fields: Fields) -> tuple[int | None, int | None]:
    return fields.maybe_whole("wanted"), fields.maybe_whole("available", least=None)


def _entry(value: object, where: str) -> Entry:
    return read(value, where, _admitted)


def _admitted(fields: Fields) -> Entry:
    told, pod_sets = fields.has("pod_sets"), fields.each("pod_sets", _pod_set)
    return Entry(fields.maybe_text("cluster_queue"), pod_sets if told else None)


def _pod_set(fields: Fields) -> PodSetEntry:
    told_flavors, told_topology = fields.has("flavors"), fields.has("topology")
    flavors, topology = fields.text_map("flavors"), fields.each("topology", domain)
    return PodSetEntry(
        fields.text("name", "main"),
        fields.maybe_whole("count"),
        flavors if told_flavors else None,
        topology if told_topology else None,
    )
