"""Puts Slack together for `watchkeeper run`: the same page and the same sentences as in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.output import fail

if TYPE_CHECKING:
    from agent.adapters.slack import Publisher, SlackDoor
    from agent.adapters.slack.blocks import Section
    from agent.adapters.slack.client import SocketMode
    from agent.adapters.slack.http import SlackRoute
    from agent.assembly import Agent
    from agent.cli.request_page import Line
    from agent.config import Settings
    from agent.domain.slack import SlackSettings


@dataclass(frozen=True, slots=True)
class SlackParts:
    door: SlackDoor
    publisher: Publisher
    routes: Sequence[SlackRoute]
    socket: SocketMode | None

    def start(self) -> None:
        self.publisher.start()

    def stop(self) -> None:
        self.publisher.stop()
        if self.socket is not None:
            self.socket.close()
        self.door.close()


def slack_parts(settings: Settings, agent: Agent, wake: Callable[[], None]) -> SlackParts | None:
    """None where Slack is not configured. A secret that cannot be read ends the start."""
    chosen = settings.slack
    if chosen is None:
        return None
    from agent.adapters.slack import Publisher, SlackDoor
    from agent.adapters.slack.client import web_client
    from agent.adapters.slack.http import slack_route
    from agent.adapters.slack.publisher import Words
    from agent.answering import Answering
    from agent.cli.house import WallClock
    from agent.cli.request_page import page
    from agent.compliance.timeline import sentence

    client = web_client(_secret(chosen.bot_token_file), chosen.api_url)
    signing = _secret(chosen.signing_secret_file) if chosen.signing_secret_file else None
    clock = WallClock()
    door = SlackDoor(client, signing, Answering(agent.ports.desk, settings.directory, clock), wake)
    words = Words(lambda request: sections_of(page(request, clock.now(), settings.directory)), sentence)
    socket = _socket(chosen, door)
    keep_up = socket.keep if socket else lambda: None
    publisher = Publisher(client, chosen.channel, agent.chat, agent.ports.desk, agent.log, words, keep_up)
    return SlackParts(door, publisher, [slack_route(door.app)] if signing else [], socket)


def sections_of(lines: Sequence[Line]) -> list[Section]:
    """A page's lines by their headings: an empty line and a bold one begin a section."""
    from agent.adapters.slack.blocks import Section

    sections: list[Section] = []
    heading, inner = "", list[str]()
    for before, line in zip([None, *lines], lines, strict=False):
        if line.style == "bold" and before is not None and not before.text:
            sections.append(Section(heading, inner))
            heading, inner = line.text, []
        elif line.text:
            inner.append(line.text)
    return [*sections, Section(heading, inner)]


def _socket(chosen: SlackSettings, door: SlackDoor) -> SocketMode | None:
    if chosen.app_token_file is None:
        return None
    from agent.adapters.slack.client import SocketMode

    return SocketMode(door.app, _secret(chosen.app_token_file), chosen.api_url)


def _secret(file: Path) -> str:
    try:
        found = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file}: the secret cannot be read: {error}.")
    if not found:
        fail(f"{file}: the secret is empty.")
    return found
