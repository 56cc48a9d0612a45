"""Reads the METADATA above each rule: that is where a reason's sentence and its remedy live, beside the condition.

The embedded engine has no `rego.metadata`, so the rule repeats its code as a literal; that the two agree is checked
here, as is that no reason leaves a rule without a sentence. Which rules there are is read from the engine's own AST.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from agent.adapters.rego.faults import BundleRefused

ADMISSION = "admission"  # the folder of the policies that Kueue's admission check asks
DECISIONS = {"deny": "deny", "escalate": "escalate", "allow": "allow", "verdict": "deny"}  # by the rule's name
ADMISSION_DECISIONS = {"reject": "reject", "retry": "retry", "hold": "hold", "allow": "allow", "verdict": "hold"}
CODE = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
KEYS = {"code", "message", "remedy"}
RESERVED = {"policy", "obligation"}  # codes of the agent's own: there was no decision, or none that can be carried out


@dataclass(frozen=True, slots=True)
class ReasonText:
    """What a reason code means: `message` and `remedy` may hold {placeholders} for the reason's params."""

    code: str
    decision: str
    title: str
    message: str
    remedy: str
    place: str


def reason_texts(name: str, text: str, ast: Mapping[str, Any]) -> Iterator[ReasonText]:
    """One for each rule of a module that gives reasons. Raises BundleRefused for a rule without METADATA."""
    blocks = _blocks(name, text)
    decisions = ADMISSION_DECISIONS if name.startswith(f"{ADMISSION}/") else DECISIONS
    for rule in ast["rules"]:
        kind, body = next(iter(rule.items()))
        head = body if kind == "Default" else next(iter(body["head"].values()))
        named = _named(head["refr"])
        decision = decisions.get(named)
        line = body["span"]["line"]
        if decision is not None and named != "verdict" and "Set" not in body.get("head", ()):
            raise BundleRefused(f"{name}:{line}: write `{named} contains {{…}}`: of another form OPA hears nothing")
        literal = _literal_code(head)
        if decision is None and (literal is not None or "code" in (blocks.get(line, {}).get("custom") or {})):
            expected = "reject, retry, hold or allow" if decisions is ADMISSION_DECISIONS else "deny, escalate or allow"
            raise BundleRefused(f"{name}:{line}: a reason is given by a rule named {expected}, no other")
        if decision is None or (literal is None and line not in blocks):
            if decision is not None and "key" in head:
                raise BundleRefused(f"{name}:{line}: the rule has no METADATA with custom.code, message and remedy")
            continue
        yield _reason_text(f"{name}:{line}", decision, literal, blocks.get(line, {}))


def _reason_text(place: str, decision: str, literal: str | None, block: Mapping[str, Any]) -> ReasonText:
    custom = block.get("custom")
    if not isinstance(custom, dict) or set(custom) != KEYS or not all(isinstance(v, str) for v in custom.values()):
        raise BundleRefused(f"{place}: the rule has no METADATA with custom.code, message and remedy")
    code = custom["code"]
    if not CODE.fullmatch(code):
        raise BundleRefused(f"{place}: {code!r} is not a reason code (guardrail.detail)")
    if code.partition(".")[0] in RESERVED:
        raise BundleRefused(f"{place}: {code}: what begins so is said by the agent itself")
    if literal is not None and literal != code:
        raise BundleRefused(f"{place}: the rule says {literal!r}, its METADATA {code!r}")
    return ReasonText(code, decision, str(block.get("title", "")), custom["message"], custom["remedy"], place)


def _named(ref: Mapping[str, Any]) -> str:
    """What a rule's name begins with: deny, of deny.site and deny[x] too."""
    while "Var" not in ref:
        ref = next(iter(ref.values()))["refr"]
    return str(ref["Var"]["value"])


def _literal_code(head: Mapping[str, Any]) -> str | None:
    """The string under "code" in the head of `deny contains {"code": "…", …}`."""
    for _, key, value in head.get("key", {}).get("Object", {}).get("fields", ()):
        if key.get("String", {}).get("value") == "code":
            literal: str | None = value.get("String", {}).get("value")
            return literal
    return None


def _blocks(name: str, text: str) -> dict[int, Mapping[str, Any]]:
    """METADATA blocks by the number of the line after them."""
    found: dict[int, Mapping[str, Any]] = {}
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if line.strip() != "# METADATA":
            continue
        end = index + 1
        while end < len(lines) and lines[end].startswith("#"):
            end += 1
        try:
            block = yaml.safe_load("\n".join(entry.removeprefix("#") for entry in lines[index + 1 : end]))
        except yaml.YAMLError as error:
            raise BundleRefused(f"{name}:{index + 1}: the METADATA is not YAML: {error}") from error
        if not isinstance(block, dict):
            raise BundleRefused(f"{name}:{index + 1}: the METADATA is empty")
        found[end + 1] = block
    return found
