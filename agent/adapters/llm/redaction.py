"""What never leaves for a model: values that people put passwords into. Pure.

Secrets and ConfigMaps are in no view, and are asked for in vain. What is left are the environment and the command lines
of containers, the copy of the whole manifest that kubectl keeps in an annotation, whatever is called a password, and
what looks like a credential wherever it stands: in a log line, an event, an alert's text.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

MASKED: Final = "(masked)"
NOT_TO_BE_SEEN: Final = frozenset({"Secret", "ConfigMap"})
_LEFT_OUT: Final = frozenset({"managedFields", "kubectl.kubernetes.io/last-applied-configuration"})
_MASKED: Final = frozenset({"env", "args", "command", "data", "stringData", "binaryData"})
_WORD: Final = r"(?:pass(?:word|wd|phrase)|secret|token|api[-_ ]?key|access[-_ ]?key|private[-_ ]?key|credential)s?"
_NAMED: Final = re.compile(rf"(?i)(?:{_WORD}|authorization)(?:[-_./]|$)")
_SAID: Final = re.compile(
    rf"""(?i)(\b[\w.-]{{0,40}}{_WORD}["']?\s{{0,3}}[=:]\s{{0,3}}["']?)[^\s"',;&]{{3,}}"""
    r"""|(\b(?:authorization\s{0,3}[=:]\s{0,3})?(?:bearer|basic)\s{1,3})[\w.~+/=-]{6,}"""
    r"""|(://[^\s/:@]{0,100}:)[^\s/@]{1,200}(?=@)"""
)
_SHAPED: Final = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:.{0,8000}?-----END [A-Z ]{0,30}PRIVATE KEY-----|.*)"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bsk-[\w-]{8,}|\bgh[opsur]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"
    r"|\bhf_\w{16,}|\bnvapi-[\w-]{16,}|\bxox[abeprs]-[\w-]{10,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*",
    re.DOTALL,
)


def without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            str(key): MASKED if key in _MASKED or _NAMED.search(str(key)) else without_secrets(each)
            for key, each in value.items()
            if key not in _LEFT_OUT
        }
    if isinstance(value, list | tuple):
        return [without_secrets(each) for each in value]
    return masked_text(value) if isinstance(value, str) else value


def masked_text(text: str) -> str:
    """The text without what looks like a credential. What it was called stays: that may be the explanation."""
    named = _SAID.sub(lambda found: f"{next(filter(None, found.groups()))}{MASKED}", text)
    return _SHAPED.sub(MASKED, named)
