"""Slack as a door: what it shows, who counts, what is signed, and that nothing waits for it when it is away."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError
from slack_sdk.signature import Clock, SignatureVerifier
from slack_server import CHANNEL, SECRET, TEAM, Slack, post, pressed, signed, slack_server, submitted
from starlette.applications import Starlette

from agent.adapters.inbound.serving import Serving
from agent.adapters.slack import Publisher, SlackDoor
from agent.adapters.slack.client import SocketMode
from agent.adapters.slack.http import slack_route
from agent.adapters.slack.publisher import Words
from agent.answering import Answering
from agent.cli.request_page import page
from agent.cli.slack import sections_of
from agent.compliance.timeline import sentence
from agent.domain.approval import ApprovalRequest, Person, RequestState
from agent.domain.identity import Directory
from agent.domain.verdict import ApproverGroup, ApproverTier
from tests.agent.store.desk_world import Opened, on_record, request

PEOPLE = (
    Person(name="alice", groups=("gpu-oncall",), links={"slack": (f"{TEAM}/UALICE",)}),
    Person(name="bob", groups=("gpu-oncall",), links={"slack": (f"{TEAM}/UBOB",)}),
    Person(name="dave", groups=("tenant-a",), links={"slack": (f"{TEAM}/UDAVE",)}),
)


class Site:
    """The agent's side of it: a store, the door over HTTP, and what tells the channel."""

    def __init__(self, opened: Opened, slack: Slack) -> None:
        self.opened, self.slack, self.woken = opened, slack, 0
        client = WebClient("xoxb-of-the-test", slack.url, timeout=5)
        directory = Directory(people=PEOPLE)
        self.door = SlackDoor(client, SECRET, Answering(opened.store.desk, directory, opened.clock), self._wake)
        words = Words(lambda asked: sections_of(page(asked, opened.clock.now(), directory)), sentence)
        self.publisher = Publisher(client, CHANNEL, opened.store.chat, opened.store.desk, opened.log, words)
        self.serving = Serving(Starlette(routes=[slack_route(self.door.app)]), "127.0.0.1", 0)
        self.serving.start()
        self.http = httpx.Client(base_url=self.serving.url, timeout=10)
        self.publisher.publish()  # the first look tells nothing of before

    def _wake(self) -> None:
        self.woken += 1

    def asks(self, asked: ApprovalRequest) -> ApprovalRequest:
        on_record(self.opened, asked)
        self.opened.store.desk.open(asked)
        self.publisher.publish()
        return asked

    def presses(self, text: str, user: str, **more: Any) -> dict[str, Any]:
        """Presses the newest button of that text; the form that opens."""
        button = [each for each in self.slack.buttons() if each["text"]["text"].startswith(text)][-1]
        before = len(self.slack.views())
        assert post(self.http, pressed(button, user, **more)).status_code == 200
        for _ in range(100):
            if len(self.slack.views()) > before:
                return self.slack.views()[-1]
            time.sleep(0.02)
        raise AssertionError("no form opened")

    def answers(self, text: str, user: str, reason: str | None = "seen on the node", **more: Any) -> Any:
        """Presses, writes the reason, sends; what Slack is answered."""
        answer = post(self.http, submitted(self.presses(text, user, **more), user, reason, **more))
        assert answer.status_code == 200
        return answer.json() if answer.text else {}

    def state(self, asked: ApprovalRequest) -> RequestState:
        found = self.opened.store.desk.get(asked.id)
        assert found is not None
        return found.state

    def told(self) -> list[str]:
        """The plain words of all messages, in order."""
        return [json.dumps(message["blocks"], ensure_ascii=False) for message in self.slack.messages.values()]

    def codes(self) -> list[str]:
        return [r.payload["code"] for r in self.opened.log.query(kind="approval") if not r.payload["counted"]]

    def close(self) -> None:
        self.http.close()
        self.serving.stop()
        self.door.close()


@pytest.fixture
def site(tmp_path: Any) -> Iterator[Site]:
    opened = Opened(tmp_path / "watchkeeper.db")
    with slack_server() as slack:
        made = Site(opened, slack)
        yield made
        made.close()
    opened.close()


# --- what it shows --------------------------------------------------------------------------------------------------


def test_a_request_is_a_message_with_what_a_person_needs(site: Site) -> None:
    asked = site.asks(request())
    (message,) = site.slack.messages.values()
    shown = json.dumps(message["blocks"])
    for said in (
        "May the agent do cordon_node on Node/gpu-3?",
        "+ spec.unschedulable: true",
        "by playbook:xid-79, 90% sure",
        "autonomy.approval: A person must approve.",
        "expires 2026-11-02 10:00:00 UTC",
        "1 of gpu-oncall",
        asked.digest[:12],
    ):
        assert said in shown, said
    assert [button["text"]["text"] for button in site.slack.buttons()] == ["Approve…", "Reject…"]
    assert message["text"] == "May the agent do cordon_node on Node/gpu-3?"


def test_what_strangers_wrote_stays_text(site: Site) -> None:
    hostile = "<!channel> <https://evil.example|click> *now* ```\u202e\x1b]0;owned\x07 &amp;"
    asked = request()
    proposal = asked.proposal.model_copy(update={"statement": hostile})
    site.asks(asked.model_copy(update={"proposal": proposal}))
    (message,) = site.slack.messages.values()
    assert "<" not in message["text"]
    texts = _texts(message["blocks"])
    assert "mrkdwn" not in [text["type"] for text in texts]
    assert all(c.isprintable() or c == "\n" for text in texts for c in text["text"])


def _texts(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        own = [value] if isinstance(value.get("text"), str) else []
        return own + [found for inner in value.values() for found in _texts(inner)]
    return [found for inner in value for found in _texts(inner)] if isinstance(value, list) else []


def test_a_long_page_is_cut_within_slacks_limits_and_says_where_the_rest_is(site: Site) -> None:
    asked = request()
    steps = tuple(
        asked.proposal.steps[0].model_copy(update={"body": {"metadata": {"annotations": {f"key-{i}": "v" * 90}}}})
        for i in range(60)
    )
    site.asks(asked.model_copy(update={"proposal": asked.proposal.model_copy(update={"steps": steps})}))
    (message,) = site.slack.messages.values()
    assert len(message["blocks"]) <= 50
    assert all(len(text["text"]) <= 3000 for text in _texts(message["blocks"]))
    assert "more: watchkeeper approvals show req-inc-1/1" in site.told()[0]


def test_the_thread_follows_the_incident_to_its_end(site: Site) -> None:
    asked = site.asks(request())
    site.answers("Approve", "UALICE")
    proposal = asked.proposal
    about = {"incident": "inc-1", "proposal": proposal.id, "action": "cordon_node"}
    about |= {"target": proposal.target.json_object()}
    site.opened.ledger.record("outcome", {**about, "step": 0, "outcome": "succeeded", "detail": "", "final": True})
    site.opened.ledger.record("incident_closed", {"incident": "inc-1", "state": "resolved", "statement": "it helps"})
    assert site.publisher.publish() == 3
    root, *replies = site.slack.messages.items()
    assert {reply["thread_ts"] for _, reply in replies} == {root[0]}
    answered, done, closed = (message["text"] for _, message in replies)
    assert "alice" in answered and "cordon_node" in done and "resolved" in closed
    assert "Approved: cordon_node on Node/gpu-3" in json.dumps(root[1]["blocks"])
    assert site.slack.buttons() == []


# --- who counts -----------------------------------------------------------------------------------------------------


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
    assert (answer.status_code, answer.text) == (200, "") and time.monotonic() - begun < 3
    writer.execute("ROLLBACK")
    writer.close()
    assert _soon(lambda: site.state(asked) is RequestState.APPROVED)
    assert _soon(lambda: any(m["channel"] == "UALICE" and "counts" in m["text"] for m in site.slack.messages.values()))


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


def _soon(holds: Callable[[], bool]) -> bool:
    for _ in range(300):
        if holds():
            return True
        time.sleep(0.02)
    return False


# --- Socket Mode ----------------------------------------------------------------------------------------------------


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
        assert _soon(lambda: bool(site.slack.views()))
        site.slack.sends(submitted(site.slack.views()[0], "UMALLORY", "let me"))
        assert _soon(lambda: any("payload" in ack for ack in site.slack.acknowledged))
        site.slack.sends(submitted(site.slack.views()[0], "UALICE", "yes"))
        assert _soon(lambda: site.state(asked) is RequestState.APPROVED)
    finally:
        socket.close()
    refused = next(ack["payload"] for ack in site.slack.acknowledged if "payload" in ack)
    assert "linked to nobody" in refused["errors"]["reason"]
    assert len(site.slack.acknowledged) == 3


# --- what is signed -------------------------------------------------------------------------------------------------


def test_the_example_that_slack_publishes() -> None:
    """docs.slack.dev/authentication/verifying-requests-from-slack"""

    class Then(Clock):
        def now(self) -> float:
            return 1531420618.0

    body = (
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
        "&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
        "%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121"
        ".803a0bc887a14d10d2c447fce8b6703c"
    )
    signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    verifier = SignatureVerifier(SECRET, Then())
    assert verifier.is_valid(body, "1531420618", signature)
    assert not verifier.is_valid(body + " ", "1531420618", signature)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Signature": "v1=00"},
        {"X-Slack-Signature": ""},
        {"X-Slack-Signature": "v0=\u00e9".encode("latin-1").decode("latin-1")},
        {"X-Slack-Request-Timestamp": "yesterday"},
        {"X-Slack-Request-Timestamp": ""},
        {"X-Slack-Request-Timestamp": "-1"},
        {"X-Slack-Request-Timestamp": "1e9"},
        {"X-Slack-Request-Timestamp": "9" * 400},
    ],
)
def test_what_is_not_signed_gets_in_nowhere(site: Site, headers: dict[str, str]) -> None:
    asked = site.asks(request())
    body = pressed(site.slack.buttons()[0], "UALICE")
    raw = [(name.encode(), value.encode("latin-1")) for name, value in (signed(body) | headers).items()]
    assert site.http.post("/slack/events", content=body, headers=raw).status_code == 401
    assert site.slack.views() == [] and site.state(asked) is RequestState.PENDING


@pytest.mark.parametrize(("ago_s", "status"), [(299, 200), (302, 401), (-298, 200), (-302, 401)])
def test_a_request_is_good_for_five_minutes_either_way(site: Site, ago_s: int, status: int) -> None:
    site.asks(request())
    body = pressed(site.slack.buttons()[0], "UALICE")
    assert post(site.http, body, signed(body, at=time.time() - ago_s)).status_code == status


def test_a_body_that_was_changed_on_the_way_is_refused(site: Site) -> None:
    site.asks(request())
    body = pressed(site.slack.buttons()[0], "UALICE")
    assert post(site.http, body.replace("UALICE", "UBOBXX"), signed(body)).status_code == 401
    assert post(site.http, body, signed(body, secret="another")).status_code == 401


def test_a_body_of_megabytes_is_not_read(site: Site) -> None:
    body = "payload=" + "x" * 1_100_000
    assert post(site.http, body).status_code in (413, 500)


# --- when Slack is away ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fails", [500, 503, "internal_error", "ratelimited"])
def test_what_could_not_be_told_is_told_later_in_order_and_once(site: Site, fails: int | str) -> None:
    site.slack.fails = fails
    site.asks(request())
    target = request().proposal.target.json_object()
    site.opened.ledger.record("notice", {"target": target, "audience": "oncall", "message": "look"})
    assert site.publisher.publish() < 4 and site.publisher.away
    site.slack.fails = None
    site.publisher.publish()
    site.publisher.publish()
    assert len(site.slack.messages) == 2 and not site.publisher.away


def test_one_message_that_slack_never_takes_keeps_no_other_back(site: Site) -> None:
    site.slack.fails = "invalid_blocks"
    site.asks(request())
    site.slack.fails = None
    site.asks(request("inc-2/1", node="gpu-4"))
    assert len(site.slack.messages) == 1


def test_another_process_goes_on_where_this_one_stopped(site: Site) -> None:
    site.asks(request())
    again = Site(Opened(site.opened.path), site.slack)
    assert again.publisher.publish() == 0
    assert len(site.slack.messages) == 1
    again.close()
    again.opened.close()


def test_a_request_that_waits_is_shown_at_the_first_start(tmp_path: Any) -> None:
    opened = Opened(tmp_path / "watchkeeper.db")
    on_record(opened, request())
    opened.store.desk.open(request())
    with slack_server() as slack:
        site = Site(opened, slack)
        assert len(slack.messages) == 1
        site.close()
    opened.close()
