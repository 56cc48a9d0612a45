"""Another agent takes charge, with the log and nothing else of the one before: what is open goes on as if nothing had
been, and nothing is done twice."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from telling import Story
from test_xid_79_under_a_gang import ACT, ASK_FOR_REPAIRS, site

from agent.assembly import Agent, assemble
from agent.scenarios.crash import AgentKilled

BOUNDARIES = [(name, number) for name in ("intent", "effect", "outcome") for number in range(1, 6)]


class AtThe:
    """ports.Boundaries: dies at the so manieth boundary of its kind, once."""

    def __init__(self, name: str = "", number: int = 0) -> None:
        self._name, self._number, self._seen = name, number, Counter[str]()

    def reached(self, name: str) -> None:
        self._seen[name] += 1
        if (name, self._seen[name]) == (self._name, self._number):
            raise AgentKilled(name)


class Handed(Story):
    """Each agent that begins has a file of its own; `again` names those that come back."""

    def __init__(self, folder: Path, told: Any, death: AtThe, **more: Any) -> None:
        self.folder, self.death, self.begun, self.again = folder, death, 0, dict[int, int]()
        self.log = f"sqlite:///{folder / 'log.db'}"
        super().__init__(folder, told, **more)

    def _assemble(self) -> Agent:
        number = self.again.get(self.begun, self.begun)
        self.begun += 1
        shared = {"log": self.log, "database": self.folder / f"of-{number}.db"}
        settings = self._settings.model_copy(update=shared)
        said: Any = {"notifier": self.pager, "boundaries": self.death, "durability": "memory", "in_turn": True}
        return assemble(settings, self.world, interpose=self._interpose, **said)

    def hands_over(self) -> Self:
        self.process.crash()
        return self

    def leads_well(self) -> Self:
        self.agent.note_what_is_known(lambda: True)
        return self


@pytest.fixture
def hand(tmp_path: Path) -> Iterator[Callable[..., Handed]]:
    begun: list[Handed] = []

    def start(death: AtThe | None = None, **more: Any) -> Handed:
        folder = tmp_path / str(len(begun))
        folder.mkdir()
        begun.append(Handed(folder, site(), death or AtThe(), **more))
        return begun[-1]

    yield start
    for story in begun:
        story.close()


def deeds(story: Story) -> list[str]:
    return [f"{each['action']} {each['step']} {each['outcome']}" for each in story.records("outcome")]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    told: Any = site()
    story = Story(tmp_path_factory.mktemp("undisturbed"), told, autonomy=ACT)
    yield story.kernel_says("gpu-7").passes(minutes=30)
    story.close()


@pytest.mark.parametrize(("boundary", "number"), BOUNDARIES)
def test_killed_at_any_boundary_another_goes_on(
    hand: Callable[..., Handed], undisturbed: Story, boundary: str, number: int
) -> None:
    story = hand(AtThe(boundary, number), autonomy=ACT).kernel_says("gpu-7").passes(minutes=30)
    assert story.process.restarts == 1
    assert story.changes() == undisturbed.changes()
    assert deeds(story) == deeds(undisturbed)
    assert story.endings() == ["resolved"]
    assert len(story.records("proposal")) == len(undisturbed.records("proposal"))


@pytest.mark.parametrize("seconds", range(0, 600, 75))
def test_handed_over_at_any_moment_it_ends_as_it_would_have(
    hand: Callable[..., Handed], undisturbed: Story, seconds: int
) -> None:
    story = hand(autonomy=ACT).kernel_says("gpu-7").passes(seconds=seconds).hands_over().passes(minutes=30)
    assert (story.changes(), deeds(story)) == (undisturbed.changes(), deeds(undisturbed))
    assert story.endings() == ["resolved"]


def test_what_waits_for_a_person_waits_there_and_the_yes_is_used_once(hand: Callable[..., Handed]) -> None:
    story = hand(autonomy=ASK_FOR_REPAIRS).kernel_says("gpu-7").passes(minutes=5)
    (asked,) = story.asked()
    before = story.changes()
    story.hands_over()
    assert story.asked() == [asked], "seen before anything else is done"
    story.passes(minutes=2)
    assert story.asked() == [asked] and story.changes() == before
    story.answers("approve").passes(minutes=20)
    assert Counter(story.changes())["request_repair Node/gpu-7"] == 1
    assert story.endings() == ["resolved"]
    assert [said["state"] for said in (r.json_object() for r in story.asked_ever())] == ["consumed"]


def test_a_yes_that_nobody_had_heard_yet_is_heard(hand: Callable[..., Handed]) -> None:
    story = hand(autonomy=ASK_FOR_REPAIRS).kernel_says("gpu-7").passes(minutes=5)
    story.answers("approve", unheard=True).hands_over().passes(minutes=20)
    assert Counter(story.changes())["request_repair Node/gpu-7"] == 1
    assert story.endings() == ["resolved"] and len(story.asked_ever()) == 1


@pytest.mark.parametrize("heard", [True, False])
def test_a_no_stays_a_no(hand: Callable[..., Handed], heard: bool) -> None:
    story = hand(autonomy=ASK_FOR_REPAIRS).kernel_says("gpu-7").passes(minutes=5)
    story.answers("reject", unheard=not heard).hands_over().passes(minutes=20)
    assert "request_repair Node/gpu-7" not in story.changes()
    assert story.endings() == ["rejected"] and len(story.asked_ever()) == 1


def test_who_led_before_and_leads_again_goes_by_the_log_and_not_by_what_it_remembers(
    hand: Callable[..., Handed],
) -> None:
    """Its own checkpoint still waits for the answer that another agent has long acted on."""
    story = hand(autonomy=ASK_FOR_REPAIRS)
    story.again = {2: 0}
    story.kernel_says("gpu-7").passes(minutes=5).leads_well()
    story.hands_over().passes(minutes=1).answers("approve").passes(seconds=40).hands_over().passes(minutes=20)
    assert story.begun == 3
    assert Counter(story.changes())["request_repair Node/gpu-7"] == 1
    assert deeds(story).count("request_node_repair 0 succeeded") == 1
    assert story.endings() == ["resolved"] and story.records("cancellation") == []


def test_what_another_closed_is_closed_for_who_leads_again(hand: Callable[..., Handed]) -> None:
    story = hand(autonomy=ASK_FOR_REPAIRS)
    story.again = {2: 0}
    story.kernel_says("gpu-7").passes(minutes=5).leads_well()
    story.hands_over().answers("reject").passes(minutes=5)
    size = len(story.records("incident_closed", "proposal", "intent"))
    story.hands_over().passes(minutes=10)
    assert story.agent.ports.incidents.open() == [] and story.asked() == []
    assert len(story.records("incident_closed", "proposal", "intent")) == size


def test_the_same_agent_on_its_own_file_keeps_its_threads(hand: Callable[..., Handed]) -> None:
    story = hand(autonomy=ASK_FOR_REPAIRS)
    story.again = {1: 0}
    story.kernel_says("gpu-7").passes(minutes=5).leads_well()
    before = len(list(sqlite3.connect(story.folder / "of-0-threads.db").execute("SELECT * FROM checkpoints")))
    story.hands_over()
    assert before == len(list(sqlite3.connect(story.folder / "of-0-threads.db").execute("SELECT * FROM checkpoints")))
    story.passes(minutes=1).answers("approve").passes(minutes=20)
    assert story.endings() == ["resolved"]


def test_a_database_of_another_log_is_read_anew(hand: Callable[..., Handed]) -> None:
    one, other = hand(autonomy=ASK_FOR_REPAIRS), hand(autonomy=ASK_FOR_REPAIRS)
    one.kernel_says("gpu-7").passes(minutes=5)
    other.kernel_says("gpu-6").passes(minutes=5).leads_well()
    (asked,) = one.asked()
    other.log, other.again = one.log, {1: 0}
    other.hands_over()
    assert asked in other.asked()
