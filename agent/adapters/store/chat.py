"""What was told in a chat: the message that each incident and request has there, and how far in the log that goes."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from agent.adapters.store.database import Database
from agent.adapters.store.schema import chat_cursor, chat_threads


class SqlChat:
    def __init__(self, database: Database) -> None:
        self._database = database

    def message(self, about: str) -> str | None:
        with self._database.reading() as connection:
            return connection.scalar(select(chat_threads.c.message).where(chat_threads.c.about == about))

    def remember(self, about: str, message: str) -> None:
        """The first message stands: what follows goes below it."""
        statement = insert(chat_threads).values(about=about, message=message).on_conflict_do_nothing()
        with self._database.writing() as connection:
            connection.execute(statement)

    def cursor(self, channel: str) -> int | None:
        with self._database.reading() as connection:
            return connection.scalar(select(chat_cursor.c.next_index).where(chat_cursor.c.channel == channel))

    def told_up_to(self, channel: str, next_index: int) -> None:
        statement = insert(chat_cursor).values(channel=channel, next_index=next_index)
        with self._database.writing() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=["channel"], set_={"next_index": next_index})
            )
