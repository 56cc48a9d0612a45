"""`watchkeeper audit`: look into the log, have one incident's story told, and check that nobody changed it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.audit_anchoring import anchored, checkpoint, witness
from agent.cli.audit_export import export, prove
from agent.cli.audit_migrate import migrate
from agent.cli.house import ConfigOption, DbOption, WallClock, log_place, opened
from agent.cli.output import (
    EXIT_ERROR,
    EXIT_USAGE,
    LIMIT_DEFAULT,
    JsonOption,
    LimitOption,
    SinceOption,
    UntilOption,
    clean,
    fail,
    moment,
    say,
    show_json,
    show_table,
)
from agent.cli.records import as_json, newest, proof_of, record_at, sentence_of, tell, time_of

if TYPE_CHECKING:
    from audit.verdict import Verdict

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="The log: what was seen, decided and done, and the proof that it stands.",
)

app.command(epilog="Example: watchkeeper audit checkpoint --key log.key --into /mnt/worm")(checkpoint)
app.command(epilog="Example: watchkeeper audit export --key log.key --into export")(export)
app.command(epilog="Example: watchkeeper audit prove 17")(prove)
app.command(epilog="Example: watchkeeper audit migrate postgresql://owner@db/audit --writer agent")(migrate)
app.command(epilog="Example: watchkeeper audit witness --key w.key --log VKEY --state w.db")(witness)


def _by(what: str) -> Any:
    return typer.Option(help=what)


@app.command(epilog="Example: watchkeeper audit query --kind outcome --since 3d --json")
def query(  # noqa: PLR0913, PLR0917 - one option for each thing a record can be found by
    kind: Annotated[str | None, _by("intent, outcome, verdict, approval …")] = None,
    incident: Annotated[str | None, _by("Id of an incident.")] = None,
    actor: Annotated[str | None, _by("Who wrote the record.")] = None,
    approver: Annotated[str | None, _by("Who answered.")] = None,
    action: Annotated[str | None, _by("cordon_node, requeue_gang …")] = None,
    target: Annotated[str | None, _by("Kind/namespace/name, or Node/name.")] = None,
    tenant: Annotated[str | None, _by("Whose work it is.")] = None,
    decision: Annotated[str | None, _by("allow, escalate or deny.")] = None,
    outcome: Annotated[str | None, _by("succeeded, failed, unknown, undone, undo_failed.")] = None,
    proposal: Annotated[str | None, _by("Id of a proposal.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = LIMIT_DEFAULT,
    after: Annotated[int | None, typer.Option(help="The first after this record, for pages, not the newest.")] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Lists records that meet all conditions, oldest first."""
    attributes = {
        name: value
        for name, value in {
            "incident": incident,
            "approver": approver,
            "action": action,
            "target": target,
            "tenant": tenant,
            "decision": decision,
            "outcome": outcome,
            "proposal": proposal,
        }.items()
        if value is not None
    }
    now = WallClock().now()
    conditions: dict[str, Any] = {
        "kind": kind,
        "actor": actor,
        "attributes": attributes,
        "since": moment("--since", since, now),
        "until": moment("--until", until, now),
    }
    with opened(config, db) as house:
        if after is None:
            records = newest(house.log, limit, conditions)
        else:
            records = list(house.log.query(**conditions, limit=limit, after_index=after))
    if json:
        show_json({"records": [as_json(record) for record in records]})
    else:
        rows = [(r.index, time_of(r), r.kind, sentence_of(r)) for r in records]
        show_table(("record", "time", "kind", "what"), rows, nothing="No record meets these conditions.")


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
    if json:
        show_json(as_json(record) | {"proof": proof})
        return
    from json import dumps

    say(f"record {record.index}  {record.kind}  {record.at}  by {record.actor}", style="bold")
    say(sentence_of(record))
    for name, value in record.attributes.items():
        say(f"  {name}: {value}")
    if record.unique_key:
        say(f"  unique key: {record.unique_key}")
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
        records = list(house.log.query(incident=incident))
    if not records:
        fail(f"No record is about incident {incident}.", "`watchkeeper incidents list` shows which there are.")
    if json:
        entries = [as_json(record) | {"sentence": sentence_of(record)} for record in records]
        show_json({"incident": incident, "entries": entries})
    else:
        tell(records)


@app.command(epilog="Example: watchkeeper audit fsck --json")
def fsck(
    size: Annotated[int | None, typer.Option(min=0, help="Records that the log had when its root was kept.")] = None,
    root: Annotated[str | None, typer.Option(help="The root that somebody kept outside, in hex.")] = None,
    kept: Annotated[
        Path | None,
        typer.Option("--checkpoint", metavar="FILE", help="A signed one, in place of size and root."),
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
    """Rehashes the whole log and says whether it is intact, or where it is not. Exit status 1 if it is not."""
    place = log_place(config, db)
    expect_size, expect_root = (size, _root(root)) if kept is None else anchored(kept, key or [])
    verdict = _verdict(place, expect_root, expect_size, deep=deep)
    if json:
        show_json(verdict.as_json())
    else:
        for line in verdict.lines():
            say(line)
        first = verdict.first_problem
        say("intact" if first is None else f"NOT INTACT, first at {first}")
    if not verdict.ok:
        raise typer.Exit(EXIT_ERROR)


def _verdict(place: str | Path, root: bytes | None, size: int | None, *, deep: bool) -> Verdict:
    from audit import fsck as checker
    from audit.errors import LogUnavailable
    from audit.storage.opening import url_of

    url = url_of(place)
    try:
        if url is not None:
            from audit.storage.recheck import fsck_postgresql

            return fsck_postgresql(url, expect_root=root, expect_size=size)
        return checker.fsck(place, expect_root=root, expect_size=size, deep=deep)
    except (OSError, sqlite3.Error, LogUnavailable) as error:
        fail(f"The log in {place} cannot be opened: {error}.", "Name a readable file by --db.")


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
