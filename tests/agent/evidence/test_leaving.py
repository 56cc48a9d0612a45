"""Who is asked to leave a sick node before a repair, and who stays and why."""

from typing import Any

import pytest

from agent.evidence.leaving import parted
from agent.evidence.lookup import tenant_pods_on
from evidence.field import Cluster, cluster


def told(where: Cluster, node: str = "gpu-7") -> tuple[list[str], list[str]]:
    view = where.view()
    leave, stay = parted(tenant_pods_on(view, node), view.nodes[node], view)
    return [pod.ref.name for pod in leave], [each.why for each in stay]


def sick() -> Cluster:
    return cluster().node("gpu-7", cordoned=True).node("gpu-8")


def served(**more: Any) -> Cluster:
    return sick().deployment("chat", ["gpu-7"], **more)


def labelled(where: Cluster) -> Cluster:
    return where.change("Pod", "chat-0", {"metadata": {"labels": {"app": "chat"}}})


def test_a_replica_of_a_service_may_go() -> None:
    assert told(served()) == (["chat-0"], [])
    assert told(sick().deployment("web", ["gpu-7"], kind="StatefulSet")) == (["web-0"], [])


@pytest.mark.parametrize(
    ("where", "why"),
    [
        (sick().notebook("ann", "gpu-7"), "Notebook: it would lose its work"),
        (sick().deployment("jupyter-lab", ["gpu-7"]), "Deployment: it would lose its work"),
        (sick().pod("by-hand", "gpu-7"), "nothing would start it again"),
        (sick().gang("llama", on=["gpu-7", "gpu-8"], kind="Gang"), "part of Gang/lab/llama"),
        (served(annotations={"watchkeeper.dev/opt-out": "true"}), "its owner opted out"),
        (labelled(served()).budget("chat", 1, app="chat"), "the disruption budget chat lets nobody go"),
        (cluster().node("gpu-7").deployment("chat", ["gpu-7"]), "no other node has room for it"),
        (served().node("gpu-8", ready=False), "no other node has room for it"),
        (served().pod("full", "gpu-8", gpus=7), "no other node has room for it"),
    ],
    ids=["notebook", "notebook image", "plain", "gang", "opted out", "budget", "alone", "not ready", "full"],
)
def test_who_stays(where: Cluster, why: str) -> None:
    assert told(where) == ([], [why])


def test_a_job_of_its_own_stays() -> None:
    where = sick().gang("solo", on=["gpu-7"], kind="Job").change("Job", "solo", {"metadata": {"annotations": {}}})
    where.objects["Job", "solo"]["metadata"]["annotations"] = {}
    assert told(where) == ([], ["Job: it would lose its work"])


def test_others_budgets_say_nothing() -> None:
    assert told(labelled(served()).budget("web", 1, app="web")) == (["chat-0"], [])
    one_of_two = labelled(served()).pod("peer", "gpu-8", gpus=1, labels={"app": "chat"}).budget("chat", 1, app="chat")
    assert told(one_of_two) == (["chat-0"], [])
