"""What a check of the log found, as data: `audit.fsck` fills it in, people and programs read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audit.removals import Redacted

MAX_PROBLEMS = 100
"""Problems kept in each section. The rest is counted: one broken place can have a million consequences."""

DROPPED_UNSAID = "dropped_unsaid"
"""The code for records that are gone, though no record says so."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `index` is the first record it concerns, None if it concerns the log as a whole.

    With `until` it is one of the records from `index` to there, and more is not known.
    """

    code: str
    index: int | None
    reason: str
    until: int | None = None

    def __str__(self) -> str:
        place = "log" if self.index is None else f"record {self.index}"
        return f"{place}: {self.reason} [{self.code}]"


@dataclass(slots=True)
class Section:
    """One question that is asked of the log, and what speaks against it."""

    problems: list[Problem] = field(default_factory=list)
    problems_dropped: int = 0

    @property
    def ok(self) -> bool:
        return not self.problems

    def add(self, code: str, index: int | None, reason: str, until: int | None = None) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(code, index, reason, until))
        else:
            self.problems_dropped += 1

    def extend(self, later: Section) -> None:
        for each in later.problems:
            self.add(each.code, each.index, each.reason, each.until)
        self.problems_dropped += later.problems_dropped


@dataclass(slots=True)
class Verdict:
    """Whether what is there is what was written (integrity), whether all of it is there (completeness), and whether it
    is the log that others have kept checkpoints of (anchoring).

    Warnings are for a person to judge and do not make a log bad: clocks are corrected, guards are rebuilt.
    Without an anchor from outside, a tail cut off cleanly and a log rebuilt from its beginning look like honest logs;
    `anchored` says whether there was one, `deep` whether the indexes behind queries were checked as well. What was let
    go as a record says is no problem: `dropped` records at the log's beginning, and what was `redacted`.
    `reads_waiting` are reads that were noted beside the log, since `reads_since`, and are no records yet.
    `roots` are those that the records make at the sizes asked for; `covered` is the largest size that an anchor
    vouches for.
    """

    store: str
    size: int = 0
    root: bytes | None = None
    anchored: bool = False
    deep: bool = False
    dropped: int = 0
    redacted: list[Redacted] = field(default_factory=list)
    redacted_more: int = 0
    reads_waiting: int = 0
    reads_since: str | None = None
    integrity: Section = field(default_factory=Section)
    completeness: Section = field(default_factory=Section)
    anchoring: Section = field(default_factory=Section)
    sizes: frozenset[int] = frozenset()
    roots: dict[int, bytes | None] = field(default_factory=dict)
    covered: int | None = None
    warnings: Section = field(default_factory=Section)

    @property
    def ok(self) -> bool:
        return self.integrity.ok and self.completeness.ok and self.anchoring.ok

    @property
    def first_problem(self) -> Problem | None:
        """The problem with the lowest index; those of the log as a whole come last.

        A stretch within which something differs says less than the record in it that is known to be bad; it counts
        where all of it lies before that.
        """
        problems = self.integrity.problems + self.completeness.problems + self.anchoring.problems
        exact = _first(each for each in problems if each.until is None)
        within = _first(each for each in problems if each.until is not None)
        if within is None or within.until is None:
            return exact
        known = exact is not None and exact.index is not None and exact.index <= within.until
        return exact if known else within

    def add_redacted(self, redacted: Redacted) -> None:
        if len(self.redacted) < MAX_PROBLEMS:
            self.redacted.append(redacted)
        else:
            self.redacted_more += 1

    def take(self, found: Verdict) -> None:
        """As its own what another check found in which nothing is wrong."""
        self.size, self.root, self.dropped, self.roots = found.size, found.root, found.dropped, found.roots
        self.redacted, self.redacted_more = found.redacted, found.redacted_more
        self.warnings.extend(found.warnings)

    def as_json(self) -> dict[str, object]:
        first = self.first_problem
        return {
            "ok": self.ok,
            "store": self.store,
            "size": self.size,
            "root": self.root.hex() if self.root else None,
            "anchored": self.anchored,
            "anchored_records": self.covered,
            "deep": self.deep,
            "dropped": self.dropped,
            "redacted": [asdict(each) for each in self.redacted],
            "redacted_more": self.redacted_more,
            "reads_waiting": self.reads_waiting,
            "reads_since": self.reads_since,
            "first_bad_index": first.index if first else None,
            "first_reason": first.reason if first else None,
        } | {name: _section_json(section) for name, section in self._sections()}

    def lines(self) -> Iterator[str]:
        """The verdict for a person."""
        root = self.root.hex() if self.root else "cannot be computed"
        yield f"{self.store}: {self.size} records, root {root}"
        for name, section in self._sections():
            if name != "warnings":
                yield f"{name}: {self._word(name, section)}"
            for problem in section.problems:
                yield f"  {problem}"
            if section.problems_dropped:
                yield f"  and {section.problems_dropped} more"
        yield from self._remarks()

    def _remarks(self) -> Iterator[str]:
        unsaid = (each.index or 0 for each in self.completeness.problems if each.code == DROPPED_UNSAID)
        if said := min(unsaid, default=self.dropped):
            yield f"retention: records 0 to {said - 1} were dropped as a record says; their leaves are here"
        for redacted in self.redacted:
            yield f"redacted: {redacted}"
        if self.redacted_more:
            yield f"redacted: and {self.redacted_more} more"
        if self.reads_waiting:
            yield f"reads noted and no records yet: {self.reads_waiting}, the oldest since {self.reads_since}"
        if not self.deep:
            yield "not deep: the indexes that queries use were not compared with the tables"
        if not self.anchored:
            yield "not anchored: compare size and root with a copy kept elsewhere to rule out a rewritten log"
        elif self.covered is not None and self.covered < self.size:
            newer = f"{self.size - self.covered} records, from {self.covered} on,"
            yield f"{newer} are newer than the last checkpoint that was kept outside"

    def _word(self, name: str, section: Section) -> str:
        if section.ok and name == "anchoring" and not self.anchored:
            return "not checked"
        return "ok" if section.ok else "FAILED"

    def _sections(self) -> list[tuple[str, Section]]:
        names = ("integrity", "completeness", "anchoring", "warnings")
        return [(name, getattr(self, name)) for name in names]


def _first(problems: Iterable[Problem]) -> Problem | None:
    return min(problems, key=lambda problem: (problem.index is None, problem.index or 0), default=None)


def _section_json(section: Section) -> dict[str, object]:
    problems = [{"code": item.code, "index": item.index, "reason": item.reason} for item in section.problems]
    return {"ok": section.ok, "problems": problems, "problems_dropped": section.problems_dropped}
