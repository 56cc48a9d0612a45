"""Debian's chromium, driven over its DevTools protocol: a page as a person sees it, and buttons that are pressed."""

import base64
import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import websocket
from servers import free_port, installed, wait_for

ANSWER_S = 30.0
OPTIONS = (
    *("--headless=new", "--disable-gpu", "--no-first-run", "--hide-scrollbars", "--force-device-scale-factor=2"),
    *("--no-sandbox", "--disable-dev-shm-usage", "--window-size=1000,1300"),  # tests run as root in a container
)


class Browser:
    """One tab."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self._socket = socket
        self._number = 0
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            said = json.loads(self._socket.recv())
            if said.get("method") == "Log.entryAdded":
                self.complaints.append(said["params"]["entry"]["text"])
            if said.get("id") == self._number:
                assert "error" not in said, said
                return said["result"]

    def opens(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.settles()

    def settles(self) -> None:
        """Until the page, and what it leads to, is loaded."""
        time.sleep(0.3)
        wait_for("the page", lambda: self.says("document.readyState") == "complete", ANSWER_S)

    def says(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def text(self) -> str:
        return str(self.says("document.body.innerText"))

    def writes(self, field: str, text: str) -> None:
        self.says(f"document.getElementById({json.dumps(field)}).value = {json.dumps(text)}")

    def presses(self, button: str) -> None:
        self.says(f"[...document.querySelectorAll('button')].find(b => b.innerText === {json.dumps(button)}).click()")
        self.settles()

    def pictures(self, file: Path) -> None:
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    port = free_port()
    command = [
        installed("chromium"),
        *OPTIONS,
        f"--remote-debugging-port={port}",
        f"--user-data-dir={folder / 'chromium'}",
    ]
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen([*command, "about:blank"], stdout=log, stderr=subprocess.STDOUT)
    try:
        tab = wait_for("chromium", lambda: _tab(port))
        socket = websocket.create_connection(tab, timeout=ANSWER_S, suppress_origin=True)
        yield Browser(socket)
        socket.close()
    finally:
        process.terminate()
        process.wait(ANSWER_S)


def _tab(port: int) -> str | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=5) as answer:
            tabs = json.loads(answer.read())
    except OSError:
        return None
    return next((str(tab["webSocketDebuggerUrl"]) for tab in tabs if tab["type"] == "page"), None)
