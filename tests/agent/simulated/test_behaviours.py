"""What pods do to their GPUs, by kind, by gang, and as a scenario tells them to behave."""

from datetime import timedelta
from typing import Any

import pytest
from world_builders import START, at, deployment, job, node, owned_by, pod, queues, ref, replica_set, workload

from agent.adapters.simulated.behaviour import BEHAVIOUR, CAPACITY, LOAD
from agent.adapters.simulated.world import World

Json = dict[str, Any]


def playing(*manifests: Json, until_s: float = 0) -> World:
    made = World(7, START, timedelta(seconds=15), {}, world_metrics=True)
    made.load(manifests)
    made.advance_to(at(until_s))
    return made


def marked(manifest: Json, text: str, annotation: str = BEHAVIOUR) -> Json:
    metadata = manifest["metadata"]
    return {**manifest, "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), annotation: text}}}


def behaves(made: World, kind: str, name: str, text: str, api_version: str = "v1") -> None:
    about = {"name": name, "namespace": "a", "annotations": {BEHAVIOUR: text}}
    made.apply({"apiVersion": api_version, "kind": kind, "metadata": about})


def shows(made: World, metric: str, name: str) -> float:
    """The highest that any GPU of the pod shows now."""
    found = made.metrics.instant(f'{metric}{{pod="{name}"}}', made.clock.now())
    return max(series.points[-1][1] for series in found)


def gang(pods: int, ready: int) -> list[Json]:
    train = job("train", pods, gpus=8)
    running = [pod(f"train-{i}", f"n{i}", train) for i in range(ready)]
    return [*(node(f"n{i}") for i in range(pods)), *queues(64), train, workload("w", train), *running]


def notebook() -> list[Json]:
    made = {"apiVersion": "kubeflow.org/v1", "kind": "Notebook", "metadata": {"name": "nb", "namespace": "a"}}
    return [node("n1"), {**made, "spec": {}}, pod("nb-0", "n1", made, gpus=1)]


def service(load: int, replicas: int = 2) -> list[Json]:
    chat = marked(marked(deployment("chat", replicas, gpus=1), str(load), LOAD), "8", CAPACITY)
    owner = replica_set(chat)
    labels = owner["spec"]["selector"]["matchLabels"]
    return [node("n1"), chat, owner, *(pod(f"chat-{i}", "n1", owner, gpus=1, **labels) for i in range(replicas))]


def test_a_whole_gang_works_and_counts_its_steps() -> None:
    made = playing(*gang(2, 2), until_s=60)
    assert shows(made, "DCGM_FI_DEV_GPU_UTIL", "train-0") >= 85
    assert shows(made, "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "train-0") > 0.3
    assert shows(made, "train_steps_total", "train-0") == 30


def test_a_gang_below_its_minimum_does_nothing() -> None:
    made = playing(*gang(2, 2), until_s=60)
    made.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "train-1", "namespace": "a"},
                "status": {"conditions": [{"type": "Ready", "status": "False"}]}})  # fmt: skip
    made.advance_to(at(120))
    made.advance_to(at(180))
    assert shows(made, "DCGM_FI_DEV_GPU_UTIL", "train-0") == 0
    assert shows(made, "DCGM_FI_DEV_POWER_USAGE", "train-0") == 60
    assert shows(made, "train_steps_total", "train-0") == 30


def test_one_that_hangs_holds_all_of_its_gang() -> None:
    """A collective that waits keeps every SM busy and does no work: utilisation alone would call it healthy."""
    made = playing(*gang(2, 2), until_s=60)
    behaves(made, "Pod", "train-1", "hangs")
    made.advance_to(at(60))
    made.advance_to(at(600))
    for name in ("train-0", "train-1"):
        assert shows(made, "DCGM_FI_DEV_GPU_UTIL", name) == 100
        assert shows(made, "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", name) == 0
        assert shows(made, "DCGM_FI_DEV_POWER_USAGE", name) < 200
        assert shows(made, "train_steps_total", name) == 30


def test_the_gang_is_as_slow_as_its_straggler() -> None:
    made = playing(*gang(2, 2))
    behaves(made, "Pod", "train-1", "straggles")
    made.advance_to(at(0))
    made.advance_to(at(150))
    assert shows(made, "train_steps_total", "train-0") == pytest.approx(30)
    waits, lags = (shows(made, "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", f"train-{i}") for i in (0, 1))
    assert waits < lags / 2


def test_a_job_that_has_finished_and_lives_on_holds_its_memory() -> None:
    train = marked(job("train", 1, gpus=1), "finished")
    made = playing(node("n1"), train, pod("train-0", "n1", train, gpus=1), until_s=60)
    assert shows(made, "DCGM_FI_DEV_GPU_UTIL", "train-0") == 0
    assert shows(made, "train_steps_total", "train-0") == 0
    assert shows(made, "DCGM_FI_DEV_FB_USED", "train-0") > 60_000


def test_a_notebook_has_bursts_and_no_long_silence() -> None:
    made = playing(*notebook())
    seen = []
    for minute in range(0, 240, 5):
        made.advance_to(at(minute * 60))
        seen.append(shows(made, "DCGM_FI_DEV_GPU_UTIL", "nb-0"))
    assert {0} < set(seen)
    assert all(any(seen[i : i + 4]) for i in range(len(seen) - 4)), "never idle for twenty minutes"


def test_what_a_pod_is_told_goes_with_it_what_its_owner_is_told_stays() -> None:
    made = playing(*service(16))
    behaves(made, "Pod", "chat-0", "hangs")
    made.advance_to(at(15))
    assert shows(made, "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "chat-0") == 0
    made.cluster.evict(ref("v1", "Pod", "chat-0"))
    made.advance_to(at(60))
    (new,) = [
        each["metadata"]["name"] for each in made.cluster.list("v1", "Pod") if each["metadata"]["name"] > "chat-1"
    ]
    assert shows(made, "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", new) > 0


def test_a_service_follows_its_load() -> None:
    made = playing(*service(20))
    assert [shows(made, "vllm:num_requests_running", f"chat-{i}") for i in range(2)] == [8, 8]
    assert [shows(made, "vllm:num_requests_waiting", f"chat-{i}") for i in range(2)] == [2, 2]
    assert shows(made, "vllm:gpu_cache_usage_perc", "chat-0") > 0.9
    about = {"name": "chat", "namespace": "a", "annotations": {LOAD: "1"}}
    made.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": about})
    made.advance_to(at(30))
    assert [shows(made, "vllm:num_requests_running", f"chat-{i}") for i in range(2)] == [1, 0]
    assert 0 < shows(made, "DCGM_FI_DEV_GPU_UTIL", "chat-0") < 50
    assert shows(made, "DCGM_FI_DEV_GPU_UTIL", "chat-1") == 0


def test_a_model_over_several_pods_serves_whole_or_not_at_all() -> None:
    made = {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet"}
    template = {"spec": {"containers": [{"name": "main", "resources": {"limits": {"nvidia.com/gpu": "8"}}}]}}
    spec = {"replicas": 1, "leaderWorkerTemplate": {"size": 2, "workerTemplate": template}}
    big = marked({**made, "metadata": {"name": "big", "namespace": "a"}, "spec": spec}, "20", LOAD)
    shown = playing(node("n0"), node("n1"), big, pod("big-0", "n0", big), pod("big-0-1", "n1", big))
    assert shows(shown, "DCGM_FI_DEV_GPU_UTIL", "big-0") > 15
    assert shown.metrics.instant("train_steps_total", shown.clock.now()) == []
    shown.delete(ref("v1", "Pod", "big-0-1"))
    shown.advance_to(at(1))
    assert shows(shown, "DCGM_FI_DEV_GPU_UTIL", "big-0") == 0


def test_requests_for_a_service_without_replicas_wait_at_the_gateway() -> None:
    made = playing(*service(5))
    made.cluster.scale(ref("apps/v1", "Deployment", "chat"), 0)
    made.advance_to(at(30))
    waiting = made.metrics.instant("vllm:num_requests_waiting", made.clock.now())
    assert [(each.labels.get("pod"), each.labels["service"], each.points[0][1]) for each in waiting] == [
        (None, "chat", 5)
    ]


def test_a_throttled_node_says_why_it_is_slow() -> None:
    made = playing(marked(node("n1"), "throttles: thermal"), pod("p", "n1", gpus=1), until_s=60)
    assert shows(made, "DCGM_FI_DEV_GPU_TEMP", "p") > 88
    assert shows(made, "DCGM_FI_DEV_CLOCKS_EVENT_REASONS", "p") == 0x40
    assert shows(made, "DCGM_FI_DEV_THERMAL_VIOLATION", "p") > 0
    assert shows(made, "DCGM_FI_DEV_POWER_VIOLATION", "p") == 0


@pytest.mark.parametrize(
    ("annotation", "text"),
    [(BEHAVIOUR, "sleeps"), (BEHAVIOUR, "throttles: gravity"), (BEHAVIOUR, "reads-zero"), (LOAD, "many"),
     (CAPACITY, "0")],
)  # fmt: skip
def test_a_behaviour_that_nobody_knows_is_an_error_that_names_it(annotation: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"Pod/a/p: metadata.annotations.{annotation}: '{text}'"):
        playing(marked(pod("p"), text, annotation))


def test_owned_pods_behave_as_their_owner_is_told() -> None:
    web = marked(deployment("web", 1, gpus=1), "idle")
    owner = replica_set(web)
    made = playing(node("n1"), web, owner, {**pod("web-0", "n1", gpus=1, app="web"),
                   "metadata": {"name": "web-0", "namespace": "a", "ownerReferences": owned_by(owner)}})  # fmt: skip
    assert shows(made, "DCGM_FI_DEV_GPU_UTIL", "web-0") == 0


def test_the_api_server_does_not_show_how_a_pod_behaves() -> None:
    made = playing(node("n1"), marked(pod("p", "n1", gpus=1), "hangs"))
    made.cluster.patch(ref("v1", "Pod", "p"), {"metadata": {"annotations": {"note": "seen"}}})
    told = [*made.cluster.list("v1", "Pod"), made.cluster.get(ref("v1", "Pod", "p"))]
    told += [each.object for each in made.cluster.changes_since(0) if each.object["kind"] == "Pod"]
    assert not any(BEHAVIOUR in each["metadata"].get("annotations", {}) for each in told)
    assert shows(made, "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "p") == 0, "the world remembers"
