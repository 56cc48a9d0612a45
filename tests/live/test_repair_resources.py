"""The site's repair system on a real API server: a CRD as a site would install it, a request made through the agent's
own world, and this test as the controller that carries it out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from control_plane import ControlPlane
from kube import Json, condition, reference
from live_world import node, ref
from servers import wait_for

sys.path.insert(0, str(Path(__file__).parents[1] / "agent" / "stages"))

from step_field import proposal

from agent.adapters.kubernetes.examination import Examination
from agent.adapters.kubernetes.repairs import KEY, WITHDRAWN
from agent.adapters.ledger import AuditLedger
from agent.adapters.live import LiveWorld, access_of, live_world
from agent.chance import NoBoundaries
from agent.config import Settings
from agent.doctor.repairs import repair
from agent.doing import Effectors
from agent.domain.proposal import Step, Verb
from agent.effects import StepCall, StepState, run_step
from agent.ports import RepairUnavailable
from agent.scenarios.witness import Pager
from audit.log import Log

KIND, PLURAL = "RebootNode", "rebootnodes"
READS = [{"apiGroups": ["*"], "resources": ["nodes", "namespaces"], "verbs": ["get", "list", "watch"]}]
APIEXTENSIONS = "apiextensions.k8s.io/v1"


def crd(group: str) -> Json:
    """Namespaced, with a schema that takes a node's name and nothing else, and a status of its own."""
    status = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    name = {"type": "string", "pattern": "^[a-z0-9][a-z0-9.-]*$"}
    spec = {"type": "object", "required": ["nodeName"], "properties": {"nodeName": name}}
    schema = {"type": "object", "required": ["spec"], "properties": {"spec": spec, "status": status}}
    version = {"name": "v1alpha1", "served": True, "storage": True, "subresources": {"status": {}}}
    return {
        **reference(APIEXTENSIONS, "CustomResourceDefinition", f"{PLURAL}.{group}"),
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": KIND, "plural": PLURAL, "singular": KIND.lower()},
            "versions": [{**version, "schema": {"openAPIV3Schema": schema}}],
        },
    }


class Site:
    """A group and a namespace of this test's own; `installed` puts the CRD there."""

    def __init__(self, anywhere: ControlPlane, room: str) -> None:
        self.api, self.room, self.group = anywhere.api, room, f"{room}.tests.watchkeeper.dev"
        self._anywhere = anywhere

    def installed(self) -> Site:
        made = self.api.create(crd(self.group))
        at = (APIEXTENSIONS, "CustomResourceDefinition", made["metadata"]["name"])
        self.api.wait("the CRD is established", *at, until=lambda each: condition(each, "Established") == "True")
        wait_for("its kind is served", lambda: self.resources() is not None)
        return self

    def account(self, *verbs: str) -> Path:
        rule = {"apiGroups": [self.group], "resources": [PLURAL], "verbs": list(verbs)}
        return self._anywhere.as_account(f"repairs-{'-'.join(verbs) or 'none'}", [*READS, *([rule] if verbs else [])])

    def settings(self, kubeconfig: Path, **kind: object) -> Settings:
        reboot = {"apiVersion": f"{self.group}/v1alpha1", "kind": KIND, "namespace": self.room}
        reboot |= {"spec": {"nodeName": "{node}"}, **kind}
        told = {"operations": {"reboot": reboot}, "done": ["NodeReady"], "failed": ["Failed"]}
        return Settings.model_validate({"kubeconfig": kubeconfig, "repair": told})

    def resources(self) -> list[Json] | None:
        """None while the kind is not served."""
        try:
            return self.api.list(f"{self.group}/v1alpha1", KIND, self.room)
        except Exception:  # noqa: BLE001  by then discovery says so in several ways
            return None

    def says(self, *conditions: str) -> None:
        """As its controller writes the status of the one request there is."""
        (one,) = self.resources() or ()
        about = reference(f"{self.group}/v1alpha1", KIND, one["metadata"]["name"], self.room)
        status = {"conditions": [{"type": each, "status": "True"} for each in conditions]}
        self.api.merge(about, {"status": status}, "status")


@pytest.fixture
def site(anywhere: ControlPlane, room: str) -> Site:
    return Site(anywhere, room)


@pytest.fixture
def world() -> Iterator[Callable[[Settings], LiveWorld]]:
    begun: list[LiveWorld] = []

    def begin(settings: Settings) -> LiveWorld:
        begun.append(live_world(settings, lambda *told: None, lambda kind: None, "tests"))
        return begun[-1]

    yield begin
    for each in begun:
        each.close()


World = Callable[[Settings], LiveWorld]
ALL = ("create", "get", "patch")


def test_a_request_is_one_resource_and_its_end_is_read_off_its_status(site: Site, world: World) -> None:
    repairs = world(site.installed().settings(site.account(*ALL))).repairs
    assert repairs.state("inc-1/0/0") == "unknown"
    for _ in range(2):  # the same key never asks twice
        repairs.request("gpu-7", "reboot", gpu_uuid=None, key="inc-1/0/0")
    (one,) = site.resources() or ()
    assert (one["spec"], one["metadata"]["annotations"][KEY]) == ({"nodeName": "gpu-7"}, "inc-1/0/0")
    assert repairs.state("inc-1/0/0") == "pending"
    site.says("SignalSent")
    assert repairs.state("inc-1/0/0") == "pending"
    site.says("SignalSent", "NodeReady")
    assert repairs.state("inc-1/0/0") == "succeeded"
    site.says("NodeReady", "Failed")
    assert repairs.state("inc-1/0/0") == "failed", "who says both has failed"


def test_what_is_withdrawn_stays_to_be_seen(site: Site, world: World) -> None:
    repairs = world(site.installed().settings(site.account(*ALL))).repairs
    repairs.request("gpu-7", "reboot", gpu_uuid=None, key="k")
    repairs.withdraw("k")
    repairs.withdraw("another")
    (one,) = site.resources() or ()
    assert one["metadata"]["annotations"][WITHDRAWN] == "true" and "deletionTimestamp" not in one["metadata"]


def test_what_the_sites_schema_refuses_is_said_in_its_words(site: Site, world: World) -> None:
    odd = {"nodeName": "{node}", "force": True}
    unknown = world(site.installed().settings(site.account(*ALL), spec={"nodeName": "Node {node}"})).repairs
    with pytest.raises(RepairUnavailable, match=r"spec\.nodeName"):
        unknown.request("gpu-7", "reboot", gpu_uuid=None, key="k")
    assert site.resources() == [] and unknown.state("k") == "unknown"
    pruned = world(site.settings(site.account(*ALL), spec=odd)).repairs
    with pytest.raises(RepairUnavailable, match=r"spec\.force is nothing, not True"):
        pruned.request("gpu-7", "reboot", gpu_uuid=None, key="k")
    assert site.resources() == [], "a field that the CRD does not know would be dropped, and another thing be asked for"


def test_without_the_right_nothing_is_asked_for_and_it_is_said(site: Site, world: World) -> None:
    repairs = world(site.installed().settings(site.account("get"))).repairs
    with pytest.raises(RepairUnavailable, match="forbidden"):
        repairs.request("gpu-7", "reboot", gpu_uuid=None, key="k")
    assert site.resources() == []
    blind = world(site.settings(site.account())).repairs
    with pytest.raises(RepairUnavailable, match="forbidden"):
        blind.state("k")


def test_a_crd_that_is_missing_is_said_and_one_that_comes_is_used(
    site: Site, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.adapters.kubernetes.live.discovery.ASK_AGAIN_S", 0.5)
    repairs = world(site.settings(site.account(*ALL))).repairs
    with pytest.raises(RepairUnavailable, match="not served"):
        repairs.request("gpu-7", "reboot", gpu_uuid=None, key="k")
    assert repairs.state("k") == "unknown"
    site.installed()

    def asked() -> bool:
        try:
            repairs.request("gpu-7", "reboot", gpu_uuid=None, key="k")
        except RepairUnavailable:
            return False
        return True

    wait_for("the CRD is found", asked)
    assert repairs.state("k") == "pending"


def test_a_request_that_vanishes_is_unknown_and_its_step_is_not_done_again(
    anywhere: ControlPlane, site: Site, world: World, tmp_path: Path
) -> None:
    """Somebody deleted it: whether the node reboots is then nobody's guess, and a person's to find out."""
    there = world(site.installed().settings(site.account(*ALL)))
    name = f"{site.room}-sick"
    uid = anywhere.api.create(node(name))["metadata"]["uid"]
    step = Step(verb=Verb.REQUEST_REPAIR, target=ref("v1", "Node", name), body={"operation": "reboot"}, uid=uid)
    with Log.open(tmp_path / "log.db", durability="memory") as log:
        ledger = AuditLedger(log, there.clock, "watchkeeper")
        through = Effectors(there.cluster, there.repairs, Pager(), ledger, NoBoundaries())

        def run() -> StepState:
            now = datetime.now(UTC)
            return run_step(StepCall(proposal(step), 0, now, since=now), through).state

        assert run() is StepState.DONE
        (one,) = site.resources() or ()
        key = one["metadata"]["annotations"][KEY]
        site.api.delete(reference(f"{site.group}/v1alpha1", KIND, one["metadata"]["name"], site.room))
        assert there.repairs.state(key) == "unknown"
        assert run() is StepState.DONE
        assert site.resources() == []
        assert [record.payload["outcome"] for record in log.query(kind="outcome")] == ["succeeded"]
    anywhere.api.delete(reference("v1", "Node", name))  # without a kubelet: it would be in trouble under other tests


@pytest.mark.parametrize(
    ("verbs", "kind", "state", "said"),
    [
        (ALL, {}, "ok", KIND),
        (("get",), {}, "warn", "create, patch rebootnodes"),
        (ALL, {"namespace": None}, "fail", "lies in a namespace"),
        (ALL, {"kind": "RebootHost"}, "fail", "serves no RebootHost"),
        (ALL, {"apiVersion": "repairs.nobody.example/v1"}, "fail", "is not served"),
    ],
)
def test_the_doctor_says_what_is_wrong_with_it(
    site: Site, verbs: tuple[str, ...], kind: dict[str, object], state: str, said: str
) -> None:
    settings = site.installed().settings(site.account(*verbs), **kind)
    (finding,) = repair(Examination(access_of(settings).api_client()), settings)
    assert (finding.state.value, finding.what) == (state, "repair: reboot")
    assert said in finding.said and bool(finding.remedy) == (state != "ok")
