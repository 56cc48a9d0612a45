"""`watchkeeper audit migrate`: makes the log's tables in PostgreSQL, as their owner, and says who may do what."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.cli.output import EXIT_USAGE, fail, say


def migrate(
    url: Annotated[str, typer.Argument(metavar="URL", help="postgresql://OWNER@HOST/DB; password by PGPASSFILE.")],
    writers: Annotated[
        list[str] | None, typer.Option("--writer", metavar="ROLE", help="May append and read: an agent. Repeatable.")
    ] = None,
    readers: Annotated[
        list[str] | None, typer.Option("--reader", metavar="ROLE", help="May read: an auditor. Repeatable.")
    ] = None,
    redactors: Annotated[
        list[str] | None,
        typer.Option("--redactor", metavar="ROLE", help="May erase what is sealed, on the record. Repeatable."),
    ] = None,
) -> None:
    """Makes or updates the log in a PostgreSQL database. Run it as the owner, who is not the agent.

    After an update run it again and name all roles again: each is granted what is new.
    """
    from audit.errors import LogUnavailable
    from audit.storage.migrate import migrate as bring_up_to_date
    from audit.storage.opening import url_of

    try:
        place = url_of(url)
        if place is None or place.get_backend_name() != "postgresql":
            fail("That is no URL of a PostgreSQL database.", "A file needs no migration.", status=EXIT_USAGE)
        roles = {"writers": tuple(writers or ()), "readers": tuple(readers or ()), "redactors": tuple(redactors or ())}
        bring_up_to_date(place, **roles)
    except LogUnavailable as error:
        fail(f"The log cannot be made: {error}.", "Run this as the database's owner, with roles that exist.")
    except ValueError as error:
        fail(f"{error}.", status=EXIT_USAGE)
    say("The log is there. Start the agent as a writer, with `log:` in its settings.")
