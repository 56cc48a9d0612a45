"""Kueue's admission check `watchkeeper.dev/gpu-slo`: who holds quota is let in when the policies say so.

It writes its own entries of a workload's status and nothing else, by server-side apply, for just the version of the
object that was judged, and each decision is on the record before it is written. Fails closed: what cannot be read,
judged or recorded stays pending, and says why where it can. Kueue does what follows: it starts, evicts or switches off.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from functools import partial
from typing import Any, Literal, Protocol

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kueue.check_facts import AdmissionFacts
from agent.adapters.kueue.check_policy import AdmissionPolicy, Verdict
from agent.adapters.kueue.check_status import Entry, check_status, entry, is_told, unserved_status, workload_status
from agent.adapters.kueue.waiting import Reserved, our_checks, reserved_of, workloads_with
from agent.domain.base import digest_of, rfc3339
from agent.domain.cluster import ClusterView, ObjectRef
from agent.ports import (
    AlreadyRecorded,
    Clock,
    ClusterFault,
    ClusterUnavailable,
    Conflict,
    Fault,
    JsonObject,
    Ledger,
    NotFound,
    PolicyUnavailable,
    Views,
)

FIELD_MANAGER = "watchkeeper-gpu-slo"
RECORD = "admission_check"
TOLD_AT_MOST = 10_000  # of objects that cannot be read; then they are told of anew
ODD = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)
"""What a reader of strangers' JSON raises: it costs that object, and no other."""

logger = logging.getLogger("watchkeeper.kueue")

Check = tuple[ObjectRef, Fields]


class Applier(Protocol):
    """The one verb of the Cluster port that it needs."""

    def apply(
        self,
        manifest: JsonObject,
        *,
        subresource: Literal["status"] | None = None,
        dry_run: bool = False,
        force: bool = False,
        field_manager: str = "watchkeeper",
    ) -> JsonObject: ...


class Came(Enum):
    """Of one workload."""

    NOT_OURS = auto()  # to answer any more, or yet
    HELD = auto()
    HELD_ANEW = auto()  # for other reasons than its status says
    ANSWERED = auto()
    UNREAD = auto()


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of one look."""

    checks: tuple[str, ...] = ()  # of ours
    waiting: int = 0  # workloads that hold quota and are not let in yet
    unread: int = 0  # of those that could not be read or written
    written: int = 0  # answers


class AdmissionCheckController:
    def __init__(
        self,
        cluster: Applier,
        views: Views,
        clock: Clock,
        policy: AdmissionPolicy,
        facts: AdmissionFacts,
        ledger: Ledger,
        *,
        refused: Callable[[str, str, str], None],
    ) -> None:
        """`refused` (door, place, reason) puts on the record what could not be read or written."""
        self._cluster, self._views, self._clock = cluster, views, clock
        self._policy, self._facts, self._ledger, self._refused = policy, facts, ledger, refused
        self._told: set[tuple[str, str]] = set()

    def step(self) -> Looked:
        """One look. Raises Fault where the cluster or the log does not answer."""
        view, now = self._views.take(), self._clock.now()
        checks = our_checks(view)
        if not checks:
            return Looked()
        for ref, root in checks.values():
            self._one(ref, partial(self._keep_active, ref, root, now))
        there = workloads_with(view, checks)
        came = [self._one(ref, partial(self._look_at, ref, raw, checks, view, now)) for ref, raw in there]
        return Looked(
            checks=tuple(checks),
            waiting=sum(each in (Came.HELD, Came.HELD_ANEW, Came.UNREAD) for each in came),
            unread=sum(each is Came.UNREAD for each in came),
            written=sum(each in (Came.ANSWERED, Came.HELD_ANEW) for each in came),
        )

    def _one(self, ref: ObjectRef, look: Callable[[], Came]) -> Came:
        """An object of which nobody thought costs itself: it stays as it is, and is told of."""
        try:
            return look()
        except ODD as wrong:
            self._tell(str(ref), f"cannot be read, and stays as it is: {wrong or type(wrong).__name__}")
            return Came.UNREAD

    # -- the checks themselves -----------------------------------------------------------------------------------------

    def _keep_active(self, ref: ObjectRef, root: Fields, now: datetime) -> Came:
        """Queues take nobody while one of their checks is not active: what we cannot serve is none, or no longer."""
        if not _served(root):
            self._tell(str(ref), "this check takes no parameters: it is not served")
        said = next(
            (each for each in root.within("status").objects("conditions") if each.text("type") == "Active"), None
        )
        generation = root.within("metadata").integer("generation", 0)
        due = check_status if _served(root) else unserved_status
        body = due(ref, generation, None if said is None else said.values, now)
        if body is not None:
            self._write(str(ref), body)
        return Came.ANSWERED

    # -- one workload --------------------------------------------------------------------------------------------------

    def _look_at(
        self, ref: ObjectRef, raw: Mapping[str, Any], checks: Mapping[str, Check], view: ClusterView, now: datetime
    ) -> Came:
        reserved = reserved_of(ref, raw, checks)
        if reserved is None or any(each.get("state") not in ("Pending", "Ready") for each in reserved.told.values()):
            return Came.NOT_OURS  # Retry and Rejected are Kueue's to carry out
        if not all(_served(checks[name][1]) for name in reserved.told):
            return Came.HELD  # and nothing written: what is said of such a check already would be taken away by it
        policy_input, verdict = self._judge(reserved, view, now)
        entries = [entry(name, verdict, reserved, now) for name in sorted(reserved.told)]
        held = verdict.decision == "hold"
        if all(is_told(each, reserved) for each in entries):
            return Came.HELD if held else Came.NOT_OURS
        self._record(reserved, verdict, entries, policy_input, now)
        if not self._write(str(ref), workload_status(reserved, entries)):
            return Came.HELD
        return Came.HELD_ANEW if held else Came.ANSWERED

    def _judge(self, reserved: Reserved, view: ClusterView, now: datetime) -> tuple[JsonObject, Verdict]:
        policy_input: JsonObject = {}
        try:
            policy_input = {
                "now": rfc3339(now),
                "workload": _about(reserved, now),
                "facts": dict(self._facts.about(reserved, view, now)),
            }
            return policy_input, self._policy.decide(policy_input)
        except PolicyUnavailable as fault:
            return policy_input, _held(fault.code, f"The policies cannot decide: {fault}")
        except (Fault, *ODD) as fault:
            return policy_input, _held("admission.facts", f"What it rests on cannot be known: {fault}")

    # -- what leaves a trace -------------------------------------------------------------------------------------------

    def _record(
        self, reserved: Reserved, verdict: Verdict, entries: list[Entry], policy_input: JsonObject, now: datetime
    ) -> None:
        """Once for each reservation and answer: no answer is written that is not on the record."""
        answers = {each["name"]: each["state"] for each in entries}
        payload: JsonObject = {
            "target": reserved.ref.json_object(),
            "uid": reserved.uid,
            "cluster_queue": reserved.cluster_queue,
            "checks": answers,
            "decision": verdict.decision,
            "reasons": list(verdict.reasons),
            "requeue_after_s": entries[0].get("requeueAfterSeconds"),
            "policy_digest": verdict.policy_digest,
            "input": policy_input,
            "at": rfc3339(now),
        }
        said = digest_of([answers, list(verdict.reasons), payload["requeue_after_s"]])[:16]
        key = f"{RECORD}:{reserved.uid}/{rfc3339(reserved.since)}/{said}"
        with suppress(AlreadyRecorded):
            self._ledger.record(RECORD, payload, unique_key=key)

    def _write(self, place: str, body: JsonObject) -> bool:
        """By force, since Kueue made the entry that is ours to fill; a newer version of the object is left alone."""
        try:
            self._cluster.apply(body, subresource="status", force=True, field_manager=FIELD_MANAGER)
        except (Conflict, NotFound) as moved:
            logger.info("%s has changed meanwhile: %s", place, moved)
            return False
        except ClusterUnavailable:
            raise
        except ClusterFault as fault:
            self._tell(place, f"cannot be written: {fault}")
            return False
        return True

    def _tell(self, place: str, why: str) -> None:
        """Once: the next looks find the same."""
        if (place, why) not in self._told:
            if len(self._told) >= TOLD_AT_MOST:
                self._told.clear()
            self._told.add((place, why))
            self._refused("kueue", place, why)


def _served(check: Fields) -> bool:
    """Ours takes no parameters: what they ask for would not be heeded."""
    return not check.within("spec").has("parameters")


def _about(reserved: Reserved, now: datetime) -> JsonObject:
    return {
        "namespace": reserved.ref.namespace or "",
        "name": reserved.ref.name,
        "queue": reserved.queue,
        "cluster_queue": reserved.cluster_queue,
        "priority": reserved.priority,
        "pods": sum(each.count for each in reserved.parts),
        "flavors": sorted(reserved.flavors),
        "waited_s": max(0, int((now - reserved.since).total_seconds())),
        "retries": max((_retries(each) for each in reserved.told.values()), default=0),
    }


def _retries(told: Mapping[str, Any]) -> int:
    count = told.get("retryCount")
    return count if isinstance(count, int) and not isinstance(count, bool) else 0


def _held(code: str, message: str) -> Verdict:
    remedy = "See to what is named; the workload keeps its quota and waits meanwhile"
    return Verdict("hold", ({"code": code, "message": message, "remedy": remedy},), None, "")
