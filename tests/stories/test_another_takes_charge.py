"""Another agent takes charge, with the log and nothing else of the one before: what is open goes on as if nothing had
been, and nothing is done twice."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from handing import AtThe, Handed
from telling import Story
from test_xid_79_under_a_gang import ACT, ASK_FOR_REPAIRS, site

BOUNDARIES = [(name, number) for name in ("intent", "effect", "outcome") for number in (1, 2, 4)]


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
    story = hand(site(), AtThe(boundary, number), autonomy=ACT).kernel_says("gpu-7").passes(minutes=30)
    assert story.process.restarts == 1
    assert story.changes() == undisturbed.changes()
    assert deeds(story) == deeds(undisturbed)
    assert story.endings() == ["resolved"]
    assert len(story.records("proposal")) == len(undisturbed.records("proposal"))


@pytest.mark.parametrize("seconds", range(0, 600, 120))
def test_handed_over_at_any_moment_it_ends_as_it_would_have(
    hand: Callable[..., Handed], undisturbed: Story, seconds: int
) -> None:
    story = hand(site(), autonomy=ACT).kernel_says("gpu-7").passes(seconds=seconds).hands_over().passes(minutes=30)
    assert (story.changes(), deeds(story)) == (undisturbed.changes(), deeds(undisturbed))
    assert story.endings() == ["resolved"]


def test_what_waits_for_a_person_waits_there_and_the_yes_is_used_once(hand: Callable[..., Handed]) -> None:
    story = hand(site(), autonomy=ASK_FOR_REPAIRS).kernel_says("gpu-7").passes(minutes=5)
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
    story = hand(site(), autonomy=ASK_FOR_REPAIRS).kernel_says("gpu-7").passes(minutes=5)
    story.answers("approve", unheard=True).hands_over().passes(minutes=20)
    assert Counter(story.changes())["request_repair Node/gpu-7"] == 1
    assert story.endings() == ["resolved"] and len(story.asked_ever()) == 1


@pytest.mark.parametrize("heard", [True, False])
def test_a_no_stays_a_no(hand: Callable[..., Handed], heard: bool) -> None:
    story = hand(site(), autonomy=ASK_FOR_REPAIRS).kernel_says("gpu-7").passes(minutes=5)
    story.answers("reject", unheard=not heard).hands_over().passes(minutes=20)
    assert "request_repair Node/gpu-7" not in story.changes()
    assert story.endings() == ["rejected"] and len(story.asked_ever()) == 1


def test_who_led_before_and_leads_again_goes_by_the_log_and_not_by_what_it_remembers(
    hand: Callable[..., Handed],
) -> None:
    """Its own checkpoint still waits for the answer that another agent has long acted on."""
    story = hand(site(), autonomy=ASK_FOR_REPAIRS)
    story.again = {2: 0}
    story.kernel_says("gpu-7").passes(minutes=5).leads_well()
    story.hands_over().passes(minutes=1).answers("approve").passes(seconds=40).hands_over().passes(minutes=20)
    assert story.begun == 3
    assert Counter(story.changes())["request_repair Node/gpu-7"] == 1
    assert deeds(story).count("request_node_repair 0 succeeded") == 1
    assert story.endings() == ["resolved"] and story.records("cancellation") == []


def test_what_another_closed_is_closed_for_who_leads_again(hand: Callable[..., Handed]) -> None:
    story = hand(site(), autonomy=ASK_FOR_REPAIRS)
    story.again = {2: 0}
    story.kernel_says("gpu-7").passes(minutes=5).leads_well()
    story.hands_over().answers("reject").passes(minutes=5)
    size = len(story.records("incident_closed", "proposal", "intent"))
    story.hands_over().passes(minutes=10)
    assert story.agent.ports.incidents.open() == [] and story.asked() == []
    assert len(story.records("incident_closed", "proposal", "intent")) == size


def test_the_same_agent_on_its_own_file_keeps_its_threads(hand: Callable[..., Handed]) -> None:
    story = hand(site(), autonomy=ASK_FOR_REPAIRS)
    story.again = {1: 0}
    story.kernel_says("gpu-7").passes(minutes=5).leads_well()
    before = len(list(sqlite3.connect(story.folder / "of-0-threads.db").execute("SELECT * FROM checkpoints")))
    story.hands_over()
    assert before == len(list(sqlite3.connect(story.folder / "of-0-threads.db").execute("SELECT * FROM checkpoints")))
    story.passes(minutes=1).answers("approve").passes(minutes=20)
    assert story.endings() == ["resolved"]


def test_a_database_of_another_log_is_read_anew(hand: Callable[..., Handed]) -> None:
    one, other = hand(site(), autonomy=ASK_FOR_REPAIRS), hand(site(), autonomy=ASK_FOR_REPAIRS)
    one.kernel_says("gpu-7").passes(minutes=5)
    other.kernel_says("gpu-6").passes(minutes=5).leads_well()
    (asked,) = one.asked()
    other.log, other.again = one.log, {1: 0}
    other.hands_over()
    assert asked in other.asked()
