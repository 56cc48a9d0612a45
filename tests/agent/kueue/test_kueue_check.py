"""Kueue's admission check: whom it lets in, holds, sends back or refuses, what it writes, and what it never does."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kueue_world import NOW, OLD, Json, cluster_queue, condition, flavor, made, namespace, node, reserved

from agent.adapters.kubernetes.views import ClusterViews
from agent.adapters.kueue.check_controller import FIELD_MANAGER, RECORD, AdmissionCheckController
from agent.adapters.kueue.check_facts import NodeFacts
from agent.adapters.kueue.check_policy import RegoAdmissionPolicy, Verdict
from agent.adapters.kueue.waiting import CONTROLLER
from agent.adapters.ledger import AuditLedger
from agent.adapters.rego.bundle import Bundle, read_bundle
from agent.adapters.simulated.world import World
from agent.compliance.timeline import sentence
from agent.domain.base import digest_of
from agent.domain.cluster import ObjectRef
from agent.domain.incident import Incident, Symptom
from agent.ports import ClusterUnavailable, Conflict, JsonObject, LedgerUnavailable, PolicyUnavailable
from agent.resources import bundled
from audit.log import Log

PENDING = {"name": "slo", "state": "Pending", "message": "", "lastTransitionTime": "2026-11-02T08:50:00Z"}
BUNDLE = read_bundle(bundled("policies"))


@pytest.fixture(scope="module")
def policy() -> Iterator[RegoAdmissionPolicy]:
    asked = RegoAdmissionPolicy(lambda: BUNDLE)
    yield asked
    asked.close()


def check(name: str = "slo", controller: str = CONTROLLER, **spec: Any) -> Json:
    return made("AdmissionCheck", name, {"controllerName": controller, **spec}, metadata={"generation": 1})


class Desk:
    """A world with the check at work in it."""

    def __init__(self, policy: Any, folder: Path, *manifests: Json, **parts: Any) -> None:
        self.world = World(1, NOW, timedelta(seconds=30))
        basics = (namespace(), flavor(), cluster_queue(), check())
        self.world.load([*basics, *manifests])
        self.log = Log.open(folder / "log.db")
        self.refused: list[tuple[str, str, str]] = []
        self.incidents: list[Incident] = []
        self.frozen: str | None = None
        facts = NodeFacts(lambda: self.incidents, lambda: self.frozen)
        ledger = parts.get("ledger") or AuditLedger(self.log, self.world.clock, "watchkeeper")
        views = ClusterViews(self.world.cluster, self.world.clock)
        cluster = parts.get("cluster") or self.world.cluster
        told = lambda *what: self.refused.append(what)  # noqa: E731
        self.controller = AdmissionCheckController(
            cluster, views, self.world.clock, policy, facts, ledger, refused=told
        )

    def step(self) -> int:
        return self.controller.step().written

    def entry(self, name: str = "w", check: str = "slo") -> Json:
        status = self.get("Workload", name, "research")["status"]
        return next(each for each in status["admissionChecks"] if each["name"] == check)

    def get(
        self, kind: str, name: str, namespace: str | None = None, version: str = made("x", "x")["apiVersion"]
    ) -> Json:
        return self.world.cluster.get(ObjectRef(api_version=version, kind=kind, namespace=namespace, name=name))

    def records(self) -> list[Mapping[str, Any]]:
        return [each.payload for each in self.log.query(kind=RECORD)]


def waits(name: str = "w", **more: Any) -> Json:
    return reserved(name, checks=(PENDING,), **more)


def test_healthy_nodes_let_it_in_and_the_check_becomes_active(policy: Any, tmp_path: Path) -> None:
    desk = Desk(policy, tmp_path, node("n1"), waits())
    assert desk.step() == 1
    entry = desk.entry()
    assert entry["state"] == "Ready" and "admission.no_trouble" in entry["message"]
    active = desk.get("AdmissionCheck", "slo")["status"]["conditions"]
    assert [(each["type"], each["status"], each["observedGeneration"]) for each in active] == [("Active", "True", 1)]
    (record,) = desk.records()
    assert (record["decision"], record["checks"], record["policy_digest"]) == ("allow", {"slo": "Ready"}, BUNDLE.digest)
    assert sentence(RECORD, record).startswith("Let in: Workload/research/w in ClusterQueue gpu: No trouble is known")
    assert desk.step() == 0 and len(desk.records()) == 1  # nothing more to say


def test_only_its_entry_is_written_by_a_manager_of_its_own(policy: Any, tmp_path: Path) -> None:
    other = {**PENDING, "name": "theirs"}
    desk = Desk(
        policy, tmp_path, node("n1"), check("theirs", "example.com/other"), reserved("w", checks=(other, PENDING))
    )
    before = desk.get("Workload", "w", "research")
    desk.step()
    after = desk.get("Workload", "w", "research")
    assert desk.entry(check="theirs") == other
    assert after["spec"] == before["spec"] and after["status"]["conditions"] == before["status"]["conditions"]
    assert after["status"]["admission"] == before["status"]["admission"]
    writes = [(each.who, each.verb) for each in desk.world.effects]
    assert writes == [(FIELD_MANAGER, "apply"), (FIELD_MANAGER, "apply")]
    assert "conditions" not in desk.get("AdmissionCheck", "theirs").get("status", {})


def test_two_checks_of_ours_on_one_workload_are_written_together(policy: Any, tmp_path: Path) -> None:
    both = (PENDING, {**PENDING, "name": "slo-too"})
    desk = Desk(policy, tmp_path, node("n1"), check("slo-too"), reserved("w", checks=both))
    desk.step()
    assert [desk.entry(check=name)["state"] for name in ("slo", "slo-too")] == ["Ready", "Ready"]


def busy(on: str) -> Json:
    spec = {"nodeName": on, "containers": [{"name": "c", "resources": {"requests": {"nvidia.com/gpu": "8"}}}]}
    return made("Pod", f"on-{on}", spec, "research", version="v1", status={"phase": "Running"})


def test_room_on_a_sick_node_alone_holds_until_it_is_well(policy: Any, tmp_path: Path) -> None:
    desk = Desk(policy, tmp_path, node("n1", ready=False), node("n2"), busy("n2"), waits())
    assert desk.step() == 1
    entry = desk.entry()
    assert entry["state"] == "Pending" and "only with n1 (admission.sick_nodes)" in entry["message"]
    assert entry["lastTransitionTime"] == PENDING["lastTransitionTime"]  # its state did not change
    assert desk.step() == 0
    desk.world.apply(node("n1"))
    assert desk.step() == 1 and desk.entry()["state"] == "Ready"
    assert [each["decision"] for each in desk.records()] == ["hold", "allow"]


def test_who_was_held_for_too_long_gives_its_quota_back_for_longer_each_time(policy: Any, tmp_path: Path) -> None:
    held = {**PENDING, "retryCount": 2}
    long = {"conditions": [condition("QuotaReserved", at="2026-11-02T08:44:59Z")]}
    desk = Desk(
        policy, tmp_path, node("n1", ready=False), node("n2"), busy("n2"), reserved("w", checks=(held,), status=long)
    )
    desk.step()
    entry = desk.entry()
    assert (entry["state"], entry["requeueAfterSeconds"]) == ("Retry", 300 * 2**2)
    assert entry["lastTransitionTime"] == "2026-11-02T09:00:00Z"
    assert desk.step() == 0  # what follows is Kueue's


def test_too_few_healthy_nodes_send_it_back_at_once(policy: Any, tmp_path: Path) -> None:
    desk = Desk(policy, tmp_path, node("n1", spec={"unschedulable": True}), node("n2", gpus=4), waits())
    desk.step()
    assert desk.entry()["state"] == "Retry" and "too_few_healthy" in desk.entry()["message"]


def test_an_open_incident_makes_a_node_sick(policy: Any, tmp_path: Path) -> None:
    desk = Desk(policy, tmp_path, node("n1"), node("n2"), busy("n2"), waits())
    about = ObjectRef(api_version="v1", kind="Node", name="n1")
    desk.incidents = [Incident(id="inc-1", symptom=Symptom.GPU_FAULT, subject=about, opened_at=NOW, signals=())]
    desk.step()
    assert desk.entry()["state"] == "Pending"
    assert desk.records()[0]["input"]["facts"]["flavors"]["h100"]["sick"] == [{"name": "n1", "why": ["incident inc-1"]}]


def test_a_topologys_seat_on_a_sick_host_is_no_seat(policy: Any, tmp_path: Path) -> None:
    levels = {"levels": ["kubernetes.io/hostname"], "slices": [
        {"domainCount": 1, "valuesPerLevel": [{"universal": "n1"}], "podCounts": {"universal": 1}}]}  # fmt: skip
    seat = {"name": "main", "count": 1, "flavors": {"nvidia.com/gpu": "h100"}, "topologyAssignment": levels}
    status = {"admission": {"clusterQueue": "gpu", "podSetAssignments": [seat]}}
    desk = Desk(policy, tmp_path, node("n1", ready=False), node("n2"), waits(status=status))
    desk.step()
    assert desk.entry()["state"] == "Pending" and "sick_nodes" in desk.entry()["message"]


def test_the_kill_switch_lets_nobody_in_and_sends_nobody_off(policy: Any, tmp_path: Path) -> None:
    desk = Desk(policy, tmp_path, node("n1", ready=False), waits())
    desk.frozen = "file"
    desk.step()
    assert desk.entry()["state"] == "Pending" and "kill_switch" in desk.entry()["message"]


@pytest.mark.parametrize(
    "status",
    [
        {"conditions": [condition("QuotaReserved", False)]},
        {"conditions": [condition("QuotaReserved"), condition("Admitted")]},
        {"conditions": [condition("QuotaReserved"), condition("Evicted")]},
        {"conditions": [condition("QuotaReserved"), condition("Finished")]},
        {"admissionChecks": [{**PENDING, "state": "Retry"}]},
        {"admissionChecks": [{**PENDING, "state": "Rejected"}]},
    ],
)
def test_who_is_not_ours_to_judge_is_left_alone(policy: Any, tmp_path: Path, status: Json) -> None:
    desk = Desk(policy, tmp_path, node("n1", ready=False), waits(status=status))
    assert desk.step() == 0 and desk.records() == []


def test_an_older_kueue_is_answered_in_its_own_version(policy: Any, tmp_path: Path) -> None:
    desk = Desk(policy, tmp_path, node("n1"), {**waits(), "apiVersion": OLD})
    desk.step()
    found = desk.get("Workload", "w", "research", version=OLD)
    assert found["apiVersion"] == OLD and found["status"]["admissionChecks"][0]["state"] == "Ready"


# -- what goes wrong ---------------------------------------------------------------------------------------------------


class Broken:
    """Policies that cannot decide."""

    def __init__(self, fault: Exception) -> None:
        self._fault = fault

    def decide(self, policy_input: JsonObject) -> Verdict:
        raise self._fault


@pytest.mark.parametrize("code", ["policy.error", "policy.timeout", "policy.undefined", "policy.ill_typed"])
def test_policies_that_cannot_decide_hold_and_say_so(tmp_path: Path, code: str) -> None:
    desk = Desk(Broken(PolicyUnavailable(code, "no")), tmp_path, node("n1"), waits())
    desk.step()
    entry = desk.entry()
    assert entry["state"] == "Pending" and code in entry["message"]
    assert desk.records()[0]["reasons"][0]["code"] == code


def answering(text: str) -> RegoAdmissionPolicy:
    """By one rule instead of the shipped ones."""
    policies = tuple((name, text if name == "admission/admission.rego" else said) for name, said in BUNDLE.policies)
    other: Bundle = replace(BUNDLE, policies=policies, digest=digest_of(text))
    return RegoAdmissionPolicy(lambda: other)


LATE = '[{"code": "admission.held_too_long", "params": {"waited_s": 1}}]'


@pytest.mark.parametrize(
    "value",
    [
        '"allow"',
        '{"decision": "allow"}',
        '{"decision": "yes", "reasons": [], "requeue_after_s": null}',
        '{"decision": "allow", "reasons": [], "requeue_after_s": null}',
        '{"decision": "allow", "reasons": [{"code": "admission.refused", "params": {}}], "requeue_after_s": null}',
        '{"decision": "allow", "reasons": [{"code": "no.such", "params": {}}], "requeue_after_s": null}',
        '{"decision": "allow", "reasons": [{"code": "admission.no_trouble", "params": {}}], "requeue_after_s": 5}',
        f'{{"decision": "retry", "reasons": {LATE}, "requeue_after_s": null}}',
        f'{{"decision": "retry", "reasons": {LATE}, "requeue_after_s": 0}}',
    ],
)  # fmt: skip
def test_what_is_not_exactly_a_verdict_is_none(value: str) -> None:
    asked = answering(f"package watchkeeper.admission\n\nverdict := {value}\n")
    try:
        with pytest.raises(PolicyUnavailable):
            asked.decide({})
    finally:
        asked.close()


def test_no_record_no_answer(policy: Any, tmp_path: Path) -> None:
    class Down:
        def record(self, *_: Any, **__: Any) -> None:
            raise LedgerUnavailable("the disk is full")

    desk = Desk(policy, tmp_path, node("n1"), waits(), ledger=Down())
    with pytest.raises(LedgerUnavailable):
        desk.step()
    assert desk.entry() == PENDING


class Refusing:
    """An API server that says no to the workloads."""

    def __init__(self, fault: Exception) -> None:
        self.fault, self.asked = fault, 0

    def apply(self, manifest: JsonObject, **_: Any) -> JsonObject:
        self.asked += manifest["kind"] == "Workload"
        if manifest["kind"] == "Workload":
            raise self.fault
        return manifest


def test_a_newer_version_is_judged_at_the_next_look(policy: Any, tmp_path: Path) -> None:
    refusing = Refusing(Conflict("modified"))
    desk = Desk(policy, tmp_path, node("n1"), waits(), cluster=refusing)
    assert (desk.step(), desk.step(), refusing.asked) == (0, 0, 2)
    assert len(desk.records()) == 1 and desk.refused == []


def test_an_api_server_that_is_away_ends_the_look(policy: Any, tmp_path: Path) -> None:
    desk = Desk(policy, tmp_path, node("n1"), waits(), cluster=Refusing(ClusterUnavailable("away")))
    with pytest.raises(ClusterUnavailable):
        desk.step()


def test_one_that_cannot_be_read_is_told_once_and_stops_nobody(policy: Any, tmp_path: Path) -> None:
    odd = waits("odd", status={"admission": {"clusterQueue": "gpu", "podSetAssignments": "all"}})
    desk = Desk(policy, tmp_path, node("n1"), odd, waits())
    assert (desk.step(), desk.step()) == (1, 0)
    assert desk.entry()["state"] == "Ready" and desk.entry("odd")["state"] == "Pending"
    assert [(door, place) for door, place, _ in desk.refused] == [("kueue", "Workload/research/odd")]


def test_a_flavor_that_nobody_can_read_holds_its_own_alone(policy: Any, tmp_path: Path) -> None:
    strange = {"name": "main", "count": 1, "flavors": {"nvidia.com/gpu": "gone"}}
    lost = waits("lost", status={"admission": {"clusterQueue": "gpu", "podSetAssignments": [strange]}})
    desk = Desk(policy, tmp_path, node("n1"), lost, waits())
    desk.step()
    assert desk.entry()["state"] == "Ready"
    assert desk.entry("lost")["state"] == "Pending" and "ResourceFlavor gone" in desk.entry("lost")["message"]


def test_a_check_with_parameters_is_not_served(policy: Any, tmp_path: Path) -> None:
    named = check("odd", parameters={"apiGroup": "x", "kind": "Y", "name": "z"})
    desk = Desk(policy, tmp_path, node("n1"), named)
    desk.step()
    assert "conditions" not in desk.get("AdmissionCheck", "odd").get("status", {})
    assert desk.refused[0][1] == "AdmissionCheck/odd"


PARAMETERS = {"apiGroup": "x", "kind": "Y", "name": "z"}


def served_before(name: str = "odd", **spec: Any) -> Json:
    """Active since its first generation; this is its second."""
    said = {"type": "Active", "status": "True", "reason": "Watching", "message": "m", "observedGeneration": 1}
    once = {**said, "lastTransitionTime": "2026-11-02T08:00:00Z"}
    return {**check(name, **spec), "metadata": {"name": name, "generation": 2}, "status": {"conditions": [once]}}


def active(desk: Desk, name: str = "odd") -> tuple[str, str, int]:
    (said,) = desk.get("AdmissionCheck", name)["status"]["conditions"]
    return said["status"], said["reason"], said["observedGeneration"]


def test_a_check_that_is_given_parameters_lets_nobody_in_any_more(policy: Any, tmp_path: Path) -> None:
    waiting = {**PENDING, "name": "odd"}
    desk = Desk(policy, tmp_path, node("n1"), served_before(parameters=PARAMETERS), reserved("w", checks=(waiting,)))
    assert (desk.step(), desk.step()) == (0, 0)
    assert desk.entry(check="odd") == waiting and desk.records() == []
    assert active(desk) == ("False", "ParametersNotSupported", 2)
    assert [place for _, place, _ in desk.refused] == ["AdmissionCheck/odd"]
    desk.world.apply({**served_before(parameters=None), "status": desk.get("AdmissionCheck", "odd")["status"]})
    assert desk.step() == 1 and desk.entry(check="odd")["state"] == "Ready"
    assert active(desk) == ("True", "Watching", 3)


def test_who_waits_for_such_a_check_too_is_not_answered_for_the_other(policy: Any, tmp_path: Path) -> None:
    """What one manager does not apply again is taken away: the entry of the first would go, and the rest would do."""
    both = (PENDING, {**PENDING, "name": "odd"})
    unhealthy = (node("n1", ready=False), node("n2"), busy("n2"))
    desk = Desk(policy, tmp_path, *unhealthy, check("odd"), reserved("w", checks=both), waits("alone"))
    assert desk.step() == 2 and desk.entry(check="odd")["state"] == "Pending"
    told = desk.get("Workload", "w", "research")["status"]["admissionChecks"]
    given = desk.get("AdmissionCheck", "odd")
    desk.world.apply({**given, "spec": {**given["spec"], "parameters": PARAMETERS}})
    desk.world.apply(node("n1"))
    assert desk.step() == 1 and desk.entry("alone")["state"] == "Ready"
    assert desk.get("Workload", "w", "research")["status"]["admissionChecks"] == told
    assert active(desk)[:2] == ("False", "ParametersNotSupported")


def test_without_a_check_of_ours_nothing_is_looked_at(policy: Any, tmp_path: Path) -> None:
    desk = Desk(policy, tmp_path, node("n1"), waits())
    desk.world.delete(ObjectRef(api_version="kueue.x-k8s.io/v1beta2", kind="AdmissionCheck", name="slo"))
    assert desk.step() == 0 and desk.entry() == PENDING


def test_time_is_an_argument(policy: Any, tmp_path: Path) -> None:
    desk = Desk(policy, tmp_path, node("n1"), waits())
    desk.step()
    assert datetime.fromisoformat(desk.records()[0]["at"]) == NOW
