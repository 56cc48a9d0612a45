"""What every anchor can do, and what it raises. Each knows one kind of place and nothing of logs, keys or trees."""

from __future__ import annotations

from typing import Protocol

from audit.errors import LogError

DIGITS = 19
"""Of the largest size: names sort as sizes do."""


class AnchorUnavailable(LogError):
    """The place could not be read or written. Nothing was kept."""


class AnchorDiffers(AnchorUnavailable):
    """The place keeps something else for this size already. What is kept is never written over."""


class Anchor(Protocol):
    """Keeps signed checkpoints. All of it raises AnchorUnavailable, whose text holds no credentials."""

    @property
    def name(self) -> str:
        """The place as a person calls it."""
        ...

    def newest(self) -> bytes | None:
        """The note of the largest size, or None where nothing was kept yet."""
        ...

    def since(self, size: int) -> list[bytes]:
        """Every note of that size or more that is still there, and whatever stands where one should."""
        ...

    def gone(self) -> list[str]:
        """What the place itself says that somebody has taken away there."""
        ...

    def keep(self, size: int, note: bytes) -> None:
        """Durable on return. Keeping the same twice is harmless; another checkpoint of that size is AnchorDiffers."""
        ...


def file_name(size: int) -> str:
    return f"{size:0{DIGITS}d}.checkpoint"


def same(one: bytes, other: bytes) -> bool:
    """Whether two notes say the same, whoever has signed under it."""
    text = one.rpartition(b"\n\n")[0]
    return one == other or (bool(text) and text == other.rpartition(b"\n\n")[0])
