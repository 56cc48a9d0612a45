"""A whole case, read in the order in which its parts need each other."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from scheduler_core.cases.fields import BadCase, Fields, chosen, text_at
from scheduler_core.cases.form import Ask, Case
from scheduler_core.cases.reading import cluster, queues
from scheduler_core.cases.reading.expected import ExpectReader, names_of
from scheduler_core.cases.reading.workloads import WorkloadReader
from scheduler_core.cases.times import parse_time
from scheduler_core.quota import DEFAULT_FLAVOR, Cohort, LocalQueue, Queue
from scheduler_core.settings import FairStrategy, Settings

NOW = "2026-01-01T00:00:00Z"  # where a case does not say


def case(fields: Fields) -> Case:
    now_s = parse_time(fields.text("now", NOW), fields.at("now"))
    settings, cycles = fields.one("settings", _settings)
    cluster_queues = fields.each("cluster_queues", queues.cluster_queue)
    cohorts = _with_joined(fields.each("cohorts", queues.cohort), cluster_queues)
    doors = _doors(fields, cluster_queues)
    flavors = fields.each("flavors", queues.flavor)
    ways = {(each.namespace, each.name): each for each in doors}
    names = {DEFAULT_FLAVOR, *(each.name for each in flavors)}
    workloads = fields.each("workloads", WorkloadReader(ways, names, now_s))
    _refuse_twice(fields.at("workloads"), [each.gang.name for each in workloads])
    resolve = names_of(workloads)
    incoming = fields.maybe_text("incoming")
    ask = chosen(Ask, fields.text("ask"), fields.at("ask"))
    places = {each.name for each in cluster_queues} | {each.name for each in cohorts}
    return Case(
        name=fields.text("name"),
        source=fields.maybe_text("source") or "",
        tags=tuple(text_at(value, where) for value, where in fields.items("tags")),
        ask=ask,
        settings=settings,
        cycles=cycles,
        now_s=now_s,
        topologies=fields.each("topologies", cluster.topology),
        flavors=flavors,
        cohorts=cohorts,
        queues=cluster_queues,
        local_queues=doors,
        nodes=fields.each("nodes", cluster.node),
        pods=fields.each("pods", cluster.pod),
        workloads=workloads,
        incoming=None if incoming is None else resolve(incoming, fields.at("incoming")),
        expect=fields.one("expect", ExpectReader(ask, resolve, places)),
    )


def _settings(fields: Fields) -> tuple[Settings, int | None]:
    endless = fields.told("cycles") and not fields.has("cycles")
    cycles = fields.maybe_whole("cycles", least=1)
    strategies = tuple(chosen(FairStrategy, text_at(value, at), at) for value, at in _strategies(fields))
    place = fields.flag("place", False)
    balanced = fields.flag("balanced_placement", False)
    settings = Settings(place=place, fair_sharing=fields.flag("fair_sharing", False), balanced=balanced)
    if strategies:
        settings = replace(settings, fair_strategies=strategies)
    return settings, None if endless else cycles or 1


def _strategies(fields: Fields) -> list[tuple[object, str]]:
    return fields.items("fair_preemption_strategies")


def _with_joined(cohorts: Sequence[Cohort], cluster_queues: Sequence[Queue]) -> tuple[Cohort, ...]:
    """A cohort that somebody joins need not be declared: then it has no quota of its own."""
    names = {each.name for each in cohorts}
    joined = {each.cohort for each in cluster_queues} | {each.parent for each in cohorts}
    return (*cohorts, *(Cohort(name=name) for name in sorted(each for each in joined if each and each not in names)))


def _doors(fields: Fields, cluster_queues: Sequence[Queue]) -> tuple[LocalQueue, ...]:
    doors = fields.each("local_queues", queues.local_queue)
    _refuse_twice(fields.at("local_queues"), [f"{each.namespace}/{each.name}" for each in doors])
    names = {each.name for each in cluster_queues}
    for index, each in enumerate(doors):
        if each.queue not in names:
            where = f"{fields.at('local_queues')}[{index}].cluster_queue"
            raise BadCase(where, f"there is no cluster queue {each.queue!r}")
    return doors


def _refuse_twice(where: str, names: Sequence[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise BadCase(where, f"{name!r} is there twice")
