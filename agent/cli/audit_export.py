"""`watchkeeper audit export` and `prove`: evidence to hand to somebody who has nothing of ours but Python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from importlib.metadata import version
from itertools import takewhile
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.audit_anchoring import signer_of
from agent.cli.house import ConfigOption, DbOption, WallClock, opened, settings
from agent.cli.output import EXIT_USAGE, JsonOption, SinceOption, UntilOption, console, fail, moment, say, show_json
from agent.cli.reading import logged
from agent.cli.records import proof_of

if TYPE_CHECKING:
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
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Writes records, proofs, a signed checkpoint and a verifier that needs only Python. Without conditions: all."""
    if form is Form.PROVED and key is None:
        fail("An export with proofs is signed.", "Name the log's key by --key.", status=EXIT_USAGE)
    now = WallClock().now()
    conditions = {"since": moment("--since", since, now), "until": moment("--until", until, now)}
    asked = {name: value for name, value in {**conditions, "incident": incident, "kind": kind}.items() if value}
    signer = signer_of(key, None) if form is Form.PROVED and key else None
    with opened(config, db) as house:
        size = house.log.size()
        records = partial(_upto, house.log, size, asked)
        if into.exists():
            fail(f"There is a {into} already.", "Name a new folder by --into.")
        count = sum(1 for _ in records()) if asked else size - house.log.first_kept()
        logged(house, "audit export", asked | {"format": form.value, "into": into}, count)
        if signer is not None:
            told = _proved(house.log, size, into, signer, records() if asked else None, withhold=withhold)
        else:
            told = _events(records(), into, form, settings(config).cluster, withhold=withhold)
    if json:
        show_json(told | {"tree_size": size, "folder": str(into)})
        return
    say(f"{told['records']} of {size} records are in {into}.")
    if form is Form.PROVED:
        say("Check them there with:")
        console().print(f"  python3 verify.py --key {told['key']}", soft_wrap=True)  # whole, so that it can be copied


def _upto(log: Log, size: int, asked: dict[str, Any]) -> Iterator[Record]:
    """Of the log as it was before this read came onto its record."""
    return takewhile(lambda record: record.index < size, log.query(**asked))


def _proved(
    log: Log, size: int, into: Path, signer: Signer, records: Iterator[Record] | None, *, withhold: bool
) -> dict[str, Any]:
    from audit.checkpoints import Checkpoint
    from audit.export import Vouched, export as write

    by = Vouched(signer.sign(Checkpoint(signer.key.name, size, log.root(size))), size, signer.key)
    with _new(into):
        return {"records": write(into, log, by, records, withhold=withhold), "key": str(signer.key)}


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
    count = 0
    with _new(into):
        into.mkdir(parents=True)
        with (into / f"{form.value}.ndjson").open("w", encoding="utf-8", newline="\n") as lines:
            for event in events:
                lines.write(dumps(event, separators=(",", ":")) + "\n")
                count += 1
    return {"records": count}


@contextmanager
def _new(into: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        fail(f"There is a {into} already.", "Name a new folder by --into.")
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
