"""LeaderWorkerSets: groups of a leader and its workers that start, wait and restart together."""

from queued_kinds import held, leader_worker_set, of_kind, queued, site
from world_builders import KUEUE, at, pod_ref, ref, running

SET = ref("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "train")


def test_the_leaders_own_the_sets_of_their_workers() -> None:
    made = site()
    made.apply(leader_worker_set(pods=2, groups=2))
    made.advance_to(at(30))
    assert sorted(running(made)) == ["train-0", "train-0-1", "train-1", "train-1-1"]
    owners = {each["metadata"]["name"]: each["metadata"]["ownerReferences"][0] for each in of_kind(made, "StatefulSet")}
    assert {name: owner["kind"] for name, owner in owners.items()} == {
        "train": "LeaderWorkerSet",
        "train-0": "Pod",
        "train-1": "Pod",
    }
    assert held(made.cluster.get(SET)) == {"Available": "AllGroupsReady"}


def test_a_worker_that_goes_takes_its_group_along_and_no_other() -> None:
    made = site()
    made.apply(leader_worker_set(pods=2, groups=2))
    made.advance_to(at(30))
    uids = {each["metadata"]["name"]: each["metadata"]["uid"] for each in of_kind(made, "Pod")}
    made.cluster.evict(pod_ref("train-0-1"))
    made.advance_to(at(90))
    after = {each["metadata"]["name"]: each["metadata"]["uid"] for each in of_kind(made, "Pod")}
    assert {name for name in uids if uids[name] != after[name]} == {"train-0", "train-0-1"}
    assert len(running(made)) == 4


def test_a_queued_set_has_a_workload_for_each_group() -> None:
    made = site(quota=16)
    made.apply(queued(leader_worker_set(pods=2, groups=2)))
    made.advance_to(at(60))
    assert sorted(running(made)) == ["train-0", "train-0-1"], "the other group waits for quota"
    first, second = of_kind(made, "Workload")
    assert "Admitted" in held(first) and held(second) == {}
    gated = [each["metadata"]["name"] for each in of_kind(made, "Pod") if each["spec"].get("schedulingGates")]
    assert gated == ["train-1", "train-1-1"]


def test_one_group_is_sent_back_and_the_other_stays() -> None:
    made = site()
    made.apply(queued(leader_worker_set(pods=2, groups=2)))
    made.advance_to(at(30))
    first = ref(KUEUE, "Workload", of_kind(made, "Workload")[0]["metadata"]["name"])
    made.cluster.patch(first, {"spec": {"active": False}})
    made.advance_to(at(60))
    assert sorted(running(made)) == ["train-1", "train-1-1"]


def test_scaled_it_has_as_many_groups_and_workloads() -> None:
    made = site()
    made.apply(queued(leader_worker_set(pods=2, groups=1)))
    made.advance_to(at(30))
    made.cluster.scale(SET, 3)
    made.advance_to(at(90))
    assert len(running(made)) == 6 and len(of_kind(made, "Workload")) == 3
    made.cluster.scale(SET, 1)
    made.advance_to(at(120))
    assert sorted(running(made)) == ["train-0", "train-0-1"] and len(of_kind(made, "Workload")) == 1
