"""Block Kit from plain lines. What strangers wrote stands in `plain_text` and preformatted rich text only: Slack reads
no markup there, so no text can mention a channel, hide a link or dress up as a button.

Limits are Slack's (docs.slack.dev, Block Kit reference): 150 characters of a header, 3,000 of a text, 50 blocks.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

Block = dict[str, Any]

HEADER_CHARACTERS_MAX: Final = 150
TEXT_CHARACTERS_MAX: Final = 3000
FALLBACK_CHARACTERS_MAX: Final = 300  # what a notification shows; more is cut off there
SECTIONS_MAX: Final = 20  # of at most 50 blocks: two for each, and the buttons

APPROVE: Final = "watchkeeper_approve"
REJECT: Final = "watchkeeper_reject"
WITHDRAW: Final = "watchkeeper_withdraw"


class Section(NamedTuple):
    """A heading and the lines under it, as a page for the terminal has them."""

    heading: str
    lines: Sequence[str]


def page_blocks(title: str, sections: Sequence[Section], more: str) -> list[Block]:
    """`more` says where the rest is, wherever something had to be left out."""
    blocks = [_header(title)]
    for section in sections[:SECTIONS_MAX]:
        if section.heading:
            blocks.append({"type": "section", "text": _plain(section.heading)})
        if section.lines:
            blocks.append(_preformatted(section.lines, more))
    return blocks


def buttons(request: str, value: str, *, waits: bool, refusable: bool, withdrawable: bool) -> list[Block]:
    """Approve while it waits, reject until it begins, and take back where somebody said yes; each asks for a reason
    before anything counts. None where nothing is left to say."""
    yes = [_button("Approve…", APPROVE, "primary", value)] if waits else []
    no = [_button("Reject…", REJECT, "danger", value)] if refusable else []
    back = [_button("Take my yes back…", WITHDRAW, None, value)] if withdrawable else []
    elements = yes + no + back
    return [{"type": "actions", "block_id": f"answer-{request}", "elements": elements}] if elements else []


def fallback(text: str) -> str:
    """The text of a notification. Slack reads markup there, so what it could read is spelled out."""
    shown = cut(clean(text), FALLBACK_CHARACTERS_MAX)
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def told(text: str) -> list[Block]:
    return [{"type": "section", "text": _plain(cut(clean(text), TEXT_CHARACTERS_MAX))}]


def answer_modal(callback: str, title: str, asked: str, metadata: str, *, reason_optional: bool) -> Block:
    """Asks for the reason. `metadata` comes back with the answer."""
    return {
        "type": "modal",
        "callback_id": callback,
        "private_metadata": metadata,
        "title": _plain(cut(title, 24)),
        "submit": _plain(title),
        "close": _plain("Not now"),
        "blocks": [
            {"type": "section", "text": _plain(cut(clean(asked), TEXT_CHARACTERS_MAX))},
            {
                "type": "input",
                "block_id": "reason",
                "optional": reason_optional,
                "label": _plain("Reason (kept in the log)"),
                "element": {"type": "plain_text_input", "action_id": "text", "multiline": True, "max_length": 2000},
            },
        ],
    }


def reason_of(view: Mapping[str, Any]) -> str:
    return str(view["state"]["values"]["reason"]["text"].get("value") or "")


def clean(text: str) -> str:
    """Whatever would move, hide or turn text is spelled out; line ends stay."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _header(text: str) -> Block:
    return {"type": "header", "text": _plain(cut(clean(text).replace("\n", " "), HEADER_CHARACTERS_MAX))}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text or " ", "emoji": False}


def _preformatted(lines: Sequence[str], more: str) -> Block:
    kept, left = [], TEXT_CHARACTERS_MAX - len(more) - 2
    for line in lines:
        shown = clean(line).replace("\n", " ")
        left -= len(shown) + 1
        if left < 0:
            kept.append(f"… {more}")
            break
        kept.append(shown)
    inner = {"type": "text", "text": "\n".join(kept)}
    return {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [inner]}]}


def _button(text: str, action: str, style: str | None, value: str) -> Block:
    button: Block = {"type": "button", "action_id": action, "text": _plain(text), "value": value}
    return {**button, "style": style} if style else button
