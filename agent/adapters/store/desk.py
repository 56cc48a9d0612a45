"""The approval desk: one durable record per request, whichever door an answer comes through.

The log is the authority. Every change of a request (an answer that counts, an expiry, a cancellation) first takes the
next place in that request's sequence in the log, by a unique key `approval/<request>/<n>`; only then does the
projection change. So of two doors that answer at once one gets the place, and the other looks again; and a process
that dies between log and projection leaves nothing behind that the next reader does not put right.

An answer never acts: the workflow reads the request. To use an approval up is a change like any other, and the last:
so of a person who withdraws and a worker who begins one is first. Before that the row is held against the log
(`proof.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import lru_cache
from typing import NoReturn

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from agent.adapters.store import changes
from agent.adapters.store.database import Database
from agent.adapters.store.proof import proof_of
from agent.adapters.store.schema import requests, stored_time
from agent.domain.approval import (
    STRICT,
    Answer,
    ApprovalRequest,
    Person,
    RequestState,
    Rules,
    ended,
    escalated,
)
from agent.domain.base import parse_rfc3339, rfc3339
from agent.domain.counting import counted
from agent.domain.proposal import Refusal
from agent.ports import AlreadyRecorded, AnswerRefused, Clock, DeskUnavailable, JsonObject, Ledger, StoreUnavailable

MAX_RACES = 32
"""Times that another door may be first before this one gives up: more than the approvals any request asks for."""


UNPROVEN = "approval.unproven"

_PENDING = (
    select(requests.c.body)
    .where(requests.c.state == RequestState.PENDING.value)
    .order_by(requests.c.requested_at, requests.c.id)
)


class SqlApprovalDesk:
    """Implements ports.ApprovalDesk; `listed` is for the doors."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock

    def open(self, request: ApprovalRequest) -> ApprovalRequest:
        """Shows a request that is on the record already. Idempotent: the one that was shown first stands."""
        stored = self.get(request.id)
        if stored:
            return stored
        self._project(request)
        return self.get(request.id) or request

    def get(self, request: str) -> ApprovalRequest | None:
        with _desk_faults(), self._database.reading() as connection:
            body = connection.scalar(select(requests.c.body).where(requests.c.id == request))
        return None if body is None else self._caught_up(_read(body))

    def pending(self) -> list[ApprovalRequest]:
        with _desk_faults(), self._database.reading() as connection:
            bodies = list(connection.scalars(_PENDING))
        stored = (self._caught_up(_read(body)) for body in bodies)
        return [request for request in stored if request.state is RequestState.PENDING]

    def listed(
        self, *, since: datetime | None = None, until: datetime | None = None, limit: int | None = None
    ) -> list[ApprovalRequest]:
        """The newest `limit` that were asked in that time, oldest first, whatever became of them."""
        statement = select(requests.c.body).order_by(requests.c.requested_at.desc(), requests.c.id.desc()).limit(limit)
        if since is not None:
            statement = statement.where(requests.c.requested_at >= stored_time(since))
        if until is not None:
            statement = statement.where(requests.c.requested_at < stored_time(until))
        with _desk_faults(), self._database.reading() as connection:
            bodies = list(connection.scalars(statement))
        return [self._caught_up(_read(body)) for body in reversed(bodies)]

    def answer(self, request: str, answer: Answer, person: Person, rules: Rules = STRICT) -> ApprovalRequest:
        """Counts the answer, or raises AnswerRefused. Either is recorded: kind `approval` (`counted` says which), and
        `break_glass` for what skipped others. When it came is said by the clock here, never by who brings it."""
        for _ in range(MAX_RACES):
            answer = answer.model_copy(update={"at": self._clock.now()})
            standing = self.get(request)
            result = _unknown(request) if standing is None else counted(standing, answer, person, rules)
            if isinstance(result, Refusal):
                self.refuse(request, answer, result)
            elif standing is not None:
                accepted = result.answers[-1]
                if self._take_place(standing, changes.answer_payload(standing, accepted), approver=accepted.by):
                    self._project(result)
                    return result
        raise DeskUnavailable(f"request {request} changed {MAX_RACES} times while it was being answered")

    def refuse(self, request: str, answer: Answer, refusal: Refusal) -> NoReturn:
        """Records an answer that does not count, and raises AnswerRefused."""
        standing = self.get(request)
        said = changes.answer_payload(standing, answer) if standing else {"request": request, **answer.json_object()}
        about = changes.attributes(standing) if standing else {}
        payload = said | {"at": rfc3339(self._clock.now()), "counted": False, "code": refusal.code}
        self._ledger.record("approval", payload, attributes=about | {"approver": answer.by})
        raise AnswerRefused(refusal.code, " ".join(filter(None, (refusal.message, refusal.remedy))))

    def time_out(self, request: str) -> ApprovalRequest:
        """Asks the next tier, or expires, once the time of those who are asked is over. Who answered first stands."""
        for _ in range(MAX_RACES):
            standing = self._known(request)
            at = self._now()
            if standing.state is not RequestState.PENDING or at < standing.expires_at:
                return standing
            result = escalated(standing, at)
            more = result.state is RequestState.PENDING
            payload = changes.escalation_payload(result, at) if more else changes.end_payload(result, at)
            if self._take_place(standing, payload):
                self._project(result)
                return result
        raise DeskUnavailable(f"request {request} changed {MAX_RACES} times while its time was over")

    def proven(self, request: str) -> ApprovalRequest | Refusal:
        """The request, if the log says the same of it. If not that is recorded, the row set right where it can be, and
        the request ended: it covers nothing."""
        standing = self._known(request)
        proof = proof_of(standing, self._ledger)
        if not proof.differs:
            return standing
        if proof.recorded is not None:
            with _desk_faults(), self._database.writing() as connection:
                put_right(connection, proof.recorded)
        refusal = Refusal(
            code=UNPROVEN,
            message=f"Request {request} on the desk is not the one in the log: {proof.differs}.",
            remedy="Find out who can write the database; `watchkeeper audit fsck` looks at the log itself.",
        )
        place, at = f"request {request}", rfc3339(self._clock.now())
        said = {"door": "desk", "place": place, "reason": refusal.message, "code": UNPROVEN, "at": at}
        self._ledger.record("refused", said, attributes=changes.attributes(standing))
        with suppress(AnswerRefused, DeskUnavailable):  # a place that is taken by no change lets nothing begin either
            self.close(request, RequestState.CANCELLED.value, refusal.message)
        return refusal

    def consume(self, request: str) -> bool:
        """Uses the approval up, as the last thing before what it is for begins. False: it is not approved any more,
        or another worker was first."""
        standing = self._known(request)
        result = ended(standing, RequestState.CONSUMED, self._now())
        if isinstance(result, Refusal) or result == standing:
            return False
        if not self._take_place(standing, changes.end_payload(result, self._now())):
            return False
        self._project(result)
        return True

    def close(self, request: str, state: str, why: str = "") -> None:
        """Expired, cancelled or consumed. What has ended already stays as it ended, except that only an approved
        request can be consumed: anything else is AnswerRefused."""
        for _ in range(MAX_RACES):
            standing = self._known(request)
            at = self._now()
            result = ended(standing, RequestState(state), at)
            if isinstance(result, Refusal):
                raise AnswerRefused(result.code, result.message)
            if result == standing:
                return
            if self._take_place(standing, changes.end_payload(result, at, why)):
                self._project(result)
                return
        raise DeskUnavailable(f"request {request} changed {MAX_RACES} times while it was being closed")

    def _now(self) -> datetime:
        """As precise as a record says it, or a request replayed from the log would be another."""
        return parse_rfc3339(rfc3339(self._clock.now()))

    def _known(self, request: str) -> ApprovalRequest:
        standing = self.get(request)
        if standing is None:
            unknown = _unknown(request)
            raise AnswerRefused(unknown.code, unknown.message)
        return standing

    def _take_place(self, request: ApprovalRequest, payload: JsonObject, approver: str | None = None) -> bool:
        """The next place in the request's sequence; False when somebody else has it already."""
        attributes = changes.attributes(request) | ({"approver": approver} if approver else {})
        kind, key = changes.kind_of(payload), changes.next_key(request)
        try:
            self._ledger.record(kind, payload, unique_key=key, attributes=attributes)
        except AlreadyRecorded:
            return False
        return True

    def _caught_up(self, request: ApprovalRequest) -> ApprovalRequest:
        """The request with what the log has and the projection has not yet."""
        known = request
        while request.state in (RequestState.PENDING, RequestState.APPROVED):
            payload = self._ledger.find(changes.next_key(request))
            if payload is None:
                break
            before, request = request, changes.replayed(request, payload)
            if request == before:
                break  # a record that changes nothing stands in the place of one that would
        if request is not known:
            self._project(request)
        return request

    def _project(self, request: ApprovalRequest) -> None:
        with _desk_faults(), self._database.writing() as connection:
            write(connection, request)


@lru_cache(maxsize=512)  # more than wait at one time; who waits is read again at every turn, and seldom changes
def _read(body: str) -> ApprovalRequest:
    return ApprovalRequest.model_validate_json(body)


def write(connection: Connection, request: ApprovalRequest) -> None:
    """Inserts the request, or moves it on: a slower process never takes it back."""
    values = {
        "id": request.id,
        "incident": request.incident,
        "state": request.state.value,
        "requested_at": stored_time(request.requested_at),
        "changes": _changes(request),
        "body": request.model_dump_json(by_alias=True),
    }
    statement = insert(requests).values(values)
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["id"],
            set_={"state": new.state, "changes": new.changes, "body": new.body},
            where=requests.c.changes < new.changes,
        )
    )


def put_right(connection: Connection, request: ApprovalRequest) -> None:
    """Writes the request over whatever stands there."""
    connection.execute(delete(requests).where(requests.c.id == request.id))
    write(connection, request)


def _changes(request: ApprovalRequest) -> int:
    closed = request.state in (RequestState.EXPIRED, RequestState.CANCELLED, RequestState.CONSUMED)
    return len(request.answers) + request.tier + closed


def _unknown(request: str) -> Refusal:
    return Refusal(code="unknown_request", message=f"There is no approval request {request}.")


@contextmanager
def _desk_faults() -> Iterator[None]:
    try:
        yield
    except StoreUnavailable as error:
        raise DeskUnavailable(str(error)) from error
