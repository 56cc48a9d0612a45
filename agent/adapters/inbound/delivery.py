"""What one delivery gave: signals, and what of it had to be refused. One bad item never costs the others."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from agent.domain.base import digest_of
from agent.domain.signal import Body, Signal

Item = TypeVar("Item")
_MAX_NAME_CHARS = 256  # Signal's limit on id and source
_MAX_REASON_CHARS = 300


class Malformed(ValueError):
    """One thing that cannot be read: `place` is a path into what was sent, such as alerts[2].labels.alertname."""

    def __init__(self, place: str, reason: str) -> None:
        self.place = place
        self.reason = reason if len(reason) <= _MAX_REASON_CHARS else reason[: _MAX_REASON_CHARS - 1] + "…"
        super().__init__(f"{place or 'body'}: {self.reason}")

    def inside(self, place: str) -> "Malformed":
        """The same fault, seen from further out."""
        joined = f"{place}.{self.place}" if self.place and not self.place.startswith("[") else place + self.place
        return Malformed(joined, self.reason)


@dataclass(frozen=True, slots=True)
class Delivery:
    signals: tuple[Signal, ...] = ()
    refused: tuple[Malformed, ...] = ()

    @staticmethod
    def of_each(items: Iterable[tuple[str, Item]], read: Callable[[Item], Sequence[Signal]]) -> "Delivery":
        """Reads each (place, item) by itself."""
        signals: list[Signal] = []
        refused: list[Malformed] = []
        for place, item in items:
            try:
                signals += read(item)
            except Malformed as error:
                refused.append(error.inside(place))
        return Delivery(tuple(signals), tuple(refused))


def signal(source: str, identity: str, subject: str, time: datetime, body: Body) -> Signal:
    """The envelope around `body`. A name that is too long is replaced by its digest, so it stays unique."""
    return Signal(
        id=_fitting(identity), source=_fitting(source), type=f"dev.watchkeeper.{body.type}", subject=subject,
        time=time, body=body,
    )  # fmt: skip


def _fitting(name: str) -> str:
    return name if len(name) <= _MAX_NAME_CHARS else digest_of(name)
