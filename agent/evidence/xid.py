"""The XID catalogue: which first action a code calls for. Data beside this file; judgement about a whole node here.

What is done about it is for the playbooks. A code that the catalogue does not know is `unknown`, never harmless.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

CATALOGUE_FILE = "xid-catalogue.yaml"
STORM_S = 600  # repetitions closer than this are one occurrence: a driver prints one fault many times
REPEAT_WINDOW_S = 24 * 3600
REPEATS = 2  # the same application fault twice in a day on one GPU: look at the GPU, not at the application


class FirstAction(StrEnum):
    NONE = "none"
    RESTART_APP = "restart_app"
    UNKNOWN = "unknown"
    WORKFLOW = "workflow"
    RESET_GPU = "reset_gpu"
    REBOOT = "reboot"


# From the mildest; a node is treated by the worst of its codes.
_SEVERITY = tuple(FirstAction)
CONSEQUENCES = frozenset({43, 45})  # what is printed about the programs that another fault ended
HARMLESS_TO_THE_GPU = frozenset({FirstAction.NONE, FirstAction.RESTART_APP})


@dataclass(frozen=True, slots=True)
class Catalogue:
    version: str
    actions: Mapping[int, FirstAction]
    meanings: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Sighting:
    """A code seen on a GPU. `gpu` is its UUID, index or bus id, whichever was said; empty when nothing was."""

    xid: int
    gpu: str
    at: datetime


@cache
def catalogue() -> Catalogue:
    """The bundled catalogue. Raises ValueError when one code stands under two actions."""
    raw: Any = yaml.safe_load(files("agent.evidence").joinpath(CATALOGUE_FILE).read_text(encoding="utf-8"))
    actions: dict[int, FirstAction] = {}
    for name, codes in raw["actions"].items():
        for code in codes:
            if code in actions:
                raise ValueError(f"{CATALOGUE_FILE}: {code} stands under {actions[code]} and {name}")
            actions[code] = FirstAction(name)
    return Catalogue(str(raw["version"]), actions, raw["meanings"])


def code_in(value: float) -> int | None:
    """The code that a gauge's value stands for, 0 for none; None when it is no code at all (NaN, 79.5)."""
    return int(value) if value.is_integer() and 0 <= value < 1000 else None


def first_action(xid: int, beside: Collection[int] = ()) -> FirstAction:
    """What to do first about `xid`, seen together with the codes `beside` on the same GPU."""
    if xid == 48 and not {63, 64} & set(beside):
        return FirstAction.RESET_GPU  # alone; with a remapping it is drained first
    return catalogue().actions.get(xid, FirstAction.UNKNOWN)


def called_for(codes: Collection[int]) -> FirstAction:
    """What to do first about all that was seen on one GPU. Whatever 48 comes with, the GPU is emptied and reset; 45 and
    43 are what another fault left behind, and alone they are nothing; 154 says nothing without its text."""
    causes = set(codes) - CONSEQUENCES
    if not causes:
        return FirstAction.NONE
    if causes == {154}:
        return FirstAction.UNKNOWN
    return max((_first_of(code) for code in causes - {154}), key=severity)


def _first_of(code: int) -> FirstAction:
    return FirstAction.RESET_GPU if code == 48 else first_action(code)


def severity(action: FirstAction) -> int:
    """From the mildest."""
    return _SEVERITY.index(action)


def meaning(xid: int) -> str:
    return catalogue().meanings.get(xid, "not described in the catalogue")


def worst(codes: Iterable[int]) -> int | None:
    """The code that decides how a node is treated; ties go to the lower number."""
    known = sorted(set(codes))
    return max(known, key=lambda c: (severity(first_action(c, known)), -c), default=None)


def occurrences(sightings: Iterable[Sighting], xid: int, now: datetime) -> Mapping[str, int]:
    """How often `xid` occurred on each GPU within a day; a storm counts once. One that names no GPU proves nothing."""
    since = now - timedelta(seconds=REPEAT_WINDOW_S)
    last: dict[str, datetime] = {}
    count: dict[str, int] = {}
    for seen in sorted(sightings, key=lambda s: (s.at, s.gpu)):
        if seen.xid != xid or not seen.gpu or not since <= seen.at <= now:
            continue
        if seen.gpu not in last or (seen.at - last[seen.gpu]).total_seconds() > STORM_S:
            count[seen.gpu] = count.get(seen.gpu, 0) + 1
        last[seen.gpu] = seen.at
    return count
