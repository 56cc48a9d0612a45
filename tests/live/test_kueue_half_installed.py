"""Half a Kueue under `watchkeeper run`: said once, no lever of it is pulled, the rest goes on; taken up when whole.

On a real API server of its own: first without Kueue, then with some of its CRDs, with all of them and nobody behind
them, with the real controller, with that controller dead, and with one version of the CRDs withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from control_plane import ControlPlane
from fake_nodes import make_nodes
from gangs_for_real import GPU, KUEUE, job, queue
from kube import Api, Json, condition, reference
from kueue_server import GROUP, Kueue, install_crds
from live_world import Seen, ref
from running_agent import Running
from servers import wait_for

from agent.actions.base import Success, Wish, build_proposal
from agent.actions.catalogue import CATALOGUE
from agent.domain.diagnosis import Diagnosis
from agent.domain.incident import Incident, Symptom
from agent.domain.proposal import Proposal

CRDS = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
NOTICED_S = 180.0  # what is not served is asked for once a minute, and nobody is late before another
NAMESPACE, QUEUE = "half", "half"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    running = ControlPlane(tmp_path_factory.mktemp("half"))
    for name in ("watchkeeper", NAMESPACE):
        running.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield running
    running.stop()


@pytest.fixture(scope="module")
def agent(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("agent"), plane.admin)
    running.leads()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def kueue(plane: ControlPlane) -> Kueue:
    """On this plane, from the first test on that asks for it."""
    return Kueue(plane)


def state(agent: Running, wanted: str, *said: str) -> Json:
    """/readyz once Kueue is so; the agent is ready all the while."""

    def look() -> Json | None:
        found = agent.ready()
        kueue = found.get("kueue", {})
        assert agent.process.poll() is None and found.get("ready"), agent.said()
        return kueue if kueue.get("state") == wanted and all(word in kueue.get("why", "") for word in said) else None

    return wait_for(f"Kueue is {wanted}", look, NOTICED_S)


def told(agent: Running) -> list[str]:
    """What is on the record about Kueue as a whole."""
    records = agent.ask("audit", "query", "--kind", "refused")["records"]
    return [each["payload"]["reason"] for each in records if each["payload"]["place"] == GROUP]


def admitted_by_nobody(api: Api, name: str, node: str) -> None:
    """A gang that runs on this node and holds quota, as a Kueue that has gone left it."""
    made = job(name, NAMESPACE, 1, 8, queue=QUEUE, nodeSelector={"kubernetes.io/hostname": node})
    owner = api.create(made)
    about = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": owner["metadata"]["uid"]}
    workload = {
        "apiVersion": KUEUE,
        "kind": "Workload",
        "metadata": {"name": name, "namespace": NAMESPACE, "ownerReferences": [{**about, "controller": True}]},
        "spec": {"queueName": QUEUE, "podSets": [{"name": "main", "count": 1, "template": made["spec"]["template"]}]},
    }
    api.create(workload)
    since = owner["metadata"]["creationTimestamp"]
    said = {"status": "True", "reason": "Admitted", "message": "", "lastTransitionTime": since}
    assigned = {"name": "main", "count": 1, "flavors": {GPU: QUEUE}, "resourceUsage": {GPU: "8"}}
    status = {
        "conditions": [{"type": kind, **said} for kind in ("QuotaReserved", "Admitted")],
        "admission": {"clusterQueue": QUEUE, "podSetAssignments": [assigned]},
    }
    api.merge(reference(KUEUE, "Workload", name, NAMESPACE), {"status": status}, "status")
    wait_for("it runs", lambda: any(p["status"].get("phase") == "Running" for p in api.list("v1", "Pod", NAMESPACE)))


def dies(kueue: Kueue, api: Api) -> None:
    """Its webhooks gone as well: while they are there, the server refuses every write to its objects."""
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        for each in api.list("admissionregistration.k8s.io/v1", kind):
            api.delete(reference("admissionregistration.k8s.io/v1", kind, each["metadata"]["name"]))
    kueue.part.kill()


def crd(name: str) -> Json:
    return reference(*CRDS, f"{name}.{GROUP}")


def withdraw(api: Api, version: str, *, served: bool) -> None:
    for name in ("workloads", "clusterqueues", "localqueues", "resourceflavors"):
        versions = api.get(*CRDS, f"{name}.{GROUP}")["spec"]["versions"]
        changed = [{**each, "served": served} if each["name"] == version else each for each in versions]
        api.merge(crd(name), {"spec": {"versions": changed}})


def test_a_kueue_that_is_not_whole_is_told_once_and_its_levers_are_left_alone(
    plane: ControlPlane, agent: Running
) -> None:
    api = plane.api
    assert state(agent, "absent")["configuration"]
    assert agent.ready()["admission_check"]["state"] == "nothing to do"

    install_crds(api)
    api.delete(crd("clusterqueues"))
    state(agent, "half installed", "v1beta2 lacks ClusterQueue")
    install_crds(api)
    state(agent, "not at work", "no manager of it is in sight")

    (node,) = make_nodes(api, 1, prefix="half")
    for each in queue(QUEUE, NAMESPACE, 16):
        api.apply(each)
    admitted_by_nobody(api, "train", node)
    agent.post_xid(node)
    wait_for("the rest goes on: the node is cordoned", lambda: api.get("v1", "Node", node)["spec"].get("unschedulable"))
    would = "requeue_gang would do nothing: Kueue is not at work"
    wait_for("a person is told why", lambda: agent.ask("audit", "query", "--text", would)["records"], NOTICED_S)
    train = api.get(KUEUE, "Workload", "train", NAMESPACE)
    assert train["spec"].get("active", True) is True and train["metadata"]["generation"] == 1
    assert len(told(agent)) == 2  # half installed, and nobody at work: each of them once


def test_it_is_taken_up_when_it_is_whole_and_missed_when_it_dies(
    plane: ControlPlane, agent: Running, kueue: Kueue
) -> None:
    api = plane.api
    state(agent, "whole")
    dies(kueue, api)
    api.merge(reference(KUEUE, "ClusterQueue", QUEUE), {"spec": {"queueingStrategy": "StrictFIFO"}})
    state(agent, "not at work", f"nobody has answered for ClusterQueue/{QUEUE} within 60 s")
    kueue.part.start()
    state(agent, "whole")
    withdraw(api, "v1beta2", served=False)
    try:
        wait_for("the other version is taken", lambda: agent.ready()["kueue"].get("version") == "v1beta1", NOTICED_S)
        wait_for("the agent sees", lambda: agent.ready()["apiserver"]["answers"], NOTICED_S)
        seen = Seen(plane.admin)
        queues = {each.api_version for each in seen.views.take().objects if each.kind == "ClusterQueue"}
        seen.close()
        assert queues == {f"{GROUP}/v1beta1"}
    finally:
        withdraw(api, "v1beta2", served=True)
    assert agent.ready()["ready"]


def proposed(seen: Seen, action: str, target: Any) -> Proposal:
    view = seen.until("it is seen", lambda view: target in view.objects)
    incident = Incident(
        id="inc-1", symptom=Symptom.QUEUE_STARVED, subject=target, opened_at=seen.clock.now(), signals=()
    )
    diagnosis = Diagnosis(
        incident="inc-1", cause="x", statement="x", source="playbook:x", playbook="x", confidence=0.9, evidence=()
    )
    made = build_proposal(CATALOGUE[action], incident, 0, Wish(target, {}, "because"), view, diagnosis)
    assert isinstance(made, Proposal), made
    return made


def helped(seen: Seen, made: Proposal) -> Success:
    return CATALOGUE[made.action].succeeded(made, seen.views.take(), seen.clock.now(), lambda key: "unknown")


def test_a_lever_that_nobody_heeds_has_not_helped_by_the_actions_own_test(plane: ControlPlane, kueue: Kueue) -> None:
    seen = Seen(plane.admin)
    target = ref(KUEUE, "ClusterQueue", QUEUE)
    try:
        for action, alive in (("hold_queue", True), ("resume_queue", False)):
            if not alive:
                dies(kueue, plane.api)
            made = proposed(seen, action, target)
            (step,) = made.steps
            seen.cluster.patch(step.target, dict(step.body), uid=step.uid)
            succeeded = partial(helped, seen, made)
            if alive:
                wait_for("Kueue has stopped the queue", lambda succeeded=succeeded: succeeded().done)
                assert condition(plane.api.get(KUEUE, "ClusterQueue", QUEUE), "Active") == "False"
            else:
                assert succeeded().done is None and "its controller has seen generation" in succeeded().statement
    finally:
        kueue.part.start()
        seen.close()
