"""`watchkeeper audit`: look into the log, have one incident's story told, and check that nobody changed it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.house import ConfigOption, DbOption, WallClock, database_path, opened
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
    short_time,
    show_json,
    show_table,
)

if TYPE_CHECKING:
    from audit.log import Log
    from audit.record import Record

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="The log: what was seen, decided and done, and the proof that it stands.",
)

_WINDOW_FACTOR = 8
"""How fast the search for the newest matches reaches further back: it reads at most a seventh of the log twice."""


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
        rows = [(r.index, _short_time(r), r.kind, _sentence(r)) for r in records]
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
        record, proof = _record(house.log, index), _proof(house.log, index)
    if json:
        show_json(as_json(record) | {"proof": proof})
        return
    from json import dumps

    say(f"record {record.index}  {record.kind}  {record.at}  by {record.actor}", style="bold")
    say(_sentence(record))
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
        entries = [as_json(record) | {"sentence": _sentence(record)} for record in records]
        show_json({"incident": incident, "entries": entries})
    else:
        tell(records)


@app.command(epilog="Example: watchkeeper audit fsck --json")
def fsck(
    size: Annotated[int | None, typer.Option(min=0, help="Records that the log had when its root was kept.")] = None,
    root: Annotated[str | None, typer.Option(help="The root that somebody kept outside, in hex.")] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Rehashes the whole log and says whether it is intact, or where it is not. Exit status 1 if it is not."""
    from audit import fsck as checker

    path = database_path(config, db)
    try:
        verdict = checker.fsck(path, expect_root=_root(root), expect_size=size)
    except (OSError, sqlite3.Error) as error:
        fail(f"The log in {path} cannot be opened: {error}.", "Name a readable file by --db.")
    if json:
        show_json(verdict.as_json())
    else:
        for line in verdict.lines():
            say(line)
        first = verdict.first_problem
        say("intact" if first is None else f"NOT INTACT, first at {first}")
    if not verdict.ok:
        raise typer.Exit(EXIT_ERROR)


def newest(log: Log, limit: int, conditions: Mapping[str, Any]) -> list[Record]:
    """The newest `limit` records that meet the conditions, oldest first: looks back in growing windows."""
    size, window = log.size(), limit * _WINDOW_FACTOR
    while True:
        found = list(log.query(**conditions, after_index=size - window - 1 if window < size else None))
        if len(found) >= limit or window >= size:
            return found[-limit:]
        window *= _WINDOW_FACTOR


def as_json(record: Record) -> dict[str, Any]:
    return {
        "index": record.index,
        "kind": record.kind,
        "at": record.at,
        "actor": record.actor,
        "attributes": dict(record.attributes),
        "unique_key": record.unique_key,
        "payload": record.payload,
    }


def tell(records: list[Record]) -> None:
    """The story, one line a record; the date only where it changes."""
    from rich.text import Text

    day, rows = "", []
    for record in records:
        at = _short_time(record)
        rows.append((Text(at[11:] if at[:10] == day else at), record.index, _sentence(record)))
        day = at[:10]
    show_table(("time (UTC)", "record", "what happened"), rows, nothing="Nothing is recorded.")


def _sentence(record: Record) -> str:
    from agent.compliance.timeline import sentence

    return sentence(record.kind, record.payload)


def _short_time(record: Record) -> str:
    return short_time(datetime.fromisoformat(record.at))


def _record(log: Log, index: int) -> Record:
    record = next(iter(log.query(after_index=index - 1 if index else None, limit=1)), None)
    if record is None or record.index != index:
        fail(f"There is no record {index}: the log ends before it.", "`watchkeeper audit query` shows the newest.")
    return record


def _proof(log: Log, index: int) -> dict[str, Any]:
    from audit.proofs import ProofRefused, verify_inclusion
    from audit.record import canonical_bytes, leaf_hash

    size = log.size()
    leaf, root, hashes = (
        leaf_hash(canonical_bytes(_record(log, index))),
        log.root(size),
        log.inclusion_proof(index, size),
    )
    try:
        verify_inclusion(index, size, leaf, hashes, root)
    except ProofRefused as refusal:
        fail(f"Record {index} is not the one that the log attests: {refusal}.", "Run `watchkeeper audit fsck`.")
    return {
        "leaf_hash": leaf.hex(),
        "tree_size": size,
        "root": root.hex(),
        "hashes": [sibling.hex() for sibling in hashes],
    }


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
