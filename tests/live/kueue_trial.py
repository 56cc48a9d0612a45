"""A drawn case laid out in a real cluster, and what the real Kueue made of it. Jobs are not part of it: workloads are
made as they are, and whoever is told to leave is made to leave at once, as a job that stops would."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

from kube import Api, Json, Refused, condition
from kueue_cases import VERSION, Case
from servers import wait_for

QUIET_S = 2.0  # nothing has changed for so long: Kueue's cycles take milliseconds here
SETTLES_WITHIN_S = 60.0
POLL_S = 0.15
AT_ONCE = 4

Held = Mapping[str, tuple[int, tuple[tuple[str, str], ...]]]  # pod set -> how many, and which flavor for which resource


class Trial:
    def __init__(self, api: Api, case: Case) -> None:
        self._api, self.case = api, case
        self.sent_back: set[str] = set()

    # -- making it -----------------------------------------------------------------------------------------------------

    def lay_out(self) -> None:
        for each in self.case.cluster:
            self._api.create(deepcopy(each))
        self.open(True)
        self._await_queues("True")

    def clear(self) -> None:
        """Its workloads go with their namespace, and the queues with them."""
        for each in reversed(self.case.cluster):
            self._api.delete(each)

    def send(self, workloads: list[Json]) -> None:
        """Those who ask for more than one pod of each set are as Kueue's job integrations would write them."""
        for each in workloads:
            self._api.create(deepcopy(each))

    def shut(self) -> None:
        self.open(False)
        self._await_queues("False")

    def open(self, active: bool) -> None:
        """One write, so that all queues of the case open in the same moment."""
        said = {
            "type": "Active",
            "status": "True" if active else "False",
            "reason": "Trial",
            "message": "as the trial says",
            "lastTransitionTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        check = self._api.get(VERSION, "AdmissionCheck", self.case.name)
        self._api.merge(check, {"status": {"conditions": [said]}}, "status")

    def _await_queues(self, active: str) -> None:
        def there() -> bool:
            found = (self._api.get(VERSION, "ClusterQueue", name) for name in self.case.queues)
            return all(condition(each, "Active") == active for each in found)

        wait_for(f"the queues of {self.case.name} are active: {active}", there)

    # -- looking at it -------------------------------------------------------------------------------------------------

    def workloads(self) -> list[Json]:
        return self._api.list(VERSION, "Workload", self.case.name)

    def settle(self) -> None:
        settle([self])

    def finish_eviction(self, workload: Json) -> None:
        """What the job's own reconciler does once its pods are gone."""
        if condition(workload, "Evicted") != "True" or condition(workload, "QuotaReserved") != "True":
            return
        self.sent_back.add(workload["metadata"]["name"])
        conditions = [
            {**each, "status": "False", "reason": "Pending", "message": "its pods are gone"}
            if each["type"] in ("QuotaReserved", "Admitted")
            else each
            for each in workload["status"]["conditions"]
        ]
        version = {"resourceVersion": workload["metadata"]["resourceVersion"]}
        change = {"metadata": version, "status": {"conditions": conditions, "admission": None}}
        try:
            self._api.merge(workload, change, "status")
        except Refused as refused:
            if refused.code != 409:
                raise

    def held(self) -> dict[str, Held]:
        """Who holds quota now."""
        found = {each["metadata"]["name"]: dict(_held(each)) for each in self.workloads()}
        return {name: each for name, each in found.items() if each}

    def places(self) -> dict[str, dict[str, dict[str, int]]]:
        """Of those let in by a topology: how many pods of each set stand on which host."""
        return {each["metadata"]["name"]: dict(_places(each)) for each in self.workloads() if dict(_places(each))}


def _assigned(workload: Json) -> list[Json]:
    if condition(workload, "QuotaReserved") != "True":
        return []
    found: list[Json] = workload["status"].get("admission", {}).get("podSetAssignments", [])
    return found


def _held(workload: Json) -> Iterator[tuple[str, tuple[int, tuple[tuple[str, str], ...]]]]:
    for each in _assigned(workload):
        yield each["name"], (each["count"], tuple(sorted(each.get("flavors", {}).items())))


def _places(workload: Json) -> Iterator[tuple[str, dict[str, int]]]:
    """Read as v1beta2 packs it, and not by the code under test."""
    for each in _assigned(workload):
        found: dict[str, int] = {}
        for packed in each.get("topologyAssignment", {}).get("slices", ()):
            hosts, counts = packed["valuesPerLevel"][-1], packed["podCounts"]
            for index in range(packed["domainCount"]):
                one = hosts.get("individual", {})
                parts = (one.get("prefix", ""), one.get("roots", [""] * (index + 1))[index], one.get("suffix", ""))
                host = hosts.get("universal") or "".join(parts)
                found[host] = counts.get("universal") or counts["individual"][index]
        if found:
            yield each["name"], found


def settle(trials: list[Trial]) -> None:
    """Until nothing changes in any of them. Who stands behind another in a strict line is never looked at."""
    last: Any = None
    since, end = time.monotonic(), time.monotonic() + SETTLES_WITHIN_S
    while time.monotonic() < end:
        state = {}
        for trial in trials:
            for each in trial.workloads():
                trial.finish_eviction(each)
                state[trial.case.name, each["metadata"]["name"]] = each["metadata"]["resourceVersion"]
        if state != last:
            last, since = state, time.monotonic()
        elif time.monotonic() - since > QUIET_S:
            return
        time.sleep(POLL_S)
    raise AssertionError(f"{', '.join(each.case.name for each in trials)} did not settle within {SETTLES_WITHIN_S:g} s")


def all_at_once(work: Any, over: list[Any]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(work, over))


def one_after_another(trials: list[Trial], coming: Callable[[Trial], list[Json]]) -> None:
    """One of each case a second: a creation time knows whole seconds, and only it says who came first."""
    for rank in range(max(len(coming(trial)) for trial in trials)):
        all_at_once(lambda trial, rank=rank: trial.send(coming(trial)[rank : rank + 1]), trials)
        time.sleep(1.0)
