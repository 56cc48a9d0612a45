"""XID 154: the driver itself names what the GPU needs, in words that are read here and nowhere else.

`NVRM: Xid (PCI:…): 154, GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)`
"""

import re
from collections.abc import Mapping

from agent.domain.signal import ConditionBody, Signal, XidBody
from agent.evidence.xid import FirstAction

CODE = 154
_CHANGED = re.compile(
    r"recovery\s+action\s+changed\s+from\s+.{0,80}?\bto\s+(?:0x([0-9a-f]{1,2})\b\s*)?\(?([a-z0-9 ]{0,40})",
    re.IGNORECASE,
)
_NAMED: Mapping[str, FirstAction] = {
    "none": FirstAction.NONE,
    "gpu reset required": FirstAction.RESET_GPU,
    "gpu reset": FirstAction.RESET_GPU,
    "node reboot required": FirstAction.REBOOT,
    "node reboot": FirstAction.REBOOT,
    "drain p2p": FirstAction.WORKFLOW,  # peers stop talking first, and then the driver names another action
    "drain and reset": FirstAction.RESET_GPU,
}
_BY_NUMBER = {
    0: FirstAction.NONE,
    1: FirstAction.RESET_GPU,
    2: FirstAction.REBOOT,
    3: FirstAction.WORKFLOW,
    4: FirstAction.RESET_GPU,
}


def named_recovery(signal: Signal) -> FirstAction | None:
    """The action that the signal's text names; None when it names none that we know, or contradicts itself."""
    body = signal.body
    if not isinstance(body, XidBody | ConditionBody):
        return None
    text = body.text if isinstance(body, XidBody) else body.message
    found = _CHANGED.search(text)
    if found is None:
        return None
    by_word = _NAMED.get(" ".join(found[2].lower().split()))
    by_number = _BY_NUMBER.get(int(found[1], 16)) if found[1] else by_word
    return by_word if by_word is by_number else None
