"""The world's own exporters: series that follow what the pods do, unless the timeline has named them."""

from datetime import timedelta

from world_builders import START, at, deployment, job, node, pod, queues, ref, workload

from agent.adapters.simulated.world import World


def exporting(*more: dict[str, object]) -> World:
    made = World(7, START, timedelta(seconds=15), {}, world_metrics=True)
    made.load([node("n1", gpus=2), node("n2", gpus=2), pod("p", "n1", gpus=1), *more])
    made.advance_to(at(0))
    return made


def values(made: World, query: str, *labels: str) -> dict[tuple[str, ...], float]:
    found = made.metrics.instant(query, made.clock.now())
    return {tuple(each.labels.get(label, "") for label in labels): each.points[0][1] for each in found}


def test_a_gpu_does_what_its_pod_does() -> None:
    used = values(exporting(), "DCGM_FI_DEV_GPU_UTIL", "Hostname", "gpu", "pod")
    assert used.pop(("n1", "0", "p")) >= 85
    assert used == {("n1", "1", ""): 0, ("n2", "0", ""): 0, ("n2", "1", ""): 0}


def test_two_witnesses_agree() -> None:
    made = exporting()
    assert values(made, "DCGM_FI_PROF_GR_ENGINE_ACTIVE > 0", "pod").keys() == {("p",)}
    assert values(made, "DCGM_FI_DEV_POWER_USAGE > 60", "pod").keys() == {("p",)}


def test_series_come_and_go_with_the_pods() -> None:
    made = exporting(deployment("web", 0, 2))
    made.cluster.scale(ref("apps/v1", "Deployment", "web"), 1)
    made.advance_to(at(30))
    assert len(values(made, 'DCGM_FI_DEV_GPU_UTIL{Hostname="n2",pod=~"web.*"} > 0', "gpu")) == 2
    made.cluster.scale(ref("apps/v1", "Deployment", "web"), 0)
    made.advance_to(at(60))
    assert values(made, 'DCGM_FI_DEV_GPU_UTIL{pod=~"web.*"}', "gpu") == {}
    assert values(made, 'kube_pod_status_phase{pod=~"web.*"}', "pod") == {}


def test_a_pod_keeps_its_gpu_when_others_leave() -> None:
    made = exporting(pod("q", "n1", gpus=1))
    made.delete(ref("v1", "Pod", "p"))
    made.advance_to(at(15))
    assert values(made, 'DCGM_FI_DEV_GPU_UTIL{pod="q"}', "gpu").keys() == {("1",)}


def test_what_the_timeline_names_is_the_timelines() -> None:
    made = exporting()
    made.set_metrics('DCGM_FI_DEV_GPU_UTIL{gpu="0",Hostname="n1",namespace="a",pod="p"} 0\n')
    made.apply({**node("n1", gpus=2), "metadata": {"name": "n1", "annotations": {"something": "changed"}}})
    made.advance_to(at(30))
    assert values(made, 'DCGM_FI_DEV_GPU_UTIL{pod="p"}', "gpu", "UUID") == {("0", ""): 0}


def test_what_the_timeline_dropped_stays_away() -> None:
    made = exporting()
    made.drop_metrics(['DCGM_FI_DEV_GPU_UTIL{pod="p"}'])
    made.apply(pod("q", "n2", gpus=1))
    made.advance_to(at(30))
    assert values(made, 'DCGM_FI_DEV_GPU_UTIL{pod=~"p|q"}', "pod").keys() == {("q",)}


def test_objects_tell_of_themselves() -> None:
    made = exporting(job("train", 1, suspend=True), pod("big", gpus=64))
    made.advance_to(at(15))
    assert values(made, 'kube_pod_status_phase{pod="p"} == 1', "phase") == {("Running",): 1}
    assert values(made, "kube_pod_status_unschedulable", "pod") == {("big",): 1}
    assert values(made, 'kube_pod_container_resource_requests{resource="nvidia_com_gpu"}', "pod") == {
        ("p",): 1,
        ("big",): 64,
    }
    assert values(made, "kube_node_status_allocatable", "node") == {("n1",): 2, ("n2",): 2}
    assert values(made, "kube_job_status_suspended", "job_name") == {("train",): 1}


def test_kueue_tells_of_its_quota() -> None:
    train = job("train", 2, gpus=1)
    made = exporting(*queues(16), train, workload("w", train), pod("t", "n2", train, gpus=1))
    assert values(made, "kueue_cluster_queue_nominal_quota", "cluster_queue", "flavor") == {("q", "default"): 16}
    assert values(made, "kueue_cluster_queue_resource_usage", "resource") == {("nvidia.com/gpu",): 2}
    assert values(made, "kueue_pending_workloads", "cluster_queue") == {("q",): 0}
    made.cluster.patch(
        ref("kueue.x-k8s.io/v1beta2", "ClusterQueue", "q", None), {"spec": {"stopPolicy": "HoldAndDrain"}}
    )
    made.advance_to(at(30))
    assert values(made, "kueue_cluster_queue_resource_usage", "resource") == {("nvidia.com/gpu",): 0}
    assert values(made, "kueue_pending_workloads", "cluster_queue") == {("q",): 1}


def test_without_being_asked_the_world_says_nothing() -> None:
    made = World(7, START, timedelta(seconds=15), {})
    made.load([node("n1"), pod("p", "n1")])
    made.advance_to(at(60))
    assert values(made, '{__name__=~".+"}') == {}


def test_what_the_timeline_says_of_a_gpu_the_world_does_not_contradict() -> None:
    """Utilisation and memory copies come from one source, and so do the profiling counters."""
    made = exporting()
    made.set_metrics(
        'DCGM_FI_DEV_GPU_UTIL{gpu="0",hostname="n1",exported_namespace="a",exported_pod="p",pod="d",job="dcgm"} 0\n'
        'DCGM_FI_PROF_GR_ENGINE_ACTIVE{gpu="0",hostname="n1",exported_namespace="a",exported_pod="p",pod="d"} 0\n'
    )
    made.advance_to(at(15))
    for metric in ("MEM_COPY_UTIL", "GPU_UTIL"):
        assert values(made, f'DCGM_FI_DEV_{metric}{{pod="p"}}', "gpu") == {}
    for metric in ("PIPE_TENSOR_ACTIVE", "DRAM_ACTIVE", "GR_ENGINE_ACTIVE"):
        assert values(made, f'DCGM_FI_PROF_{metric}{{pod="p"}}', "gpu") == {}
    assert values(made, 'DCGM_FI_DEV_POWER_USAGE{pod="p"}', "gpu").keys() == {("0",)}
    assert values(made, "DCGM_FI_DEV_MEM_COPY_UTIL", "Hostname", "gpu").keys() == {
        ("n1", "1"),
        ("n2", "0"),
        ("n2", "1"),
    }


def test_steps_of_a_pod_whose_gpus_the_timeline_tells_are_its_own() -> None:
    train = job("train", 1, gpus=1)
    made = exporting(train, pod("t", "n2", train, gpus=1))
    assert values(made, "train_steps_total", "pod").keys() == {("t",)}
    made.set_metrics('DCGM_FI_DEV_GPU_UTIL{gpu="0",Hostname="n2",namespace="a",pod="t"} 0\n')
    made.advance_to(at(15))
    assert values(made, "train_steps_total", "pod") == {}
