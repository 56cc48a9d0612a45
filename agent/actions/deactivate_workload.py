"""Takes a gang out of its queue, whole, until somebody lets it in again: it stops and gives its quota back."""

from datetime import datetime

from agent.actions.base import NoParameters, Repairs, Success
from agent.actions.levers import if_heeded
from agent.actions.switching import Switching, members
from agent.domain.cluster import ClusterView, GangState, ObjectRef
from agent.domain.proposal import Proposal
from agent.evidence.lookup import find_gang


class DeactivateWorkload(Switching):
    name = "deactivate_workload"
    to_active = False
    verify_within_s = 900  # its pods may write a checkpoint when told to stop; large ones take minutes

    def destructive(self, target: ObjectRef, params: NoParameters, view: ClusterView) -> bool:
        """Pods that have never started lose nothing."""
        return any(pod.phase == "Running" for pod in members(target, view))

    def succeeded(self, proposal: Proposal, view: ClusterView, now: datetime, repairs: Repairs) -> Success:
        gang = find_gang(view, proposal.target)
        if gang is None or gang.state is GangState.FINISHED:
            return Success(True, f"{proposal.target} has finished")
        if proposal.undoes is not None:
            return let_in(proposal, view)
        left = members(proposal.target, view)
        if left:
            return Success(None, f"{len(left)} pods of {proposal.target} have not stopped yet")
        out = gang.state is GangState.SUSPENDED
        told = Success(out or None, f"{proposal.target} is {'out of its queue' if out else gang.state}")
        return if_heeded(told, proposal.target, view)


def let_in(proposal: Proposal, view: ClusterView) -> Success:
    """Running whole, or waiting whole for its turn: both are as it should be."""
    gang = find_gang(view, proposal.target)
    whole = gang is None or gang.state in (GangState.RUNNING, GangState.QUEUED, GangState.FINISHED)
    told = Success(whole or None, f"{proposal.target} is {gang.state if gang else 'gone'}")
    return told if gang is None or gang.state is not GangState.QUEUED else if_heeded(told, gang.ref, view)
