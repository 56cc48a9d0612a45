"""Opens what a command needs (the log, the store, who the people are) and says in one sentence why it cannot."""

from __future__ import annotations

import os
import pwd
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.output import EXIT_REFUSED, fail

if TYPE_CHECKING:
    from agent.adapters.ledger import AuditLedger
    from agent.adapters.store import Store
    from agent.config import Settings
    from agent.domain.approval import Person
    from agent.domain.identity import Claims
    from audit.log import Log

ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings; without it ./watchkeeper.yaml, if there.")
]
DbOption = Annotated[
    Path | None, typer.Option("--db", metavar="PATH", help="The database, instead of the one that the settings name.")
]


class WallClock:
    """The time it is. Commands answer people, who live in no simulation."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class House:
    """What stands behind a command: the log, and the store that the agent works from.

    The store is opened when it is first asked for: an auditor, whose log lies in a database of its own, has none.
    """

    def __init__(self, path: Path, log: Log, ledger: AuditLedger) -> None:
        self.path = path
        self.log = log
        self.ledger = ledger
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        from agent.adapters.store import Store

        if self._store is None:
            self._store = Store.open(_existing(self.path), clock=WallClock(), ledger=self.ledger)
        return self._store

    @property
    def has_store(self) -> bool:
        return self._store is not None or self.path.is_file()

    def close(self) -> None:
        if self._store is not None:
            self._store.close()


@contextmanager
def opened(config: Path | None, db: Path | None) -> Iterator[House]:
    """The log and the store. Faults end the command with a sentence."""
    from agent.adapters.ledger import AuditLedger
    from agent.ports import Fault

    path = db or settings(config).database
    with log_opened(config, db) as log:
        house = House(path, log, AuditLedger(log, WallClock(), actor_here(), seal=True))
        try:
            yield house
        except Fault as fault:
            fail(
                f"No answer from {fault.place}: {fault}.",
                "Try again; `watchkeeper audit fsck` looks at the file.",
            )
        finally:
            house.close()


@contextmanager
def log_opened(config: Path | None, db: Path | None) -> Iterator[Log]:
    """The log alone."""
    from audit.log import LogError

    place = log_place(config, db)
    if isinstance(place, Path):
        _is_ours(_existing(place))
    try:
        with _opened(place) as log:
            yield log
    except LogError as error:
        fail(f"The log cannot be used: {error}.", "`watchkeeper audit fsck` says whether it is intact.")


def _opened(place: str | Path) -> Log:
    """A file that cannot be written can still be read; what was read is then on no record, and that is said."""
    from audit.log import Log, LogUnavailable
    from audit.storage.read_only import is_read_only

    if isinstance(place, Path) and is_read_only(place):
        return Log.open_to_read(place)
    try:
        return Log.open(place)
    except LogUnavailable:
        if not isinstance(place, Path):
            raise
        try:
            return Log.open_to_read(place)
        except LogUnavailable:
            pass
        raise


def _existing(path: Path) -> Path:
    """A command that only looks must not leave an empty log behind."""
    if not path.is_file():
        fail(f"There is no database {path}.", "Start the agent first (`watchkeeper run`), or name the file by --db.")
    return path


def log_place(config: Path | None, db: Path | None) -> str | Path:
    """Where the log lies: with the agent's other state, unless the settings name a database of its own."""
    return db or settings(config).log_place


def _is_ours(path: Path) -> None:
    """A command that looks makes no log in somebody else's database; what SQLite cannot read is said by the log."""
    from audit.storage.read_only import uri_of

    try:
        with closing(sqlite3.connect(uri_of(path), uri=True)) as database:
            ours = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'log_records'").fetchone()
    except sqlite3.Error:
        return
    if ours is None:
        fail(f"{path} holds no log of the agent.", "Name the file that the agent writes by --db.")


def claims_here(name: str | None) -> Claims:
    """Whoever is at this terminal, and as whom they want to answer."""
    from agent.domain.identity import TERMINAL, Claims

    return Claims(door=TERMINAL, account=login_name(), named=name or "")


def person(name: str | None, config: Path | None) -> Person:
    """The linked person who answers: `name`, or whoever is logged in. A name that nobody has linked does not count."""
    from agent.domain.proposal import Refusal

    found = settings(config).directory.person_of(claims_here(name))
    if isinstance(found, Refusal):
        fail(found.message, found.remedy, status=EXIT_REFUSED)
    return found


def settings(config: Path | None) -> Settings:
    from agent.config import SettingsInvalid, load_settings

    try:
        return load_settings(config)
    except SettingsInvalid as error:
        fail(f"The settings cannot be used: {error}.", "`watchkeeper config schema` says what is expected.")


def actor_here() -> str:
    """Whoever is at this door, as the log names them."""
    return f"cli/{login_name()}"


def login_name() -> str:
    """By the operating system's word alone: whoever is at a terminal sets $USER and $LOGNAME as they like."""
    return login_of(os.getuid())


def login_of(uid: int) -> str:
    """A container may run as a user that has no name there."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"
