"""Stuck gangs: who is requeued so that another can start. Asked of the real scheduler's what-if."""

from datetime import timedelta

import pytest

from agent.adapters.scheduler.forecaster import SchedulerForecaster
from agent.domain.cluster import ObjectRef
from agent.domain.signal import EventBody, Signal
from agent.domain.thresholds import USUAL
from agent.evidence.gangs import GangPlan, candidates, competing, plan, stuck_gangs, stuck_s
from agent.evidence.symptoms import tells
from evidence.field import NOW, Cluster, Foresees, cluster, ref

FOUR = ("gpu-1", "gpu-2", "gpu-3", "gpu-4")


def planned(where: Cluster, subject: str = "big", **starts: list[str]) -> GangPlan:
    view = where.view()
    forecaster = Foresees(**starts) if starts else SchedulerForecaster()
    return plan(view.gangs[ref("Workload", subject)], view, forecaster, NOW, USUAL)


def who(made: GangPlan) -> str | None:
    return made.requeue.ref.name if made.requeue else None


def deadlock(**small: object) -> Cluster:
    """Four nodes; `big` wants all of them and has two, `small` wants three and holds the other two."""
    return (
        cluster()
        .nodes(*FOUR)
        .gang("big", on=["gpu-1", "gpu-2"], waiting=2)
        .gang("small", on=["gpu-3", "gpu-4"], waiting=1, **small)
    )


def test_of_two_that_wait_for_each_other_the_smaller_goes_back() -> None:
    made = planned(deadlock())
    assert (who(made), made.starts) == ("small", ("Workload/lab/big",))
    assert "makes no progress itself" in made.reason


def test_it_is_the_same_plan_whichever_of_them_is_asked_about() -> None:
    assert who(planned(deadlock(), subject="small")) == "small"


def test_the_lower_priority_goes_back_even_when_it_is_larger() -> None:
    made = planned(deadlock(priority=10))
    assert (who(made), made.starts) == ("big", ("Workload/lab/small",))


def test_nobody_is_moved_when_nobody_would_start() -> None:
    where = cluster().nodes("gpu-1", "gpu-2").gang("big", on=["gpu-1", "gpu-2"], waiting=2)
    made = planned(where)
    assert who(made) is None and "no gang" in made.reason


def test_a_healthy_gang_of_the_same_priority_is_left_alone() -> None:
    where = cluster().nodes(*FOUR).gang("big", on=["gpu-1"], waiting=1).gang("well", on=["gpu-2", "gpu-3", "gpu-4"])
    assert who(planned(where)) is None


def test_a_healthy_gang_of_lower_priority_gives_way() -> None:
    where = cluster().nodes(*FOUR).gang("big", on=["gpu-1"], waiting=1, priority=5)
    made = planned(where.gang("well", on=["gpu-2", "gpu-3", "gpu-4"]))
    assert who(made) == "well" and "runs at priority 0" in made.reason


def test_what_could_start_as_things_are_is_held_up_by_something_else() -> None:
    where = cluster().nodes(*FOUR).gang("big", on=["gpu-1"], waiting=1)
    made = planned(where)
    assert who(made) is None and "something else" in made.reason


def test_who_opted_out_is_not_moved() -> None:
    made = planned(deadlock(annotations={"watchkeeper.dev/opt-out": "true"}))
    assert who(made) == "big"


@pytest.mark.parametrize("subject", ["big", "small"])
def test_nobody_gives_way_to_one_that_matters_less(subject: str) -> None:
    """Where the lesser one opted out, a person decides."""
    made = planned(deadlock(priority=-1, annotations={"watchkeeper.dev/opt-out": "true"}), subject=subject)
    assert who(made) is None
    assert "only Workload/lab/big could give way, and at priority 0 it outranks Workload/lab/small" in made.reason


@pytest.mark.parametrize(
    ("more", "first"),
    [
        ({"low": {"priority": -1}, "b": {}}, "low"),
        ({"a": {"gpus": 4}, "b": {}}, "a"),
        ({"old": {"age_s": 9000}, "young": {"age_s": 3600}}, "young"),
        ({"b": {}, "a": {}}, "a"),
    ],
    ids=["priority", "size", "age", "name"],
)
def test_the_order_of_what_it_costs(more: dict[str, dict[str, object]], first: str) -> None:
    where = cluster().nodes(*FOUR).gang("big", on=["gpu-1"], waiting=3, priority=1)
    for name, about in more.items():
        where.gang(name, on=["gpu-2"], waiting=1, **about)
    view = where.view()
    assert candidates(view.gangs[ref("Workload", "big")], view, NOW, USUAL)[0].ref.name == first


def test_a_gang_that_has_only_just_begun_is_not_stuck_yet() -> None:
    view = cluster().nodes(*FOUR).gang("new", on=["gpu-1"], waiting=1, stuck_s=300).view()
    (gang,) = view.gangs.values()
    assert (stuck_s(gang, NOW), stuck_gangs(view, NOW, 600)) == (300, [])
    assert stuck_gangs(view, NOW + timedelta(minutes=5), 600) == [gang]


def test_gangs_on_other_nodes_do_not_stand_in_the_way() -> None:
    where = deadlock().node("l4-1", product="NVIDIA-L4").gang("tiny", on=["l4-1"], waiting=1)
    groups = competing(where.view(), stuck_gangs(where.view(), NOW, 600))
    assert [[g.ref.name for g in group] for group in groups] == [["big", "small"], ["tiny"]]


@pytest.mark.parametrize(("stuck_for_s", "opens"), [(60, False), (599, False), (600, True)])
def test_a_pod_that_has_just_begun_to_wait_makes_no_gang_stuck(stuck_for_s: int, opens: bool) -> None:
    view = cluster().nodes("gpu-1").gang("new", on=["gpu-1"], waiting=1, stuck_s=stuck_for_s).view()
    pod = ObjectRef(api_version="v1", kind="Pod", namespace="lab", name="new-1")
    body = EventBody(reason="FailedScheduling", severity="Warning", involved=pod)
    told = tells(Signal(id="1", source="test", type="dev.watchkeeper.k8s.event", time=NOW, body=body), view, USUAL)
    assert (told is not None) is opens


@pytest.mark.parametrize(("rival_stuck_s", "goes_back"), [(60, None), (119, None), (120, "small"), (1200, "small")])
def test_a_rival_whose_pods_have_no_node_need_not_be_stuck_as_long(rival_stuck_s: int, goes_back: str | None) -> None:
    assert who(planned(deadlock(stuck_s=rival_stuck_s))) == goes_back


def test_a_healthy_gang_gives_way_to_a_larger_one_of_its_priority_and_not_the_other_way_round() -> None:
    where = cluster().nodes(*FOUR).gang("big", on=["gpu-1", "gpu-2"], waiting=1).gang("well", on=["gpu-3", "gpu-4"])
    assert who(planned(where)) == "well"
    where = cluster().nodes(*FOUR).gang("big", on=["gpu-1"], waiting=1).gang("well", on=["gpu-2", "gpu-3", "gpu-4"])
    assert who(planned(where)) is None


@pytest.mark.parametrize(("kind", "priority"), [("Job", 1000), ("Workload", 0)])
def test_a_gang_matters_as_its_pods_do_where_its_queue_says_nothing(kind: str, priority: int) -> None:
    """A PriorityClass is given by name; admission writes its value into the pods."""
    where = cluster().nodes("gpu-1", "gpu-2").gang("serve", on=["gpu-1", "gpu-2"], kind=kind)
    where.change("Pod", "serve-0", {"spec": {"priorityClassName": "prod-high", "priority": 1000}})
    assert where.view().gangs[ref(kind, "serve")].priority == priority
