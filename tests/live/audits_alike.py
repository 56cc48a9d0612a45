"""Two logs of one story, told so that they can be compared record by record: each incident's records in their order.

Names that chance gives (ids, hashes, pods, which of equal nodes) and times become words. Beyond that only what is named
below is left out, each for its reason; whatever else differs is a difference between the worlds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from played_story import renamed

Json = dict[str, Any]
Told = dict[str, list[tuple[str, Any]]]


class Record(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def payload(self) -> Any: ...
    @property
    def attributes(self) -> Mapping[str, Any]: ...


_WORDS = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", "<time>"),
    (r"inc-[0-9a-f]{10}", "<incident>"),
    (r"(?:dec|apr)-[0-9a-f]{8,}", "<id>"),
    (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uid>"),
    (r"\b(?:[0-9a-f]{64}|[0-9a-f]{32}|[0-9a-f]{16})\b", "<hash>"),
    (r"\bwatchkeeper-[0-9a-f]{20}\b", "<request>"),
    (r"(?<=/)(job-[a-z0-9-]+)-[0-9a-f]{5}\b|\b(job-[a-z0-9-]+)-[0-9a-f]{5}\b", r"\1\2"),  # Kueue: a hash of the uid
    (r"\b(llama-70b|asr-xl|grasp|summary)-[a-z0-9]{5}\b", r"\1-<pod>"),
    (r"127\.0\.0\.1:\d+", "<exporter>"),
    (r"\bgpu-\d+\b", "<node>"),  # any that the story does not name
    (r"\b\d+ (s|min)\b", r"<so many> \1"),
)
# Numbers that are times, or follow from how long something has lasted: minutes there are seconds here.
_LASTING = frozenset({"age_s", "idle_s", "empty_s", "well_s", "stuck_s", "waited_s", "gpu_hours", "at"})
# How far a gang that was just requeued has come when the next proposal is made: here its pods may run already.
_AT_THAT_MOMENT = frozenset({"free", "idle_held"})
# Whoever answers does it at another door: there the scenario's, here the terminal with the account of this machine.
_OF_THE_DOOR = frozenset({"door", "account"})
# Whether the news of the end is in before the verification has looked depends on when the exporter is scraped.
_OF_LATER_NEWS = frozenset({"signals", "signal_count", "recovered", "recovered_at"})
_LEFT_OUT = _LASTING | _AT_THAT_MOMENT | _OF_THE_DOOR | _OF_LATER_NEWS
# What no API server shows: how a thing behaves is the simulation's word, and the exporters' here.
_HIDDEN = "simulation.watchkeeper.dev/"
# What was foreseen is held against what came at the first look that can tell, which follows from the same second: so it
# is told once for each incident, at its end, as it was found last; what a look could not tell is held against nobody.
_FORESEEN = "foreseen"
# A requeue has helped when the gang waits whole and when it runs whole; which of them is seen is a matter of a second.
_REQUEUED = re.compile(r"(waits whole in its queue|runs whole again)$")


def told(records: Iterable[Record], names: Mapping[str, str]) -> Told:
    """By symptom and subject of the incident. `names`: words for the nodes that the story names."""
    found: dict[str, list[tuple[str, Any]]] = {}
    about: dict[str, str] = {}
    came: dict[str, dict[str, Any]] = {}
    for record in records:
        incident = str(record.attributes.get("incident") or "")
        if not incident:
            continue
        if record.kind == "incident":
            if incident in about:
                continue  # later news: see _OF_LATER_NEWS
            subject = record.payload["subject"]
            about[incident] = _said(f"{record.payload['symptom']} {subject['kind']}/{subject['name']}", names)
        payload = _told(record.payload, names)
        for each in payload.pop(_FORESEEN, ()) if record.kind == "verification" else ():
            came.setdefault(about[incident], {})[each["effect"]] = each
        found.setdefault(about[incident], []).append((record.kind, payload))
    for incident, effects in came.items():
        found[incident].append((_FORESEEN, [effects[effect] for effect in sorted(effects)]))
    return found


def _told(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        kept = {key: each for key, each in value.items() if _is_told(key, each)}
        return {_said(key, names): _told(each, names) for key, each in kept.items()}
    if isinstance(value, list | tuple):
        return sorted((_told(each, names) for each in value), key=_as_text)  # by names, which are others here
    return _said(value, names) if isinstance(value, str) else value


def _is_told(key: str, value: Any) -> bool:
    """A number of signals is none; the signals themselves are."""
    return (key not in _LEFT_OUT or isinstance(value, list | tuple)) and not key.startswith(_HIDDEN)


def _said(text: str, names: Mapping[str, str]) -> str:
    text = renamed(text, names)
    for pattern, word in _WORDS:
        text = re.sub(pattern, lambda found, word=word: found.expand(word) if "\\" in word else word, text)  # type: ignore[misc]
    return _REQUEUED.sub("waits or runs whole", text)


def _as_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def differences(one: Told, other: Told) -> list[str]:
    """Where they tell different things, a line each; nothing when they are alike."""
    found = []
    for incident in sorted(one.keys() | other.keys()):
        mine, theirs = one.get(incident, []), other.get(incident, [])
        kinds = [kind for kind, _ in mine], [kind for kind, _ in theirs]
        if kinds[0] != kinds[1]:
            found.append(f"{incident}: {' '.join(kinds[0])} | {' '.join(kinds[1])}")
            continue
        for number, ((kind, a), (_, b)) in enumerate(zip(mine, theirs, strict=True)):
            pair = _that_both_could_tell(a, b) if kind == _FORESEEN else (a, b)
            found += [f"{incident}: record {number}, {kind}{place}" for place in _unlike(*pair, "")]
    return found


def _that_both_could_tell(one: list[Json], other: list[Json]) -> tuple[list[Json], list[Json]]:
    mine, theirs = ({each["effect"]: each for each in came if each["came"] != "unknown"} for came in (one, other))
    both = sorted(mine.keys() & theirs.keys())
    return [mine[effect] for effect in both], [theirs[effect] for effect in both]


def _unlike(one: Any, other: Any, place: str) -> list[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted(one.keys() | other.keys())
        return [each for key in keys for each in _unlike(one.get(key), other.get(key), f"{place}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [each for i, (a, b) in pairs for each in _unlike(a, b, f"{place}[{i}]")]
    return [] if one == other else [f"{place}: {_as_text(one)[:160]} | {_as_text(other)[:160]}"]
