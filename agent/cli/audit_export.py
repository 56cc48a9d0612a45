"""`watchkeeper audit export` and `prove`: evidence to hand to somebody who has nothing of ours but Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from importlib.metadata import version
from json import dumps
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.audit_anchoring import signer_of
from agent.cli.house import ConfigOption, DbOption, WallClock, opened, settings
from agent.cli.output import EXIT_USAGE, JsonOption, SinceOption, UntilOption, console, fail, moment, say, show_json
from agent.cli.reading import logged
from agent.cli.records import Damages, proof_of

if TYPE_CHECKING:
    from audit.errors import LogDamaged
    from audit.log import Log
    from audit.record import Record
    from audit.signing import Signer


class Form(StrEnum):
    PROVED, CLOUDEVENTS, OCSF = "proved", "cloudevents", "ocsf"


def export(  # noqa: PLR0913, PLR0917 - one option for each thing a record can be found by
    into: Annotated[Path, typer.Option("--into", metavar="FOLDER", help="A new folder for the export.")],
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="The log's private key: it signs the checkpoint.")
    ] = None,
    form: Annotated[
        Form, typer.Option("--format", help="With proofs and a verifier, or as another system's events.")
    ] = Form.PROVED,
    incident: Annotated[str | None, typer.Option(help="Only what is about this incident.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only intent, outcome, verdict, approval …")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    withhold: Annotated[
        bool, typer.Option("--withhold", help="Leaves out what is sealed: names, reasons, quoted lines.")
    ] = False,
    damaged: Annotated[
        bool, typer.Option("--damaged", help="Leaves out what the log can no longer show, names it, and ends with 1.")
    ] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Writes records, proofs, a signed checkpoint and a verifier that needs only Python. Without conditions: all.

    With conditions it is a part: it proves what is in it, not that nothing was left out.
    """
    if form is Form.PROVED and key is None:
        fail("An export with proofs is signed.", "Name the log's key by --key.", status=EXIT_USAGE)
    now = WallClock().now()
    conditions = {"since": moment("--since", since, now), "until": moment("--until", until, now)}
    asked: dict[str, Any] = {
        name: value for name, value in {**conditions, "incident": incident, "kind": kind}.items() if value
    }
    signer = signer_of(key, None) if form is Form.PROVED and key else None
    with opened(config, db) as house:
        size = house.log.size()
        bad = Damages()
        records = partial(house.log.query, **asked, before_index=size, damaged=bad.add if damaged else None)
        attested = partial(records, proved=signer is None)  # an export with proofs is checked as a whole
        if into.exists():
            fail(f"{into} is there already.", "Name a new folder by --into.")
        count = sum(1 for _ in records()) if asked else size - house.log.first_kept()
        logged(house, "audit export", asked | {"format": form.value, "into": into}, count)
        if signer is not None:
            keep = bad.add if damaged else None
            said = _one_line(asked)
            told = _proved(house.log, size, into, signer, records() if asked else None, said, keep, withhold=withhold)
        else:
            told = _events(attested(), into, form, settings(config).cluster, withhold=withhold)
    if json:
        show_json(told | {"tree_size": size, "folder": str(into), "whole": not asked, "damaged": bad.indexes})
    else:
        _say(told, size, into, form, part=bool(asked))
    bad.end()


def _say(told: dict[str, Any], size: int, into: Path, form: Form, *, part: bool) -> None:
    say(f"{told['records']} of {size} records are in {into}.")
    if form is Form.PROVED:
        say("Check them there with:")
        console().print(f"  python3 verify.py --key {told['key']}", soft_wrap=True)  # whole, so that it can be copied
    if part:
        say("It is a part: it proves what is in it, not that nothing was left out.")


def _one_line(asked: dict[str, Any]) -> str | None:
    """What is signed of the conditions; None for all there is."""
    return dumps({name: str(value) for name, value in sorted(asked.items())}) if asked else None


def _proved(
    log: Log,
    size: int,
    into: Path,
    signer: Signer,
    records: Iterator[Record] | None,
    asked: str | None,
    damaged: Callable[[LogDamaged], None] | None,
    *,
    withhold: bool,
) -> dict[str, Any]:
    from audit.bundle import EVERYTHING
    from audit.export import export as write

    with _new(into):
        count = write(into, log, signer, size, records, asked=asked or EVERYTHING, withhold=withhold, damaged=damaged)
    return {"records": count, "key": str(signer.key)}


def _events(found: Iterator[Record], into: Path, form: Form, cluster: str, *, withhold: bool) -> dict[str, Any]:
    from agent.compliance.cloudevents import cloud_event, source_of
    from agent.compliance.ocsf import remediation_events
    from audit.sealing import hidden

    records = (hidden(record) if withhold else record for record in found)
    events: Iterator[dict[str, Any]]
    if form is Form.CLOUDEVENTS:
        events = (cloud_event(record, source_of(cluster)) for record in records)
    else:
        events = remediation_events(records, version("watchkeeper"))
    with _new(into):
        into.mkdir(parents=True)
        try:
            with (into / f"{form.value}.ndjson").open("w", encoding="utf-8", newline="\n") as lines:
                count = sum(1 for event in events if lines.write(dumps(event, separators=(",", ":")) + "\n"))
        except BaseException:
            rmtree(into, ignore_errors=True)  # nothing half made is left to be taken for all
            raise
    return {"records": count}


@contextmanager
def _new(into: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        fail(f"{into} is there already.", "Name a new folder by --into.")
    except OSError as error:
        fail(f"The export cannot be written: {error}.")


def prove(
    index: Annotated[int, typer.Argument(min=0, help="The record's number, as `audit query` shows it.")],
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Prints a record's inclusion proof, as `python -m audit.proofs verify-inclusion` reads it."""
    with opened(config, db) as house:
        proof = proof_of(house.log, index)
        logged(house, "audit prove", {"index": index}, 1)
    claim = {
        "leaf_index": index,
        "tree_size": proof["tree_size"],
        "leaf_hash": proof["leaf_hash"],
        "proof": proof["hashes"],
        "root": proof["root"],
    }
    typer.echo(dumps(claim, separators=(",", ":")))
