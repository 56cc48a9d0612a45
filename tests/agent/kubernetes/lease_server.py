"""One Lease as an API server keeps it: a version for each write, 409 for a stale one, 404 where there is none.

The network between it and each candidate can be slow, cut before the server, or cut behind it: then the write has
happened and nobody was told.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

from agent.adapters.kubernetes.election import Election
from agent.adapters.kubernetes.leasing import CLIENT_GO, Terms
from agent.ports import ClusterUnavailable, Conflict, JsonObject, NotFound

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
Network = Literal["well", "cut", "deaf"]  # deaf: the request arrives, the answer does not


class LeaseServer:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.lease: JsonObject | None = None
        self._versions = 0
        spec = {"holderIdentity": "", "leaseDurationSeconds": 1}
        self.write({"metadata": {"namespace": "ns", "name": "lease"}, "spec": spec}, new=True)  # given back by somebody

    def write(self, lease: JsonObject, *, new: bool) -> JsonObject:
        if new and self.lease is not None:
            raise Conflict("it exists already")
        if not new:
            if self.lease is None:
                raise NotFound("there is none")
            if lease["metadata"].get("resourceVersion") != self.lease["metadata"]["resourceVersion"]:
                raise Conflict("the object has been modified")
        self._versions += 1
        self.lease = copy.deepcopy(lease)
        self.lease["metadata"]["resourceVersion"] = str(self._versions)
        return copy.deepcopy(self.lease)


class Line:
    """One candidate's way to the server (LeaseApi)."""

    def __init__(self, server: LeaseServer) -> None:
        self._server = server
        self.network: Network = "well"
        self.takes_s = 0.0
        self.calls = 0

    def get(self) -> JsonObject:
        def read() -> JsonObject:
            if self._server.lease is None:
                raise NotFound("there is none")
            return copy.deepcopy(self._server.lease)

        return self._over(read)

    def create(self, lease: JsonObject) -> JsonObject:
        return self._over(lambda: self._server.write(lease, new=True))

    def replace(self, lease: JsonObject) -> JsonObject:
        return self._over(lambda: self._server.write(lease, new=False))

    def _over(self, call: Callable[[], JsonObject]) -> JsonObject:
        self.calls += 1
        self._server.now_s += self.takes_s
        if self.network == "cut":
            raise ClusterUnavailable("no answer")
        answer = call()
        self._server.now_s += self.takes_s
        if self.network == "deaf":
            raise ClusterUnavailable("no answer")
        return answer


class Candidate:
    """An agent that would lead. Its clocks need not agree with anybody's."""

    def __init__(self, server: LeaseServer, name: str, ahead_s: float = 0.0, terms: Terms = CLIENT_GO) -> None:
        self.line = Line(server)
        self.changes = 0
        self._server, self._ahead_s = server, ahead_s
        self.election = Election(
            self.line, ("ns", "lease"), name, self, self._changed, terms, lambda: server.now_s + ahead_s
        )

    def now(self) -> datetime:
        return START + timedelta(seconds=self._server.now_s + self._ahead_s)

    def _changed(self) -> None:
        self.changes += 1
