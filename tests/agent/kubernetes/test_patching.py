"""Whatever changes, in whatever order: the view that was carried on is the one that is made anew, to the last entry."""

from datetime import timedelta
from typing import Any

import pytest
from changing_world import NAMES, OWNERS, STANDING, World, apps, group, job, looks, meta, node, pod, workload
from hypothesis import given

from agent.domain.pod_index import PodIndex
from agent.ports import JsonObject
from tests.tried import tried


@tried(150)
@given(looks)
def test_a_view_that_is_carried_on_is_the_one_that_is_made_anew(looks: list[list[Any]]) -> None:
    world = World()
    world.put(*STANDING, node("n-0"), node("n-1"), pod("p-1", "job"), pod("p-2", "set"))
    world.agree()
    for look in looks:
        for each in look:
            if isinstance(each, tuple):
                world.drop(*each)
            else:
                world.put(each)
        world.clock.at += timedelta(seconds=1)
        world.agree()


def test_what_is_told_of_a_node_leaves_the_rest_the_very_same() -> None:
    world = World()
    world.put(*STANDING, node("n-0"), node("n-1"), pod("p-1", "job"))
    before = world.views.take()
    world.put(node("n-1", cordoned=True))
    after = world.views.take()
    assert after.nodes["n-1"].unschedulable
    assert not before.nodes["n-1"].unschedulable
    assert after.pods is before.pods
    assert after.index is before.index
    assert after.beside_nodes is before.beside_nodes


@pytest.mark.parametrize(
    "change",
    [
        lambda world: world.put(pod("p-1", "job", phase="Failed")),
        lambda world: world.put(pod("p-9")),
        lambda world: world.drop("Pod", "p-1"),
        lambda world: world.drop("Job", "j"),
        lambda world: world.drop("Node", "n-1"),
        lambda world: world.put({"apiVersion": "v1", "kind": "Namespace", "metadata": meta("another", None)}),
    ],
)
def test_whatever_else_changes_is_more_than_nodes(change: Any) -> None:
    world = World()
    world.put(*STANDING, node("n-0"), node("n-1"), pod("p-1", "job"))
    before = world.views.take()
    change(world)
    after = world.views.take()
    assert before.beside_nodes is not None
    assert after.beside_nodes is not before.beside_nodes
    world.agree()


@pytest.mark.parametrize(
    "after",
    [pod("p-1", group="g"), pod("p-1", **NAMES["prebuilt"]), pod("p-1", "job"), pod("p-1", **NAMES["app"])],
)
def test_a_pod_that_says_something_else_of_its_gang(after: JsonObject) -> None:
    world = World()
    world.put(*STANDING, node("n-0"), pod("p-1"), pod("p-2", group="g"))
    world.agree()
    for each in (after, pod("p-1"), after):
        world.put(each)
        world.agree()


def test_a_pod_that_comes_before_the_pod_that_owns_it_is_of_the_job_above_both() -> None:
    world = World()
    world.put(*STANDING, node("n-0"))
    world.agree()
    world.put(pod("p-1", "third"), pod("p-3", "job"))
    world.agree()
    world.drop("Pod", "p-3")
    world.put(pod("p-4", "third"))
    world.agree()


def test_a_pod_that_owns_a_workload_says_what_that_is_for() -> None:
    world = World()
    world.put(*STANDING, node("n-0"), pod("p-0"))
    world.agree()
    told = pod("p-0")
    told["metadata"]["annotations"] = {"watchkeeper.dev/class": "notebook"}
    world.put(told)
    world.agree()


def test_a_view_that_was_handed_out_stays_as_it_was() -> None:
    world = World()
    world.put(*STANDING, node("n-0"), pod("p-1", "job"))
    before, anew = world.views.take(), world.anew()
    world.put(node("n-0", cordoned=True), pod("p-1", "job", phase="Failed"), pod("p-3", "job"))
    world.agree()
    assert before == anew
    assert before.index.by_owner == PodIndex(anew.pods).by_owner


def admitted(status: str) -> JsonObject:
    made = workload()
    made["status"]["conditions"] = [{"type": "Admitted", "status": status}]
    return made


@pytest.mark.parametrize(
    "change",
    [
        lambda world: world.put(admitted("True")),
        lambda world: world.put(job("j", queue="q", parallelism=1)),
        lambda world: world.put(group("g", 1)),
        lambda world: world.put(apps("StatefulSet", "r", "pod", "notebook")),
        lambda world: world.put(apps("Deployment", "e")),
        lambda world: world.drop("PodDisruptionBudget", "b"),
        lambda world: world.put(node("n-7")),
        lambda world: world.drop("Node", "n-1"),
        lambda world: world.put(pod("p-6", "free", group="g")),
        lambda world: world.drop("Pod", "p-4"),
        lambda world: world.put(pod("p-7", group="g")),
    ],
)
def test_what_changes_often_in_a_large_cluster_is_carried_on(change: Any) -> None:
    world = World()
    world.put(*STANDING, job("f"), node("n-0"), node("n-1"), pod("p-1", "job"))
    world.put(pod("p-4", "free", group="g"), pod("p-5", "free", group="g"))
    before = world.views.take()
    change(world)
    after = world.views.take()
    assert after.namespaces is before.namespaces  # which are read anew where all is brought together
    world.agree()


def test_pods_of_one_group_under_several_owners_claim_them_in_the_order_of_their_names() -> None:
    world = World()
    world.put(*STANDING, job("f"), group("h"), pod("p-2", "free", group="g"))
    world.agree()
    world.put(pod("p-1", "set", group="g"))
    world.agree()
    world.put(pod("p-0", "free", group="h"))
    world.agree()
    world.drop("Pod", "p-2")
    world.drop("Pod", "p-0")
    world.agree()


def labelled(made: JsonObject, **labels: str) -> JsonObject:
    return {**made, "metadata": {**made["metadata"], "labels": labels}}


def renamed(made: JsonObject, name: str, owners: list[JsonObject]) -> JsonObject:
    return {**made, "metadata": {**made["metadata"], "name": name, "ownerReferences": owners}}


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ([pod("p-2", "free", group="g"), pod("p-1", "free", group="h")], pod("p-00", "free", group="g")),
        ([renamed(workload(), "w-2", OWNERS["job"])], workload(finished=True)),
        ([workload("job"), pod("p-0", "free")], renamed(workload(), "w", OWNERS["job"] + OWNERS["free"])),
        ([("Job", "f"), renamed(workload(), "job-f-0a1b2", [])], job("f")),
        ([("Job", "f"), workload("none")], labelled(job("f"), **NAMES["prebuilt"])),
        ([apps("Deployment", "e")], ("Deployment", "e")),
        ([apps("ReplicaSet", "d-2")], apps("ReplicaSet", "d-2", "deployment")),
    ],
    ids=["whose", "finished", "owners", "claimed before it came", "prebuilt", "gone", "owned"],
)
def test_what_says_more_than_of_itself(first: list[Any], then: Any) -> None:
    world = World()
    world.put(*STANDING, job("f"), group("h"), node("n-0"), pod("p-1", "job"))
    world.agree()
    for each in (*first, then):
        if isinstance(each, tuple):
            world.drop(*each)
        else:
            world.put(each)
        world.agree()
