"""`watchkeeper audit redact` and `retain`: the two ways in which something leaves the log, both recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.house import ConfigOption, DbOption, House, WallClock, actor_here, opened, settings
from agent.cli.output import EXIT_REFUSED, EXIT_USAGE, JsonOption, fail, say, show_json
from agent.cli.reading import logged

if TYPE_CHECKING:
    from audit.log import Log

YesOption = Annotated[bool, typer.Option("--yes", help="Do it; without it, only says what would go.")]


def redact(
    index: Annotated[int | None, typer.Argument(min=0, help="The record's number.")] = None,
    person: Annotated[
        str | None, typer.Option("--person", help="In place of a number: this name, wherever it is sealed.")
    ] = None,
    places: Annotated[
        list[str] | None, typer.Option("--place", help="Only this text, such as /payload/reason; repeatable.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it stays in the log, so name a ticket, not the person.")] = "",
    yes: YesOption = False,
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Erases what is sealed in a record: names, reasons, quoted lines. The record and every proof stay.

    What the agent keeps beside the log is written anew from what is left. Where that is not at hand (the redactor is
    somewhere else than the agent), `audit redact-copies` does it there.
    """
    if (index is None) == (person is None):
        fail("Say which record, or which person by --person.", status=EXIT_USAGE)
    if not reason.strip():
        fail("An erasure needs a reason.", "Give one by --reason; it stays in the log.", status=EXIT_USAGE)
    if person is not None and person in reason:
        fail("The reason names the person, and stays in the log.", "Name a ticket instead.", status=EXIT_USAGE)
    with opened(config, db) as house:
        found = list(_of_person(house.log, person)) if person is not None else [(index or 0, places or None)]
        logged(house, "audit redact", {"index": index, "person": person, "places": places, "yes": yes}, len(found))
        if person is not None and yes:  # this very search is on the record by that name now, which goes with the others
            found = list(_of_person(house.log, person))
        _closed_incidents_only(house, [each for each, _ in found])
        done = [_redacted(house.log, each, where, reason) for each, where in found] if yes else []
        copies = _copies_follow(house, config, [each for each, _ in done]) if yes else ""
        left = [] if yes else [(each, list(where or _at_hand(house.log, each))) for each, where in found]
    if json:
        named = [{"index": each, "places": where} for each, where in left]
        erased = [{"index": each, "places": where} for each, where in done]
        show_json({"erased": erased, "would_erase": named, "copies": copies})
        return
    for each, where in done or left:
        say(f"record {each}: {', '.join(where) or 'nothing that can be erased'}")
    say(f"Erased in {len(done)} records. {copies}" if yes else "Nothing was erased. Add --yes to erase it for ever.")


def redact_copies(json: JsonOption = False, config: ConfigOption = None, db: DbOption = None) -> None:
    """Writes the agent's own copies anew for every incident of which something was erased. Harmless to repeat."""
    with opened(config, db) as house:
        indexes = sorted({record.payload["redacts"] for record in house.log.query(kind="redaction")})
        copies = _copies_follow(house, config, indexes)
    if json:
        show_json({"copies": copies})
    else:
        say(copies)


def _copies_follow(house: House, config: Path | None, indexes: list[int]) -> str:
    """The agent's projections of these records' incidents, and the threads that it has ended; a sentence on how far."""
    from agent.adapters.checkpoints import flush_erased
    from agent.adapters.ledger import REDACTED
    from audit.errors import NoSuchRecord
    from audit.sealing import filled

    if not house.has_store:
        return "The agent's own copies are not here: run `watchkeeper audit redact-copies` where it runs."
    about: set[str] = set()
    for index in indexes:
        try:
            about.add(house.log.get(index).attributes.get("incident", ""))
        except NoSuchRecord:  # dropped since, and the incident with it
            continue
    for incident in sorted(about - {""}):
        records = (filled(record, REDACTED) for record in house.log.query(incident=incident))
        house.store.rewrite_projections(incident, records)
    whole = house.store.flush_erased() & flush_erased(house.path.with_name(house.path.stem + "-threads.db"))
    left = "" if whole else " The agent reads at this moment: run `audit redact-copies` again to empty its journals."
    return f"The agent's copies of {len(about - {''})} incidents say so, too.{left}"


def _redacted(log: Log, index: int, places: list[str] | None, reason: str) -> tuple[int, list[str]]:
    from agent.adapters.ledger.sensitive import sensitive_places
    from audit.errors import NoSuchRecord
    from audit.redaction import NotAllowed, NothingToRedact, redact as erase

    actor = actor_here()
    sealed = sensitive_places("redaction", actor, {}, {})
    try:
        said = erase(log, index, actor=actor, reason=reason, places=places, at=WallClock().now(), sealed=sealed)
    except NoSuchRecord as error:
        fail(f"There is no record {index}: {error}.", "`watchkeeper audit query` shows which there are.")
    except NothingToRedact as error:
        fail(f"Nothing was erased: {error}.", "`watchkeeper audit show` shows the record.")
    except NotAllowed as error:
        fail(f"Nothing was erased: {error}.", "Open the log as the redactor, by WATCHKEEPER_LOG.", status=EXIT_REFUSED)
    return index, said.payload["places"]


def _at_hand(log: Log, index: int) -> list[str]:
    return [part.place for part in log.parts(index)]


def _of_person(log: Log, name: str) -> Iterator[tuple[int, list[str]]]:
    """Where this name is all of a sealed text: a sentence that mentions it is for a person to judge."""
    for record in log.query(words=[name]):
        places = [part.place for part in log.parts(record.index) if part.text in (name, f"cli/{name}")]
        if places:
            yield record.index, places


def _closed_incidents_only(house: House, indexes: list[int]) -> None:
    """An open incident is worked on from what the log says about it."""
    from audit.errors import NoSuchRecord

    for index in indexes:
        try:
            incident = house.log.get(index).attributes.get("incident", "")
        except NoSuchRecord:
            continue
        if incident and _is_open(house, incident):
            fail(f"Record {index} is about {incident}, which is open.", "Wait until it is closed.", status=EXIT_REFUSED)


def _is_open(house: House, incident: str) -> bool:
    """As the agent has it; where that is not at hand, as the log has it."""
    if not house.has_store:
        return next(house.log.query(kind="incident_closed", incident=incident, limit=1), None) is None
    row = house.store.incidents.row(incident)
    return row is not None and row.closed_at is None


def retain(
    days: Annotated[
        int | None, typer.Option("--days", help="Drop what is older; without it, what the settings say.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it stays in the log.")] = "retention by the settings",
    yes: YesOption = False,
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Drops records older than the retention, at least six months. Their hashes stay, and prove all that is left."""
    from datetime import timedelta

    from agent.adapters.ledger.sensitive import sensitive_places
    from audit.record import timestamp
    from audit.retention import MINIMUM_DAYS, RetentionRefused, retain as drop

    wanted = settings(config).retention_days if days is None else days
    if wanted < MINIMUM_DAYS:
        fail(f"{wanted} days is less than the {MINIMUM_DAYS} that a log is kept for.", status=EXIT_REFUSED)
    now, actor = WallClock().now(), actor_here()
    with opened(config, db) as house:
        with house.log.store.reading() as transaction:
            first = transaction.first_kept()
            until = transaction.first_since(timestamp(now - timedelta(days=wanted)))
        try:
            sealed = sensitive_places("retention", actor, {}, {})
            dropped = drop(house.log, wanted, actor=actor, now=now, reason=reason, sealed=sealed) if yes else None
            if dropped and house.has_store:
                house.store.drop_closed(now - timedelta(days=wanted))
                house.store.flush_erased()
        except RetentionRefused as error:
            fail(
                f"Nothing was dropped: {error}.", "Open the log as its owner, by WATCHKEEPER_LOG.", status=EXIT_REFUSED
            )
    count = until - first
    if json:
        show_json({"days": wanted, "would_drop": 0 if yes else count, "dropped": count if dropped else 0})
    elif dropped:
        say(f"Dropped {count} records, {first} to {until - 1}; record {dropped.record} says so.")
    else:
        say(
            f"{count} records are older than {wanted} days." + (" Add --yes to drop them." if count and not yes else "")
        )
