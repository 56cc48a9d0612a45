"""Who was told to go and is still there: nothing that runs counts as gone, and it is said what holds it."""

from evidence.field import Cluster, cluster, ref

from actions.proposing import NODE, proposed, success

POD = ref("Pod", "chat-0")
LEAVING = {
    "metadata": {"deletionTimestamp": "2026-11-02T09:10:00Z", "finalizers": ["tests.example/never"]},
}


def serving(**node: object) -> Cluster:
    return cluster().node("gpu-7", **node).nodes("gpu-8").deployment("chat", on=["gpu-7", "gpu-8"])


def test_a_drain_is_not_done_while_somebody_still_writes_a_checkpoint() -> None:
    made = proposed("drain_node", NODE, serving())
    told = success(made, serving(cordoned=True).change("Pod", "chat-0", LEAVING))
    assert told.done is None
    assert "1 pods are still on gpu-7" in told.statement
    assert "Pod/lab/chat-0 was told to go by 2026-11-02T09:10:00Z, and held by tests.example/never" in told.statement


def test_who_has_ended_has_left_though_a_finalizer_keeps_its_object() -> None:
    made = proposed("drain_node", NODE, serving())
    ended = (
        serving(cordoned=True).change("Pod", "chat-0", LEAVING).change("Pod", "chat-0", {"status": {"phase": "Failed"}})
    )
    assert success(made, ended).done is True


def test_an_eviction_says_who_holds_its_pod() -> None:
    made = proposed("evict_pod", POD, serving())
    told = success(made, serving().change("Pod", "chat-0", LEAVING))
    assert told.done is None and "held by tests.example/never" in told.statement


def test_a_machine_that_left_and_one_that_took_its_name_take_no_new_pods_in_its_stead() -> None:
    made = proposed("cordon_node", NODE, serving())
    assert success(made, cluster().nodes("gpu-8")).statement == "gpu-7 has left the cluster"
    renamed = success(made, serving().change("Node", "gpu-7", {"metadata": {"uid": "uid-of-another"}}))
    assert renamed.done is True and "another machine bears its name" in renamed.statement
