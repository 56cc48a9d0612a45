"""`watchkeeper approvals`: see what the agent asks, and answer it. A door: the desk decides what counts."""

from __future__ import annotations

import sys
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.approvals_link import link
from agent.cli.house import ConfigOption, DbOption, House, WallClock, claims_here, opened, person, settings
from agent.cli.output import (
    EXIT_NEEDS_PERSON,
    EXIT_REFUSED,
    EXIT_USAGE,
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
    from agent.answering import Decision
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
        show_page(found, config)


@app.command(epilog='Example: watchkeeper approvals approve apr-1f2e3d4c --as alice --reason "seen on the node"')
def approve(
    request: RequestArgument,
    by: AsOption = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the log.")] = "",
    break_glass: Annotated[
        bool,
        typer.Option("--break-glass", help="An emergency: without the others, who are all told. Give a reason."),
    ] = False,
    digest: DigestOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Approves a request. It is done once everybody who must has approved."""
    decision: Decision = "break_glass" if break_glass else "approve"
    _answer(request, decision, reason, _Options(by, digest, json, config, db))


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
    """Rejects a request. One rejection ends it, also where all have agreed, as long as nothing has begun."""
    _answer(request, "reject", reason, _Options(by, digest, json, config, db))


@app.command(epilog='Example: watchkeeper approvals withdraw apr-1f2e3d4c --reason "they have a deadline"')
def withdraw(
    request: RequestArgument,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the log.")],
    by: AsOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Takes your own yes back, as long as nothing has begun. The request is open again for what is left of its time."""
    _answer(request, "withdraw", reason, _Options(by, None, json, config, db))


@app.command(epilog='Example: watchkeeper approvals edit apr-1f2e3d4c --set delay_s=600 --reason "after the demo"')
def edit(
    request: RequestArgument,
    changes: Annotated[
        list[str], typer.Option("--set", metavar="NAME=VALUE", help="A parameter, as JSON or text; null takes it out.")
    ],
    reason: Annotated[str, typer.Option(help="Why; it is kept in the log.")],
    by: AsOption = None,
    digest: DigestOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Changes what is asked. It is proposed, judged and asked anew, and you cannot approve it."""
    _answer(request, "edit", reason, _Options(by, digest, json, config, db), _changes(changes))


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
    person(by, config)  # refused now rather than at the first answer
    with opened(config, db) as house:
        Watcher(house.store.desk, settings(config).directory, claims_here(by), WallClock()).run()


app.command(epilog="Example: watchkeeper approvals link alice slack T024BE7LD/U061F7AUR")(link)


class _Options:
    """The options that all answers share."""

    def __init__(self, by: str | None, digest: str | None, json: bool, config: Path | None, db: Path | None) -> None:
        self.by, self.digest, self.json, self.config, self.db = by, digest, json, config, db


def _answer(
    request: str, decision: Decision, reason: str, options: _Options, changes: dict[str, Any] | None = None
) -> None:
    from agent.answering import Answering, Said
    from agent.ports import AnswerRefused

    claims = claims_here(options.by)
    with opened(options.config, options.db) as house:
        found = _found(house, request, approved_too=decision in ("withdraw", "reject"))
        digest = options.digest or found.digest
        if found.digest.startswith(digest):
            digest = found.digest
        answering = Answering(house.store.desk, settings(options.config).directory, WallClock())
        try:
            standing = answering.answer(Said(found.id, digest, decision, reason, changes), claims)
        except AnswerRefused as refused:
            fail(f"{refused} [{refused.code}]", status=EXIT_REFUSED)
    if options.json:
        show_json(as_json(standing))
    else:
        from agent.cli.request_page import told

        say(told(standing))


def _changes(given: list[str]) -> dict[str, Any]:
    """NAME=VALUE, where the value is JSON if it can be read as such."""
    read: dict[str, Any] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            fail(f"--set {each!r} names no parameter.", "Write --set NAME=VALUE.", status=EXIT_USAGE)
        try:
            read[name] = loads(value)
        except ValueError:
            read[name] = value
    return read


def as_json(request: ApprovalRequest) -> dict[str, Any]:
    from agent.domain.approval import RequestState, missing

    wanted = list(missing(request)) if request.state is RequestState.PENDING else []
    return request.json_object() | {"digest": request.digest, "still_wanted": wanted}


def show_page(request: ApprovalRequest, config: Path | None) -> None:
    from rich.text import Text

    from agent.cli.request_page import page

    out = console()
    for line in page(request, WallClock().now(), settings(config).directory):
        out.print(Text(clean(line.text), style=line.style))


def _found(house: House, given: str, *, approved_too: bool = False) -> ApprovalRequest:
    """The request of that id, or the only one that waits (or may still be ended or taken back), whose id begins so."""
    found = house.store.desk.get(given)
    if found:
        return found
    newest = house.store.desk.listed(limit=LIMIT_DEFAULT) if approved_too else []
    approved = [request for request in newest if request.state.value == "approved"]
    alike = [request for request in (*house.store.desk.pending(), *approved) if request.id.startswith(given)]
    if len(alike) == 1:
        return alike[0]
    said = f"{len(alike)} requests begin with {given}." if alike else f"There is no request {given}."
    fail(said, "`watchkeeper approvals list --all` shows which there are.")
