"""What was done, as far back as was asked, and by how much of the log: so that it can be told again later."""

from collections.abc import Iterable
from datetime import datetime

from agent.domain.outcome import PastAction


class History(list[PastAction]):
    """Newest last."""

    def __init__(self, actions: Iterable[PastAction], since: datetime, records: int) -> None:
        super().__init__(actions)
        self.since = since
        self.records = records
        """The first so many records of the log say it."""
