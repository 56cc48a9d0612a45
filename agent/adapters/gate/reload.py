"""The policies in force, exchanged for those on the disk while the agent runs, whole or not at all.

What lies there is read, verified and tried before it decides anything (trial.py). If any of that fails the policies in
force stay, and the fault is told once; else what is lost and added by the change is told (difference.py). A folder is
taken only when it looks the same at two looks in a row: half of a copy can be a valid bundle that lacks a guardrail.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from agent.adapters.gate.difference import difference
from agent.adapters.gate.trial import flips, try_out
from agent.adapters.rego.bundle import Bundle
from agent.ports import JsonObject, PolicyUnavailable

logger = logging.getLogger(__name__)

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
        try_out(self._engine.bundle)
        self._last_asked: dict[str, JsonObject] = {}
        self._changed: JsonObject = {}
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
        verdict = self._engine.decide(policy_input)
        self._last_asked[_kind(policy_input)] = policy_input
        return verdict

    def not_ready(self) -> str | None:
        return self._engine.not_ready()

    def details(self) -> Mapping[str, object]:
        """For /readyz: what is in force, what its last change lost, added and changed, and what was refused."""
        refused = {} if self.fault is None else {"refused": {"code": self.fault.code, "reason": str(self.fault)}}
        return {"policies": {"digest": self.digest, **self._changed, **refused}}

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
            successor, told = self._succeeded()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as fault:  # noqa: BLE001  the Rego engine's panics are no Exception, and end no agent
            return self._refused(now, fault)
        if fingerprint(self._places) != now:
            successor.close()
            return None
        old, self._engine = self._engine, successor
        old.close()
        self._taken, self.fault = now, None
        if self.digest == before:
            return None
        self._changed = told
        return Reloaded(self.digest, None, told)

    def close(self) -> None:
        self._engine.close()

    def _refused(self, seen: Fingerprint, fault: BaseException) -> "Reloaded":
        """Told once: the same files are not tried again."""
        if not isinstance(fault, PolicyUnavailable):
            logger.error("nobody foresaw this fault of the policies on the disk", exc_info=fault)
            fault = _unforeseen(fault)
        self._taken, self.fault = seen, fault
        return Reloaded(self.digest, fault)

    def _succeeded(self) -> tuple[Engine, JsonObject]:
        """What is on the disk, tried out, and how it differs from what is in force."""
        successor = self._make()
        try:
            turned = flips(self.bundle, successor.bundle, list(self._last_asked.values()))
            told = difference(self.bundle, successor.bundle)
        except BaseException:
            successor.close()
            raise
        return successor, {**told, **({"flips": turned} if turned else {})}


class Reloaded:
    """What came of a change on the disk: the digest in force now, and why it is still the old one where it is; else
    what the new one lost, added and changed, and which of the last questions it answers otherwise."""

    def __init__(self, digest: str, fault: PolicyUnavailable | None, told: JsonObject | None = None) -> None:
        self.digest, self.fault, self.told = digest, fault, told or {}


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


def _unforeseen(fault: BaseException) -> PolicyUnavailable:
    return PolicyUnavailable("policy.not_loaded", f"an unforeseen fault, {type(fault).__name__}: {str(fault)[:200]}")


def _kind(policy_input: JsonObject) -> str:
    """Of each action at each phase the last question is kept: a few dozen at most."""
    proposal = policy_input.get("proposal")
    action = proposal.get("action") if isinstance(proposal, dict) else None
    return f"{action} {policy_input.get('phase')}"


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
