"""Where an incident's thread stands by the log alone: for one whose checkpoint is gone, or older than what another
agent has done since.

Without the checkpoint nothing is guessed. What was begun is brought to its end by its records, what people were asked
is still asked of them, what was refused stays refused; what was only proposed is proposed anew, from a fresh look.
Pure: the records are an argument, and what people said is the desk's to tell.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agent.domain.approval import ApprovalRequest, RequestState
from agent.domain.counting import account_of
from agent.domain.diagnosis import Diagnosis
from agent.domain.entry import Entry
from agent.domain.incident import IncidentState
from agent.domain.proposal import Proposal
from agent.domain.thread import Edit, Thread
from agent.domain.verdict import Decision, Verdict

CALLS = "call the person on duty"
"""The statement of the proposal that ends what a person has to take over."""

_NO = {RequestState.REJECTED: IncidentState.REJECTED, RequestState.EXPIRED: IncidentState.EXPIRED}
_LEADS_ON = frozenset({*_NO, RequestState.PENDING, RequestState.APPROVED, RequestState.CONSUMED, RequestState.EDITED})


@dataclass(slots=True)
class Round:
    """One proposal, and what the records say became of it."""

    proposal: Proposal
    digest: str  # as recorded, whatever was erased since
    remedy: str
    verdict: Verdict | None = None  # the newest that was a decision
    judged_at: datetime | None = None
    judged: int = 0  # the number that the next verdict gets
    request: ApprovalRequest | None = None  # the newest
    notice_at: datetime | None = None
    begun: bool = False
    done: set[int] = field(default_factory=set)  # steps that succeeded
    moved_at: datetime | None = None  # of the newest intent or outcome
    failed: str | None = None
    undone: bool = False
    helped: bool | None = None
    statement: str = ""  # of the verification
    cancelled: bool = False

    @property
    def calls(self) -> bool:
        return self.proposal.action == "notify"

    @property
    def refusal(self) -> tuple[IncidentState, str] | None:
        """A no to it, of the policies or of people; silence is one."""
        if self.verdict is not None and self.verdict.decision is Decision.DENY:
            return IncidentState.REFUSED, "; ".join(f"{r.code}: {r.message}" for r in self.verdict.reasons)
        if self.request is not None and self.request.state in _NO:
            return _NO[self.request.state], f"request {self.request.id} was {self.request.state.value}"
        return None

    @property
    def spent(self) -> bool:
        """Is its remedy not to be tried again? What came to nothing by itself may be: it is looked at anew."""
        return self.begun or self.refusal is not None


def last_diagnosis(story: Sequence[Entry]) -> Diagnosis | None:
    found = [entry.payload for entry in story if entry.kind == "diagnosis"]
    known = found[-1] if found else None
    return None if known is None else Diagnosis.model_validate(_members(Diagnosis, known))


def rounds_of(story: Sequence[Entry], request: Callable[[str], ApprovalRequest | None]) -> list[Round]:
    """In the order in which they were proposed."""
    rounds: dict[str, Round] = {}
    for entry in story:
        said = entry.payload
        if entry.kind == "proposal":
            made = Proposal.model_validate(_members(Proposal, said))
            rounds.setdefault(made.id, Round(made, str(said["digest"]), str(said["remedy"])))
        elif entry.kind == "verdict":
            _judged(rounds, entry)
        else:
            round_ = rounds.get(str(said.get("proposal")))
            if round_ is not None:
                _happened(round_, entry, request)
    return list(rounds.values())


def _judged(rounds: Mapping[str, Round], entry: Entry) -> None:
    """Its key says which proposal and which time: `verdict:<proposal>/<digest>/<phase>/<number>`."""
    about, _, number = entry.key.rpartition("/")
    round_ = next((r for name, r in rounds.items() if about.startswith(f"verdict:{name}/")), None)
    if round_ is None or not number.isdecimal():
        return
    round_.judged = max(round_.judged, int(number) + 1)
    verdict = Verdict.model_validate(entry.payload["verdict"])
    if not any(
        reason.code.startswith("policy.") for reason in verdict.reasons
    ):  # an engine that is away decides nothing
        round_.verdict, round_.judged_at = verdict, entry.at


def _happened(round_: Round, entry: Entry, request: Callable[[str], ApprovalRequest | None]) -> None:
    said: Any = entry.payload
    match entry.kind:
        case "approval_requested":
            round_.request = request(str(said["request"]))
        case "notice" if said.get("audience") == "owner":
            round_.notice_at = entry.at
        case "intent":
            round_.begun, round_.moved_at = True, entry.at
        case "outcome":
            _ended(round_, entry)
        case "verification":
            round_.helped, round_.statement = bool(said["helped"]), str(said["statement"])
        case "cancellation":
            round_.cancelled = True


def _ended(round_: Round, entry: Entry) -> None:
    said: Any = entry.payload
    round_.moved_at = entry.at
    match said["outcome"]:
        case "succeeded":
            round_.done.add(int(said["step"]))
        case "failed":
            round_.failed = str(said.get("detail", ""))
        case "undone":
            round_.undone = True


def taken_up(thread: Thread, diagnosis: Diagnosis, rounds: Sequence[Round], on_refusal: str) -> tuple[str, Thread]:
    """The stage to go on with, and the thread as it stands before it. `on_refusal` is what a no to the last proposal
    means to its playbook."""
    ending, why = _ending(rounds, on_refusal)
    last, edit = rounds[-1], _edit(rounds)
    base = thread.but(
        diagnosis=diagnosis,
        round=1 + max(_number(each.proposal) for each in rounds),
        on_refusal="stop" if ending is not None else on_refusal,
        edit=edit,
        verdict=last.verdict,
        tried=tuple(dict.fromkeys(key for each in rounds if each.spent for key in _keys(each, edit))),
        helped=tuple(each.proposal.id for each in rounds if each.helped and not each.calls),
        told=any(each.helped and each.calls and _on_duty(each.proposal) for each in rounds),
        unhelped=_unhelped(rounds[:-1]),
        ending=ending,
        statement=why,
    )
    at_hand = base.but(
        proposal=last.proposal,
        judged=last.judged,
        judged_at=last.judged_at,
        request=last.request.id if last.request is not None else None,
        notice_at=last.notice_at,
        since=last.moved_at,
    )
    return _place(last, base, at_hand)


def _place(last: Round, base: Thread, at_hand: Thread) -> tuple[str, Thread]:
    steps = len(last.proposal.steps)
    if last.begun and last.helped is None and not last.cancelled:
        done = next((index for index in range(steps) if index not in last.done), steps)
        return _in_the_middle(last, at_hand.but(step=done, tried=_with(base, last)), steps)
    if last.begun and last.helped is False and not last.cancelled:  # found out once more what follows from it
        return "verify", at_hand.but(step=steps, ending=_before(last, base), tried=_with(base, last))
    asked = last.request is not None and last.request.state in _LEADS_ON
    if asked and not last.begun and not last.cancelled:
        verdict = last.request.verdict if last.request is not None else last.verdict
        ending = base.ending if last.calls else None
        return "approve", at_hand.but(verdict=verdict, ending=ending, tried=_with(base, last))
    return "propose", base


def _in_the_middle(last: Round, thread: Thread, steps: int) -> tuple[str, Thread]:
    """Who watched over the first of several objects is gone with the checkpoint: the others are left alone then."""
    watched = last.verdict is not None and last.verdict.obligations.canary and last.failed is None
    if not watched or len(last.done) == steps:
        return "execute", thread.but(ending=_before(last, thread))
    proposal = last.proposal
    why = (
        f"{proposal.action} on {proposal.target} was interrupted while the first was to show that it is well: "
        f"{len(last.done)} of {steps} steps are done, and stand as they are"
    )
    return "propose", thread.but(proposal=None, request=None, ending=IncidentState.FAILED, statement=why)


def _before(last: Round, thread: Thread) -> IncidentState | None:
    """How the incident was going to end before this proposal was begun: only what calls a person comes after an end."""
    return thread.ending if last.calls else None


def _ending(rounds: Sequence[Round], on_refusal: str) -> tuple[IncidentState | None, str]:
    """After an end only a person is called, so an end that something else came after was none."""
    acts = [each for each in rounds if not each.calls]
    called = any(each.calls and each.proposal.statement == CALLS for each in rounds)
    bad = _bad_end(acts[-1]) if acts else None
    if bad is None:
        last_words = next((each.proposal.statement for each in reversed(rounds) if each.calls), "")
        return (IncidentState.ESCALATED, last_words) if called else (None, "")
    goes_on = bad[0] is not IncidentState.FAILED and on_refusal == "continue" and not called
    return (None, "") if goes_on else bad


def _bad_end(last: Round) -> tuple[IncidentState, str] | None:
    if last.cancelled:
        return last.refusal
    if last.failed is not None or last.helped is False:
        said = last.failed if last.failed is not None else last.statement
        ending = IncidentState.ROLLED_BACK if last.undone else IncidentState.FAILED
        return ending, f"{last.proposal.action} on {last.proposal.target} did not help: {said}"
    return last.refusal if not last.begun else None


def _unhelped(rounds: Sequence[Round]) -> str:
    """A repair that did not help and that nothing has helped after: the next rung of the ladder says so."""
    why = ""
    for each in rounds:
        if each.proposal.action == "request_node_repair" and each.helped is not None:
            operation = each.proposal.parameters.get("operation")
            name = f"{operation} of {each.proposal.target.name}"
            why = "" if each.helped else f"{name} did not help: {each.statement}"
    return why


def _edit(rounds: Sequence[Round]) -> Edit | None:
    """What people changed of what was asked, the changes of all who did."""
    edit: Edit | None = None
    for each in rounds:
        if each.request is not None and each.request.state is RequestState.EDITED:
            edit = edited(edit if each.proposal.edited_by else None, each.request, each.remedy)
    return edit


def edited(before: Edit | None, request: ApprovalRequest, remedy: str) -> Edit:
    """The edit that stands after this request was edited. `remedy` is what its proposal counts as."""
    said = request.edit
    if said is None:
        raise ValueError(f"request {request.id} was edited by nobody")
    here = account_of(said.door, said.account)
    return Edit(
        remedy=before.remedy if before else remedy,
        changes={**(before.changes if before else {}), **said.changes},
        editors=(*(name for name in request.editors if name != said.by), said.by),
        accounts=tuple(dict.fromkeys((*request.editor_accounts, *([here] if said.account else [])))),
        requirement=request.requirement,
    )


def _keys(each: Round, edit: Edit | None) -> tuple[str, ...]:
    """What a person has edited counts as what it was made from, too."""
    return (each.remedy, edit.remedy) if edit is not None and each.proposal.edited_by else (each.remedy,)


def _with(base: Thread, last: Round) -> tuple[str, ...]:
    """While a proposal is at hand its remedy counts as tried."""
    return tuple(dict.fromkeys((*base.tried, *_keys(last, base.edit))))


def _on_duty(proposal: Proposal) -> bool:
    return proposal.parameters.get("audience") != "owner"


def _number(proposal: Proposal) -> int:
    return int(proposal.id.rpartition("/")[2])


def _members(noun: type[Proposal] | type[Diagnosis], payload: Mapping[str, Any]) -> dict[str, Any]:
    return {name: payload[name] for name in noun.model_fields if name in payload}
