"""The agent's side of Slack: a store, the door over the product's own HTTP server, and what tells the channel."""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
from slack_sdk import WebClient
from slack_server import CHANNEL, SECRET, TEAM, Slack, post, pressed, submitted

from agent.adapters.inbound.server import Doors
from agent.adapters.inbound.serving import Serving
from agent.adapters.refusals import Refusals
from agent.adapters.slack import Publisher, SlackDoor
from agent.adapters.slack.http import slack_route
from agent.adapters.slack.publisher import Words
from agent.answering import Answering
from agent.cli.request_page import page
from agent.cli.slack import sections_of
from agent.compliance.timeline import sentence
from agent.domain.approval import ApprovalRequest, Person, RequestState
from agent.domain.identity import Directory
from tests.agent.store.desk_world import Opened, on_record

PEOPLE = (
    Person(name="alice", groups=("gpu-oncall",), links={"slack": (f"{TEAM}/UALICE",)}),
    Person(name="bob", groups=("gpu-oncall",), links={"slack": (f"{TEAM}/UBOB",)}),
    Person(name="dave", groups=("tenant-a",), links={"slack": (f"{TEAM}/UDAVE",)}),
)


class Site:
    """What a person in the channel can do, and what became of it."""

    def __init__(self, opened: Opened, slack: Slack) -> None:
        self.opened, self.slack, self.woken = opened, slack, 0
        client = WebClient("xoxb-of-the-test", slack.url, timeout=5)
        directory = Directory(people=PEOPLE)
        self.door = SlackDoor(client, SECRET, Answering(opened.store.desk, directory, opened.clock), self._wake)
        words = Words(lambda asked: sections_of(page(asked, opened.clock.now(), directory)), sentence)
        self.publisher = Publisher(client, CHANNEL, opened.store.chat, opened.store.desk, opened.log, words)
        doors = Doors(
            opened.store.inbox,
            opened.clock,
            lambda: None,
            Refusals(opened.ledger, opened.clock),
            more_routes=[slack_route(self.door.app)],
        )
        self.serving = Serving(doors.app(), "127.0.0.1", 0)
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


def soon(holds: Callable[[], bool]) -> bool:
    for _ in range(300):
        if holds():
            return True
        time.sleep(0.02)
    return False
