"""What every action shares: the protocol, and the pure function that makes a Proposal of it.

An action knows how to change one thing in the cluster, how to take that back, what it touches at most and how to see
that it helped. Whether it is a good idea is for the playbooks; whether it is allowed, for the policies.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, Protocol, TypeVar

from pydantic import ValidationError

from agent.actions.rights import Right, undeclared
from agent.domain.base import Noun
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.diagnosis import Diagnosis
from agent.domain.incident import Incident
from agent.domain.proposal import BlastRadius, Proposal, Refusal, Step

RepairState = Literal["unknown", "pending", "succeeded", "failed"]
Repairs = Callable[[str], RepairState]
P = TypeVar("P", bound=Noun)

ANNOTATION = "watchkeeper.dev/"  # every mark that the agent leaves on an object begins so
ACTOR = "watchkeeper"


class NoParameters(Noun):
    """For actions that need none."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why an action is taken: what it writes on the objects it marks."""

    proposal: str
    incident: str
    cause: str


@dataclass(frozen=True, slots=True)
class Success:
    """Did it help? None: too early to say."""

    done: bool | None
    statement: str


@dataclass(frozen=True, slots=True)
class Wish:
    """One action as a playbook, a model or a person asks for it. `undoes` is the proposal that it takes back."""

    target: ObjectRef
    parameters: Mapping[str, Any]
    statement: str
    tenant: str = ""
    undoes: str | None = None


class Action(Protocol[P]):
    """One remediation: parameters, preconditions, steps, inverse, blast radius and success test in one file."""

    name: str
    parameters: type[P]
    verify_within_s: int
    rights: tuple[Right, ...]
    """All that its steps, there and back, may do to objects."""

    for_others: bool
    """Its sense is that others start: where they were predicted to and none does, it did not help."""

    def refuse(self, target: ObjectRef, params: P, view: ClusterView) -> Refusal | None:
        """Why it cannot be done at all here, or None. Asked again on the fresh view before execution."""
        ...

    def steps(self, target: ObjectRef, params: P, view: ClusterView, occasion: Occasion) -> tuple[Step, ...]: ...

    def blast_radius(self, target: ObjectRef, params: P, view: ClusterView) -> BlastRadius: ...

    def rests_on(self, target: ObjectRef, params: P, view: ClusterView) -> dict[str, object]:
        """Spec-like fields that the decision rests on. Never status or telemetry: those are judged again instead."""
        ...

    def destructive(self, target: ObjectRef, params: P, view: ClusterView) -> bool: ...

    def protective(self, params: P) -> bool: ...

    def notice_s(self, params: P) -> int: ...

    def succeeded(self, proposal: Proposal, view: ClusterView, now: datetime, repairs: Repairs) -> Success: ...

    def inverse(
        self, target: ObjectRef, params: P, view: ClusterView, undoes: str
    ) -> tuple[Step, ...] | Refusal | None:
        """Steps that restore what was before `undoes` (a proposal), from the marks on the object. None: no way back."""
        ...


class Plain(Generic[P]):
    """The answers that most actions give: no notice, not protective, not destructive, no way back, for its own sake."""

    for_others = False
    rights: tuple[Right, ...] = ()

    def destructive(self, target: ObjectRef, params: P, view: ClusterView) -> bool:
        return False

    def protective(self, params: P) -> bool:
        return False

    def notice_s(self, params: P) -> int:
        return 0

    def inverse(
        self, target: ObjectRef, params: P, view: ClusterView, undoes: str
    ) -> tuple[Step, ...] | Refusal | None:
        return None


def step_key(proposal: Proposal, index: int) -> str:
    """Names one step's effect wherever it leaves a trace: annotation, repair request, notification."""
    return f"{proposal.id}/{index}"


def proposal_id(incident: Incident, round_number: int) -> str:
    return f"{incident.id}/{round_number}"


def read_parameters(action: Action[P], parameters: Mapping[str, Any]) -> P | Refusal:
    """The parameters as the action's own type, or the refusal that names the wrong field."""
    try:
        return action.parameters.model_validate(dict(parameters))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "parameters"
        return Refusal(
            code="parameters.invalid",
            message=f"{action.name}: {field}: {first['msg']}",
            remedy="correct the playbook (or the model's answer) that asked for it",
        )


def build_proposal(
    action: Action[Any], incident: Incident, round_number: int, wish: Wish, view: ClusterView, diagnosis: Diagnosis
) -> Proposal | Refusal:
    """Everything that policy, person and executor need, or why it cannot be proposed."""
    params = read_parameters(action, wish.parameters)
    if isinstance(params, Refusal):
        return params
    target, occasion = wish.target, Occasion(proposal_id(incident, round_number), incident.id, diagnosis.cause)
    steps = _steps(action, params, wish, view, occasion)
    if isinstance(steps, Refusal):
        return steps
    undoing = wish.undoes is not None
    return Proposal(
        id=occasion.proposal,
        incident=incident.id,
        action=action.name,
        target=target,
        parameters=params.model_dump(mode="json", exclude_none=True),
        steps=steps,
        rests_on=action.rests_on(target, params, view),
        blast_radius=action.blast_radius(target, params, view),
        destructive=not undoing and action.destructive(target, params, view),
        protective=action.protective(params),
        undoes=wish.undoes,
        tenant=wish.tenant,
        source=diagnosis.source,
        confidence=diagnosis.confidence,
        statement=wish.statement,
        evidence=diagnosis.evidence,
        notice_s=0 if undoing else action.notice_s(params),
    )


def _steps(
    action: Action[P], params: P, wish: Wish, view: ClusterView, occasion: Occasion
) -> tuple[Step, ...] | Refusal:
    """There, or back again; never what the action does not declare."""
    if wish.undoes is not None:
        back = action.inverse(wish.target, params, view, wish.undoes)
        nothing = f"{action.name} on {wish.target} left nothing to take back"
        steps = back or refused("precondition.nothing_to_undo", nothing, "look at the object")
    else:
        steps = action.refuse(wish.target, params, view) or action.steps(wish.target, params, view, occasion)
    beyond = None if isinstance(steps, Refusal) else undeclared(action.rights, steps)
    if beyond is None:
        return steps
    wants = f"{' and '.join(beyond.verbs)} {beyond.resource} of the group {beyond.group or 'core'}"
    return refused("precondition.no_right", f"{action.name} may not {wants}", "another action, or a person's own hands")


def refused(code: str, message: str, remedy: str) -> Refusal:
    return Refusal(code=code, message=message, remedy=remedy)


def unknown_target(target: ObjectRef) -> Refusal:
    return refused("precondition.target_unknown", f"{target} is not in the cluster", "look whether it was removed")


def wrong_kind(action: str, target: ObjectRef, kinds: str) -> Refusal:
    return refused("precondition.kind", f"{action} works on {kinds}, not on {target.kind}", "choose another action")
