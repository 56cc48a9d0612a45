"""The running agent asks in Slack, a person presses there, and the thread tells the rest. Slack's Web API is played by
a local server; the agent, its SDK, its log and its doors are the real ones, each in its own process.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from servers import Server, wait_for
from test_real_input import Agent

from tests.agent.slack.slack_server import CHANNEL, SECRET, TEAM, Slack, post, pressed, slack_server, submitted

ANSWER_S = 60.0
LINE = "NVRM: Xid (PCI:0000:b3:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."


class SlackAgent(Agent):
    def __init__(self, folder: Path, slack: Slack) -> None:
        super().__init__(folder)
        for name, secret in (("bot", "xoxb-of-the-test"), ("signing", SECRET)):
            (folder / name).write_text(secret, encoding="utf-8")
        files = {"bot_token_file": str(folder / "bot"), "signing_secret_file": str(folder / "signing")}
        settings = self.settings() | {
            "slack": {"channel": CHANNEL, "api_url": slack.url, **files},
            "identities": [{"name": "alice", "groups": ["gpu-oncall"], "links": {"slack": [f"{TEAM}/UALICE"]}}],
            "policy_data": {"autonomy": {"default": "act", "actions": {"cordon_node": "act_with_approval"}}},
        }
        self.config.write_text(json.dumps(settings), encoding="utf-8")

    def kernel_says(self, node: str) -> None:
        headers = {"Authorization": "Bearer s3cret"}
        answer = httpx.post(f"{self.url}/v1/logs", json={"node": node, "line": LINE}, headers=headers)
        assert answer.status_code == 202, answer.text


def told(slack: Slack) -> list[str]:
    return [str(message["text"]) for message in slack.messages.values()]


def test_a_press_in_slack_lets_it_act(tmp_path: Path, started: Callable[[Server], Server]) -> None:
    with slack_server() as slack:
        agent = SlackAgent(tmp_path, slack)
        process = started(agent.start(tmp_path))
        wait_for("the first look at the channel", lambda: agent.details().get("slack") == "told", ANSWER_S)
        agent.kernel_says("gpu-9")
        wait_for("the request", slack.buttons, ANSWER_S)
        assert told(slack)[-1] == "May the agent do cordon_node on Node/gpu-9?", process.tail()
        with httpx.Client(base_url=agent.url, timeout=10) as client:
            assert post(client, pressed(slack.buttons()[0], "UALICE")).status_code == 200
            form: Any = wait_for("the form", slack.views, ANSWER_S)[0]
            assert "linked to nobody" in post(client, submitted(form, "UMALLORY", "me too")).text
            assert post(client, submitted(form, "UALICE", "seen on the node")).text == ""
        wait_for("the cordon", lambda: "cordon_node" in agent.done(), ANSWER_S)
        wait_for("the thread", lambda: any("cordon_node" in text and "alice" not in text for text in told(slack)[1:]))
        assert any("alice" in text for text in told(slack))
        assert slack.buttons() == []
        (root, *_), replies = list(slack.messages), list(slack.messages.values())[1:]
        assert {reply.get("thread_ts") for reply in replies} == {root}, told(slack)


def test_without_slack_the_terminal_answers_and_the_channel_hears_it_later(
    tmp_path: Path, started: Callable[[Server], Server]
) -> None:
    with slack_server() as slack:
        slack.fails = 503
        agent = SlackAgent(tmp_path, slack)
        started(agent.start(tmp_path))
        agent.kernel_says("gpu-9")
        (request,) = wait_for("the request", lambda: agent.ask("approvals", "list")["approvals"], ANSWER_S)
        agent.ask("approvals", "approve", request["id"], "--as", "alice", "--reason", "seen")
        wait_for("the cordon", lambda: "cordon_node" in agent.done(), ANSWER_S)
        assert slack.messages == {}
        slack.fails = None
        wait_for("what happened meanwhile", lambda: any("cordon_node" in text for text in told(slack)), ANSWER_S)
