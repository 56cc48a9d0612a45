"""What the check of an export has found, and how it is told. Part of `audit.bundle`; standard library alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from audit.checkpoints import Checkpoint
from audit.kept import Kept, Refused
from audit.removals import Redacted
from audit.verdict import Section

MAX_PROBLEMS = 100
"""Named one by one; more are only counted."""

NOT_ALL = (
    "a part proves what is in it, not that nothing was left out: whoever made it chose its records; "
    "the whole log, or an export of it, shows what is missing"
)


@dataclass
class Finding:
    """`first_bad` is the index of the first record that is not what the checkpoint vouches for.

    `of_the_log` are those of the problems that the log itself has, and the export shows as it is. `warnings` are for a
    person to judge.
    """

    checkpoint: Checkpoint
    asked: str = ""
    records: int = 0
    whole: bool = False
    problems: list[str] = field(default_factory=list)
    more: int = 0
    of_the_log: list[tuple[int, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    first_bad: int | None = None
    dropped: int = 0
    opened: int = 0
    withheld: int = 0
    redacted: list[Redacted] = field(default_factory=list)
    kept: tuple[Kept | Refused, ...] = ()
    roots: dict[int, bytes | None] = field(default_factory=dict)
    anchoring: Section = field(default_factory=Section)
    covered: int | None = None

    @property
    def ok(self) -> bool:
        return not self.problems and self.anchoring.ok

    def add(self, index: int | None, reason: str) -> None:
        if index is not None and (self.first_bad is None or index < self.first_bad):
            self.first_bad = index
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(reason if index is None else f"record {index}: {reason}")
        else:
            self.more += 1

    def add_of_the_log(self, index: int, reason: str) -> None:
        self.add(index, reason)
        self.of_the_log.append((index, reason))


def say(finding: Finding) -> None:
    """On standard output, all but the last words."""
    if finding.dropped:
        print(f"{finding.dropped} earlier records were dropped by retention; their leaves are here")
    if finding.opened or finding.redacted or finding.withheld:
        print(f"{finding.opened} sealed texts are here and are what the records commit to")
    for redacted in finding.redacted[:MAX_PROBLEMS]:
        print(f"redacted: {redacted}")
    for warning in finding.warnings[:MAX_PROBLEMS]:
        print(f"warning: {warning}")
    if finding.withheld:
        print(f"{finding.withheld} sealed texts are not here, and no record here says that they were erased")
    for problem in (*finding.problems, *finding.anchoring.problems):
        # It may quote what no terminal can show, from lines that nobody vouches for.
        print("  " + str(problem).encode("utf-8", "backslashreplace").decode())
    _print_anchoring(finding)
    if finding.more:
        print(f"  and {finding.more} more")


def _print_anchoring(finding: Finding) -> None:
    if finding.kept:
        print(f"anchoring: {_anchored(finding)}")
    for each in finding.kept:
        if isinstance(each, Kept) and each.size > finding.checkpoint.size:
            print(
                f"{each.place} keeps a checkpoint of {each.size} records, more than there were here: ask for the rest"
            )
            break


def _anchored(finding: Finding) -> str:
    if not finding.anchoring.ok:
        return "FAILED"
    if finding.covered is not None:
        return f"ok, the first {finding.covered} records are those that were kept elsewhere"
    return "not checked: a part of the log can only be held against a checkpoint of its own size"
