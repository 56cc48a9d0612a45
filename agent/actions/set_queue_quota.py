"""Changes how much of one resource in one flavor a queue may have, lend or borrow. Nobody who runs is stopped by it.

Never behind the back of GitOps: what another system writes from a repository is changed there.
"""

from datetime import datetime
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from agent.actions.base import Occasion, Plain, Repairs, Success, refused, unknown_target as unknown, wrong_kind
from agent.actions.levers import if_heeded
from agent.actions.queue_switch import is_queue
from agent.actions.quotas import AMOUNTS, cohort, entry, field, list_of, quotas
from agent.actions.rights import QUEUES
from agent.actions.written import (
    Manifest,
    changed_since,
    forget,
    managed_by,
    remember,
    remembered,
    spec_of,
    uid_of,
    version_of,
)
from agent.domain.base import Noun
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.proposal import BlastRadius, Proposal, Refusal, Step, Verb
from agent.evidence.lookup import raw_object

LENT = ("nominal", "lending_limit")  # nobody lends more than is its own
AMOUNT_MAX = 1_000_000  # of GPUs or cores in one queue: more than any site has


class QuotaParameters(Noun):
    """Whole units of the resource; what is not given stays as it is."""

    flavor: str
    resource: str
    nominal: int | None = Field(default=None, ge=0, le=AMOUNT_MAX)
    borrowing_limit: int | None = Field(default=None, ge=0, le=AMOUNT_MAX)
    lending_limit: int | None = Field(default=None, ge=0, le=AMOUNT_MAX)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.given():
            raise ValueError("give nominal, borrowing_limit or lending_limit")
        return self

    @property
    def place(self) -> tuple[str, str]:
        return self.flavor, self.resource

    def given(self) -> dict[str, int]:
        amounts = {name: getattr(self, name) for name in AMOUNTS}
        return {name: amount for name, amount in amounts.items() if amount is not None}


class SetQueueQuota(Plain[QuotaParameters]):
    name = "set_queue_quota"
    parameters = QuotaParameters
    rights = QUEUES
    verify_within_s = 120  # an API server that took the patch shows it at the next look
    for_others = True

    def refuse(self, target: ObjectRef, params: QuotaParameters, view: ClusterView) -> Refusal | None:
        if not is_queue(target) or target.kind == "LocalQueue":
            return wrong_kind(self.name, target, "ClusterQueue and Queue")
        manifest = raw_object(view, target)
        if not manifest:
            return unknown(target)
        system = managed_by(manifest)
        if system is not None:
            return refused("precondition.gitops", f"{target} is written by {system}", "change it in its repository")
        there = entry(spec_of(manifest), target, params.place)
        if there is None:
            why = f"{target} has no quota for {params.resource} in flavor {params.flavor}"
            return refused("precondition.quota_unknown", why, "choose one that it has")
        return _amounts_refusal(target, params, manifest, there)

    def steps(
        self, target: ObjectRef, params: QuotaParameters, view: ClusterView, occasion: Occasion
    ) -> tuple[Step, ...]:
        manifest = raw_object(view, target)
        before = _before(manifest, target, params)
        note = {"flavor": params.flavor, "resource": params.resource, "before": before}
        body = {
            "metadata": remember(occasion.proposal, note),
            "spec": quotas(manifest, target, params.place, params.given()),
        }
        undo = {"metadata": forget(), "spec": quotas(manifest, target, params.place, before)}
        seen: dict[str, object] = {"spec": quotas(manifest, target, params.place, {})}
        uid, version = uid_of(manifest), version_of(manifest)
        return (Step(verb=Verb.PATCH, target=target, body=body, uid=uid, version=version, seen=seen, undo=undo),)

    def blast_radius(self, target: ObjectRef, params: QuotaParameters, view: ClusterView) -> BlastRadius:
        return BlastRadius()

    def rests_on(self, target: ObjectRef, params: QuotaParameters, view: ClusterView) -> dict[str, object]:
        manifest = raw_object(view, target)
        spec = spec_of(manifest)
        return {"uid": uid_of(manifest), "quotas": spec.get(list_of(target)), "cohort": cohort(spec)}

    def succeeded(self, proposal: Proposal, view: ClusterView, now: datetime, repairs: Repairs) -> Success:
        spec, wanted = spec_of(raw_object(view, proposal.target)), proposal.steps[0].body["spec"]
        shown = isinstance(wanted, dict) and all(spec.get(key) == value for key, value in wanted.items())
        told = Success(shown or None, f"{proposal.target} has {'the new' if shown else 'another'} quota")
        return if_heeded(told, proposal.target, view)

    def inverse(
        self, target: ObjectRef, params: QuotaParameters, view: ClusterView, undoes: str
    ) -> tuple[Step, ...] | Refusal | None:
        manifest = raw_object(view, target)
        before, there = _noted(remembered(manifest, undoes), params), entry(spec_of(manifest), target, params.place)
        if before is None or there is None:
            return None
        now = {name: _whole(there.get(field(target, name))) for name in params.given()}
        moved = changed_since(target, params.given(), now)
        if moved is not None:
            return moved
        body = {"metadata": forget(), "spec": quotas(manifest, target, params.place, before)}
        uid, version = uid_of(manifest), version_of(manifest)
        return (Step(verb=Verb.PATCH, target=target, body=body, uid=uid, version=version),)


def _amounts_refusal(target: ObjectRef, params: QuotaParameters, manifest: Manifest, there: Manifest) -> Refusal | None:
    """What Kueue's own webhook would not take, and what changes nothing."""
    limited = params.borrowing_limit is not None or params.lending_limit is not None
    if limited and cohort(spec_of(manifest)) is None:
        return refused("precondition.no_cohort", f"{target} has nobody to lend to or borrow from", "give nominal alone")
    if all(str(there.get(field(target, name))) == str(amount) for name, amount in params.given().items()):
        return refused("precondition.no_change", f"{target} has that quota already", "nothing to do")
    nominal, lending = (_whole(params.given().get(name, there.get(field(target, name)))) for name in LENT)
    if nominal is not None and lending is not None and lending > nominal:
        told = f"{target} cannot lend {lending} of a nominal quota of {nominal}"
        return refused("precondition.lends_more", told, "give a lending limit of at most the nominal quota")
    return None


def _whole(amount: object) -> int | None:
    """None for what is not set, or written with a unit."""
    return int(str(amount)) if str(amount).isdecimal() else None


def _before(manifest: Manifest, target: ObjectRef, params: QuotaParameters) -> dict[str, Any]:
    there = entry(spec_of(manifest), target, params.place) or {}
    return {name: there.get(field(target, name)) for name in params.given()}


def _noted(note: dict[str, Any] | None, params: QuotaParameters) -> dict[str, Any] | None:
    """The amounts that a note of ours names; None for anything else."""
    if note is None or (note.get("flavor"), note.get("resource")) != params.place:
        return None
    before = note.get("before")
    if not isinstance(before, dict) or set(before) != set(params.given()):
        return None
    known = {name: amount for name, amount in before.items() if amount is not None}
    try:
        read = QuotaParameters.model_validate({"flavor": params.flavor, "resource": params.resource, **known})
    except ValidationError:
        return None
    return before if read.given() else None
