"""The running agent asks, and a person answers on the web page in a real chromium. The login is played by a proxy that
hands an ID token on, and the provider by a local one with real keys; the agent, its door and the browser are real.
"""

import functools
import json
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from browser import browser
from oidc_proxy import proxy
from servers import Server, wait_for
from test_real_input import TOKEN, Agent

from agent.domain.approval import RequestState
from tests.agent.web.issuer import AUDIENCE, NAME, LocalIssuer, local_issuer
from tests.agent.web.test_web_pages import hostile
from tests.agent.web.web_site import WebSite

ANSWER_S = 60.0
LINE = "NVRM: Xid (PCI:0000:b3:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."


class WebAgent(Agent):
    def __init__(self, folder: Path, issuer: LocalIssuer) -> None:
        super().__init__(folder)
        alice = {"name": "alice", "groups": ["gpu-oncall"], "links": {"oidc": [f"{NAME}#alice-1"]}}
        settings = self.settings() | {
            "issuers": [{"issuer": NAME, "audience": AUDIENCE, "jwks_uri": issuer.jwks_uri}],
            "identities": [alice],
            "policy_data": {"autonomy": {"default": "act", "actions": {"requeue_gang": "act_with_approval"}}},
        }
        self.config.write_text(json.dumps(settings), encoding="utf-8")

    def kernel_says(self, node: str) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = httpx.post(f"{self.url}/v1/logs", json={"node": node, "line": LINE}, headers=headers)
        assert answer.status_code == 202, answer.text

    def in_charge(self) -> bool:
        return httpx.get(f"{self.url}/v1/requests").status_code != 503

    def asked(self) -> Any:
        return self.ask("approvals", "list")["approvals"]


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    with local_issuer() as made:
        yield made


def test_a_person_approves_on_the_page(
    tmp_path: Path, issuer: LocalIssuer, started: Callable[[Server], Server]
) -> None:
    agent = WebAgent(tmp_path, issuer)
    process = started(agent.start(tmp_path))
    wait_for("its doors", agent.in_charge, ANSWER_S)
    agent.kernel_says("gpu-3")
    (request,) = wait_for("the request", agent.asked, ANSWER_S)
    who = ["mallory-1"]
    with proxy(agent.url, lambda: issuer.token(who[0])) as address, browser(tmp_path) as tab:
        tab.opens(f"{address}/requests")
        assert "linked to nobody" in tab.text() and "gpu-3" not in tab.text()
        who[0] = "alice-1"
        tab.opens(f"{address}/requests")
        assert request["id"] in tab.text(), process.tail()
        tab.opens(f"{address}/requests/{request['id']}")
        assert tab.text().startswith("All requests") and "May the agent do requeue_gang" in tab.text()
        tab.pictures(tmp_path / "request.png")
        tab.presses("Reject")
        assert "A rejection needs a reason" in tab.text()
        tab.opens(f"{address}/requests/{request['id']}")
        tab.writes("reason", "seen on the node")
        tab.presses("Approve")
        assert "alice approved" in tab.text() and "seen on the node" in tab.text()
        assert [each for each in tab.complaints if "Content Security Policy" in each] == []
    wait_for("the gang", lambda: "requeue_gang" in agent.done(), ANSWER_S)
    records = agent.ask("audit", "query", "--kind", "approval")["records"]
    (answer,) = [each["payload"] for each in records if each["payload"]["decision"] == "approve"]
    assert (answer["by"], answer["door"], answer["account"]) == ("alice", "oidc", f"{NAME}#alice-1")


def test_without_an_issuer_there_is_no_such_door(tmp_path: Path, started: Callable[[Server], Server]) -> None:
    agent = WebAgent(tmp_path, LocalIssuer())
    settings = json.loads(agent.config.read_text("utf-8"))
    del settings["issuers"]
    agent.config.write_text(json.dumps(settings), encoding="utf-8")
    started(agent.start(tmp_path))
    wait_for("its doors", agent.in_charge, ANSWER_S)
    for path in ("/v1/requests", "/requests"):
        assert httpx.get(agent.url + path).status_code == 404


def test_another_site_answers_nothing_in_a_persons_browser(tmp_path: Path, issuer: LocalIssuer) -> None:
    """Alice is logged in, and opens a page that posts to the door at once: with the digest that it would need."""
    site = WebSite(tmp_path, issuer)
    asked = site.asks()
    evil = tmp_path / "evil"
    evil.mkdir()
    with proxy(site.serving.url, site.token) as address, browser(tmp_path) as tab, Served(evil) as elsewhere:
        fields = {"digest": asked.digest, "tier": "0", "seal": "x", "decision": "approve", "reason": "mine"}
        inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
        form = f'<form method="post" action="{address}/requests/{asked.id}">{inputs}</form>'
        (evil / "form.html").write_text(f"{form}<script>document.forms[0].submit()</script>")
        body = json.dumps(json.dumps({"decision": "approve", "digest": asked.digest}))
        fetched = f"fetch('{address}/v1/requests/{asked.id}/answer', {{method: 'POST', body: {body}, headers: HEAD}})"
        kinds = ("application/json", "text/plain")
        calls = ";".join(fetched.replace("HEAD", f"{{'Content-Type': '{kind}'}}") for kind in kinds)
        (evil / "fetch.html").write_text(
            f"<script>{calls}</script><iframe src='{address}/requests/{asked.id}'></iframe>"
        )
        tab.opens(f"{elsewhere}/form.html")
        assert "403" in tab.text() and "Another site made your browser send this" in tab.text()
        tab.opens(f"{elsewhere}/fetch.html")
        tab.settles()
    assert site.state(asked) is RequestState.PENDING
    site.close()


def test_what_strangers_wrote_runs_in_no_browser(tmp_path: Path, issuer: LocalIssuer) -> None:
    site = WebSite(tmp_path, issuer)
    asked = site.asks(hostile(site))
    with proxy(site.serving.url, site.token) as address, browser(tmp_path) as tab:
        for path in ("/requests", f"/requests/{asked.id}"):
            tab.opens(address + path)
            assert tab.says("document.title") != "owned"
            assert tab.says("document.querySelectorAll('script, img, iframe').length") == 0
            assert '<script>document.title="owned"</script>' in tab.text()
        tab.pictures(tmp_path / "hostile.png")
    site.close()


class Served:
    """A folder as a site of somebody else's."""

    def __init__(self, folder: Path) -> None:
        handler = functools.partial(_Quiet, directory=str(folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def __enter__(self) -> str:
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()  # seconds until it heeds the end
        return f"http://localhost:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing to see."""
