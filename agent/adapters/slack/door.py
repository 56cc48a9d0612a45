"""Buttons and forms that come back from Slack. Who pressed is told by Slack and linked by the settings; the channel's
app account never counts, and an account that is linked to nobody is told so in its own form.

Slack wants an acknowledgement within 3 s. A form is answered at once with what became of it, if the desk is that
fast; otherwise it is acknowledged, and whoever answered is told by a message when it is known.
"""

import json
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError as TooSlow
from typing import Any, Final, Literal

from slack_bolt import App
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError

from agent.adapters.slack.blocks import APPROVE, REJECT, WITHDRAW, answer_modal, clean, cut, fallback, reason_of
from agent.answering import Answering, Said
from agent.domain.approval import ApprovalRequest
from agent.domain.identity import Claims
from agent.ports import AnswerRefused, Fault

DOOR: Final = "slack"
FORM: Final = "watchkeeper_answer"
ANSWER_WITHIN_S: Final = 2.0  # of Slack's three; the rest is the way there and back
THREADS: Final = 8  # people who press at the same moment
ERROR_CHARACTERS_MAX: Final = 2000
NOT_OURS: Final = "This form is not one that the agent opened, so it does not count. Open the request again"
NOT_RECORDED: Final = "It could not be recorded, so it does not count. Nothing was approved; try again in a moment"

log = logging.getLogger("watchkeeper.slack")


class SlackDoor:
    """`app` is bolt's, for HTTP or Socket Mode alike."""

    def __init__(
        self, client: WebClient, signing_secret: str | None, answering: Answering, wake: Callable[[], None]
    ) -> None:
        self._client = client
        self._answering = answering
        self._wake = wake
        self._pool = ThreadPoolExecutor(THREADS, "slack")
        self.app = App(
            client=client,
            signing_secret=signing_secret or "unused: Socket Mode is authenticated by its connection",
            authorize=_one_workspace(client),
            listener_executor=ThreadPoolExecutor(THREADS, "slack-listener"),
            logger=log,
        )
        self.app.action(APPROVE)(self._opens("approve"))
        self.app.action(REJECT)(self._opens("reject"))
        self.app.action(WITHDRAW)(self._opens("withdraw"))
        self.app.view(FORM)(self._answered)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _opens(self, decision: Literal["approve", "reject", "withdraw"]) -> Callable[..., None]:
        def pressed(ack: Callable[..., None], body: Mapping[str, Any], action: Mapping[str, Any]) -> None:
            ack()
            about = json.loads(action["value"])
            modal = answer_modal(
                FORM,
                decision.capitalize(),
                f"{about['what']}\nrequest {about['request']}, digest {about['digest'][:12]}",
                json.dumps({**about, "decision": decision}),
                reason_optional=decision == "approve",
            )
            try:
                self._client.views_open(trigger_id=body["trigger_id"], view=modal)
            except (SlackClientError, OSError) as fault:
                log.warning("the form for %s did not open: %s", about["request"], fault)

        return pressed

    def _answered(self, ack: Callable[..., None], body: Mapping[str, Any], view: Mapping[str, Any]) -> None:
        said = said_by(view)
        if said is None:
            ack(response_action="errors", errors={"reason": NOT_OURS})
            return
        claims = claims_of(body)
        given = self._pool.submit(self._answering.answer, said, claims)
        try:
            given.result(ANSWER_WITHIN_S)
        except TooSlow:
            ack()
            given.add_done_callback(lambda done: self._late(done, body["user"]["id"], said))
        except (AnswerRefused, Fault) as why:
            ack(response_action="errors", errors={"reason": _words(why)})
        else:
            ack()
            self._wake()

    def _late(self, done: "Future[ApprovalRequest]", user: str, said: Said) -> None:
        why = done.exception()
        text = f"{said.request}: your answer counts." if why is None else f"{said.request}: {_words(why)}"
        self._wake()
        try:
            self._client.chat_postMessage(channel=user, text=fallback(text))
        except (SlackClientError, OSError) as fault:
            log.warning("%s could not be told what became of the answer: %s", user, fault)


def _one_workspace(client: WebClient) -> Callable[..., AuthorizeResult]:
    """One token: nothing to ask Slack for with every press."""

    def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=client.token)

    return authorize


def said_by(view: Mapping[str, Any]) -> Said | None:
    """What a form of ours says; None for a form that is none. Nobody breaks the glass or edits from here."""
    try:
        about = json.loads(view["private_metadata"])
        request, digest, tier = str(about["request"]), str(about["digest"]), int(about["tier"])
        decision = {each: each for each in ("approve", "reject", "withdraw")}[about["decision"]]
        return Said(request, digest, decision, reason_of(view), tier=tier)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def claims_of(body: Mapping[str, Any]) -> Claims:
    """The account is of the person's own workspace: in a shared channel that is another than where it was pressed."""
    user = body["user"]
    team = user.get("team_id") or (body.get("team") or {}).get("id") or ""
    return Claims(door=DOOR, account=f"{team}/{user['id']}")


def _words(why: BaseException) -> str:
    return cut(clean(str(why) if isinstance(why, AnswerRefused) else f"{NOT_RECORDED} ({why})."), ERROR_CHARACTERS_MAX)
