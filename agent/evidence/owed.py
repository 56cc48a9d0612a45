"""What the executor owes by a verdict, held against what the proposal is: can each obligation be fulfilled at all?

Pure. What cannot be is not done, with a code of its own: an obligation that is quietly left out is none.
Dry run, notice and verification are fulfilled in their order by the stages; canary, evictions and rollback are
questions about the steps, and are asked before the first of them.
"""

from agent.domain.proposal import Proposal, Refusal, Verb
from agent.domain.verdict import Obligations

_CHANGES = (Verb.PATCH, Verb.SCALE, Verb.EVICT, Verb.CREATE, Verb.REQUEST_REPAIR)


def unfulfillable(proposal: Proposal, owed: Obligations) -> Refusal | None:
    """Why this proposal cannot be done as the verdict obliges; None where it can."""
    for number, step in enumerate(proposal.steps, 1):
        if owed.eviction_only and step.target.kind == "Pod" and step.verb in _CHANGES and step.verb is not Verb.EVICT:
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
