"""The agent is killed between two stages, and when it begins again the world, its policies or people's minds are
others: what it had only written down binds nobody."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from telling import Cluster, Story
from test_xid_79_under_a_gang import ACT, ASK_FOR_REQUEUES, LLAMA, site

from agent.domain.cluster import ObjectRef
from agent.scenarios.crash import AgentKilled

KUEUE = "kueue.x-k8s.io/v1beta2"
OBSERVE = {"default": "observe"}
Meanwhile = Callable[["Killed"], None]


class Killed(Story):
    """Dies right before or after the so manieth run of a stage; what happens `meanwhile` it finds when it is back."""

    def __init__(self, folder: Path, told: Cluster, **more: Any) -> None:
        self._fate: tuple[str, str, int, Meanwhile] | None = None
        self._runs = 0
        super().__init__(folder, told, **more)

    def _interpose(self, name: str, port: Any) -> Any:
        return self._around if name == "stages" else super()._interpose(name, port)

    def dies(self, when: str, stage: str, number: int, meanwhile: Meanwhile) -> Self:
        self._fate = (when, stage, number, meanwhile)
        return self

    @contextmanager
    def _around(self, stage: str, _incident: str) -> Iterator[None]:
        when, named, number, meanwhile = self._fate or ("", "", 0, told_nothing)
        self._runs += stage == named
        now = stage == named and self._runs == number
        if now and when == "before":
            self._die(meanwhile)
        yield
        if now and when == "after":
            self._die(meanwhile)

    def _die(self, meanwhile: Meanwhile) -> None:
        self._fate = None
        meanwhile(self)
        raise AgentKilled("killed between two stages")

    def only_observes(self) -> None:
        data = {**self._settings.policy_data, "autonomy": OBSERVE}
        self._settings = self._settings.model_copy(update={"policy_data": data})

    def gang_goes(self) -> None:
        """Its owner deletes the job."""
        for version, kind in ((KUEUE, "Workload"), ("batch/v1", "Job"), ("v1", "Pod")):
            for found in self.world.cluster.list(version, kind, namespace="research"):
                name = str(found["metadata"]["name"])
                self.world.delete(ObjectRef(api_version=version, kind=kind, namespace="research", name=name))


def told_nothing(_: Killed) -> None:
    return None


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Killed]]:
    begun: list[Killed] = []

    def start(**more: Any) -> Killed:
        told: Any = site()
        begun.append(Killed(tmp_path, told, **more))
        return begun[-1]

    yield start
    for story in begun:
        story.close()


Begin = Callable[..., Killed]
REPAIRED = ["patch Node/gpu-7", "request_repair Node/gpu-7", "patch Node/gpu-7"]


# --- what was proposed is not wanted any more -----------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["propose", "judge"])
def test_a_requeue_that_nobody_began_keeps_no_node_from_its_reboot(begin: Begin, stage: str) -> None:
    story = begin(autonomy=ACT).dies("after", stage, 2, Killed.gang_goes)
    story.kernel_says("gpu-7").passes(minutes=20)
    assert story.process.restarts == 1
    assert story.changes() == REPAIRED and not story.cordoned("gpu-7")
    assert story.endings() == ["resolved"]
    (withdrawn,) = story.records("cancellation")
    assert withdrawn["reason"] == f"requeue_gang on {LLAMA} is no longer called for"


def test_whoever_was_asked_for_it_is_asked_no_more(begin: Begin) -> None:
    story = begin(autonomy=ASK_FOR_REQUEUES).dies("after", "approve", 1, Killed.gang_goes)
    story.kernel_says("gpu-7").passes(minutes=20)
    assert story.process.restarts == 1
    (asked,) = story.asked_ever()
    assert (asked.state.value, story.asked()) == ("cancelled", [])
    assert [each["request"] for each in story.records("cancellation")] == [asked.id]
    assert story.changes() == REPAIRED


def test_a_no_that_was_said_meanwhile_is_a_no(begin: Begin) -> None:
    def refused(story: Killed) -> None:
        story.answers("reject", unheard=True)
        story.gang_goes()

    story = begin(autonomy=ASK_FOR_REQUEUES).dies("after", "approve", 1, refused)
    story.kernel_says("gpu-7").passes(minutes=20)
    assert story.process.restarts == 1
    assert story.endings() == ["rejected"] and story.changes() == REPAIRED[:1]


# --- what allowed it is not in force any more -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "stage", "number", "done"),
    [
        ("after", "judge", 1, []),
        ("after", "judge_again", 1, []),
        ("before", "execute", 1, []),
        ("after", "judge_again", 2, ["patch Node/gpu-7"]),
        ("before", "verify", 1, ["patch Node/gpu-7"]),
    ],
)
def test_who_is_to_observe_from_now_on_begins_nothing_that_was_allowed_before(
    begin: Begin, when: str, stage: str, number: int, done: list[str]
) -> None:
    story = begin(autonomy=ACT).dies(when, stage, number, Killed.only_observes)
    story.kernel_says("gpu-7").passes(minutes=20)
    assert story.process.restarts == 1
    assert story.changes() == done
    assert [each["verdict"]["decision"] for each in story.records("verdict")][-1] == "deny"


def test_a_yes_under_the_policies_of_before_is_asked_for_anew(begin: Begin) -> None:
    def others_are_in_force(story: Killed) -> None:
        data = {**story._settings.policy_data, "approvals": {"requeue_gang": {"execute_within": "20m"}}}
        story._settings = story._settings.model_copy(update={"policy_data": data})

    story = begin(autonomy=ASK_FOR_REQUEUES).kernel_says("gpu-7")
    story.dies("after", "judge_again", 1, others_are_in_force).answers("approve")
    assert story.process.restarts == 1
    assert story.changes() == ["patch Node/gpu-7"]
    (asked,) = story.asked()
    assert [each.state.value for each in story.asked_ever()] == ["cancelled", "pending"]
    story.answers("approve").passes(minutes=15)
    assert story.changes().count(f"patch {LLAMA}") == 2
    assert asked.verdict.policy_digest == story.agent.ports.policy.digest


def test_a_level_that_was_lowered_meanwhile_counts(begin: Begin) -> None:
    def lowered(story: Killed) -> None:
        story.world.advance_to(story.now.replace(second=story.now.second + 1))
        about = {
            "action": "cordon_node",
            "tenant": "*",
            "from": "act",
            "to": "suggest",
            "reason": "a move",
            "by": "dana",
        }
        story.agent.ports.ledger.record("level_changed", {"change": "demoted", **about})

    story = begin(autonomy=ACT).dies("before", "execute", 1, lowered)
    story.kernel_says("gpu-7").passes(minutes=20)
    assert story.process.restarts == 1
    assert story.changes() == []
