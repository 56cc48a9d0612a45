"""`watchkeeper approvals`: see what the agent asks, and answer it. A door: the desk decides what counts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.house import ConfigOption, DbOption, House, WallClock, opened, person
from agent.cli.output import (
    EXIT_NEEDS_PERSON,
    EXIT_REFUSED,
    LIMIT_DEFAULT,
    JsonOption,
    LimitOption,
    SinceOption,
    UntilOption,
    clean,
    console,
    fail,
    moment,
    say,
    short_time,
    show_json,
    show_table,
)

if TYPE_CHECKING:
    from agent.domain.approval import ApprovalRequest

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="What the agent asks before it acts, and your answers."
)

RequestArgument = Annotated[str, typer.Argument(metavar="ID", help="The request, or the beginning of its id.")]
AsOption = Annotated[
    str | None, typer.Option("--as", metavar="NAME", help="Who answers; without it, who is logged in.")
]
DigestOption = Annotated[
    str | None, typer.Option(help="Answer only if the request still has this digest (or one that begins so).")
]


@app.command("list", epilog="Example: watchkeeper approvals list --all --since 1d")
def list_requests(
    all_: Annotated[bool, typer.Option("--all", help="Those that are answered or over, too.")] = False,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = LIMIT_DEFAULT,
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Lists the requests that wait for an answer."""
    now = WallClock().now()
    first, end = moment("--since", since, now), moment("--until", until, now)
    with opened(config, db) as house:
        if all_:
            requests = house.store.desk.listed(since=first, until=end, limit=limit)
        else:
            asked = ((r, r.requested_at) for r in house.store.desk.pending())
            requests = [r for r, at in asked if (not first or at >= first) and (not end or at < end)][-limit:]
    if json:
        show_json({"approvals": [as_json(request) for request in requests]})
        return
    rows = [
        (r.id, r.state.value, short_time(r.expires_at), f"{r.proposal.action} on {r.proposal.target}") for r in requests
    ]
    show_table(("request", "state", "expires (UTC)", "what"), rows, nothing="Nothing waits for an answer.")


@app.command(epilog="Example: watchkeeper approvals show apr-1f2e3d4c")
def show(request: RequestArgument, json: JsonOption = False, config: ConfigOption = None, db: DbOption = None) -> None:
    """Shows one request: what will change, why, how far it reaches, what undo will do."""
    with opened(config, db) as house:
        found = _found(house, request)
    if json:
        show_json(as_json(found))
    else:
        show_page(found)


@app.command(epilog='Example: watchkeeper approvals approve apr-1f2e3d4c --as alice --reason "seen on the node"')
def approve(
    request: RequestArgument,
    by: AsOption = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the log.")] = "",
    digest: DigestOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Approves a request. It is done once everybody who must has approved."""
    _answer(request, "approve", reason, Answering(by, digest, json, config, db))


@app.command(epilog='Example: watchkeeper approvals reject apr-1f2e3d4c --as bob --reason "demo at noon"')
def reject(
    request: RequestArgument,
    reason: Annotated[str, typer.Option(help="Why not; it is kept in the log.")],
    by: AsOption = None,
    digest: DigestOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Rejects a request. One rejection ends it."""
    _answer(request, "reject", reason, Answering(by, digest, json, config, db))


@app.command(epilog="Example: watchkeeper approvals watch --as alice")
def watch(by: AsOption = None, config: ConfigOption = None, db: DbOption = None) -> None:
    """Shows requests as they come and asks: a approves, r rejects, s skips, q quits. Needs a terminal."""
    from agent.cli.approvals_watch import Watcher

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail(
            "`approvals watch` needs a person at a terminal.",
            "Elsewhere use `approvals list` and `approvals approve`.",
            status=EXIT_NEEDS_PERSON,
        )
    answering = person(by, config)
    with opened(config, db) as house:
        Watcher(house.store.desk, answering, WallClock()).run()


class Answering:
    """The options that approve and reject share."""

    def __init__(self, by: str | None, digest: str | None, json: bool, config: Path | None, db: Path | None) -> None:
        self.by, self.digest, self.json, self.config, self.db = by, digest, json, config, db


def _answer(request: str, decision: str, reason: str, options: Answering) -> None:
    from agent.domain.approval import Answer
    from agent.ports import AnswerRefused

    answering = person(options.by, options.config)
    with opened(options.config, options.db) as house:
        found = _found(house, request)
        digest = options.digest or found.digest
        if found.digest.startswith(digest):
            digest = found.digest
        answer = Answer(
            by=answering.name, decision=decision, reason=reason, digest=digest, at=WallClock().now(), door="terminal"
        )
        try:
            standing = house.store.desk.answer(found.id, answer, answering)
        except AnswerRefused as refused:
            fail(f"{refused} [{refused.code}]", status=EXIT_REFUSED)
    if options.json:
        show_json(as_json(standing))
    else:
        from agent.cli.request_page import told

        say(told(standing))


def as_json(request: ApprovalRequest) -> dict[str, Any]:
    return request.json_object() | {"digest": request.digest}


def show_page(request: ApprovalRequest) -> None:
    from rich.text import Text

    from agent.cli.request_page import page

    out = console()
    for line in page(request, WallClock().now()):
        out.print(Text(clean(line.text), style=line.style))


def _found(house: House, given: str) -> ApprovalRequest:
    """The request of that id, or the only one that waits and whose id begins so."""
    found = house.store.desk.get(given)
    if found:
        return found
    alike = [request for request in house.store.desk.pending() if request.id.startswith(given)]
    if len(alike) == 1:
        return alike[0]
    said = f"{len(alike)} requests begin with {given}." if alike else f"There is no request {given}."
    fail(said, "`watchkeeper approvals list --all` shows which there are.")
