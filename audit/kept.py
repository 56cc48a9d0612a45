"""Checkpoints that somebody keeps outside, held against the log as it is: the third verdict of a check, anchoring.

A checkpoint that a known key has signed says which root the log had at a size. A log that makes that root again still
begins with just those records, whoever has had their hands on it since, and with whatever keys. Standard library alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.checkpoints import open_checkpoint
from audit.notes import NoteRefused, VerifierKey
from audit.verdict import Section, Verdict

SUFFIX = ".checkpoint"


@dataclass(frozen=True, slots=True)
class Kept:
    """What `place` keeps. Believed: a known key has signed it."""

    place: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """A place that could not be read, or something in it that no known key has signed."""

    place: str
    code: str
    reason: str


def notes_in(path: Path) -> list[bytes]:
    """The one in this file, or all in this folder. Raises OSError; a folder without any is FileNotFoundError."""
    if not path.is_dir():
        return [path.read_bytes()]
    found = sorted(path.glob(f"*{SUFFIX}"))
    if not found:
        raise FileNotFoundError(f"no file *{SUFFIX} in {path}")
    return [file.read_bytes() for file in found]


def believed(place: str, notes: Iterable[bytes], keys: Sequence[VerifierKey]) -> list[Kept | Refused]:
    """What each note says, or why it says nothing."""
    found: list[Kept | Refused] = []
    for note in notes:
        try:
            opened = open_checkpoint(note, keys).checkpoint
            found.append(Kept(place, opened.size, opened.root))
        except NoteRefused as refusal:
            found.append(Refused(place, "checkpoint_refused", f"a checkpoint cannot be trusted: {refusal}"))
    return found


def sizes_of(kept: Iterable[Kept | Refused]) -> frozenset[int]:
    """The sizes at which the check has to note the root."""
    return frozenset(each.size for each in kept if isinstance(each, Kept))


def hold_against(verdict: Verdict, kept: Sequence[Kept | Refused]) -> None:
    """Adds to the verdict what is wrong between the log and what was kept of it, and how far it is covered."""
    for refused in kept:
        if isinstance(refused, Refused):
            verdict.anchoring.add(refused.code, None, f"{refused.place}: {refused.reason}")
    signed = [each for each in kept if isinstance(each, Kept)]
    verdict.anchored = verdict.anchored or bool(signed)
    covered = compare(verdict.anchoring, verdict.size, verdict.roots, signed)
    if covered is not None:
        verdict.covered = max(covered, verdict.covered or 0)


def compare(section: Section, size: int, roots: Mapping[int, bytes | None], kept: Sequence[Kept]) -> int | None:
    """Adds to the section what contradicts the log of this size; the largest size at which somebody agrees with it."""
    _forks(section, kept)
    good = {each.size for each in kept if each.size <= size and roots.get(each.size) == each.root}
    for place in dict.fromkeys(each.place for each in kept):
        mine = sorted((each for each in kept if each.place == place), key=lambda each: each.size)
        _differing(section, [each for each in mine if each.size <= size and each.size not in good], roots, good)
        if mine[-1].size > size:
            gone = f"records {size} to {mine[-1].size - 1} are missing: {place} keeps a checkpoint of {mine[-1].size}"
            section.add("tail_missing", size, gone)
    return max(good, default=None)


def _differing(section: Section, bad: Sequence[Kept], roots: Mapping[int, bytes | None], good: set[int]) -> None:
    """The first that differs bounds the place: what agrees before it vouches for the records until there."""
    if not bad:
        return
    first, more = bad[0], f", and {len(bad) - 1} later ones" if len(bad) > 1 else ""
    if roots.get(first.size) is None:
        unknown = (
            f"{first.place} keeps a checkpoint of {first.size} records, which cannot be compared: some are missing"
        )
        section.add("root_unknown", None, unknown)
        return
    low = max((each for each in good if each < first.size), default=0)
    where = f"record {low}" if low == first.size - 1 else f"one of the records {low} to {first.size - 1}"
    told = f"{where} is not what it was: {first.place} keeps a checkpoint of {first.size} with another root{more}"
    section.add("root_differs", low, told, until=None if low == first.size - 1 else first.size - 1)


def _forks(section: Section, kept: Sequence[Kept]) -> None:
    """Two signed roots of one size: whoever holds the key has shown two logs. Nobody else can do that."""
    first: dict[int, Kept] = {}
    for each in sorted(kept, key=lambda each: each.size):
        other = first.setdefault(each.size, each)
        if other.root != each.root:
            told = f"two logs of {each.size} records were signed: {other.place} keeps one, {each.place} another"
            section.add("fork", None, told)
            return
