"""`watchkeeper incidents`: what was wrong, how it stands, and what was done about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.house import ConfigOption, DbOption, WallClock, opened
from agent.cli.output import (
    LIMIT_DEFAULT,
    JsonOption,
    LimitOption,
    SinceOption,
    UntilOption,
    fail,
    moment,
    say,
    short_time,
    show_json,
    show_table,
)
from agent.cli.reading import logged

if TYPE_CHECKING:
    from agent.adapters.store import IncidentRow

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="What was wrong, how it stands, and what was done about it."
)


@app.command("list", epilog="Example: watchkeeper incidents list --open --since 2h")
def list_incidents(
    open_: Annotated[bool, typer.Option("--open", help="Only those that are not closed.")] = False,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = LIMIT_DEFAULT,
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Lists incidents, oldest first."""
    now = WallClock().now()
    first, end = moment("--since", since, now), moment("--until", until, now)
    with opened(config, db) as house:
        rows = house.store.incidents.listed(since=first, until=end, limit=limit, only_open=open_)
    if json:
        show_json({"incidents": [as_json(row) for row in rows]})
        return
    cells = [(row.incident.id, short_time(row.incident.opened_at), row.state.value, _about(row)) for row in rows]
    show_table(("incident", "opened (UTC)", "state", "what"), cells, nothing="There is no such incident.")


@app.command(epilog="Example: watchkeeper incidents show inc-4f0c2ab91e")
def show(
    incident: Annotated[str, typer.Argument(metavar="ID", help="Id of the incident, as `incidents list` shows it.")],
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Shows how an incident stands, and its story from the log."""
    from agent.cli.records import tell

    with opened(config, db) as house:
        row = house.store.incidents.row(incident)
        records = list(house.log.query(incident=incident, proved=True)) if row else []
        logged(house, "incidents show", {"incident": incident}, records)
    if row is None:
        fail(f"There is no incident {incident}.", "`watchkeeper incidents list` shows which there are.")
    if json:
        show_json(as_json(row) | {"records": [record.index for record in records]})
        return
    say(f"{row.incident.id}  {row.state.value}", style="bold")
    say(_about(row))
    closed = f", closed {short_time(row.closed_at)}" if row.closed_at else ""
    say(f"opened {short_time(row.incident.opened_at)}{closed} (UTC), {row.incident.signal_count} signals")
    say()
    tell(records)


def as_json(row: IncidentRow) -> dict[str, Any]:
    return row.incident.json_object() | {
        "state": row.state.value,
        "playbook": row.playbook,
        "closed_at": row.closed_at.isoformat().replace("+00:00", "Z") if row.closed_at else None,
    }


def _about(row: IncidentRow) -> str:
    playbook = f" ({row.playbook})" if row.playbook else ""
    return f"{row.incident.symptom.value} on {row.incident.subject}{playbook}"
