"""Whether what readers left word of becomes records: asked beside the check of the log, of which notes are no part.

Whether their guards stand is for `audit.storage.standing_guards`, with all the others.
"""

from __future__ import annotations

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from audit.errors import LogUnavailable
from audit.storage.postgresql import CONNECT_TIMEOUT_S, DRIVER
from audit.storage.read_notes import counted, is_there
from audit.verdict import Verdict

MAX_WAIT_S = 3600
"""An agent takes notes over at every look; one that waits as long as an agent may keep silent is a finding."""

_WAITED_S = text("SELECT extract(epoch FROM clock_timestamp() - CAST(:since AS timestamptz))")


def tell_of_reads(url: URL, verdict: Verdict) -> None:
    """Raises LogUnavailable if the database cannot be read."""
    engine = create_engine(url.set(drivername=DRIVER), connect_args={"connect_timeout": CONNECT_TIMEOUT_S})
    try:
        with engine.connect() as connection:
            if is_there(connection):
                _tell(connection, verdict)
            else:
                missing = "there is no table log_read_notes: readers can leave no word of what they read"
                verdict.warnings.add("notes_missing", None, missing)
    except SQLAlchemyError as error:
        name = url.render_as_string(hide_password=True)
        raise LogUnavailable(name, str(getattr(error, "orig", None) or error).strip()) from error
    finally:
        engine.dispose()


def _tell(connection: Connection, verdict: Verdict) -> None:
    verdict.reads_waiting, verdict.reads_since = counted(connection) or (0, None)
    if verdict.reads_since is None:
        return
    if float(connection.scalar(_WAITED_S, {"since": verdict.reads_since}) or 0) > MAX_WAIT_S:
        late = f"{verdict.reads_waiting} reads are noted and no agent has recorded them, since {verdict.reads_since}"
        verdict.warnings.add("reads_not_recorded", None, late)
