"""Lets a gang into its queue again. Only what the agent, or Kueue for its retries, took out.

A person who deactivated a workload had a reason: another's switch is another's decision.
"""

from datetime import datetime

from agent.actions.base import NoParameters, Repairs, Success, refused
from agent.actions.deactivate_workload import let_in
from agent.actions.switching import Switching, members
from agent.actions.written import CHANGED_BY, annotations_of, remembered
from agent.domain.cluster import ClusterView, Gang, ObjectRef
from agent.domain.proposal import Proposal, Refusal
from agent.evidence.lookup import raw_object

GAVE_UP = "RequeuingLimitExceeded"  # how Kueue's reasons end when it took a workload out after too many tries


class ActivateWorkload(Switching):
    name = "activate_workload"
    to_active = True
    verify_within_s = 900  # image pulls of training images take minutes

    def refuse_switch(self, gang: Gang, view: ClusterView) -> Refusal | None:
        manifest = raw_object(view, gang.ref)
        conditions = (manifest.get("status") or {}).get("conditions") or ()
        by_queue = any(c.get("status") == "True" and str(c.get("reason", "")).endswith(GAVE_UP) for c in conditions)
        ours = remembered(manifest, annotations_of(manifest).get(CHANGED_BY, "")) == {"active": True}
        if by_queue or ours:
            return None
        why = f"{gang.ref} was deactivated by somebody else"
        return refused("precondition.deactivated_by_other", why, "ask who deactivated it")

    def destructive(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> bool:
        return False

    def succeeded(self, proposal: Proposal, view: ClusterView, now: datetime, repairs: Repairs) -> Success:
        if proposal.undoes is None:
            return let_in(proposal, view)
        left = members(proposal.target, view)
        return Success(None if left else True, f"{len(left)} pods of {proposal.target} run")
