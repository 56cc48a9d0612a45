"""The approvals view for a terminal: one request at a time, one key to answer it.

It polls the desk, as any other door may answer meanwhile; what was answered elsewhere leaves the screen.
"""

from __future__ import annotations

import codecs
import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live
from rich.text import Text

from agent.answering import Answering, Decision, Said
from agent.cli.output import clean, console
from agent.cli.request_page import Line, page, told
from agent.domain.approval import ApprovalRequest
from agent.domain.identity import Claims, Directory
from agent.ports import AnswerRefused, ApprovalDesk, Clock

POLL_S = 0.5
"""How soon a new request is seen; one small read of the database."""

REASON_CHARACTERS = 500

FOOTER_LINES = 6
"""An empty line, what was last done, the keys (two lines of them on a narrow terminal), and room for the cursor."""


class Watcher:
    """Shows the oldest pending request that was not skipped, and takes the answer."""

    def __init__(self, desk: ApprovalDesk, directory: Directory, claims: Claims, clock: Clock) -> None:
        self._desk = desk
        self._directory = directory
        self._answering = Answering(desk, directory, clock)
        self._claims = claims
        self._clock = clock
        self._skipped: set[str] = set()
        self._last = ""
        self._top = 0  # first line of the page on the screen
        self._console = console()

    def run(self) -> None:
        with _single_keys(), Live(console=self._console, auto_refresh=False, transient=True) as live:
            while True:
                waiting = [r for r in self._desk.pending() if r.id not in self._skipped]
                current = waiting[0] if waiting else None
                live.update(self._screen(current, len(waiting)), refresh=True)
                key = _key(POLL_S)
                if key == "q":
                    return
                if current and key in ("a", "r", "s"):
                    self._act(key, current, live)
                    self._top = 0
                elif key == " ":
                    self._top += self._room()

    def _act(self, key: str, current: ApprovalRequest, live: Live) -> None:
        if key == "s":
            self._skipped.add(current.id)
            self._last = f"{current.id}: left for later."
            return
        decision: Decision = "approve" if key == "a" else "reject"
        live.update(Text(f"Why do you {decision} {clean(current.id)}? (enter to go on)"), refresh=True)
        self._answer(current, decision, _line())

    def _answer(self, current: ApprovalRequest, decision: Decision, reason: str) -> None:
        """The digest is that of the page which the person saw."""
        try:
            self._last = told(self._answering.answer(Said(current.id, current.digest, decision, reason), self._claims))
        except AnswerRefused as refused:
            self._last = f"Not counted: {refused} [{refused.code}]"

    def _screen(self, current: ApprovalRequest | None, waiting: int) -> Group:
        """What fits of the page, and below it always what was last done and the keys."""
        lines = page(current, self._clock.now(), self._directory) if current else [Line("Nothing waits for an answer.")]
        body = self._wrapped(lines)
        self._top = self._top if self._top < len(body) else 0
        end = min(self._top + self._room(), len(body))
        part = f"lines {self._top + 1}-{end} of {len(body)}   space more   " if len(body) > self._room() else ""
        keys = f"{waiting} waiting   {part}a approve   r reject   s skip   q quit" if current else "q quit"
        footer = self._wrapped([Line(self._last, "bold")])[:2] + self._wrapped([Line(keys, "reverse")])
        return Group(*body[self._top : end], Text(), *footer)

    def _room(self) -> int:
        return max(self._console.size.height - FOOTER_LINES, 1)

    def _wrapped(self, lines: list[Line]) -> list[Text]:
        texts = (Text(clean(line.text), style=line.style) for line in lines)
        return [part for text in texts for part in text.wrap(self._console, self._console.size.width)]


@contextmanager
def _single_keys() -> Iterator[None]:
    """The terminal gives each key at once, and is put back as it was whatever happens."""
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _key(timeout_s: float) -> str:
    """One key, or nothing within that time. A closed terminal quits."""
    ready, _, _ = select.select([sys.stdin], [], [], timeout_s)
    return (_character() or "q") if ready else ""


def _line() -> str:
    """What is typed up to enter; backspace takes back."""
    typed = ""
    while (key := _character()) not in ("", "\n", "\r"):
        typed = typed[:-1] if key in ("\x7f", "\b") else typed + key
    return typed.strip()[:REASON_CHARACTERS]


def _character() -> str:
    """Straight from the terminal, past Python's buffer, in which `select` cannot see what waits. "" at its end."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    while byte := os.read(sys.stdin.fileno(), 1):
        if character := decoder.decode(byte):
            return character
    return ""
