"""A scenario file, as data: one whole incident in the field's own formats, and what must happen.

Strict: an unknown key, action or value is an error that names the file and the field. The format is public
(docs/scenarios.md, JSON Schema by `scenario_schema`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema, field_validator
from pydantic_core import ErrorDetails

from agent.domain.approval import Person
from agent.domain.base import Noun, parse_rfc3339
from agent.domain.duration import Offset, Positive, Span
from agent.scenarios import source
from agent.scenarios.expectation import Expectation
from agent.scenarios.generate.request import Generate
from agent.scenarios.manifest import ClusterItem
from agent.scenarios.matchers import ActionName, TargetPattern
from agent.scenarios.timeline import TimelineEntry

PROBLEMS_SHOWN = 5  # of one file; the first is nearly always the cause of the rest

Operation = Literal["diagnose", "reset_gpu", "reboot", "replace", "support"]


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError(f'{value!r} is no time; write for example "2026-11-02T09:00:00Z"')
    return parse_rfc3339(value)


Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]


class Metadata(Noun):
    name: str = Field(min_length=1, max_length=253)
    labels: dict[str, str] = {}


class RepairBehaviour(Noun):
    """How the site's repair system does with one operation."""

    takes: Span = timedelta(minutes=5)
    outcome: Literal["succeeded", "failed", "stuck"] = "succeeded"
    heals: bool = True


class HistoryEntry(Noun):
    """An action that the log already holds when the scenario begins."""

    at: Offset
    action: ActionName
    target: TargetPattern
    parameters: dict[str, Any] = {}
    outcome: str = "succeeded"
    incident: str = ""

    @field_validator("at")
    @classmethod
    def _in_the_past(cls, value: timedelta) -> timedelta:
        if value > timedelta(0):
            raise ValueError("history lies before the start: a negative duration is needed")
        return value

    @field_validator("target")
    @classmethod
    def _named(cls, value: TargetPattern) -> TargetPattern:
        if not value.kind or not value.name:
            raise ValueError("kind and name are needed")
        return value


class Spec(Noun):
    description: str = ""
    seed: int = 0
    start: Moment = datetime(2026, 1, 1, tzinfo=UTC)
    duration: Positive = timedelta(hours=1)
    scrape_interval: Positive = Field(default=timedelta(seconds=15), alias="scrapeInterval")
    autonomy: Literal["observe", "suggest", "act_with_approval", "act"] = "act"
    settings: dict[str, Any] = {}
    policy_data: dict[str, Any] = Field(default={}, alias="policyData")
    repair: dict[Operation, RepairBehaviour] = {}
    identities: tuple[Person, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    generate: Generate | None = None
    world_metrics: bool = Field(default=False, alias="worldMetrics")
    cluster: tuple[ClusterItem, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    expect: Expectation = Expectation()


class Scenario(Noun):
    api_version: Literal["watchkeeper.dev/v1alpha1"] = Field(alias="apiVersion")
    kind: Literal["Scenario"]
    metadata: Metadata
    spec: Spec

    def with_settings(self, settings: Mapping[str, Any]) -> "Scenario":
        """The same with these settings over its own."""
        spec = self.spec.model_copy(update={"settings": {**self.spec.settings, **settings}})
        return self.model_copy(update={"spec": spec})


class ScenarioInvalid(ValueError):
    """A file that is no scenario; each problem names the field and the line."""

    def __init__(self, file: str, problems: tuple[str, ...]) -> None:
        super().__init__(f"{file}: {'; '.join(problems)}")
        self.file = file
        self.problems = problems


def load_scenario(path: Path) -> Scenario:
    """Raises ScenarioInvalid."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScenarioInvalid(str(path), (f"cannot be read: {error.strerror}",)) from error
    except UnicodeDecodeError as error:
        raise ScenarioInvalid(str(path), (f"cannot be read: {error}",)) from error
    return parse_scenario(text, str(path))


def parse_scenario(text: str, file: str) -> Scenario:
    """Raises ScenarioInvalid."""
    try:
        document = source.load(text)
    except source.Unreadable as error:
        where = f"line {error.line}: " if error.line else ""
        raise ScenarioInvalid(file, (f"{where}{error}",)) from error
    if not isinstance(document, dict):
        raise ScenarioInvalid(file, ("the document is no map with apiVersion, kind, metadata and spec",))
    try:
        return Scenario.model_validate(document)
    except ValidationError as error:
        raise ScenarioInvalid(file, _problems(error, document, text)) from error


def scenario_schema() -> dict[str, Any]:
    """The JSON Schema of the format (structure and types; names of actions and parameters are checked beyond it)."""
    return Scenario.model_json_schema(by_alias=True)


def _problems(error: ValidationError, document: Any, text: str) -> tuple[str, ...]:
    """The first problems in the order of the file."""
    outline = source.outline(text)
    found = []
    for detail in error.errors(include_url=False, include_input=False):
        path = _path_in(document, detail["loc"])
        found.append((source.line_of(outline, path) or 0, source.dotted(path), _message(detail, path)))
    found.sort(key=lambda problem: problem[0])
    shown = tuple(f"{place}: {message} (line {line})" for line, place, message in found[:PROBLEMS_SHOWN])
    rest = len(found) - len(shown)
    return (*shown, f"and {rest} more") if rest else shown


def _message(detail: ErrorDetails, path: source.Path) -> str:
    if detail["type"] == "extra_forbidden":
        return f"unknown key {path[-1]!r}"
    return detail["msg"].removeprefix("Value error, ")


def _path_in(document: Any, loc: tuple[int | str, ...]) -> list[str | int]:
    """The validator's path without its tags for unions and keys, as the author wrote it."""
    path: list[str | int] = []
    node = document
    for i, segment in enumerate(loc):
        if (isinstance(node, dict) and segment in node) or (isinstance(node, list) and isinstance(segment, int)):
            node = node[segment]  # type: ignore[index]
            path.append(segment)
        elif i == len(loc) - 1 and not str(segment).startswith(("<", "[")):
            path.append(segment)
    return path
