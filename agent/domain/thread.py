"""What one incident's thread carries from stage to stage, and how a stage says what comes next.

A stage is a function `(Thread, Ports) -> Move`. It may run again from its start (after a crash, after a wait), so it
keeps nothing but what is in here and what it finds in the stores.
"""

from dataclasses import dataclass
from datetime import datetime

from agent.domain.base import Noun
from agent.domain.cluster import ObjectRef
from agent.domain.diagnosis import Diagnosis
from agent.domain.incident import IncidentState
from agent.domain.proposal import Proposal
from agent.domain.verdict import ApprovalRequirement, Verdict


class Edit(Noun):
    """What a person wants done instead of what was asked: other parameters of the same remedy. Always asked anew, of
    somebody else."""

    remedy: str  # which one, as the playbook asks for it
    changes: dict[str, object]  # parameters, merged (RFC 7386) over the playbook's own
    editors: tuple[str, ...]  # all who had a hand in it, the newest last
    accounts: tuple[str, ...] = ()  # `door:account` from which they did
    requirement: ApprovalRequirement  # of the request that was edited, for where the policies would not ask


class Canary(Noun):
    """What is acted on first, and the step before which it has to be well again."""

    first: ObjectRef  # the gang or workload that is to be whole again
    stopped: tuple[str, ...]  # uids of pods that count for nothing any more
    gate: int


class Thread(Noun):
    incident: str
    round: int = 0  # one proposal a round
    diagnosis: Diagnosis | None = None
    proposal: Proposal | None = None
    on_refusal: str = "stop"
    verdict: Verdict | None = None
    judged_at: datetime | None = None  # when the verdict that stands was made
    judged: int = 0  # how often this proposal was judged, engine failures included
    request: str | None = None  # id of the approval request
    edit: Edit | None = None  # by a person, of the remedy it names
    notice_at: datetime | None = None
    step: int = 0
    canary: Canary | None = None  # where the verdict obliges to go on only once the first is well
    since: datetime | None = None  # when the step or the verification began to wait
    good_since: datetime | None = None  # when the success test first held
    tried: tuple[str, ...] = ()  # remedies that are not to be tried again in this incident
    helped: tuple[str, ...] = ()  # proposals executed and verified that changed something
    unhelped: str = ""  # what became of a repair that did not help; another rung of the ladder may
    away_told: bool = False  # a person knows that the repair system does not answer
    told: bool = False  # a person was called by the playbook's own word
    ending: IncidentState | None = None  # how it will be closed; set, only telling a person is left to do
    statement: str = ""  # why it ends so

    def but(self, **changes: object) -> "Thread":
        return self.model_copy(update=changes)


@dataclass(frozen=True, slots=True)
class Next:
    """Go on with stage `to`."""

    to: str
    thread: Thread


@dataclass(frozen=True, slots=True)
class Wait:
    """Come back to this stage at `until`, or sooner when something happened to the incident."""

    until: datetime
    why: str
    thread: Thread


Move = Next | Wait
