"""Whose press in Slack counts, for what, and what whoever pressed is told."""

import json
import sqlite3
import time

import pytest
from slack_sdk.errors import SlackClientError
from slack_server import TEAM, post, pressed, submitted
from slack_site import Site, soon

from agent.adapters.slack.client import SocketMode
from agent.domain.approval import RequestState
from agent.domain.stake import Stake, StakeKind
from agent.domain.verdict import ApproverGroup, ApproverTier
from tests.agent.store.desk_world import START, request


def test_a_linked_person_approves_with_a_reason(site: Site) -> None:
    asked = site.asks(request())
    assert site.answers("Approve", "UALICE", "looked at it") == {}
    assert site.state(asked) is RequestState.APPROVED
    (record,) = site.opened.log.query(kind="approval")
    said = record.payload
    assert (said["by"], said["reason"], said["door"], said["account"]) == (
        "alice",
        "looked at it",
        "slack",
        "T0GPU/UALICE",
    )
    assert site.woken == 1


def test_a_rejection_ends_it(site: Site) -> None:
    asked = site.asks(request())
    site.answers("Reject", "UBOB", "demo at noon")
    assert site.state(asked) is RequestState.REJECTED


@pytest.mark.parametrize(
    ("user", "team", "code", "words"),
    [
        ("UMALLORY", TEAM, "unlinked", "linked to nobody"),
        ("UALICE", "T0OTHER", "unlinked", "linked to nobody"),
        ("UDAVE", TEAM, "not_in_group", "group"),
    ],
)
def test_who_does_not_count_is_told_so_in_the_form(site: Site, user: str, team: str, code: str, words: str) -> None:
    asked = site.asks(request())
    answer = site.answers("Approve", user, team=team)
    assert answer["response_action"] == "errors" and words in answer["errors"]["reason"]
    assert site.state(asked) is RequestState.PENDING
    assert site.codes() == [code]


def test_a_yes_is_taken_back_where_it_was_given_by_who_gave_it(site: Site) -> None:
    asked = site.asks(request())
    assert [button["text"]["text"] for button in site.slack.buttons()] == ["Approve…", "Reject…"]
    site.answers("Approve", "UALICE")
    site.publisher.publish()
    assert [button["text"]["text"] for button in site.slack.buttons()] == ["Reject…", "Take my yes back…"]
    other = site.answers("Take", "UBOB", "not for me")
    assert "No yes of bob stands" in other["errors"]["reason"] and site.state(asked) is RequestState.APPROVED
    assert "needs a reason" in site.answers("Take", "UALICE", "")["errors"]["reason"]
    assert site.answers("Take", "UALICE", "they have a deadline") == {}
    assert site.state(asked) is RequestState.PENDING
    site.publisher.publish()
    assert "Approve…" in [button["text"]["text"] for button in site.slack.buttons()]
    assert any("alice took the yes back by slack: they have a deadline" in told for told in site.told())
    site.answers("Approve", "UBOB")
    assert site.opened.store.desk.consume(asked.id)
    site.publisher.publish()
    assert site.slack.buttons() == [], "what has begun is not taken back"


def test_a_no_after_the_last_yes_ends_it_in_slack(site: Site) -> None:
    asked = site.asks(request())
    site.answers("Approve", "UALICE")
    site.publisher.publish()
    assert site.answers("Reject", "UBOB", "they have a deadline") == {}
    assert site.state(asked) is RequestState.REJECTED
    site.publisher.publish()
    assert site.slack.buttons() == []


def test_what_the_page_in_slack_says_of_the_work_at_stake(site: Site) -> None:
    asked = request()
    stake = Stake(whose="Gang/lab/llama", tenant="lab", kind=StakeKind.WORK, pods=8, gpus=8, gpu_hours=8.0, since=START)
    site.asks(asked.model_copy(update={"proposal": asked.proposal.model_copy(update={"at_stake": (stake,)})}))
    (shown,) = site.told()
    assert "at most 8 GPU-hours of work, and 8 more for every hour until it is done" in shown
    assert "Gang/lab/llama (lab): 8 pods with 8 GPUs stop; at most 8 GPU-hours of work since it started" in shown


def test_two_of_a_group_are_two_people(site: Site) -> None:
    asked = site.asks(request(groups={"gpu-oncall": 2}))
    site.answers("Approve", "UALICE")
    again = site.answers("Approve", "UALICE")
    assert again["response_action"] == "errors"
    assert site.state(asked) is RequestState.PENDING
    site.answers("Approve", "UBOB")
    assert site.state(asked) is RequestState.APPROVED


def test_a_form_that_was_left_open_is_for_what_it_showed(site: Site) -> None:
    asked = site.asks(request())
    form = site.presses("Approve", "UALICE")
    about = json.loads(form["private_metadata"])
    stale = {**form, "private_metadata": json.dumps({**about, "digest": "0" * 64})}
    answer = post(site.http, submitted(stale, "UALICE", "yes")).json()
    assert answer["response_action"] == "errors"
    assert site.state(asked) is RequestState.PENDING and site.codes() == ["stale_digest"]


def test_a_signed_form_counts_for_those_who_were_asked_on_it(site: Site) -> None:
    """The same signed body a second time, once the next tier is asked."""
    tiers = (ApproverTier(groups=(ApproverGroup(name="gpu-oncall", count=1),), approve_within_s=600),)
    asked = request()
    requirement = asked.requirement.model_copy(update={"tiers": tiers})
    site.asks(asked.model_copy(update={"requirement": requirement}))
    form = site.presses("Approve", "UALICE")
    site.opened.clock.pass_by(hours=1, seconds=1)
    site.opened.store.desk.time_out(asked.id)
    answer = post(site.http, submitted(form, "UALICE", "yes")).json()
    assert "others were asked" in answer["errors"]["reason"]
    assert site.state(asked) is RequestState.PENDING and site.codes() == ["stale_tier"]


@pytest.mark.parametrize(
    "forged",
    ["{", "[]", "{}", '{"request": "r", "digest": "d", "tier": 0, "decision": "break_glass"}', '{"request": null}'],
)
def test_a_form_that_is_none_of_ours_counts_for_nothing(site: Site, forged: str) -> None:
    asked = site.asks(request())
    form = {**site.presses("Approve", "UALICE"), "private_metadata": forged}
    answer = post(site.http, submitted(form, "UALICE", "yes"))
    assert answer.status_code == 200 and "does not count" in answer.json()["errors"]["reason"]
    assert site.state(asked) is RequestState.PENDING


def test_late_is_late(site: Site) -> None:
    asked = site.asks(request())
    form = site.presses("Approve", "UALICE")
    site.opened.clock.pass_by(hours=2)
    answer = post(site.http, submitted(form, "UALICE", "yes")).json()
    assert answer["response_action"] == "errors"
    assert site.state(asked) is not RequestState.APPROVED


def test_a_desk_that_is_slow_delays_no_acknowledgement_and_the_person_hears_later(site: Site) -> None:
    asked = site.asks(request())
    form = site.presses("Approve", "UALICE")
    writer = sqlite3.connect(site.opened.path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    answer = post(site.http, submitted(form, "UALICE", "yes"))
    assert (answer.status_code, answer.text) == (200, "")
    assert time.monotonic() - begun < 4.5, "who waits for the store waits for its lock: 5 s"
    writer.execute("ROLLBACK")
    writer.close()
    assert soon(lambda: site.state(asked) is RequestState.APPROVED)
    assert soon(lambda: any(m["channel"] == "UALICE" and "counts" in m["text"] for m in site.slack.messages.values()))


def test_a_store_that_fails_counts_nothing_and_says_so(site: Site) -> None:
    asked = site.asks(request())
    form = site.presses("Approve", "UALICE")
    table = sqlite3.connect(site.opened.path)
    table.execute("ALTER TABLE log_records RENAME TO gone")
    answer = post(site.http, submitted(form, "UALICE", "yes"))
    assert "does not count" in answer.json()["errors"]["reason"]
    table.execute("ALTER TABLE gone RENAME TO log_records")
    table.close()
    assert site.state(asked) is RequestState.PENDING


def test_socket_mode_needs_no_way_in(site: Site) -> None:
    """Slack is connected to; presses and forms come, and are answered, over that connection."""
    asked = site.asks(request())
    socket = SocketMode(site.door.app, "xapp-of-the-test", site.slack.url)
    site.slack.fails = 503
    with pytest.raises((SlackClientError, OSError)):
        socket.keep()
    site.slack.fails = None
    socket.keep()
    try:
        button = site.slack.buttons()[0]
        site.slack.sends(pressed(button, "UALICE"))
        assert soon(lambda: bool(site.slack.views()))
        site.slack.sends(submitted(site.slack.views()[0], "UMALLORY", "let me"))
        assert soon(lambda: any("payload" in ack for ack in site.slack.acknowledged))
        site.slack.sends(submitted(site.slack.views()[0], "UALICE", "yes"))
        assert soon(lambda: site.state(asked) is RequestState.APPROVED)
        assert soon(lambda: len(site.slack.acknowledged) == 3), "it counts first, and is acknowledged then"
    finally:
        socket.close()
    refused = next(ack["payload"] for ack in site.slack.acknowledged if "payload" in ack)
    assert "linked to nobody" in refused["errors"]["reason"]
