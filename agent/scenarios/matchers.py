"""What an author writes to name an action: matchers, items and verdict expectations, as data.

Whether something that happened matches is decided in match.py.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, WithJsonSchema, field_validator, model_validator

from agent.domain.base import Noun
from agent.domain.duration import Offset
from agent.scenarios.vocabulary import ANY, PARAMETERS, check_action, check_parameters


def _action_or_any(name: str) -> str:
    return name if name == ANY else check_action(name)


ActionName = Annotated[
    str, AfterValidator(check_action), WithJsonSchema({"type": "string", "enum": sorted(PARAMETERS)})
]
ActionPattern = Annotated[
    str, AfterValidator(_action_or_any), WithJsonSchema({"type": "string", "enum": [ANY, *sorted(PARAMETERS)]})
]


class TargetPattern(Noun):
    """Any part of an object reference; `"*"` for any value of a part."""

    api_version: str | None = Field(default=None, alias="apiVersion")
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None


def _map_or_any(value: object) -> str:
    return "<any>" if isinstance(value, str) else "<map>"


_Any = Annotated[Literal["*"], Tag("<any>")]
TargetOrAny = Annotated[Annotated[TargetPattern, Tag("<map>")] | _Any, Discriminator(_map_or_any)]
ParametersOrAny = Annotated[Annotated[dict[str, Any], Tag("<map>")] | _Any, Discriminator(_map_or_any)]


class Matcher(Noun):
    """Matches what equals (for maps: contains) each key that it gives. The form for verdicts and approval requests."""

    action: ActionPattern | None = None
    target: TargetOrAny = "*"
    parameters: ParametersOrAny = "*"
    decision: Literal["allow", "escalate", "deny", "*"] = "*"
    reason: str = "*"  # a code or a glob over codes

    @model_validator(mode="after")
    def _known_parameters(self) -> Self:
        if isinstance(self.parameters, dict):
            check_parameters(self.action, self.parameters)
        return self


class ActionMatcher(Matcher):
    """The form for actions, which have an outcome too; None where the file gives none."""

    outcome: Literal["succeeded", "failed", "unknown", "undone", "undo_failed", "*"] | None = None


class Times(Noun):
    min: int | None = Field(default=None, ge=0)
    max: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is more than max {self.max}")
        return self


class AnyOf(Noun):
    """One of several, so many times, not before, not after (both from the start of the scenario)."""

    any_of: tuple[ActionMatcher, ...] = Field(alias="anyOf")
    times: Times = Times()
    not_before: Offset | None = Field(default=None, alias="notBefore")
    not_after: Offset | None = Field(default=None, alias="notAfter")

    @field_validator("any_of")
    @classmethod
    def _some(cls, value: tuple[ActionMatcher, ...]) -> tuple[ActionMatcher, ...]:
        if not value:
            raise ValueError("at least one matcher is needed")
        return value


def _form(value: object) -> str:
    given = value if isinstance(value, dict) else {}
    return (
        "<anyOf>" if isinstance(value, AnyOf) or {"anyOf", "times", "notBefore", "notAfter"} & set(given) else "<one>"
    )


Item = Annotated[Annotated[ActionMatcher, Tag("<one>")] | Annotated[AnyOf, Tag("<anyOf>")], Discriminator(_form)]


def as_any_of(item: ActionMatcher | AnyOf) -> AnyOf:
    """Both forms of an item as one."""
    return item if isinstance(item, AnyOf) else AnyOf(any_of=(item,))
