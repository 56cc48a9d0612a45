"""Who may act, decided from what a Lease says and from our own clock: pure, no client, no thread.

The rules are those of client-go's leader election (k8s.io/client-go/tools/leaderelection): nobody trusts another
machine's clock, so a lease is over when it has not *changed* for its duration as we measure it; and a leader acts only
until its renew deadline, which ends before anybody else may begin. Time is monotonic seconds, and an argument.

What client-go does not heed: a lease can be taken away, and more than once between two looks of ours, while its holder
leads on. So whoever makes one holds it for a whole duration before it acts: by then every other has read its name on
it, or has come to its own deadline.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from agent.domain.base import parse_rfc3339
from agent.ports import JsonObject

API_VERSION = "coordination.k8s.io/v1"
NEVER = float("-inf")
DELETED = "(deleted)"  # who held a lease that somebody took away: not known, and perhaps still acting
RELEASED_DURATION_S = 1  # as client-go: whoever finds it released need not wait
DURATION_AT_MOST_S = 300  # a duration beyond it is a mistake, or somebody who wants to lock us out for ever


@dataclass(frozen=True, slots=True)
class Terms:
    """client-go's own numbers: others begin 5 s after we have stopped, and three tries of a renewal may fail."""

    duration_s: float = 15.0
    renew_deadline_s: float = 10.0
    retry_s: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.retry_s < self.renew_deadline_s < self.duration_s:
            raise ValueError("a lease needs retry_s < renew_deadline_s < duration_s")


CLIENT_GO = Terms()


class Role(StrEnum):
    LEADING = "leading"
    SUSPENDED = "suspended"  # led, cannot renew in time, and knows of nobody else who leads
    STANDBY = "standby"


@dataclass(frozen=True, slots=True)
class Seen:
    """The lease as it was last read, and since when (by our clock) it has been so."""

    holder: str
    duration_s: float
    mark: str  # whatever changes when it is renewed
    since: float


@dataclass(frozen=True, slots=True)
class Mind:
    """What one candidate knows. `led_until` is NEVER where it never led, or lost it to somebody; `acts_from` is when a
    lease that it made itself counts."""

    me: str
    terms: Terms = CLIENT_GO
    seen: Seen | None = None
    led_until: float = NEVER
    led: bool = False  # it has led, and has seen nobody else lead since
    acts_from: float = NEVER

    def role(self, now: float) -> Role:
        if now < self.acts_from:
            return Role.STANDBY
        if now < self.led_until:
            return Role.LEADING
        return Role.SUSPENDED if self.led else Role.STANDBY

    def observed(self, lease: JsonObject | None, now: float) -> "Mind":
        """After a read. Somebody else's name on it ends our lead at once.

        One that was there and is not any more is waited out, as client-go does not: its holder may be cut off.
        """
        seen = _seen(lease, self.terms, now)
        if seen is None and self.seen is not None and self.role(now) is not Role.LEADING:
            seen = Seen(DELETED, self.terms.duration_s, "", now)
        if (
            seen is not None
            and self.seen is not None
            and (seen.holder, seen.mark) == (self.seen.holder, self.seen.mark)
        ):
            seen = replace(seen, since=self.seen.since)
        if seen is not None and seen.holder not in ("", self.me):
            return replace(self, seen=seen, led_until=NEVER, led=False, acts_from=NEVER)
        return replace(self, seen=seen)

    def may_take(self, now: float) -> bool:
        """Free, ours already, given back, or not renewed for as long as its holder said it would hold."""
        seen = self.seen
        return seen is None or seen.holder in ("", self.me) or now >= seen.since + seen.duration_s

    def took(self, lease: JsonObject, asked_at: float, now: float, *, made: bool) -> "Mind":
        """After a successful write that was sent at `asked_at`: others measure from a later moment than that.

        A lease that was `made` counts at once for who led on meanwhile; else it was there at `now` at the latest.
        """
        seen = _seen(lease, self.terms, asked_at)
        unheard = self.seen is not None and self.seen.holder == self.me and not self.led  # it may have been made, too
        waits = (made or unheard) and self.role(asked_at) is not Role.LEADING
        acts_from = now + self.terms.duration_s if waits else self.acts_from
        led_until = asked_at + self.terms.renew_deadline_s
        return replace(self, seen=seen, led_until=led_until, led=True, acts_from=acts_from)

    def gave_up(self) -> "Mind":
        """We stop acting ourselves, whatever the server says."""
        return replace(self, led_until=NEVER, led=False, acts_from=NEVER)


def taken(lease: JsonObject | None, me: str, terms: Terms, name: tuple[str, str], wall: datetime) -> JsonObject:
    """The lease as it is to be written by whoever takes or renews it; the version read stays as the precondition."""
    spec: Mapping[str, Any] = (lease or {}).get("spec") or {}
    ours = spec.get("holderIdentity") == me
    namespace, lease_name = name
    metadata = (lease or {}).get("metadata") or {"namespace": namespace, "name": lease_name}
    stamp = micro_time(wall)
    return {
        "apiVersion": API_VERSION,
        "kind": "Lease",
        "metadata": metadata,
        "spec": {
            **spec,
            "holderIdentity": me,
            "leaseDurationSeconds": int(terms.duration_s),
            "acquireTime": spec.get("acquireTime") if ours and spec.get("acquireTime") else stamp,
            "renewTime": stamp,
            "leaseTransitions": _count(spec.get("leaseTransitions")) + (0 if ours or lease is None else 1),
        },
    }


def released(lease: JsonObject, wall: datetime) -> JsonObject:
    """Given back: nobody holds it, and nobody has to wait."""
    stamp = micro_time(wall)
    spec = {**(lease.get("spec") or {}), "holderIdentity": "", "leaseDurationSeconds": RELEASED_DURATION_S}
    return {**lease, "spec": {**spec, "acquireTime": stamp, "renewTime": stamp}}


def micro_time(moment: datetime) -> str:
    """A MicroTime has its six digits even where they are nought: the server refuses it without."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def skew_s(lease: JsonObject, wall: datetime) -> float | None:
    """How far the holder's clock was ahead of ours when it renewed; None where it never did."""
    try:
        return (parse_rfc3339(str(lease["spec"]["renewTime"])) - wall).total_seconds()
    except (KeyError, TypeError, ValueError):
        return None


def _seen(lease: JsonObject | None, terms: Terms, now: float) -> Seen | None:
    if lease is None:
        return None
    spec: Mapping[str, Any] = lease.get("spec") or {}
    said = spec.get("leaseDurationSeconds")
    duration_s = float(said) if isinstance(said, int) and 0 < said <= DURATION_AT_MOST_S else terms.duration_s
    version = (lease.get("metadata") or {}).get("resourceVersion")
    return Seen(
        holder=str(spec.get("holderIdentity") or ""),
        duration_s=duration_s,
        mark=f"{version}/{spec.get('renewTime')}",
        since=now,
    )


def _count(said: object) -> int:
    return said if isinstance(said, int) and said >= 0 else 0
