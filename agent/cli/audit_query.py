"""`watchkeeper audit query`: records by whatever a reviewer finds them by, page by page, in four forms."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import Annotated, Any

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

    Where there are more, it says which --after and --before ask for the next page. A record that is not what was
    appended is named on standard error and left out, and the exit status is 1.
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
        end, bad, following = house.log.size() if before is None else before, Damages(), None
        if after is None:
            records = newest(house.log, limit, asked, end, bad.add)
        else:
            found = house.log.query(**asked, limit=limit + 1, after_index=after, before_index=end, damaged=bad.add)
            records = list(found)
            if len(records) > limit:  # each page is read on the record: without an end there would always be one more
                records = records[:limit]
                following = {"after": records[-1].index, "before": end}
        told = {name: value for name, value in asked.items() if name != "attributes"}
        logged(house, "audit query", told | named | {"limit": limit, "after": after, "before": before}, records)
    _show(records, Form.JSON if as_json else form, following, bad.indexes)
    bad.end()


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
        print(f"More: --after {following['after']} --before {following['before']}", file=sys.stderr)
