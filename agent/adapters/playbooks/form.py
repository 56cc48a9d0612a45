"""What a playbook file looks like. Unknown keys are refused, so that a typing error is seen at load.

`when` and `forEach` are CEL. Every other string may hold `${ CEL }`: alone it gives the value itself, inside a text it
is written into it.
"""

from typing import Any, Literal

from pydantic import Field

from agent.domain.base import Noun
from agent.domain.incident import Symptom

REMEDIES_MAX = 16


class RemedyForm(Noun):
    action: str
    when: str
    for_each: str | None = Field(default=None, alias="forEach")
    target: str | dict[str, str]
    parameters: dict[str, Any] = {}
    statement: str = Field(min_length=1)
    undoes: str | None = None
    on_refusal: Literal["stop", "continue"] = Field(default="stop", alias="onRefusal")


class SpecForm(Noun):
    symptoms: tuple[Symptom, ...] = Field(min_length=1)
    description: str = Field(min_length=1)
    when: str
    cause: str = Field(min_length=1)
    statement: str = Field(min_length=1)
    confidence: float = Field(gt=0.0, le=1.0)
    remedies: tuple[RemedyForm, ...] = Field(max_length=REMEDIES_MAX)


class MetadataForm(Noun):
    name: str = Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)
    labels: dict[str, str] = {}


class PlaybookForm(Noun):
    api_version: Literal["watchkeeper.dev/v1alpha1"] = Field(alias="apiVersion")
    kind: Literal["Playbook"]
    metadata: MetadataForm
    spec: SpecForm


class CaseRemedy(Noun):
    """Each key that is given must be equal; parameters and target: those keys that are given."""

    action: str
    target: dict[str, str] = {}
    parameters: dict[str, Any] = {}
    undoes: str | None = None


class CaseExpect(Noun):
    match: bool
    cause: str | None = None
    remedies: tuple[CaseRemedy, ...] = ()


class CaseForm(Noun):
    name: str
    facts: dict[str, Any] = {}  # merged (RFC 7386) over the table's base
    expect: CaseExpect


class LaterForm(Noun):
    """Remedies on a later look: the diagnosis stands, whatever its own condition says by then."""

    name: str
    facts: dict[str, Any] = {}
    remedies: tuple[CaseRemedy, ...]


class CasesForm(Noun):
    base: dict[str, Any] = {}
    cases: tuple[CaseForm, ...] = Field(min_length=1)
    later: tuple[LaterForm, ...] = ()
