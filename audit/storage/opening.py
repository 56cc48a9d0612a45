"""Which store a place names: a path or sqlite:/// is a file, postgresql:// is a database."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from audit.errors import LogUnavailable
from audit.storage.sqlite import Durability, SqliteStore
from audit.storage.store import Store


def open_store(place: str | Path, durability: Durability, lock_timeout_s: float) -> Store:
    """Raises LogUnavailable, also for a place that names neither."""
    url = url_of(place)
    if url is None:
        return SqliteStore(Path(place), durability, lock_timeout_s)
    match url.get_backend_name():
        case "sqlite" if url.database:
            return SqliteStore(Path(url.database), durability, lock_timeout_s)
        case "postgresql":
            from audit.storage.postgresql import PostgresqlStore  # the driver costs 0.1 s that a file need not pay

            return PostgresqlStore(url, lock_timeout_s)
    raise LogUnavailable(url.render_as_string(hide_password=True), "only SQLite files and PostgreSQL are known")


def url_of(place: str | Path) -> URL | None:
    """None for a path."""
    if isinstance(place, Path) or "://" not in place:
        return None
    try:
        return make_url(place)
    except ArgumentError as error:
        raise LogUnavailable(place.partition("://")[0] + "://…", "not a URL of a database") from error
