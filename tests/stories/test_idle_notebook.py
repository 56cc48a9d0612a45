"""A notebook holds GPUs that nobody uses: two witnesses, a yes, notice, grace, a fresh look, stop, restore on need."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from telling import Story, cluster

from agent.domain.cluster import ObjectRef
from agent.ports import Fault
from agent.resources import bundled
from agent.scenarios.witness import Pager

ASK = {"default": "act_with_approval"}
NOTEBOOK = "Notebook/vision/anna"
STOPPED = "kubeflow-resource-stopped"

Begin = Callable[..., Story]


class LostPager(Pager):
    """Reaches nobody while it is lost."""

    lost = True

    def notify(self, audience: str, subject: ObjectRef, message: str, *, key: str) -> None:
        if self.lost:
            raise Fault("the pager does not answer")
        super().notify(audience, subject, message, key=key)


def idle_for_hours(begin: Begin, **more: object) -> Story:
    nodes = [f"gpu-{i}" for i in range(1, 17)]
    told = cluster().nodes(*nodes).notebook("anna", on="gpu-1", gpus=1).idle_since_the_night("anna-0")
    return begin(told, autonomy=ASK, **more).passes(minutes=5)


def notebook(story: Story) -> dict[str, str]:
    found = story.object("kubeflow.org/v1", "Notebook", "anna", "vision") or {}
    return dict(found["metadata"].get("annotations") or {})


def test_asked_told_waited_looked_again_and_only_then_stopped(begin: Begin) -> None:
    story = idle_for_hours(begin).answers("approve")
    (note,) = story.told("owner")
    assert "in 15 minutes" in note
    story.passes(minutes=14)
    assert story.changes() == []
    story.passes(minutes=2)
    assert story.changes() == [f"patch {NOTEBOOK}"]
    assert STOPPED in notebook(story)
    assert story.tale() == [
        "incident",
        "diagnosis",
        "proposal reclaim_idle_gpu",
        "verdict reclaim_idle_gpu",
        "approval_requested reclaim_idle_gpu",
        "approval reclaim_idle_gpu",
        "notice",
        "verdict reclaim_idle_gpu",
        "approval reclaim_idle_gpu",  # what the yes was used for
        "intent reclaim_idle_gpu",
        "outcome reclaim_idle_gpu",
        "incident",  # it holds none any more
        "verification",
        "incident_closed",
    ]
    assert story.endings() == ["resolved"]


def test_its_owner_works_again_within_the_grace_and_nothing_happens(begin: Begin) -> None:
    story = idle_for_hours(begin).answers("approve").passes(minutes=5)
    story.works("anna-0", utilisation=88).passes(minutes=20)
    assert story.changes() == []
    assert "will not happen" in story.told("owner")[-1]
    assert story.asked() == []


@pytest.mark.parametrize("on_refusal", ["stop", "continue"])
def test_a_late_no_is_told_to_the_owner_who_had_notice(begin: Begin, on_refusal: str, tmp_path: Path) -> None:
    """The policies err for longer than they are asked: no. Whether or not the playbook goes on without it."""
    mine = tmp_path / "playbooks"
    shutil.copytree(bundled("playbooks"), mine)
    file = mine / "idle-gpus" / "playbook.yaml"
    playbook = yaml.safe_load(file.read_text(encoding="utf-8"))
    for remedy in playbook["spec"]["remedies"]:
        remedy["onRefusal"] = on_refusal
    file.write_text(yaml.safe_dump(playbook), encoding="utf-8")
    story = idle_for_hours(begin, playbooks=mine).answers("approve").passes(minutes=14)
    story.breaks("policy", "error", minutes=20).passes(minutes=20)
    assert story.changes() == []
    assert "will not happen" in story.told("owner")[-1]
    (withdrawn,) = story.records("cancellation")
    assert withdrawn["request"] is not None
    assert withdrawn["reason"].startswith("policy.error")


def test_nobody_answers_and_the_hour_is_over(begin: Begin) -> None:
    story = idle_for_hours(begin).passes(minutes=70)
    assert story.changes() == []
    assert story.endings()[0] == "expired"
    assert story.told("owner") == []


def test_it_is_given_back_when_its_owner_needs_it_and_nobody_has_to_be_asked(begin: Begin) -> None:
    story = idle_for_hours(begin).answers("approve").passes(minutes=20)
    assert STOPPED in notebook(story)
    asks = {"annotations": {"watchkeeper.dev/restore": "true"}}
    story.happens("kubeflow.org/v1", "Notebook", "anna", "vision", metadata=asks)
    story.passes(minutes=2)
    assert STOPPED not in notebook(story)
    assert story.object("v1", "Pod", "anna-0", "vision") is not None
    assert story.endings() == ["resolved", "resolved"]


def test_grace_counts_from_when_its_owner_could_be_told(begin: Begin) -> None:
    pager = LostPager()
    story = idle_for_hours(begin, pager=pager).answers("approve").passes(minutes=10)
    assert story.records("notice") == []
    pager.lost = False
    story.passes(minutes=5)
    (notice,) = story.records("notice")
    given = next(r.at for r in story.agent.log.query() if r.kind == "notice")
    assert notice["at"] == given.replace(".000000", "")
    story.passes(minutes=20)
    (stopped,) = story.world.effects
    assert (stopped.at.isoformat() >= given) and story.endings() == ["resolved"]


def test_that_its_owner_cannot_be_told_of_the_withdrawal_is_on_record_and_stops_nothing(begin: Begin) -> None:
    pager = LostPager()
    pager.lost = False
    story = idle_for_hours(begin, pager=pager).answers("approve").passes(minutes=5)
    pager.lost = True
    story.works("anna-0", utilisation=88).passes(minutes=20)
    assert story.changes() == []
    (failure,) = story.records("notification_failed")
    assert failure["reason"] == "the pager does not answer"
    assert len(story.endings()) == 1
