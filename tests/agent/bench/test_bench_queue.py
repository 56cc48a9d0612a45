"""The scheduler's benchmarks on loads small enough for a test: what they count, not how fast they are."""

from collections import Counter
from dataclasses import replace

import pytest

from agent.bench import admission, queue
from agent.bench.cycle_load import FLAVOR, Size, full_cycle, shapes, world
from agent.bench.kueue_load import BASELINE, LARGE, run_load
from agent.bench.measures import Measure
from agent.bench.openb import TraceError
from agent.bench.simulation import WAYS, run as simulate_trace
from agent.bench.trace_times import read_arrivals
from agent.bench.worlds import GPU, GPUS_PER_NODE
from scheduler_core.desk import Desk
from scheduler_core.kueue_cycle import cycle
from scheduler_core.settings import Settings
from scheduler_core.topology import Failure

SMALL = replace(BASELINE, cohorts=1, classes=tuple(replace(each, count=each.count // 25) for each in BASELINE.classes))
FEW = Size(
    nodes=160, queues=6, lending_cohort=4, cohort=2, waiting=60, needing_preemption=6, candidates=30, two_nodes=2
)


def test_the_loads_are_those_that_kueue_publishes():
    assert (BASELINE.cohorts * BASELINE.queues, BASELINE.workloads) == (30, 15_000)
    assert (LARGE.cohorts * LARGE.queues, LARGE.workloads) == (1_000, 50_000)


def test_every_workload_of_a_load_ends_and_comes_back_when_it_was_sent_back():
    ran = run_load(SMALL)
    assert ran.finished == SMALL.workloads
    assert ran.admitted == ran.finished + ran.preempted
    assert ran.decisions >= ran.admitted
    assert sum(len(waits) for waits in ran.waits_ms.values()) == ran.admitted


def test_a_full_cycle_weighs_everybody_and_sends_back_for_those_that_need_it():
    assert len(shapes()) >= 50
    result = full_cycle(FEW).result
    assert result.evaluations >= FEW.waiting
    assert {gang for _, gang in result.preempted.values()} <= {f"wait-{i:04}" for i in range(FEW.needing_preemption)}
    assert result.preempted and result.admitted
    assert all(name.startswith("low-") for name in result.preempted)


def test_seats_that_are_looked_for_late_are_given_once_and_to_all_that_have_any():
    tight = replace(FEW, nodes=60)
    desk = Desk(world(tight), tight.waiting, Settings(place=False, heads=None))
    result = cycle(desk, tight.waiting)
    used = Counter()
    for name, gang in desk.snapshot.gangs.items():
        admission = desk.snapshot.state_of(name).admission
        for each in gang.pod_sets if admission else ():
            for seat in admission.topology[each.name]:
                used[seat.values[-1]] += seat.count * each.requests[GPU]
    assert max(used.values()) <= GPUS_PER_NODE
    assert result.parked
    for name in result.parked:
        gang = desk.snapshot.gang(name)
        flavors = {"worker": dict.fromkeys(gang.pod_sets[0].requests, FLAVOR)}
        assert isinstance(desk.sites.find(gang, {"worker": gang.pod_sets[0].count}, flavors), Failure)


def test_the_world_of_the_cycle_is_as_its_size_says():
    snapshot = world(FEW)
    assert (len(snapshot.nodes), len(snapshot.queues)) == (FEW.nodes, FEW.queues)
    assert len(snapshot.pending_gangs()) == FEW.waiting
    assert len(snapshot.gangs) == FEW.waiting + FEW.candidates


def test_a_report_has_our_numbers_with_the_wish_and_the_peers_with_their_conditions():
    report = queue.run(small=SMALL, large=replace(SMALL, name="large"), size=FEW)
    assert {"full cycle", "baseline: decisions"} <= {each["name"] for each in report["measures"]}
    assert all(each["conditions"] for each in report["measures"])
    assert all(peer["conditions"] and peer["source"] for peer in report["peers"])


def test_single_questions_are_answered_within_a_report():
    report = admission.run(nodes=50, gpus=80, large_nodes=20, topology_nodes=40, topology_pods=48, times=2)
    names = [each["name"] for each in report["measures"]]
    assert [name for name in names if name.startswith("unschedulable")] == [
        "unschedulable, with its reason (full)",
        "unschedulable, with its reason (scattered)",
    ]
    assert "one topology gang, whole cycle (preferred)" in names


@pytest.mark.parametrize(
    ("value", "wish", "holds"), [(5, {"at_most": 5}, True), (6, {"at_most": 5}, False), (6, {}, None)]
)
def test_a_wish_holds_or_not(value, wish, holds):
    assert Measure("x", value, "ms", "", **wish).holds is holds


NODES = "sn,cpu_milli,memory_mib,gpu,model\nn0,8000,8000,2,A\nn1,8000,8000,2,B\n"
PODS = (
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\n"
    "p1,100,100,1,500,,LS,Running,1000,1100,1000\n"
    "p0,100,100,2,1000,A|B,BE,Running,1010,1060,1020\n"
    "p2,100,100,0,0,,LS,Failed,1020,1030,\n"
)


def files(folder, pods=PODS):
    (folder / "nodes.csv").write_text(NODES)
    (folder / "pods.csv").write_text(pods)
    return folder / "nodes.csv", folder / "pods.csv"


def test_the_trace_is_read_with_its_times(tmp_path):
    found = read_arrivals(files(tmp_path)[1])
    told = [(each.gang.name, each.at_s, each.runs_s, each.kind, each.gang.queue) for each in found]
    assert told == [("p1", 0, 100, "part of a GPU", "LS"), ("p0", 10, 40, "several GPUs", "BE")]


def test_the_trace_is_run_through_every_way_of_scheduling(tmp_path):
    report = simulate_trace(*files(tmp_path))
    assert [each["way"] for each in report["table"]] == list(WAYS) == list(report["series"])
    assert {(each["never_started"], each["makespan_s"]) for each in report["table"]} == {(0, 100)}
    closer = simulate_trace(*files(tmp_path), ways=("fifo",), load=0.5)
    assert "as close together as they came" in closer["notes"][0] and "as they came" in report["notes"][0]


def test_a_line_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(TraceError, match=r"pods.csv: line 2: cpu_milli: 'x'"):
        read_arrivals(files(tmp_path, PODS.replace("p1,100", "p1,x"))[1])
