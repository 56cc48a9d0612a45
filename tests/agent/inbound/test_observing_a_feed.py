"""Events that a live server's feed tells: each once, a repetition again, what is odd set aside."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from agent.adapters.inbound.observing import Observer
from agent.adapters.simulated.world import World
from agent.domain.cluster import ClusterView
from agent.ports import JsonObject, WatchEvent

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
NOTHING = ClusterView(taken_at=NOW, nodes={}, pods={}, workloads={}, gangs={})


class Script:
    """A feed that tells what a test wrote down."""

    def __init__(self, *looks: Sequence[WatchEvent]) -> None:
        self._looks = list(looks)

    def news(self) -> Sequence[WatchEvent]:
        return self._looks.pop(0) if self._looks else []


def event(name: str, version: int, reason: str = "BackOff", **more: Any) -> JsonObject:
    involved = {"kind": "Pod", "namespace": "a", "name": "p"}
    metadata = {"name": name, "namespace": "a", "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": metadata, "involvedObject": involved, "reason": reason, **more}


def observed(*looks: Sequence[WatchEvent]) -> tuple[list[list[str]], list[str]]:
    refused: list[str] = []
    world = World(7, NOW, NOW - NOW.replace(hour=8))
    observer = Observer(world.cluster, lambda *said: refused.append(said[1]), Script(*looks))
    return [[signal.id for signal in observer.observe(NOTHING, NOW)] for _ in (*looks, ())], refused


def test_each_event_is_told_once_and_a_repetition_is_news() -> None:
    first = [WatchEvent("ADDED", event("one", 5)), WatchEvent("ADDED", event("two", 6))]
    again = [WatchEvent("MODIFIED", event("one", 9, count=2)), WatchEvent("ADDED", event("two", 6))]
    found, refused = observed(first, again)
    assert found == [["uid-one:1", "uid-two:1"], ["uid-one:2"], []] and refused == []


def test_what_is_deleted_is_no_news() -> None:
    found, _ = observed([WatchEvent("ADDED", event("one", 5))], [WatchEvent("DELETED", event("one", 8))])
    assert found == [["uid-one:1"], [], []]


def test_an_odd_event_is_set_aside_and_the_others_are_read() -> None:
    odd = event("odd", 5)
    del odd["involvedObject"]
    found, refused = observed([WatchEvent("ADDED", odd), WatchEvent("ADDED", event("fine", 6))])
    assert found == [["uid-fine:1"], []] and len(refused) == 1
