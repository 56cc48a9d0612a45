"""What a model said, made into domain types or refused. Pure: the answer and the view come in, nothing else counts.

A grammar at the server keeps neither numbers nor lengths in bounds, and the text may be a stranger's: so everything is
checked here as if there had been no schema. What cannot be done is dropped and noted; nothing is repaired by guessing.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ConfigDict, Field, ValidationError

from agent.actions.base import read_parameters
from agent.actions.catalogue import CATALOGUE
from agent.adapters.llm.reach import Reach
from agent.domain.base import Noun
from agent.domain.diagnosis import Diagnosis, SuggestedRemedy
from agent.domain.proposal import Refusal

MAX_ANSWER_BYTES: Final = 16_384  # a diagnosis and three remedies are a tenth of this
MAX_REMEDIES: Final = 3  # a model that wants more is guessing
MAX_CONFIDENCE: Final = 0.8  # nobody has tried its word before; a playbook has its cases
MAX_STATEMENT_CHARS: Final = 500  # what a person reads on a page without folding
MAX_CAUSE_CHARS: Final = 48
NOT_FOR_MODELS: Final = frozenset({"notify", "uncordon_node"})
"""Calling a person is the agent's own, in its own words; and what passes a kill switch is no model's to ask for."""
SUGGESTIBLE: Final = tuple(name for name in sorted(CATALOGUE) if name not in NOT_FOR_MODELS)
_FENCE: Final = re.compile(r"\A\s*```(?:json)?\s*\n(.*)\n\s*```\s*\Z", re.DOTALL)


class AnswerInvalid(ValueError):
    """No answer that counts; the sentence goes back to the model and into the record."""


class _Said(Noun):
    """Strict: a number in quotes is no number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ToolCall(_Said):
    tool: str = Field(max_length=64)
    arguments: dict[str, Any] = {}


class _SaidDiagnosis(_Said):
    cause: str
    statement: str
    confidence: float


class _SaidTarget(_Said):
    api_version: str | None = Field(default=None, alias="apiVersion")
    kind: str
    namespace: str | None = None
    name: str


class _SaidRemedy(_Said):
    action: str
    target: _SaidTarget
    parameters: dict[str, Any] = {}
    statement: str = ""


class _SaidAnswer(_Said):
    diagnosis: _SaidDiagnosis
    remedies: list[dict[str, Any]] = []


@dataclass(frozen=True, slots=True)
class Concluded:
    diagnosis: Diagnosis
    notes: tuple[str, ...]  # what was dropped, and why


def read_answer(text: str, incident: str, source: str, reach: Reach) -> ToolCall | Concluded:
    """Raises AnswerInvalid."""
    value = _json(text)
    try:
        if "tool" in value:
            return ToolCall.model_validate(value)
        return _concluded(_SaidAnswer.model_validate(value), incident, source, reach)
    except ValidationError as error:
        raise AnswerInvalid(_sentence(error)) from error


def _json(text: str) -> dict[str, Any]:
    """One JSON object and nothing beside it, but for a Markdown fence. Not a number of JSON: NaN, a key said twice."""
    if len(text.encode("utf-8", "replace")) > MAX_ANSWER_BYTES:
        raise AnswerInvalid(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
    fenced = _FENCE.match(text)
    try:
        value = json.loads(fenced[1] if fenced else text, parse_constant=_no_number, object_pairs_hook=_each_once)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise AnswerInvalid(f"the answer is not one JSON object: {error}"[:MAX_STATEMENT_CHARS]) from error
    if not isinstance(value, dict):
        raise AnswerInvalid(f"the answer is not one JSON object but a {type(value).__name__}")
    return value


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is said twice")
    return made


def _concluded(said: _SaidAnswer, incident: str, source: str, reach: Reach) -> Concluded:
    remedies: list[SuggestedRemedy] = []
    notes: list[str] = []
    for each in said.remedies:
        checked = _remedy(each, reach)
        if isinstance(checked, str):
            notes.append(f"dropped: {plain(checked, MAX_STATEMENT_CHARS)}")
        elif len(remedies) == MAX_REMEDIES:
            notes.append(f"dropped: more than {MAX_REMEDIES} remedies")
            break
        else:
            remedies.append(checked)
    diagnosis = Diagnosis(
        incident=incident,
        cause=_cause(said.diagnosis.cause),
        statement=plain(said.diagnosis.statement, MAX_STATEMENT_CHARS) or "it gives no reason",
        source=source,
        playbook=None,
        confidence=min(max(said.diagnosis.confidence, 0.0), MAX_CONFIDENCE),
        evidence=(),
        remedies=tuple(remedies),
    )
    return Concluded(diagnosis, tuple(notes[: 2 * MAX_REMEDIES]))


def _remedy(value: Mapping[str, Any], reach: Reach) -> SuggestedRemedy | str:
    """The remedy with its target as the cluster names it and its parameters in the action's type, or why not."""
    try:
        said = _SaidRemedy.model_validate(value)
    except ValidationError as error:
        return f"a remedy: {_sentence(error)}"
    if said.action not in SUGGESTIBLE:
        return f"{said.action!r} is no action that a model may ask for"
    asked = said.target
    target = reach.find(asked.kind, asked.namespace, asked.name, asked.api_version)
    if isinstance(target, str):
        return f"{said.action}: {target}"
    action = CATALOGUE[said.action]
    params = read_parameters(action, said.parameters)
    if isinstance(params, Refusal):
        return params.message
    return SuggestedRemedy(
        action=action.name,
        target=target,
        parameters=params.model_dump(mode="json", exclude_none=True),
        statement=plain(said.statement, MAX_STATEMENT_CHARS) or f"{action.name} on {target}",
    )


def _cause(word: str) -> str:
    """A code under the name of models: a guess never passes for a playbook's cause."""
    code = re.sub(r"[^a-z0-9]+", "_", word.lower()).strip("_")[:MAX_CAUSE_CHARS]
    return f"model.{code or 'unnamed'}"


def plain(text: str, limit: int) -> str:
    """One line without control characters: it is shown in terminals and on pages."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return words if len(words) <= limit else words[: limit - 1] + "…"


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part)[:64] for part in first["loc"]) or "the answer"
    return f"{place}: {first['msg']}"[:MAX_STATEMENT_CHARS]
