"""`watchkeeper audit`: look into the log, have one incident's story told, and check that nobody changed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.audit_anchoring import checkpoint, kept_at, signer_of, witness
from agent.cli.audit_export import export, prove
from agent.cli.audit_migrate import migrate
from agent.cli.audit_query import query
from agent.cli.audit_removal import redact, redact_copies, retain
from agent.cli.audit_report import report
from agent.cli.checking import verdict_of
from agent.cli.house import ConfigOption, DbOption, log_place, opened, settings
from agent.cli.output import (
    EXIT_ERROR,
    EXIT_USAGE,
    JsonOption,
    clean,
    fail,
    say,
    show_json,
)
from agent.cli.reading import logged, logged_check
from agent.cli.records import proof_of, record_at, sentence_of, tell

if TYPE_CHECKING:
    from agent.config import Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="The log: what was seen, decided and done, and the proof that it stands.",
)

SETTINGS = "settings"

app.command(epilog="Example: watchkeeper audit checkpoint --key log.key --into /mnt/worm")(checkpoint)
app.command(epilog="Example: watchkeeper audit export --key log.key --into export")(export)
app.command(epilog="Example: watchkeeper audit prove 17")(prove)
app.command(epilog="Example: watchkeeper audit migrate postgresql://owner@db/audit --writer agent")(migrate)
app.command(epilog="Example: watchkeeper audit query --kind outcome --since 3d --json")(query)
app.command(epilog="Example: watchkeeper audit report --month 2026-10 --into report")(report)
app.command(epilog='Example: watchkeeper audit redact 17 --reason "ticket 4711" --yes')(redact)
app.command("redact-copies", epilog="Example: watchkeeper audit redact-copies")(redact_copies)
app.command(epilog="Example: watchkeeper audit retain --days 400 --yes")(retain)
app.command(epilog="Example: watchkeeper audit witness --key w.key --log VKEY --state w.db")(witness)


@app.command(epilog="Example: watchkeeper audit show 17")
def show(
    index: Annotated[int, typer.Argument(min=0, help="The record's number, as `audit query` shows it.")],
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Shows one record whole, and proves that it is in the log."""
    with opened(config, db) as house:
        record, proof = record_at(house.log, index), proof_of(house.log, index)
        logged(house, "audit show", {"index": index}, [record])
    from json import dumps

    from agent.compliance.forms import record_object

    if json:
        show_json(record_object(record) | {"proof": proof})
        return

    say(f"record {record.index}  {record.kind}  {record.at}  by {record.actor}", style="bold")
    say(sentence_of(record))
    for name, value in record.attributes.items():
        say(f"  {name}: {value}")
    if record.unique_key:
        say(f"  unique key: {record.unique_key}")
    for place in record_object(record)["redacted"]:
        say(f"  {place} was erased, and a record of kind redaction says why")
    for line in dumps(record.payload, indent=2, ensure_ascii=False).splitlines():
        say(line)
    say(f"leaf {proof['leaf_hash']}")
    say(f"is in the log of {proof['tree_size']} records with root {proof['root']}, by {len(proof['hashes'])} hashes")


@app.command(epilog="Example: watchkeeper audit timeline inc-4f0c2ab91e")
def timeline(
    incident: Annotated[str, typer.Argument(help="Id of the incident, as `incidents list` shows it.")],
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Tells everything about one incident, in sentences, from its first signal to its close."""
    with opened(config, db) as house:
        records = list(house.log.query(incident=incident, proved=True))
        logged(house, "audit timeline", {"incident": incident}, records)
    if not records:
        fail(f"No record is about incident {incident}.", "`watchkeeper incidents list` shows which there are.")
    if json:
        from agent.compliance.forms import record_object

        entries = [record_object(record) | {"sentence": sentence_of(record)} for record in records]
        show_json({"incident": incident, "entries": entries})
    else:
        tell(records)


@app.command(epilog="Example: watchkeeper audit fsck --anchor /mnt/worm --key VKEY")
def fsck(
    size: Annotated[int | None, typer.Option(min=0, help="Records that the log had when its root was kept.")] = None,
    root: Annotated[str | None, typer.Option(help="The root that somebody kept outside, in hex.")] = None,
    kept: Annotated[
        list[str] | None,
        typer.Option(
            "--anchor",
            "--checkpoint",
            metavar="PLACE",
            help="A kept checkpoint, a folder of them, an anchor, or `settings` for all that those name; repeatable.",
        ),
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option("--key", metavar="VKEY", help="Who may have signed it; repeatable.")
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep/--quick", help="Whether SQLite checks its own pages and indexes, too.")
    ] = True,
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Rehashes the whole log and says whether it is intact, or where it is not. Exit status 1 if it is not.

    That the agent's own log was checked is recorded; a file that --db names is not changed.
    """
    place = log_place(config, db)
    given, named = settings(config), kept or []
    places = [each for each in named if each != SETTINGS] + (list(given.anchors) if SETTINGS in named else [])
    outside = kept_at(places, [*(key or []), *(_own_keys(given) if SETTINGS in named else ())])
    verdict = verdict_of(place, _root(root), size, outside, deep=deep)
    if db is None:
        logged_check(place, {"size": size, "root": root, "kept": named}, verdict)
    if json:
        show_json(verdict.as_json())
    else:
        for line in verdict.lines():
            say(line)
        first = verdict.first_problem
        say("intact" if first is None else f"NOT INTACT, first at {first}")
    if not verdict.ok:
        raise typer.Exit(EXIT_ERROR)


def _own_keys(given: Settings) -> list[str]:
    """The public halves of what signs here: enough for whoever runs the log; an auditor brings their own."""
    mine = [str(signer_of(given.checkpoint_key_file, None).key)] if given.checkpoint_key_file else []
    return [*mine, *given.earlier_keys]


def _root(text: str | None) -> bytes | None:
    try:
        root = None if text is None else bytes.fromhex(text)
    except ValueError:
        root = b""
    if root is not None and len(root) != 32:
        fail(
            f"--root {clean(text)} is not 32 bytes in hex.",
            "Copy the root that an earlier fsck printed.",
            status=EXIT_USAGE,
        )
    return root
