"""For whom the agent acts right now: the incident, the action and its step, for whoever speaks to a server meanwhile.

A context variable, since it is of no interest to what is done, only to what is written beside it: the User-Agent that
the API server's audit log keeps, the Event on the object. Nothing may decide by it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deed:
    incident: str
    action: str
    step: str  # the proposal's id and the step's number: the mark that a patch leaves on its object


_now: ContextVar[Deed | None] = ContextVar("deed", default=None)


@contextmanager
def acting(deed: Deed) -> Iterator[None]:
    before = _now.set(deed)
    try:
        yield
    finally:
        _now.reset(before)


def current() -> Deed | None:
    return _now.get()
