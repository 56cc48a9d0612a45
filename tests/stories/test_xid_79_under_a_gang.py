"""A GPU falls off the bus under a training gang: keep pods away, requeue the gang whole, reboot, give the node back."""

from collections.abc import Callable

import pytest
from telling import Story, cluster

GPU_NODES = [f"gpu-{i}" for i in range(1, 21)]
ACT = {"default": "act"}
ASK_FOR_REPAIRS = {"default": "act", "actions": {"request_node_repair": "act_with_approval"}}
ASK_FOR_REQUEUES = {"default": "act", "actions": {"requeue_gang": "act_with_approval"}}
STEP = ["intent", "outcome"]
LLAMA = "Workload/research/job-llama"

Begin = Callable[..., Story]


def site() -> object:
    on = GPU_NODES[:8]
    return cluster().nodes(*GPU_NODES).queue("research", gpus=96).gang("llama", pods=8, queue="research", on=on)


def of(action: str, steps: int = 1, between: tuple[str, ...] = ()) -> list[str]:
    """The records of one remedy in their order."""
    kinds = ["proposal", "verdict", *between, "verdict", *STEP * steps]
    return [f"{kind} {action}" for kind in kinds] + ["verification"]


def test_the_whole_path_in_the_order_of_its_records(begin: Begin) -> None:
    story = begin(site(), autonomy=ACT).kernel_says("gpu-7").passes(minutes=20)
    opened, *tale = story.tale()
    assert opened == "incident"
    # The gauge names the GPU a moment after the kernel has named its bus: the same incident, extended.
    assert [each for each in tale if each != "incident"] == [
        "diagnosis",
        *of("cordon_node"),
        *of("requeue_gang", steps=2),
        *of("request_node_repair"),
        *of("uncordon_node"),
        "incident_closed",
    ]
    assert story.endings() == ["resolved"]
    assert story.changes() == [
        "patch Node/gpu-7",
        f"patch {LLAMA}",
        f"patch {LLAMA}",
        "request_repair Node/gpu-7",
        "patch Node/gpu-7",
    ]
    assert not story.cordoned("gpu-7")


def test_the_node_is_cordoned_before_the_gang_is_touched_and_rebooted_when_it_is_gone(begin: Begin) -> None:
    story = begin(site(), autonomy=ACT).kernel_says("gpu-7")
    assert story.cordoned("gpu-7")
    story.passes(minutes=20)
    repair = next(effect for effect in story.world.effects if effect.verb == "request_repair")
    starts = [effect.at for effect in story.world.effects if str(effect.ref) == LLAMA]
    assert repair.at >= max(starts)
    assert repair.body["operation"] == "reboot"


def test_where_repairs_need_a_person_everything_else_is_done_meanwhile(begin: Begin) -> None:
    story = begin(site(), autonomy=ASK_FOR_REPAIRS).kernel_says("gpu-7").passes(minutes=5)
    (request,) = story.asked()
    assert request.proposal.action == "request_node_repair"
    assert story.changes() == ["patch Node/gpu-7", f"patch {LLAMA}", f"patch {LLAMA}"]
    story.answers("approve").passes(minutes=20)
    assert story.endings() == ["resolved"]


def test_a_no_leaves_the_node_cordoned_and_calls_nobody_again(begin: Begin) -> None:
    story = begin(site(), autonomy=ASK_FOR_REPAIRS).kernel_says("gpu-7").passes(minutes=5)
    story.answers("reject", reason="the vendor comes at noon").passes(minutes=20)
    assert story.endings() == ["rejected"]
    assert story.cordoned("gpu-7")
    assert "request_repair Node/gpu-7" not in story.changes()


def test_the_same_line_a_thousand_times_is_one_incident(begin: Begin) -> None:
    story = begin(site(), autonomy=ACT)
    line = '{"node": "gpu-7", "line": "NVRM: Xid (PCI:0000:b3:00): 79, GPU has fallen off the bus. t=%d"}\n'
    story.posts("logs", "".join(line % number for number in range(1000)), "application/x-ndjson")
    story.passes(minutes=20)
    assert [record["change"] for record in story.records("incident")] == ["opened"]
    assert story.changes().count("request_repair Node/gpu-7") == 1


def test_a_recovery_withdraws_what_waits_for_a_person(begin: Begin) -> None:
    story = begin(site(), autonomy={"default": "act_with_approval"})
    story.alerts("GPUXidError", node="gpu-7", xid="79", gpu="3")
    assert [request.proposal.action for request in story.asked()] == ["cordon_node"]
    story.recovers("gpu-7").passes(minutes=5)
    assert story.asked() == []
    assert story.changes() == []
    assert story.endings() == ["cancelled"]


@pytest.mark.parametrize(("autonomy", "calls"), [("suggest", 1), ("observe", 0)])
def test_where_it_may_only_suggest_it_changes_nothing_and_calls_a_person(
    begin: Begin, autonomy: str, calls: int
) -> None:
    """Who only observes keeps its findings to the log."""
    story = begin(site(), autonomy={"default": autonomy}).kernel_says("gpu-7").passes(minutes=10)
    assert story.changes() == []
    assert story.endings() == ["refused"]
    assert len(story.told("oncall")) == calls
