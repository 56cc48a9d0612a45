"""What the executor owes by a verdict, held against what the proposal is: can each obligation be fulfilled at all?

Pure. What cannot be is not done, with a code of its own: an obligation that is quietly left out is none.
Dry run, notice and verification are fulfilled in their order by the stages; canary, evictions and rollback are
questions about the steps, and are asked before the first of them.
"""

from collections.abc import Mapping

from agent.domain.proposal import Proposal, Refusal, Step, Verb
from agent.domain.verdict import Obligations

_ENDS_NO_POD = {"metadata": {"labels", "annotations"}, "spec": {"tolerations", "schedulingGates"}}
"""What of a Pod can be patched without ending it; `activeDeadlineSeconds`, for one, would."""
_CHANGES = (Verb.PATCH, Verb.SCALE, Verb.EVICT, Verb.CREATE, Verb.REQUEST_REPAIR)


def unfulfillable(proposal: Proposal, owed: Obligations) -> Refusal | None:
    """Why this proposal cannot be done as the verdict obliges; None where it can."""
    for number, step in enumerate(proposal.steps, 1):
        if owed.eviction_only and step.target.kind == "Pod" and not _lets_live(step):
            return Refusal(
                code="obligation.eviction_only",
                message=f"Step {number} would {step.verb.value} {step.target}; pods end by the Eviction API alone.",
                remedy="Evict it, or act on what owns it.",
            )
        if owed.rollback and step.verb in _CHANGES and step.undo is None:
            return Refusal(
                code="obligation.rollback",
                message=f"Step {number} ({step.verb.value} {step.target}) cannot be taken back, and it has to be.",
                remedy="Do it by hand, or take the action off obligations.rollback in the limits.",
            )
    return None


def _lets_live(step: Step) -> bool:
    """An eviction, what changes nothing, or a patch of what no pod dies of."""
    if step.verb is Verb.PATCH:
        return all(
            isinstance(part, Mapping) and set(part) <= _ENDS_NO_POD.get(name, set()) for name, part in step.body.items()
        )
    return step.verb is Verb.EVICT or step.verb not in _CHANGES
