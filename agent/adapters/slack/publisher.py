"""Tells the channel what is in the log: each incident a thread, each request a message with buttons in it.

Slack is only a view. The log is read from where it was told last, in its order; while Slack is away nothing is lost and
nothing waits, and the next look goes on where this one stopped. A process that dies between a message and the note of
it tells that one again: Slack knows no idempotency key for a post.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from agent.adapters.slack.blocks import Section, buttons, cut, fallback, page_blocks, told
from agent.domain.approval import ApprovalRequest, RequestState
from agent.ports import ApprovalDesk, Fault

EVERY_S: Final = 2.0  # people notice seconds, and Slack takes about one message a second into a channel
AT_ONCE: Final = 200  # records of one look; a flood is told in the order in which it came
REFUSED_FOR_GOOD: Final = frozenset(
    {
        *("invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "no_text"),
        *("message_not_found", "thread_not_found", "cant_update_message", "edit_window_closed"),
    }
)  # repeating such a message would keep all later ones back

log = logging.getLogger("watchkeeper.slack")

TOLD: Final = frozenset(
    {
        *("approval_requested", "approval", "break_glass", "notice", "intent", "outcome", "verification"),
        *("cancellation", "incident_closed", "level_changed", "policy_refused"),
    }
)


class Recorded(Protocol):
    @property
    def index(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def payload(self) -> Any: ...
    @property
    def attributes(self) -> Mapping[str, str]: ...


class Chat(Protocol):
    """What was told: agent.adapters.store.chat."""

    def message(self, about: str) -> str | None: ...
    def remember(self, about: str, message: str) -> None: ...
    def cursor(self, channel: str) -> int | None: ...
    def told_up_to(self, channel: str, next_index: int) -> None: ...


class Source(Protocol):
    """The log, as far as it is read here."""

    def size(self) -> int: ...
    def query(self, *, after_index: int | None) -> Iterable[Recorded]: ...


class Words(NamedTuple):
    """How a request and a record are put into words."""

    page: Callable[[ApprovalRequest], Sequence[Section]]
    sentence: Callable[[str, Any], str]


class Publisher:
    def __init__(
        self,
        client: WebClient,
        channel: str,
        chat: Chat,
        desk: ApprovalDesk,
        source: Source,
        words: Words,
        connection: Callable[[], None] = lambda: None,
    ) -> None:
        """`connection` is kept up with each look (Socket Mode)."""
        self._client, self._channel = client, channel
        self._chat, self._desk, self._source, self._words = chat, desk, source, words
        self._keep_up = connection
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="slack", daemon=True)
        self.away = ""
        """Why the last look told nothing; empty where Slack answers."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(EVERY_S + 1)

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_S):
            self.publish()

    def publish(self) -> int:
        """Tells what is new; how many records that were. Stops where Slack or a store does not answer."""
        done = 0
        try:
            self._keep_up()
            for record in self._news():
                if record.kind in TOLD:
                    self._tell(record)
                self._chat.told_up_to(self._channel, record.index + 1)
                done += 1
        except (SlackClientError, OSError, Fault) as fault:
            self._note_away(cut(str(fault), 300))
            return done
        self._note_away("")
        return done

    def _news(self) -> Iterable[Recorded]:
        """From the first start on: what happened before it is in the log, and requests that wait are shown."""
        start = self._chat.cursor(self._channel)
        if start is None:
            start = self._source.size()
            for request in self._desk.pending():
                self._show(request)
            self._chat.told_up_to(self._channel, start)
        for number, record in enumerate(self._source.query(after_index=start - 1)):
            if number == AT_ONCE:
                return
            yield record

    def _tell(self, record: Recorded) -> None:
        payload = record.payload if isinstance(record.payload, dict) else {}
        request = payload.get("request") if record.kind in ("approval_requested", "approval", "break_glass") else None
        if request is not None:
            standing = self._desk.get(str(request))
            if standing is not None:
                self._show(standing)
        if record.kind != "approval_requested" and _worth_telling(record.kind, payload):
            incident = payload.get("incident") or record.attributes.get("incident")
            self._say(str(incident or ""), self._words.sentence(record.kind, payload))

    def _show(self, request: ApprovalRequest) -> None:
        """Posts the request, or brings its message up to date: who has answered it needs no buttons any more."""
        sections, waits = self._words.page(request), request.state is RequestState.PENDING
        what = f"{request.proposal.action} on {request.proposal.target}"
        title = f"May the agent do {what}?" if waits else f"{request.state.value.capitalize()}: {what}"
        blocks = page_blocks(title, sections, f"more: watchkeeper approvals show {request.id}")
        about = {"request": request.id, "digest": request.digest, "tier": request.tier, "what": cut(what, 300)}
        open_to_no = request.may_be_refused
        withdrawable = bool(request.standing) and open_to_no
        blocks += buttons(request.id, json.dumps(about), waits=waits, refusable=open_to_no, withdrawable=withdrawable)
        shown = self._chat.message(request.id)
        message = {"text": fallback(title), "blocks": blocks}
        if shown is not None:
            self._call(self._client.chat_update, ts=shown, **message)
            return
        posted = self._post(request.incident, message)
        if posted:
            self._chat.remember(request.id, posted)

    def _say(self, incident: str, text: str) -> None:
        self._post(incident, {"text": fallback(text), "blocks": told(text)})

    def _post(self, incident: str, message: dict[str, Any]) -> str | None:
        thread = self._chat.message(incident) if incident else None
        below = {"thread_ts": thread} if thread else {}
        answer = self._call(self._client.chat_postMessage, unfurl_links=False, unfurl_media=False, **below, **message)
        posted = str(answer["ts"]) if answer else None
        if posted and incident and thread is None:
            self._chat.remember(incident, posted)
        return posted

    def _call(self, method: Callable[..., Any], **arguments: Any) -> Any:
        """None where Slack will never take this message. Raises SlackApiError for what may pass."""
        try:
            return method(channel=self._channel, **arguments)
        except SlackApiError as error:
            if error.response.get("error") not in REFUSED_FOR_GOOD:
                raise
            log.error("Slack refuses a message for good (%s): %s", error.response.get("error"), arguments.get("text"))
            return None

    def _note_away(self, why: str) -> None:
        if why and not self.away:
            log.warning("Slack is not told for now: %s", why)
        elif self.away and not why:
            log.info("Slack is told again")
        self.away = why


def _worth_telling(kind: str, payload: dict[str, Any]) -> bool:
    """Of an execution its end, of a notice to somebody its words; an answer that does not count was told to who gave
    it."""
    notifies = payload.get("action") == "notify"
    if kind == "intent":
        return notifies
    if kind == "outcome":
        return bool(payload.get("final")) and not notifies
    if kind == "verification":
        return not notifies
    if payload.get("decision") == "consumed":
        return False  # what begins is told at its end
    return bool(payload.get("counted", True))
