"""The policies in force, exchanged for those on the disk while the agent runs, whole or not at all.

What lies there is read, verified and tried before it decides anything. If any of that fails the policies in force stay,
and the fault is told once. A folder is taken only when it looks the same at two looks in a row: half of a copy can be a
valid bundle that lacks a guardrail.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from agent.adapters.rego.bundle import Bundle
from agent.ports import JsonObject, PolicyUnavailable

Fingerprint = tuple[tuple[str, int, int, int], ...]
K = TypeVar("K")
V = TypeVar("V")


class Engine(Protocol):
    @property
    def digest(self) -> str: ...
    @property
    def bundle(self) -> Bundle: ...
    def decide(self, policy_input: JsonObject) -> JsonObject: ...
    def not_ready(self) -> str | None: ...
    def close(self) -> None: ...


class PoliciesInForce:
    """An agent.ports.PolicyEngine whose policies can change between two decisions, never within one.

    One thread decides and reloads; any thread may ask how it stands.
    """

    def __init__(self, make: Callable[[], Engine], places: tuple[Path, ...]) -> None:
        """Raises PolicyUnavailable when there is nothing fit to begin with."""
        self._make, self._places = make, places
        self._taken = self._seen = fingerprint(places)
        self._engine = make()
        self._last_asked: JsonObject = {}
        self.fault: PolicyUnavailable | None = None
        """Why what lies on the disk is not in force; None where it is."""

    @property
    def digest(self) -> str:
        return self._engine.digest

    @property
    def limits(self) -> Mapping[str, Any]:
        return self._engine.bundle.limits

    @property
    def bundle(self) -> Bundle:
        return self._engine.bundle

    def decide(self, policy_input: JsonObject) -> JsonObject:
        self._last_asked = policy_input
        return self._engine.decide(policy_input)

    def not_ready(self) -> str | None:
        return self._engine.not_ready()

    def details(self) -> Mapping[str, object]:
        """For /readyz: what is in force, and what was refused."""
        refused = {} if self.fault is None else {"refused": {"code": self.fault.code, "reason": str(self.fault)}}
        return {"policies": {"digest": self.digest, **refused}}

    def reload(self) -> "Reloaded | None":
        """Takes what lies on the disk if it changed. None where nothing did, or where it is being written still."""
        now = fingerprint(self._places)
        if now == self._taken:
            return None
        if now != self._seen:
            self._seen = now
            return None
        before = self.digest
        try:
            successor = self._make()
            self._try_out(successor)
        except PolicyUnavailable as fault:
            self._taken, self.fault = now, fault
            return Reloaded(before, fault)
        if fingerprint(self._places) != now:
            successor.close()
            return None
        old, self._engine = self._engine, successor
        old.close()
        self._taken, self.fault = now, None
        return Reloaded(self.digest, None) if self.digest != before else None

    def close(self) -> None:
        self._engine.close()

    def _try_out(self, successor: Engine) -> None:
        """Policies that give no verdict on what was last asked would deny everything from here on."""
        try:
            if self._last_asked:
                successor.decide(self._last_asked)
        except PolicyUnavailable:
            successor.close()
            raise


class Reloaded:
    """What came of a change on the disk: the digest in force now, and why it is still the old one where it is."""

    def __init__(self, digest: str, fault: PolicyUnavailable | None) -> None:
        self.digest, self.fault = digest, fault


class Live(Mapping[K, V]):
    """A map that is read anew each time: what the limits say now, for who was given it at the start."""

    def __init__(self, read: Callable[[], Mapping[K, V]]) -> None:
        self._read = read

    def __getitem__(self, key: K) -> V:
        return self._read()[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


def fingerprint(places: tuple[Path, ...]) -> Fingerprint:
    """Names, sizes and times of change; what cannot be looked at is as if it were not there."""
    found: list[tuple[str, int, int, int]] = []
    for place in places:
        for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
            try:
                state = file.stat()
            except OSError:
                continue
            found.append((str(file), state.st_size, state.st_mtime_ns, state.st_ino))
    return tuple(found)
