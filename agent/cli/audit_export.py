"""`watchkeeper audit export` and `prove`: evidence to hand to somebody who has nothing of ours but Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.audit_anchoring import signer_of
from agent.cli.house import ConfigOption, DbOption, WallClock, opened
from agent.cli.output import JsonOption, SinceOption, UntilOption, console, fail, moment, say, show_json
from agent.cli.records import proof_of


def export(  # noqa: PLR0913, PLR0917 - one option for each thing a record can be found by
    into: Annotated[Path, typer.Option("--into", metavar="FOLDER", help="A new folder for the export.")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The log's private key: it signs the checkpoint.")],
    incident: Annotated[str | None, typer.Option(help="Only what is about this incident.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only intent, outcome, verdict, approval …")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Writes records, proofs, a signed checkpoint and a verifier that needs only Python. Without conditions: all."""
    from audit.checkpoints import Checkpoint
    from audit.export import Vouched, export as write

    signer, now = signer_of(key, None), WallClock().now()
    conditions = {"since": moment("--since", since, now), "until": moment("--until", until, now)}
    asked = {name: value for name, value in {**conditions, "incident": incident, "kind": kind}.items() if value}
    with opened(config, db) as house:
        size = house.log.size()
        note = signer.sign(Checkpoint(signer.key.name, size, house.log.root(size)))
        records = house.log.query(**asked) if asked else None  # type: ignore[arg-type]
        try:
            count = write(into, house.log, Vouched(note, size, signer.key), records)
        except FileExistsError:
            fail(f"There is a {into} already.", "Name a new folder by --into.")
        except OSError as error:
            fail(f"The export cannot be written: {error}.")
    if json:
        show_json({"records": count, "tree_size": size, "folder": str(into), "key": str(signer.key)})
        return
    say(f"{count} records of {size} are in {into}.")
    say("Check them there with:")
    console().print(f"  python3 verify.py --key {signer.key}", soft_wrap=True)  # whole, so that it can be copied


def prove(
    index: Annotated[int, typer.Argument(min=0, help="The record's number, as `audit query` shows it.")],
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Prints a record's inclusion proof, as `python -m audit.proofs verify-inclusion` reads it."""
    with opened(config, db) as house:
        proof = proof_of(house.log, index)
    claim = {
        "leaf_index": index,
        "tree_size": proof["tree_size"],
        "leaf_hash": proof["leaf_hash"],
        "proof": proof["hashes"],
        "root": proof["root"],
    }
    typer.echo(json.dumps(claim, separators=(",", ":")))
