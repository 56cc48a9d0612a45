"""What the channel is shown, and that nothing waits for Slack while it is away."""

import json
from typing import Any

import pytest
from slack_server import slack_server
from slack_site import Site

from tests.agent.store.desk_world import Opened, on_record, request


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
    assert site.opened.store.desk.consume(asked.id)
    proposal = asked.proposal
    about = {"incident": "inc-1", "proposal": proposal.id, "action": "cordon_node"}
    about |= {"target": proposal.target.json_object()}
    site.opened.ledger.record("outcome", {**about, "step": 0, "outcome": "succeeded", "detail": "", "final": True})
    site.opened.ledger.record("incident_closed", {"incident": "inc-1", "state": "resolved", "statement": "it helps"})
    assert site.publisher.publish() == 4
    root, *replies = site.slack.messages.items()
    assert {reply["thread_ts"] for _, reply in replies} == {root[0]}
    answered, done, closed = (message["text"] for _, message in replies)
    assert "alice" in answered and "cordon_node" in done and "resolved" in closed
    assert "Consumed: cordon_node on Node/gpu-3" in json.dumps(root[1]["blocks"])
    assert site.slack.buttons() == []


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


@pytest.mark.parametrize(
    "refusal", ["invalid_blocks", "msg_blocks_too_long", "edit_window_closed", "cant_update_message"]
)
def test_one_message_that_slack_never_takes_keeps_no_other_back(site: Site, refusal: str) -> None:
    site.slack.fails = refusal
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
