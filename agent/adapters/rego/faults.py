"""What can be wrong with a bundle, and how the engine's own words become one sentence with a place."""

import re

from agent.ports import PolicyUnavailable

_PLACE = re.compile(r"^--> (?P<file>.+):(?P<line>\d+):\d+$", re.MULTILINE)
_MESSAGE = re.compile(r"^error: (?P<message>.+)$", re.MULTILINE)


class BundleRefused(PolicyUnavailable):
    """A policy, its data or the engine is not fit to decide; the message names file and line or key."""

    def __init__(self, message: str) -> None:
        super().__init__("policy.not_loaded", message)


def engine_words(fault: BaseException) -> str:
    """'file:line: message' out of regorus's drawing and back trace."""
    text = str(fault).split("\n\nStack backtrace")[0].strip()
    place, message = _PLACE.search(text), _MESSAGE.search(text)
    words = message["message"] if message else text.splitlines()[-1] if text else type(fault).__name__
    return f"{place['file']}:{place['line']}: {words}" if place else words
