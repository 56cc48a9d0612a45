"""Holds an answer of the engine to the form of a verdict, and gives its reasons their sentences.

Whatever is not exactly a decision is no decision: a string, two decisions, a reason that no rule declares, an allow
with a deny's reason. The caller turns PolicyUnavailable into a deny.
"""

from collections.abc import Mapping
from typing import Any

from agent.adapters.rego.metadata import ReasonText
from agent.ports import JsonObject, PolicyUnavailable

DECISIONS = ("allow", "escalate", "deny")
KEYS = {"decision", "reasons", "obligations", "approval"}
OBLIGATIONS = {"dry_run": bool, "notice_s": int, "verify_within_s": int}
MORE_OBLIGATIONS = {"canary": bool, "eviction_only": bool, "rollback": bool}  # a bundle may leave them out
APPROVAL_S = ("approve_within_s", "execute_within_s")
EXACT_BELOW = 2**53  # from here on a double does not know one whole number from the next


def completed(verdict: Any, texts: Mapping[str, ReasonText]) -> JsonObject:
    """`verdict` is the entrypoint's value, of whichever engine."""
    _check(isinstance(verdict, dict) and set(verdict) == KEYS, "a verdict has decision, reasons, obligations, approval")
    decision = verdict["decision"]
    _check(decision in DECISIONS, f"the decision is {decision!r}")
    _check(isinstance(verdict["reasons"], list) and verdict["reasons"] != [], "there is no list of reasons")
    return {
        "decision": decision,
        "reasons": [reason_of(reason, decision, texts) for reason in verdict["reasons"]],
        "obligations": _obligations(verdict["obligations"]),
        "approval": _approval(verdict["approval"], decision),
    }


def reason_of(reason: Any, decision: str, texts: Mapping[str, ReasonText]) -> JsonObject:
    """A reason with its sentences filled in. Raises PolicyUnavailable for one that no rule declares."""
    _check(isinstance(reason, dict) and set(reason) == {"code", "params"}, "a reason has a code and params")
    text = texts.get(reason["code"]) if isinstance(reason["code"], str) else None
    if text is None:
        raise PolicyUnavailable("policy.ill_typed", f"no rule declares the reason {reason['code']!r}")
    _check(text.decision == decision, f"{text.code} is a reason to {text.decision}, not to {decision}")
    _check(isinstance(reason["params"], dict), f"the params of {text.code} are no map")
    params = {name: _one_form(value) for name, value in reason["params"].items()}
    shown = {name: _shown(value) for name, value in params.items()}
    said = {"message": _filled(text.message, shown), "remedy": _filled(text.remedy, shown)}
    return {"code": text.code, **said, "params": params}


def _one_form(value: Any) -> Any:
    """JSON knows one kind of number, and the engines write a whole one either way: 0 and 0.0."""
    if isinstance(value, list):
        return [_one_form(item) for item in value]
    if isinstance(value, dict):
        return {key: _one_form(item) for key, item in value.items()}
    whole = isinstance(value, float) and abs(value) < EXACT_BELOW and value.is_integer()
    return int(value) if whole else value


def _filled(sentence: str, params: Mapping[str, str]) -> str:
    try:
        return sentence.format_map(params)
    except (KeyError, ValueError, IndexError) as error:
        raise PolicyUnavailable("policy.ill_typed", f"{sentence!r} cannot be filled: {error!r}") from error


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def _obligations(obligations: Any) -> JsonObject:
    """What the executor cannot fulfil is not done: an obligation that it does not know has a code of its own."""
    _check(isinstance(obligations, dict) and set(obligations) >= set(OBLIGATIONS), "the obligations have another form")
    known = {**OBLIGATIONS, **MORE_OBLIGATIONS}
    unknown = sorted(set(obligations) - set(known))
    if unknown:
        raise PolicyUnavailable("obligation.unknown", f"the executor knows no obligation {unknown[0]}")
    for key in obligations:
        _check(type(obligations[key]) is known[key], f"the obligation {key} is {obligations[key]!r}")
    _check(obligations["notice_s"] >= 0 and obligations["verify_within_s"] > 0, "an obligation is a negative time")
    return dict(obligations)


def _approval(approval: Any, decision: str) -> JsonObject | None:
    _check((approval is not None) == (decision == "escalate"), f"{decision} with the approval {approval!r}")
    if approval is None:
        return None
    keys = {"groups", *APPROVAL_S}
    _check(isinstance(approval, dict) and keys <= set(approval) <= {*keys, "tiers"}, "the approval has another form")
    for key in APPROVAL_S:
        _check(type(approval[key]) is int and approval[key] > 0, f"{key} is {approval[key]!r}")
    _groups(approval["groups"])
    tiers = approval.get("tiers", [])
    _check(isinstance(tiers, list), f"the tiers are {tiers!r}")
    for tier in tiers:
        _check(isinstance(tier, dict) and set(tier) == {"groups", "approve_within_s"}, f"{tier!r} is no tier")
        within_s = tier["approve_within_s"]
        _check(type(within_s) is int and within_s > 0, f"approve_within_s of a tier is {within_s!r}")
        _groups(tier["groups"])
    return dict(approval)


def _groups(groups: Any) -> None:
    _check(isinstance(groups, list) and groups != [], "nobody is named to approve")
    for group in groups:
        _check(isinstance(group, dict) and set(group) == {"name", "count"}, f"{group!r} is no group of approvers")
        _check(isinstance(group["name"], str), f"{group!r} is no group of approvers")
        _check(type(group["count"]) is int and group["count"] > 0, f"{group!r} is no group of approvers")


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise PolicyUnavailable("policy.ill_typed", otherwise)
