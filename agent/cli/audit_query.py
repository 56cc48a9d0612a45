"""`watchkeeper audit query`: records by whatever a reviewer finds them by, page by page, in four forms."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.house import ConfigOption, DbOption, WallClock, opened
from agent.cli.output import (
    LIMIT_DEFAULT,
    JsonOption,
    LimitOption,
    SinceOption,
    UntilOption,
    moment,
    show_json,
    show_table,
)
from agent.cli.reading import logged
from agent.cli.records import Damages, newest, sentence_of, time_of

if TYPE_CHECKING:
    from audit.record import Record


class Form(StrEnum):
    TABLE, JSON, NDJSON, CSV = "table", "json", "ndjson", "csv"


def _by(what: str) -> Any:
    return typer.Option(help=what)


def query(  # noqa: PLR0913, PLR0917 - one option for each thing a record can be found by
    kind: Annotated[list[str] | None, _by("intent, outcome, verdict, approval …; repeatable.")] = None,
    incident: Annotated[str | None, _by("Id of an incident.")] = None,
    actor: Annotated[str | None, _by("Who wrote the record.")] = None,
    approver: Annotated[str | None, _by("Who answered.")] = None,
    action: Annotated[str | None, _by("cordon_node, requeue_gang …")] = None,
    target: Annotated[str | None, _by("Kind/namespace/name, or Node/name.")] = None,
    tenant: Annotated[str | None, _by("Whose work it is.")] = None,
    decision: Annotated[str | None, _by("allow, escalate or deny.")] = None,
    outcome: Annotated[str | None, _by("succeeded, failed, unknown, undone, undo_failed.")] = None,
    proposal: Annotated[str | None, _by("Id of a proposal.")] = None,
    policy: Annotated[str | None, _by("Judged by policies whose digest begins so.")] = None,
    text: Annotated[list[str] | None, _by("What stands somewhere in the record; repeatable, all must.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = LIMIT_DEFAULT,
    after: Annotated[int | None, typer.Option(help="The first after this record, for pages, not the newest.")] = None,
    before: Annotated[int | None, typer.Option(help="None from this record on: the log as it was.")] = None,
    form: Annotated[Form, typer.Option("--format", help="How they are shown.")] = Form.TABLE,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Lists records that meet all conditions, oldest first. That they were read is recorded, too.

    Without --after these are the newest. Where there are more, it says what asks for the next page. Each record is
    held against its leaf and the log's tree: one that is not what was appended is named on standard error and left
    out, and the exit status is 1. That none is missing is for `audit fsck`.
    """
    named = {
        "incident": incident, "approver": approver, "action": action, "target": target, "tenant": tenant,
        "decision": decision, "outcome": outcome, "proposal": proposal,
    }  # fmt: skip
    now = WallClock().now()
    asked: dict[str, Any] = {
        "kind": kind or None,
        "actor": actor,
        "attributes": {name: value for name, value in named.items() if value is not None},
        "since": moment("--since", since, now),
        "until": moment("--until", until, now),
        "words": text or [],
        "member": None if policy is None else ("policy_digest", policy),
    }
    with opened(config, db) as house:
        end, bad = house.log.size() if before is None else before, Damages()
        if after is None:
            records, following = _last(newest(house.log, limit + 1, asked, end, bad.add), limit)
        else:  # each page is read on the record: without an end there would always be one more
            found = house.log.query(
                **asked, limit=limit + 1, after_index=after, before_index=end, damaged=bad.add, proved=True
            )
            records, following = _first(list(found), limit, end)
        told = {name: value for name, value in asked.items() if name != "attributes"}
        logged(house, "audit query", told | named | {"limit": limit, "after": after, "before": before}, records)
    _show(records, Form.JSON if as_json else form, following, bad.indexes)
    bad.end()


def _last(found: list[Record], limit: int) -> tuple[list[Record], dict[str, int] | None]:
    """The newest, and what asks for those before them."""
    records = found[-limit:]
    return records, {"before": records[0].index} if len(found) > limit else None


def _first(found: list[Record], limit: int, end: int) -> tuple[list[Record], dict[str, int] | None]:
    """The next, and what asks for those after them."""
    records = found[:limit]
    return records, {"after": records[-1].index, "before": end} if len(found) > limit else None


def _show(records: list[Any], form: Form, following: dict[str, int] | None, damaged: list[int]) -> None:
    from agent.compliance.forms import COLUMNS, csv_text, record_object, record_row

    if form is Form.JSON:
        shown = [record_object(record) for record in records]
        show_json({"records": shown, "more": following is not None, "next": following, "damaged": damaged})
    elif form is Form.NDJSON:
        for record in records:
            typer.echo(json.dumps(record_object(record)))
    elif form is Form.CSV:
        typer.echo(csv_text(COLUMNS, map(record_row, records)), nl=False)
    else:
        rows = [(r.index, time_of(r), r.kind, sentence_of(r)) for r in records]
        show_table(("record", "time", "kind", "what"), rows, nothing="No record meets these conditions.")
    if following and form is not Form.JSON:
        print("More: " + " ".join(f"--{name} {index}" for name, index in following.items()), file=sys.stderr)
