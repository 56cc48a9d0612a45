"""`watchkeeper audit report`: a month's evidence as a page that prints, and its tables for a spreadsheet."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.audit_anchoring import kept_checkpoint
from agent.cli.checking import verdict_of
from agent.cli.house import ConfigOption, DbOption, WallClock, log_place, opened, settings
from agent.cli.output import EXIT_ERROR, EXIT_USAGE, JsonOption, fail, say, show_json
from agent.cli.reading import logged
from agent.cli.records import Damages

if TYPE_CHECKING:
    from agent.compliance.report import Anchor, Integrity
    from audit.checkpoints import SignedCheckpoint
    from audit.log import Log

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)


def report(
    month: Annotated[str, typer.Option("--month", metavar="YYYY-MM", help="Which month, in UTC.")],
    into: Annotated[Path, typer.Option("--into", metavar="FOLDER", help="A new folder for it.")],
    kept: Annotated[
        list[Path] | None,
        typer.Option("--checkpoint", metavar="FILE", help="A checkpoint that was kept elsewhere; repeatable."),
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option("--key", metavar="VKEY", help="Who may have signed it; repeatable.")
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Writes report.html and a CSV for each of its tables. Exit status 1 if the log is not intact."""
    from agent.compliance.evidence import evidence
    from agent.compliance.report import csv_files, html

    now = WallClock().now()
    since, until = _bounds(month, now)
    running, bad = now < until, Damages()
    with opened(config, db) as house:
        integrity = _integrity(
            log_place(config, db), house.log, [kept_checkpoint(file, key or []) for file in kept or []]
        )
        records = list(house.log.query(since=since, until=until, damaged=bad.add))
        logged(house, "audit report", {"month": month}, records)
    if bad.indexes:
        integrity = replace(integrity, intact=False, findings=(*integrity.findings, *bad.told))
    made = evidence(records, since, min(until, now))
    files = csv_files(made)
    files["report.html"] = html(month, settings(config).cluster, now, made, integrity, running=running)
    try:
        into.mkdir(parents=True)
        for name, text in files.items():
            (into / name).write_text(text, encoding="utf-8", newline="")
    except FileExistsError:
        fail(f"{into} is there already.", "Name a new folder by --into.")
    except OSError as error:
        fail(f"The report cannot be written: {error}.")
    if json:
        told = {"folder": str(into), "files": sorted(files), "records": made.records}
        show_json(told | {"intact": integrity.intact, "unfinished": running, "damaged": bad.indexes})
    else:
        say(f"{made.records} records of {month}: {into / 'report.html'}, and {len(files) - 1} tables beside it.")
        if running:
            say("The month is not over: this is what it had until now.")
    if not integrity.intact:
        say("The log is NOT INTACT; the report says so. `watchkeeper audit fsck` says where.")
        raise typer.Exit(EXIT_ERROR)


def _bounds(month: str, now: datetime) -> tuple[datetime, datetime]:
    found = _MONTH.fullmatch(month)
    if found is None or found[1] == "0000":
        fail(f"--month {month} is no month.", "Write for example 2026-10.", status=EXIT_USAGE)
    year, number = int(found[1]), int(found[2])
    if (year, number) > (now.year, now.month):
        fail(f"{month} has not been yet.", "A report is about a month that has begun.", status=EXIT_USAGE)
    return datetime(year, number, 1, tzinfo=UTC), datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _integrity(place: str | Path, log: Log, kept: list[SignedCheckpoint]) -> Integrity:
    from agent.compliance.report import Integrity

    verdict = verdict_of(place, None, None, deep=False)
    anchors = [_anchor(log, each) for each in kept]
    problems = [*verdict.integrity.problems, *verdict.completeness.problems]
    return Integrity(
        size=verdict.size,
        root=verdict.root.hex() if verdict.root else "cannot be computed",
        intact=verdict.ok and all(anchor.holds for anchor in anchors),
        findings=tuple(map(str, problems)),
        dropped=verdict.dropped,
        redacted=len({each.index for each in verdict.redacted}) + verdict.redacted_more,
        anchors=tuple(anchors),
        reads_waiting=verdict.reads_waiting,
    )


def _anchor(log: Log, kept: SignedCheckpoint) -> Anchor:
    """By the tree that the check has just held against every record."""
    from agent.compliance.report import Anchor

    checkpoint = kept.checkpoint
    holds = checkpoint.size <= log.size() and log.root(checkpoint.size) == checkpoint.root
    signers = ", ".join(vouched.key.name for vouched in kept.by)
    return Anchor(checkpoint.origin, checkpoint.size, checkpoint.root.hex(), signers, holds)
