"""One playbook, compiled: does it explain these facts, and what does it ask for?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from agent.actions.catalogue import CATALOGUE
from agent.adapters.playbooks.expressions import Expression, Names, PlaybookError, PlaybookFault, compiled
from agent.adapters.playbooks.form import PlaybookForm, RemedyForm
from agent.adapters.playbooks.templates import Render, template
from agent.domain.cluster import ObjectRef
from agent.ports import PlaybookMatch, Remedy

FACT_NAMES = frozenset({"facts", "incident"})
ITEM = "item"  # what forEach binds
ITEMS_MAX = 64  # more things at once than anyone wants remedied by one rule


@dataclass(frozen=True, slots=True)
class CompiledRemedy:
    form: RemedyForm
    place: str
    when: Expression
    for_each: Expression | None
    target: Render
    parameters: Render
    statement: Render
    undoes: Render


@dataclass(frozen=True, slots=True)
class Playbook:
    form: PlaybookForm
    file: str
    when: Expression
    cause: Render
    statement: Render
    remedies: tuple[CompiledRemedy, ...]

    @property
    def name(self) -> str:
        return self.form.metadata.name

    def match(self, names: Names) -> PlaybookMatch | None:
        if not self.when.holds(names):
            return None
        return PlaybookMatch(
            playbook=self.name,
            cause=str(self.cause(names)),
            statement=str(self.statement(names)),
            confidence=self.form.spec.confidence,
        )

    def asks_for(self, names: Names) -> list[Remedy]:
        """The remedies that are called for now, in the playbook's order."""
        return [wanted for remedy in self.remedies for wanted in _wanted(remedy, names)]


def compile_playbook(form: PlaybookForm, file: str) -> Playbook:
    """Raises PlaybookError, naming file and field."""
    spec, place = form.spec, f"{file}: spec"
    return Playbook(
        form=form,
        file=file,
        when=compiled(spec.when, f"{place}.when", FACT_NAMES),
        cause=template(spec.cause, f"{place}.cause", FACT_NAMES),
        statement=template(spec.statement, f"{place}.statement", FACT_NAMES),
        remedies=tuple(_remedy(remedy, f"{place}.remedies[{n}]") for n, remedy in enumerate(spec.remedies)),
    )


def _remedy(form: RemedyForm, place: str) -> CompiledRemedy:
    _known_action(form, place)
    names = FACT_NAMES | {ITEM} if form.for_each else FACT_NAMES
    return CompiledRemedy(
        form=form,
        place=place,
        when=compiled(form.when, f"{place}.when", names),
        for_each=compiled(form.for_each, f"{place}.forEach", FACT_NAMES) if form.for_each else None,
        target=template(form.target, f"{place}.target", names),
        parameters=template(form.parameters, f"{place}.parameters", names),
        statement=template(form.statement, f"{place}.statement", names),
        undoes=template(form.undoes, f"{place}.undoes", names),
    )


def _known_action(form: RemedyForm, place: str) -> None:
    action = CATALOGUE.get(form.action)
    if action is None:
        raise PlaybookError(f"{place}.action: there is no action {form.action!r}; there are {', '.join(CATALOGUE)}")
    fields = action.parameters.model_fields
    for key in form.parameters:
        if key not in fields:
            raise PlaybookError(f"{place}.parameters: {form.action} has no parameter {key!r}")
    for key, field in fields.items():
        if field.is_required() and key not in form.parameters:
            raise PlaybookError(f"{place}.parameters: {form.action} needs {key!r}")


def names_of(facts: Mapping[str, Any]) -> Names:
    """What a playbook reads: one look's facts, for all playbooks that are asked about it."""
    return Names({"facts": facts, "incident": facts.get("incident", {})})


def _wanted(remedy: CompiledRemedy, names: Names) -> Iterator[Remedy]:
    for bound in _bindings(remedy, names):
        if remedy.when.holds(bound):
            undoes = remedy.undoes(bound)
            yield Remedy(
                action=remedy.form.action,
                target=_reference(remedy, bound),
                parameters=remedy.parameters(bound),
                statement=str(remedy.statement(bound)),
                on_refusal=remedy.form.on_refusal,
                undoes=str(undoes) if undoes else None,
            )


def _bindings(remedy: CompiledRemedy, names: Names) -> Sequence[Names]:
    if remedy.for_each is None:
        return [names]
    items = remedy.for_each.value(names)
    if not isinstance(items, list) or len(items) > ITEMS_MAX:
        raise PlaybookFault(f"{remedy.place}.forEach: wanted a list of at most {ITEMS_MAX} items")
    return [names & {ITEM: item} for item in items]


def _reference(remedy: CompiledRemedy, names: Names) -> ObjectRef:
    try:
        return ObjectRef.model_validate(remedy.target(names))
    except ValidationError as error:
        wrong = error.errors()[0]
        raise PlaybookFault(f"{remedy.place}.target is no object reference: {wrong['loc']}: {wrong['msg']}") from error
