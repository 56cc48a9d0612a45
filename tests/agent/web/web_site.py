"""The door over real HTTP in front of a real desk and log, and an issuer beside it."""

from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx

from agent.adapters.inbound.server import Doors
from agent.adapters.inbound.serving import Serving
from agent.adapters.oidc import Tokens
from agent.adapters.refusals import Refusals
from agent.answering import Answering
from agent.cli.output import clean
from agent.cli.request_page import page
from agent.domain.approval import ApprovalRequest, Person, RequestState
from agent.domain.identity import Directory, Issuer
from agent.scenarios.outages import Outages
from agent.web import PeopleDoor, Words
from agent.web.forms import Seals
from agent.web.pages import Pages
from agent.web.visitors import Visitors
from tests.agent.store.desk_world import HandClock, Opened, on_record, request
from tests.agent.web.issuer import AUDIENCE, NAME, LocalIssuer

PEOPLE = (
    Person(name="alice", groups=("gpu-oncall",), links={"oidc": (f"{NAME}#alice-1",)}),
    Person(name="bob", groups=("gpu-oncall",), links={"oidc": (f"{NAME}#bob-1",)}),
    Person(name="dave", groups=("tenant-a",), links={"oidc": (f"{NAME}#dave-1",)}),
)
Json = dict[str, Any]


class WebSite:
    """`now` is the wall's, in whole seconds: tokens are good for a while from now on."""

    def __init__(self, folder: Path, issuer: LocalIssuer, **trust: Any) -> None:
        self.clock = HandClock(datetime.now(UTC).replace(microsecond=0))
        self.opened = Opened(folder / "watchkeeper.db", self.clock)
        self.issuer, self.woken = issuer, 0
        self.seconds = 0.0  # of the clock by which keys age
        trusted = Issuer(issuer=NAME, audience=AUDIENCE, jwks_uri=issuer.jwks_uri, **trust)
        self.outages = Outages(self.clock)
        directory, desk = Directory(people=PEOPLE), self.outages.interpose("approvals", self.opened.store.desk)
        refused = Refusals(self.opened.ledger, self.clock)
        self.door = PeopleDoor(
            Visitors(Tokens([trusted], seconds=lambda: self.seconds), directory, self.clock, refused),
            Answering(desk, directory, self.clock),
            desk,
            self.clock,
            Pages(Words(lambda asked: page(asked, self.clock.now(), directory), clean)),
            Seals(b"of this test"),
            self._wake,
        )
        doors = Doors(self.opened.store.inbox, self.clock, self._wake, refused, more_routes=self.door.routes())
        self.serving = Serving(doors.app(), "127.0.0.1", 0)
        self.serving.start()
        self.http = httpx.Client(base_url=self.serving.url, timeout=15)

    def _wake(self) -> None:
        self.woken += 1

    def asks(self, asked: ApprovalRequest | None = None, identity: str = "inc-1/1") -> ApprovalRequest:
        """A request with an id as the agent gives them."""
        made = (asked or request(identity)).model_copy(update={"id": f"apr-{identity.replace('/', '-')}"})
        made = made.model_copy(
            update={"requested_at": self.clock.now(), "expires_at": self.clock.now().replace(year=9999)}
        )
        on_record(self.opened, made)
        return self.opened.store.desk.open(made)

    def token(self, subject: str = "alice-1", **claims: Any) -> str:
        return self.issuer.token(subject, at=self.clock.now().timestamp(), **claims)

    def as_(self, subject: str = "alice-1", **claims: Any) -> Json:
        return {"Authorization": f"Bearer {self.token(subject, **claims)}"}

    def answer(
        self, asked: ApprovalRequest, subject: str = "alice-1", headers: Json | None = None, **said: Any
    ) -> httpx.Response:
        body = {"decision": "approve", "digest": asked.digest, **said}
        sent = {**self.as_(subject), **(headers or {})}
        return self.http.post(f"/v1/requests/{asked.id}/answer", json=body, headers=sent)

    def form(self, asked: ApprovalRequest, subject: str = "alice-1") -> Json:
        """What the page's form would send, the reason and the button aside."""
        shown = self.http.get(f"/requests/{asked.id}", headers=self.as_(subject))
        assert shown.status_code == 200, shown.text
        found = Form()
        found.feed(shown.text)
        return found.fields

    def sends(self, asked: ApprovalRequest, fields: Json, subject: str = "alice-1", **headers: str) -> httpx.Response:
        return self.http.post(f"/requests/{asked.id}", data=fields, headers={**self.as_(subject), **headers})

    def state(self, asked: ApprovalRequest) -> RequestState:
        found = self.opened.store.desk.get(asked.id)
        assert found is not None
        return found.state

    def codes(self) -> list[str]:
        """Of answers that did not count, as they are on the record."""
        return [r.payload["code"] for r in self.opened.log.query(kind="approval") if not r.payload["counted"]]

    def refused(self) -> list[str]:
        return [r.payload["reason"] for r in self.opened.log.query(kind="refused")]

    def close(self) -> None:
        self.http.close()
        self.serving.stop()
        self.door.close()
        self.opened.close()


class Form(HTMLParser):
    """The hidden fields of a page, and what it is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: Json = {}
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        given = dict(attrs)
        if tag == "input" and given.get("type") == "hidden":
            self.fields[str(given["name"])] = given.get("value") or ""

    def handle_data(self, data: str) -> None:
        self.text += data
