"""How a thing of the simulated world behaves, where it does not simply work: annotations that the world alone reads.

They stand in for what no manifest says: that a process hangs, that nobody calls a service. The API server does not show
them, and no part of the agent names them (tests/house keeps that): it has to find out from the telemetry. On a pod an
annotation is about this one pod, and a new pod in its place works again; on what owns pods it is about all of them, and
those to come.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from agent.adapters.simulated.gangs import tops_of
from agent.adapters.simulated.keys import key_of, shown
from agent.adapters.simulated.merge import copied
from agent.adapters.simulated.repair_rules import rules_in
from agent.adapters.simulated.store import ObjectStore
from agent.domain.duration import parse_duration
from agent.ports import JsonObject

PREFIX = "simulation.watchkeeper.dev/"
BEHAVIOUR = f"{PREFIX}behaviour"
LOAD = f"{PREFIX}load"  # of a service: requests that its callers keep open at once
CAPACITY = f"{PREFIX}capacity"  # how many of them one replica works at; the others wait
REPAIR = f"{PREFIX}repair"  # of a node: as `repair` of the scenario, for this machine alone
RUNS_FOR = f"{PREFIX}runs-for"  # of a pod: how long it works until it has succeeded
LARGEST_LOAD = 1_000_000

ANY = "any"
_DETAILS: Mapping[str, tuple[str, ...]] = {  # word -> what may stand behind its colon
    "works": (),
    "idle": (),
    "bursts": (),
    "finished": (),
    "hangs": (),
    "straggles": (),
    "crashes": ("Error", "OOMKilled"),
    "repeats": (),
    "reads-zero": (ANY,),
    "throttles": ("thermal", "power"),
    "flaps": (),
}


@dataclass(frozen=True, slots=True)
class Behaviour:
    word: str
    detail: str = ""


def behaviour_of(store: ObjectStore, manifest: JsonObject) -> Behaviour | None:
    """What the object itself says, else the nearest of its owners. None: as its kind does."""
    said = said_by(store, manifest, BEHAVIOUR)
    return None if said is None else parse_behaviour(said[1])


def said_by(store: ObjectStore, manifest: JsonObject, annotation: str) -> tuple[JsonObject, str] | None:
    """The object that bears the annotation, itself or the nearest owner, and what it says."""
    for each in (manifest, *(store.get(key) for key in tops_of(store, manifest))):
        text = _annotations(each).get(annotation)
        if each is not None and text is not None:
            return each, str(text)
    return None


def as_seen(manifest: JsonObject) -> JsonObject:
    """The object as the API server gives it out, the reader's own copy."""
    seen = copied(manifest)
    annotations = _annotations(seen)
    for name in [name for name in annotations if name.startswith(PREFIX)]:
        del annotations[name]
    return seen


def parse_behaviour(text: str) -> Behaviour:
    """`word` or `word: detail`. Raises ValueError."""
    word, _, detail = (part.strip() for part in str(text).partition(":"))
    if word not in _DETAILS:
        raise ValueError(f"{text!r} is none of {', '.join(_DETAILS)}")
    known = _DETAILS[word]
    if (detail and detail not in known and ANY not in known) or (not detail and ANY in known):
        wanted = "the name of a metric" if ANY in known else ", ".join(known) or "nothing"
        raise ValueError(f"{text!r}: behind {word!r} stands {wanted}")
    return Behaviour(word, detail or (known[0] if known and ANY not in known else ""))


def parse_load(text: str) -> int:
    """Raises ValueError."""
    if not str(text).isdecimal() or int(text) > LARGEST_LOAD:
        raise ValueError(f"{text!r} is no whole number from 0 to {LARGEST_LOAD}")
    return int(text)


def check_behaviour(manifest: JsonObject) -> None:
    """Raises ValueError, naming the object and the annotation."""
    for annotation, parse in _PARSERS.items():
        text = _annotations(manifest).get(annotation)
        if text is None:
            continue
        try:
            parse(text)
        except ValueError as wrong:
            raise ValueError(f"{shown(key_of(manifest))}: metadata.annotations.{annotation}: {wrong}") from wrong


def _parse_capacity(text: str) -> int:
    if parse_load(text) < 1:
        raise ValueError(f"{text!r}: a replica works at 1 request or more")
    return int(text)


def parse_runs_for(text: str) -> timedelta:
    """Raises ValueError."""
    span = parse_duration(text)
    if span <= timedelta(0):
        raise ValueError(f"{text!r} is not longer than nothing")
    return span


_PARSERS: Mapping[str, Callable[[str], object]] = {
    BEHAVIOUR: parse_behaviour,
    LOAD: parse_load,
    CAPACITY: _parse_capacity,
    RUNS_FOR: parse_runs_for,
    REPAIR: rules_in,
}


def _annotations(manifest: JsonObject | None) -> JsonObject:
    found = (manifest or {}).get("metadata", {}).get("annotations")
    return found if isinstance(found, dict) else {}
