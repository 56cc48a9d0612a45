"""Was it right? A run against the file's `expect`: failures, each named by its field, and wrong actions. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jsonpointer

from agent.scenarios.expectation import Expectation, FinalExpectation
from agent.scenarios.match import matches, matches_item, same
from agent.scenarios.matchers import AnyOf, Item, Matcher, Times, as_any_of
from agent.scenarios.run import ActionRun, Run, offset
from agent.scenarios.vocabulary import ANY, NOTIFY

_MISSING: Final = object()
SHOWN: Final = 5  # actions in one failure: a line that can be read


@dataclass(frozen=True, slots=True)
class WrongAction:
    """`action` is None for an effect that no recorded action explains."""

    action: ActionRun | None
    why: str


@dataclass(frozen=True, slots=True)
class Judgement:
    failures: tuple[str, ...]
    wrong_actions: tuple[WrongAction, ...]

    @property
    def passed(self) -> bool:
        return not self.failures


def judge_run(expect: Expectation, run: Run) -> Judgement:
    """A run passes when nothing that was expected is missing and no action was wrong."""
    wrong = tuple(wrong_actions(expect, run))
    failures = [
        *_count("expect.incidents", expect.incidents, len(run.incidents), "incidents were opened"),
        *_required("actions", expect.actions, _executed(run), outcome="succeeded"),
        *_required("proposed", expect.proposed, list(run.actions), outcome=ANY),
        *_at_most("allowed", expect.allowed, _executed(run)),
        *_forbidden_notices(expect, run),
        *_verdicts(expect.verdicts, run),
        *_count("expect.escalations", expect.escalations, len(set(run.escalations)), "calls of a person"),
        *_final(expect.final, run),
        *_gangs(expect, run),
        *_log(expect, run),
        *(f"wrong action: {w.why}" for w in wrong),
    ]
    return Judgement(tuple(failures), wrong)


def wrong_actions(expect: Expectation, run: Run) -> Iterator[WrongAction]:
    """Executed and forbidden, or executed and named nowhere; and effects that nobody recorded."""
    excused = [as_any_of(item) for item in (*expect.actions, *expect.proposed, *expect.allowed)]
    forbidden = _beyond_times(expect.forbidden, _executed(run))
    for index, action in enumerate(_executed(run)):
        if action.action == NOTIFY:
            continue
        if index in forbidden:
            yield WrongAction(action, f"{describe(action)} matches expect.forbidden[{forbidden[index]}]")
        elif not any(_covers(item, action) for item in excused):
            yield WrongAction(action, f"{describe(action)} matches nothing in expect.actions, proposed or allowed")
    for effect in run.unexplained:
        yield WrongAction(None, f"{effect} is explained by no recorded action")


def describe(action: ActionRun) -> str:
    target = "/".join(action.target[k] for k in ("kind", "namespace", "name") if action.target.get(k))
    when = offset(action.at if action.executed else action.proposed_at)
    return f"{action.action} {target} ({action.outcome or 'not executed'}) at {when}"


def _executed(run: Run) -> list[ActionRun]:
    return [action for action in run.actions if action.executed]


def _covers(item: AnyOf, action: ActionRun) -> bool:
    """Named by `item`. An outcome counts only where the file gives one: a failed attempt is still that action."""
    return matches_item(item, action, _time(action), outcome=ANY)


def _time(action: ActionRun) -> Any:
    return action.proposed_at if action.at is None else action.at


def _beyond_times(items: Sequence[Item], actions: Sequence[ActionRun]) -> dict[int, int]:
    """Which actions (by index) an item forbids: those beyond its times.max, which is 0 unless the file says more."""
    forbidden: dict[int, int] = {}
    for number, item in enumerate(map(as_any_of, items)):
        hits = [i for i, action in enumerate(actions) if _covers(item, action)]
        for i in hits[item.times.max or 0 :]:
            forbidden.setdefault(i, number)
    return forbidden


def _forbidden_notices(expect: Expectation, run: Run) -> Iterator[str]:
    """A notice is never a wrong action; one that the file forbids by name is still a failure."""
    actions = _executed(run)
    for index, number in _beyond_times(expect.forbidden, actions).items():
        if actions[index].action == NOTIFY:
            yield f"expect.forbidden[{number}]: {describe(actions[index])}"


def _required(key: str, items: Sequence[Item], actions: Sequence[ActionRun], *, outcome: str) -> Iterator[str]:
    for number, item in enumerate(map(as_any_of, items)):
        wanted = Times(min=1 if item.times.min is None else item.times.min, max=item.times.max)
        count = sum(matches_item(item, a, _item_time(key, a), outcome=outcome) for a in actions)
        yield from _count(f"expect.{key}[{number}]", wanted, count, _seen(item, actions))


def _item_time(key: str, action: ActionRun) -> Any:
    return action.proposed_at if key == "proposed" else _time(action)


def _at_most(key: str, items: Sequence[Item], actions: Sequence[ActionRun]) -> Iterator[str]:
    for number, item in enumerate(map(as_any_of, items)):
        count = sum(_covers(item, a) for a in actions)
        yield from _count(f"expect.{key}[{number}]", item.times, count, _seen(item, actions))


def _seen(item: AnyOf, actions: Sequence[ActionRun]) -> str:
    """The nearest first: what bears a name that the item gives; of all the others only how many there were."""
    names = {matcher.action for matcher in item.any_of if matcher.action != ANY} - {None}
    near = [describe(action) for action in actions if action.action in names]
    others = Counter(action.action for action in actions if action.action not in names)
    more = [f"{len(near) - SHOWN} more of the same name"] if len(near) > SHOWN else []
    said = [*near[:SHOWN], *more, *(f"{times} × {name}" for name, times in sorted(others.items()))]
    wanted = " or ".join(sorted(name for name in names if name)) or "any action"
    return f"times ({wanted}); there were: {', '.join(said) or 'none'}"


def _count(place: str, times: Times, count: int, what: str) -> Iterator[str]:
    if times.min is not None and count < times.min:
        yield f"{place}: wanted at least {times.min}, got {count} {what}"
    if times.max is not None and count > times.max:
        yield f"{place}: wanted at most {times.max}, got {count} {what}"


def _verdicts(wanted: Sequence[Matcher], run: Run) -> Iterator[str]:
    for number, matcher in enumerate(wanted):
        if not any(matches(matcher, verdict) for verdict in run.verdicts):
            seen = [f"{v.action}: {v.decision} {'+'.join(v.reasons)}".strip() for v in run.verdicts]
            yield f"expect.verdicts[{number}]: no such verdict; there were: {', '.join(seen) or 'none'}"


def _final(wanted: Sequence[FinalExpectation], run: Run) -> Iterator[str]:
    for number, item in enumerate(wanted):
        found = run.final(item.object)
        value = _MISSING if found is None else _resolve(found, item.pointer or "")
        place = f"expect.final[{number}]"
        what = f"{item.object}{' ' + item.pointer if item.pointer else ''}"
        if item.compares and value is _MISSING:
            yield f"{place}: {what} is not there, wanted {item.equals!r}"
        elif item.compares and item.equals != ANY and not same(item.equals, value):
            yield f"{place}: {what} is {value!r}, wanted {item.equals!r}"
        elif item.absent is not None and item.absent != (value is _MISSING):
            yield f"{place}: {what} is {'still' if item.absent else 'not'} there"


def _resolve(document: Any, pointer: str) -> Any:
    try:
        return jsonpointer.resolve_pointer(document, pointer)
    except jsonpointer.JsonPointerException:
        return _MISSING


def _gangs(expect: Expectation, run: Run) -> Iterator[str]:
    if expect.gangs == "whole":
        for gang in run.gangs:
            if not gang.whole:
                yield f"expect.gangs: {gang.ref} is left with {gang.running} running of at least {gang.minimum}"


def _log(expect: Expectation, run: Run) -> Iterator[str]:
    if expect.log.intact is not None and run.log.intact != expect.log.intact:
        yield f"expect.log.intact: the log is {'intact' if run.log.intact else 'not intact'}"
    every = not run.log.without_intent
    if expect.log.every_action_has_intent is not None and every != expect.log.every_action_has_intent:
        yield f"expect.log.everyActionHasIntent: without an intent: {', '.join(run.log.without_intent) or 'none'}"
