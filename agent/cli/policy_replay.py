"""`watchkeeper policy explain|shadow|replay`: recorded decisions, taken apart and decided again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.house import ConfigOption, DbOption, House, opened, settings
from agent.cli.output import EXIT_ERROR, JsonOption, SinceOption, clean, fail, moment, say, show_json, show_table
from agent.cli.reading import logged
from agent.cli.records import Damages

if TYPE_CHECKING:
    from agent.adapters.gate.counterfactual import Change, Search, Turn
    from agent.adapters.gate.reload import PoliciesInForce
    from agent.adapters.gate.replay import Again, Recorded
    from agent.adapters.rego.reads import Reads

TURNS_SHOWN = 5
VALUE_CHARACTERS = 80
NO_DECISION = "it is no decision as the agent records one"
NO_VERDICT = frozenset({"main.no_verdict"})
_BETTER = {"deny": {"allow", "escalate"}, "escalate": {"allow"}, "allow": {"escalate", "deny"}}


def explain(
    decision: Annotated[str, typer.Argument(metavar="ID", help="Of a decision (dec-…) or of a proposal (inc-…/0).")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Shows the rules behind a decision, the facts that they read, and the least that would have turned it."""
    policies = _policies(config, None)
    with opened(config, db) as house:
        record = _found(house, decision)
        if not _tells_what(record.payload["input"]) or "history_of" in record.payload["input"]:
            fail(f"The record {record.index} of {decision!r} lacks what was decided on.")
        logged(house, "policy explain", {"decision": decision}, 1)
    told = _explained(policies, record)
    if as_json:
        show_json(told)
    else:
        _show(told)


def shadow(
    bundle: Annotated[Path, typer.Argument(metavar="NEW_BUNDLE", help="A folder or an archive of policies.")],
    since: SinceOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Decides every recorded decision again by other policies, with this site's limits, and lists each flip."""
    _replay(_policies(config, bundle), "policy shadow", since, as_json, config, db)


def replay(
    since: SinceOption = None, as_json: JsonOption = False, config: ConfigOption = None, db: DbOption = None
) -> None:
    """Decides every recorded decision again; those of the same policies must come out the same to the byte."""
    _replay(_policies(config, None), "policy replay", since, as_json, config, db)


def _replay(
    policies: PoliciesInForce, door: str, since: str | None, as_json: bool, config: Path | None, db: Path | None
) -> None:
    from agent.adapters.gate.replay import Came, replayed
    from agent.cli.house import WallClock

    with opened(config, db) as house:
        bad = Damages()
        found = list(_recorded(house, bad, since=moment("--since", since, WallClock().now())))
        logged(house, door, {"policies": policies.digest, "since": since}, len(found))
    again = list(replayed(policies, found))
    counts = {came.value: sum(each.came is came for each in again) for came in Came}
    worth_telling = (Came.FLIPPED, Came.DIFFERENT, Came.OTHER_REASONS)
    told = [_line(each) for each in again if each.came in worth_telling]
    if as_json:
        shown = {"digest": policies.digest, "decisions": len(again), **counts, "changed": told}
        show_json(shown | {"damaged": bad.indexes})
    else:
        rows = [(t["record"], _flip(t), f"{t['what']}: {t['then']}; now {t['now'] or 'none'}") for t in told]
        show_table(("record", "then > now", "about, and why"), rows, nothing="No decision changes.")
        say(
            f"{len(again)} decisions: {counts['same']} the same, {counts['flipped']} flipped, "
            f"{counts['other_reasons']} for other reasons, {counts['different']} different under the same policies; "
            f"not repeated: {counts['no_decision']} without a decision, {counts['redacted']} redacted, "
            f"{counts['incomplete']} without their input."
        )
    bad.end()
    if counts["different"]:
        raise typer.Exit(EXIT_ERROR)


def _flip(told: dict[str, Any]) -> str:
    """`allow > deny`: what a person looks for first stands where a narrow terminal still shows it."""
    then, now = (str(told[key]).partition(" ")[0] for key in ("then", "now"))
    return f"{then} > {now or 'none'}"


def _line(again: Again) -> dict[str, Any]:
    now = again.now
    proposal = again.recorded.payload["input"]["proposal"]
    return {
        "record": again.recorded.index,
        "decision_id": again.then.decision_id,
        "what": f"{proposal['action']} on {_ref(proposal['target'])}",
        "then": _short(again.then.decision.value, [reason.code for reason in again.then.reasons]),
        "now": _short(now.decision.value, [reason.code for reason in now.reasons]) if now else "",
        "came": again.came.value,
    }


def _explained(policies: PoliciesInForce, record: Recorded) -> dict[str, Any]:
    from agent.adapters.gate.counterfactual import search
    from agent.adapters.rego.reads import Readers

    verdict, given = record.payload["verdict"], record.payload["input"]
    codes = [reason["code"] for reason in verdict["reasons"]]
    texts = policies.bundle.reasons
    rules = [texts[code] for code in codes if code in texts]
    readers = Readers(policies.bundle)
    asked = rules if verdict["decision"] != "allow" else list(texts.values())
    reads = readers.of(text.place for text in asked)
    told: dict[str, Any] = {
        "decision_id": verdict["decision_id"],
        "record": record.index,
        "at": given["now"],
        "what": f"{given['proposal']['action']} on {_ref(given['proposal']['target'])}",
        "decision": verdict["decision"],
        "reasons": [
            {**reason, "rule": texts[reason["code"]].title, "place": texts[reason["code"]].place}
            if reason["code"] in texts
            else reason
            for reason in verdict["reasons"]
        ],
        "policy_digest": verdict["policy_digest"],
        "same_policies": verdict["policy_digest"] == policies.digest,
        "facts": _values(given, readers.of(text.place for text in rules).facts),
        "limits": _values(policies.limits, readers.of(text.place for text in rules).limits),
    }
    if record.redacted or not rules:
        why = "part of its input was erased" if record.redacted else "these policies do not know its reasons"
        return told | {"turns": [], "search": f"Not searched: {why}."}
    now = _decided(policies, given)[0]
    if now != verdict["decision"]:
        return told | {"turns": [], "search": f"Not searched: by the policies of today it is {now}."}
    better = _BETTER[now].__contains__
    found = search(given, reads, lambda changed: _sensibly(_decided(policies, changed)), better)
    if not found.turns:
        found = _limits_searched(policies, given, reads)
    return told | {"turns": [_turn(turn) for turn in found.turns[:TURNS_SHOWN]], "search": _said(found)}


def _limits_searched(policies: PoliciesInForce, given: Any, reads: Reads) -> Search:
    from dataclasses import replace

    from agent.adapters.gate.counterfactual import search_limits
    from agent.adapters.rego.engine import EmbeddedPolicyEngine
    from agent.domain.base import digest_of

    def decide(limits: Any) -> tuple[str, frozenset[str]]:
        changed = replace(policies.bundle, limits=limits, digest=digest_of([policies.digest, limits]))
        return _decided(EmbeddedPolicyEngine.of(changed), given)

    return search_limits(policies.limits, reads, decide, _BETTER[_decided(policies, given)[0]].__contains__)


def _decided(engine: Any, given: Any) -> tuple[str, frozenset[str]]:
    from agent.ports import PolicyUnavailable

    try:
        verdict = engine.decide(given)
    except PolicyUnavailable as fault:
        return "none", frozenset({fault.code})
    return verdict["decision"], frozenset(reason["code"] for reason in verdict["reasons"])


def _sensibly(decided: tuple[str, frozenset[str]]) -> tuple[str, frozenset[str]]:
    """That facts in which nothing can be decided end in a deny tells nobody what could have been otherwise."""
    return ("none", decided[1]) if decided[1] & NO_VERDICT else decided


def _said(found: Search) -> str:
    if found.turns:
        return ""
    bound = "; the search ended at its bound" if found.ended_early else ""
    return f"No change of one or two of these facts, nor of one limit, was found that turns it{bound}."


def _turn(turn: Turn) -> dict[str, Any]:
    changes = [
        {"what": _name(change, turn.of_limits), "from": change.before, **({} if change.gone else {"to": change.after})}
        for change in turn.changes
    ]
    return {"decision": turn.decision, "changes": changes}


def _name(change: Change, of_limits: bool) -> str:
    return ".".join(map(str, ("limits", *change.path) if of_limits else change.path))


def _values(document: Any, places: frozenset[tuple[str, ...]]) -> dict[str, Any]:
    """Each place that is there, by its dotted name; what lies below another listed one is in that already."""
    shown: dict[str, Any] = {}
    for place in sorted(places):
        if any(place[:length] in places for length in range(1, len(place))):
            continue
        value = document
        for step in place:
            value = value.get(step) if isinstance(value, dict) else None
        if value is not None:
            shown[".".join(place)] = value
    return shown


def _show(told: dict[str, Any]) -> None:
    say(f"{told['decision_id']}: {told['decision']}: {told['what']}, at {told['at']} (record {told['record']})")
    for reason in told["reasons"]:
        say(f"  {reason['code']}: {reason['message']}")
        say(f"    {reason.get('place', 'a rule that these policies do not have')}: {reason.get('rule', '')}")
    if not told["same_policies"]:
        say(f"Decided by the policies {told['policy_digest'][:12]}; what follows is by those of today.")
    for title, key in (("Facts that these rules read", "facts"), ("Limits", "limits")):
        rows = [(name, _shown(value)) for name, value in told[key].items()]
        show_table((title, "value"), rows, nothing=f"{title}: none")
    for turn in told["turns"]:
        changes = " and ".join(_told(change) for change in turn["changes"])
        say(f"It would be {turn['decision']} if {changes}.")
    if told["search"]:
        say(told["search"])


def _told(change: dict[str, Any]) -> str:
    what, was = change["what"], _shown(change["from"])
    return f"{what} were {_shown(change['to'])} (it was {was})" if "to" in change else f"{what} ({was}) were away"


def _shown(value: Any) -> str:
    import json

    text = clean(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= VALUE_CHARACTERS else text[: VALUE_CHARACTERS - 1] + "…"


def _ref(target: Any) -> str:
    return "/".join(str(target[key]) for key in ("kind", "namespace", "name") if target.get(key))


def _short(decision: str, codes: list[str]) -> str:
    return f"{decision} {', '.join(codes)}"


def _found(house: House, wanted: str) -> Recorded:
    """The decision of this id, or the last one about this proposal."""
    by_proposal = "/" in wanted
    conditions: dict[str, Any] = {"proposal": wanted} if by_proposal else {"member": ("decision_id", wanted)}
    bad = Damages()
    found = list(_recorded(house, bad, **conditions))
    named = {each.payload["verdict"]["decision_id"] for each in found}
    bad.end()
    if not found:
        fail(f"There is no decision {wanted!r} in this log.", "`watchkeeper audit query --kind verdict` lists them.")
    if not by_proposal and len(named) > 1:
        fail(f"{wanted!r} begins {len(named)} decisions: {', '.join(sorted(named)[:5])} …")
    return found[-1]


def _recorded(house: House, bad: Damages, **conditions: Any) -> Iterator[Recorded]:
    """What cannot be shown, and what is no decision as the agent records one, is left out and told."""
    from agent.adapters.gate.replay import Recorded
    from agent.adapters.ledger import REDACTED
    from agent.adapters.ledger.histories import Histories
    from agent.evidence.past_shown import history_shown
    from agent.evidence.recorded_input import whole
    from audit.errors import LogDamaged
    from audit.sealing import filled

    histories = Histories(house.log)
    for record in house.log.query(kind="verdict", **conditions, damaged=bad.add, proved=True):
        shown: Any = filled(record, REDACTED).payload
        if not _is_decision(shown):
            bad.add(LogDamaged(record.index, NO_DECISION))
            continue
        try:
            given = whole(shown["input"], histories.told, history_shown)
        except ValueError as fault:
            bad.add(LogDamaged(record.index, f"{NO_DECISION}: {fault}"))
            continue
        yield Recorded(record.index, record.at, {**shown, "input": given}, redacted=shown != record.payload)


def _is_decision(payload: Any) -> bool:
    """An input that was cut short is a decision all the same: that it cannot be repeated is said where it is tried."""
    from agent.domain.verdict import Verdict

    if not isinstance(payload, dict) or not isinstance(payload.get("input"), dict):
        return False
    given = payload["input"]
    if not all(isinstance(given.get(part, {}), dict) for part in ("proposal", "facts")):
        return False
    try:
        Verdict.model_validate(payload.get("verdict"))
    except ValueError:  # pydantic's
        return False
    return "digest" not in given.get("proposal", {}) or _tells_what(given)


def _tells_what(given: Any) -> bool:
    """Does it say when, and what was to be done on what: what is shown of each decision?"""
    proposal = given.get("proposal", {})
    texts = given.get("now"), proposal.get("action")
    return all(isinstance(text, str) for text in texts) and isinstance(proposal.get("target"), dict)


def _policies(config: Path | None, bundle: Path | None) -> PoliciesInForce:
    """As the settings have it, decided here whichever engine the agent asks; `bundle` in place of the settings'."""
    from agent.adapters.gate import policies_for
    from agent.ports import PolicyUnavailable

    known = settings(config)
    here = {"opa_url": None, "opa_token_file": None, "opa_token_env": None, "opa_ca_file": None}
    here |= {"opa_certificate_file": None, "opa_key_file": None}
    try:
        return policies_for(known.model_copy(update={**here, **({"policies": bundle} if bundle else {})}))
    except PolicyUnavailable as fault:
        fail(f"This bundle is refused: {fault}.", "Nothing was decided; mend it first.")
