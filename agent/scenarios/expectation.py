"""What must be true at the end: the `expect` part of a scenario file, as data."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from agent.domain.base import Noun
from agent.domain.cluster import ObjectRef
from agent.scenarios.matchers import Item, Matcher, Times


class FinalExpectation(Noun):
    """A value on the simulated API server at the end, by JSON pointer (RFC 6901), or that there is none."""

    object: ObjectRef
    pointer: str | None = Field(default=None, pattern=r"^(/([^~/]|~[01])*)*$")
    equals: Any = None
    absent: bool | None = None

    @property
    def compares(self) -> bool:
        """`equals: null` is an expectation, a missing `equals` is none."""
        return "equals" in self.model_fields_set

    @model_validator(mode="after")
    def _one_expectation(self) -> Self:
        if self.compares == (self.absent is not None):
            raise ValueError("exactly one of equals and absent is needed")
        if self.compares and self.pointer is None:
            raise ValueError("equals needs a pointer")
        return self


class LogExpectation(Noun):
    intact: bool | None = None
    every_action_has_intent: bool | None = Field(default=None, alias="everyActionHasIntent")


class Expectation(Noun):
    incidents: Times = Times()
    actions: tuple[Item, ...] = ()
    proposed: tuple[Item, ...] = ()
    allowed: tuple[Item, ...] = ()
    forbidden: tuple[Item, ...] = ()
    verdicts: tuple[Matcher, ...] = ()
    escalations: Times = Times()
    final: tuple[FinalExpectation, ...] = ()
    gangs: Literal["whole"] | None = None
    log: LogExpectation = LogExpectation()
