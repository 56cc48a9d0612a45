"""The same seed replays the same world, byte for byte, and a day passes in a moment."""

import time
from datetime import timedelta

from test_autoscaling import autoscaler
from test_behaviours import marked, service
from test_daemon_sets import exporters
from world_builders import START, at, deployment, gang, job, node, own_queue, pod, pod_ref, queues, ref, workload

from agent.adapters.simulated.world import World


def eventful(seed: int) -> World:
    train, llm = job("train", 4), gang("llm", 2)
    made = World(seed, START, timedelta(seconds=15), {"reboot": {"takes": "2m"}})
    made.begin_at(at(-600))
    made.load([node(f"n{index}") for index in range(1, 9)] + queues(32) + [own_queue("train", 16)])
    made.load([train, workload("w", train), llm, deployment("web", 0, 2)])
    made.load([pod(f"t-{index}", f"n{index}", train) for index in range(1, 5)])
    made.load([pod(f"llm-{index}", f"n{index}", llm) for index in (5, 6)])
    made.set_metrics('util{pod="t-1"} 97\n')
    made.advance_to(at(10))
    made.cluster.scale(ref("apps/v1", "Deployment", "web"), 5)
    made.cluster.patch(ref("kueue.x-k8s.io/v1beta2", "Workload", "w"), {"spec": {"active": False}})
    made.advance_to(at(40))
    made.cluster.patch(ref("kueue.x-k8s.io/v1beta2", "Workload", "w"), {"spec": {"active": True}})
    made.repairs.request("n5", "reboot", gpu_uuid=None, key="k")
    made.advance_to(at(300))
    made.cluster.evict(pod_ref("llm-6"))
    made.advance_to(at(3600))
    return made


def test_one_seed_is_one_world() -> None:
    assert eventful(7).dump() == eventful(7).dump()


def test_another_seed_names_things_differently() -> None:
    assert eventful(7).dump() != eventful(8).dump()


def test_the_steps_in_which_time_passes_do_not_matter() -> None:
    """A runner that stops at every event sees the world that one stride would have made."""
    strides, steps = (World(7, START, timedelta(seconds=15), {}) for _ in range(2))
    for made in (strides, steps):
        made.load([node("n1"), node("n2"), deployment("web", 0, 2)])
        made.cluster.scale(ref("apps/v1", "Deployment", "web"), 3)
        made.inject_fault("kubelet", "down", at(30))
    strides.advance_to(at(120))
    while (moment := steps.next_event_at()) is not None and moment <= at(120):
        steps.advance_to(moment)
    assert steps.dump() == strides.dump()


def test_the_next_event_is_the_work_at_hand_then_a_timer_then_a_scrape() -> None:
    made = World(7, START, timedelta(seconds=15), {})
    made.load([node("n1"), deployment("web", 0, 2)])
    made.advance_to(at(1))
    assert made.next_event_at() == at(15)
    made.cluster.scale(ref("apps/v1", "Deployment", "web"), 1)
    assert made.next_event_at() == at(1)
    made.advance_to(at(1))
    assert made.next_event_at() == at(6), "the kubelet starts the pod"
    made.advance_to(at(6))
    assert made.next_event_at() == at(15)


def test_a_day_of_64_nodes_and_nine_hours_of_100_series_pass_in_a_moment() -> None:
    began = time.process_time()
    _pass_time(World(7, START, timedelta(minutes=5), {}), hours=27)
    _pass_time(World(7, START, timedelta(seconds=60), {}), hours=9)
    assert time.process_time() - began < 2


def _pass_time(made: World, hours: int) -> None:
    train = job("train", 48)
    made.load([node(f"n{index:02}") for index in range(64)])
    made.load([train, *[pod(f"t-{index}", f"n{index:02}", train) for index in range(48)]])
    made.set_metrics("".join(f'util{{gpu="{index}"}} 97\n' for index in range(100)))
    made.set_metrics("".join(f'steps{{rank="{index}"}} 1\n' for index in range(100)), rate_per_second=2)
    end = at(hours * 3600)
    for index in range(4):
        made.delete(pod_ref(f"t-{index}"))
        while (moment := made.next_event_at()) is not None and moment <= end - timedelta(hours=4 - index):
            made.advance_to(moment)
    made.metrics.range("avg_over_time(util[1h])", end - timedelta(hours=2), end, timedelta(minutes=1))


def lively(seed: int) -> World:
    """With exporters, an autoscaler under load, a crash loop, a straggler and a node that flaps."""
    made = World(seed, START, timedelta(seconds=15), {}, world_metrics=True)
    made.load([marked(node("n1"), "flaps"), *(node(f"n{index}") for index in range(2, 6)), exporters()])
    made.load([*service(60)[1:], autoscaler(), job("train", 2)])
    made.load([marked(pod("bad", "n3", gpus=1), "crashes"), marked(pod("nb", "n4", gpus=1), "bursts")])
    return made


def test_one_seed_is_one_world_with_all_that_its_pods_tell() -> None:
    first, second = lively(7), lively(7)
    for made in (first, second):
        made.advance_to(at(1800))
    assert first.dump() == second.dump()


def test_steps_do_not_matter_to_what_the_exporters_tell() -> None:
    strides, steps = lively(7), lively(7)
    strides.advance_to(at(1800))
    while (moment := steps.next_event_at()) is not None and moment <= at(1800):
        steps.advance_to(moment)
    assert steps.dump() == strides.dump()
