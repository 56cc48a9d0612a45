"""The smallest change of facts under which a decision would have been another: what an operator asks of a no.

Searched, not computed: each fact that the rules of the decision read is changed alone, to values at the edges that the
rules know (numbers and times are then brought as near to what they were as the decision allows), after that in pairs of
those that changed anything. Where no fact turns it, the limits are tried. The search is bounded, and says when it ended
there.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

from agent.adapters.rego.reads import Reads
from agent.domain.base import rfc3339
from agent.domain.duration import parse_duration

Path = tuple[str | int, ...]
Decide = Callable[[Any], tuple[str, frozenset[str]]]
"""Decision and reason codes on an input (or under limits). A failure to decide is a decision of its own name."""

TRIES_AT_MOST = 800  # a few seconds; the facts of a decision are rarely more than a hundred
PAIRS_OF_AT_MOST = 16  # changes that alter the reasons without turning the decision
LIMIT_TRIES_AT_MOST = 40  # each loads the bundle anew
SPANS_AT_MOST = 4  # of the document's own; what lies beyond is found from the round ones by halving
_FIXED = {("proposal", "id"), ("proposal", "incident"), ("proposal", "digest"), ("proposal", "action")}
_FIXED_NAMES = {"apiVersion", "kind", "name", "ref"}
_HALVINGS = 40
_LEVELS = ("observe", "suggest", "act_with_approval", "act")
_UNSET = object()


@dataclass(frozen=True, slots=True)
class Change:
    """At `path`: what it was, and what it would have to be; `gone` where it would have to be away."""

    path: Path
    before: Any
    after: Any
    gone: bool = False

    def applied(self, document: Any) -> Any:
        return _with(document, self.path, _UNSET if self.gone else self.after)


@dataclass(frozen=True, slots=True)
class Turn:
    """The changes that turn a decision, and what it would then be; `of_limits` where they are of limits, not facts."""

    changes: tuple[Change, ...]
    decision: str
    of_limits: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    turns: tuple[Turn, ...]
    tried: int
    ended_early: bool


def search(document: Any, reads: Reads, decide: Decide, better: Callable[[str], bool]) -> Search:
    """`better` says which decisions count as turned."""
    tries = _Tries(document, decide)
    _, reasons = decide(document)
    turned: list[Turn] = []
    moved: list[Change] = []
    for change in _candidates(document, reads):
        if tries.spent:
            break
        decision, codes = tries.ask((change,))
        if better(decision):
            nearest = _nearest(change, lambda nearer: better(tries.ask((nearer,))[0]))
            turned.append(Turn((nearest,), tries.ask((nearest,))[0]))
        elif codes != reasons:
            moved.append(change)
    if not turned:
        for pair in combinations(moved[:PAIRS_OF_AT_MOST], 2):
            if tries.spent:
                break
            if _overlap(pair[0].path, pair[1].path):
                continue
            decision, _ = tries.ask(pair)
            if better(decision):
                nearest_pair = _nearest_pair(*pair, lambda both: better(tries.ask(both)[0]))
                turned.append(Turn(nearest_pair, tries.ask(nearest_pair)[0]))
    return Search(_smallest(turned), tries.count, tries.spent)


def search_limits(limits: Mapping[str, Any], reads: Reads, decide: Decide, better: Callable[[str], bool]) -> Search:
    """The same over the limits that the rules read, one at a time."""
    tries = _Tries(limits, decide, LIMIT_TRIES_AT_MOST)
    turned = []
    for change in _candidates(limits, Reads(reads.limits, frozenset(), frozenset(), reads.numbers)):
        if tries.spent:
            break
        decision, _ = tries.ask((change,))
        if better(decision):
            turned.append(Turn((change,), decision, of_limits=True))
    return Search(_smallest(turned), tries.count, tries.spent)


class _Tries:
    def __init__(self, document: Any, decide: Decide, most: int = TRIES_AT_MOST) -> None:
        self._document, self._decide, self._most = document, decide, most
        self.count = 0

    @property
    def spent(self) -> bool:
        return self.count >= self._most

    def ask(self, changes: Sequence[Change]) -> tuple[str, frozenset[str]]:
        self.count += 1
        changed = self._document
        for change in changes:
            changed = change.applied(changed)
        return self._decide(changed)


def _smallest(turned: Sequence[Turn]) -> tuple[Turn, ...]:
    """One for each fact, the fewest changes first, facts before what was proposed; of one fact the nearest."""
    best: dict[tuple[Path, ...], Turn] = {}
    for turn in sorted(turned, key=lambda turn: (len(turn.changes), [_size(change) for change in turn.changes])):
        best.setdefault(tuple(change.path for change in turn.changes), turn)
    return tuple(best.values())


def _size(change: Change) -> tuple[int, int, float]:
    """What the world could have been comes first, then what the agent did, what it proposed, and when."""
    parts = ("facts", "standing", "history", "proposal", "phase", "now")
    part = parts.index(str(change.path[0])) if change.path[0] in parts else 0
    return (part, *_distance(change))


def _distance(change: Change) -> tuple[int, float]:
    if _is_number(change.before) and _is_number(change.after):
        return (0, abs(change.after - change.before))
    before, after = _moment(change.before), _moment(change.after)
    if before is not None and after is not None:
        return (0, abs((after - before).total_seconds()))
    return (1, 0.0)


def _nearest(change: Change, still: Callable[[Change], bool]) -> Change:
    """Halves the way back to what it was as long as the decision stays turned."""
    before, after = _number(change.before), _number(change.after)
    if before is None or after is None:
        return change
    whole = not isinstance(change.before, float)
    for _ in range(_HALVINGS):
        middle: float = (before + after) // 2 if whole else (before + after) / 2
        if whole and before > after:
            middle = -((-before - after) // 2)
        if middle in (before, after) or abs(after - before) < 0.01:
            break
        nearer = Change(change.path, change.before, _like(change.before, middle))
        if still(nearer):
            change, after = nearer, middle
        else:
            before = middle
    return change


def _nearest_pair(one: Change, other: Change, still: Callable[[tuple[Change, Change]], bool]) -> tuple[Change, Change]:
    """Each brought as near as the decision allows beside the other: what one alone would need says nothing here."""
    nearer = _nearest(one, lambda change: still((change, other)))
    return nearer, _nearest(other, lambda change: still((nearer, change)))


def _candidates(document: Any, reads: Reads) -> Iterator[Change]:
    """In the order of the document; each place once, however many rules read it."""
    seen: set[Path] = set()
    edges = sorted({*reads.numbers, *(value for _, value in _inside((), document) if _is_number(value))})
    spans = sorted({*sorted(set(_spans(document)))[:SPANS_AT_MOST], 0.0, 300.0, 1800.0, 3600.0, 86_400.0, 604_800.0})
    for place in sorted(reads.facts):
        for path, value in _below(document, place):
            if path in seen or path[:2] in _FIXED or path[-1] in _FIXED_NAMES:
                continue
            seen.add(path)
            yield from _changes(path, value, edges, spans, reads.words)


def _changes(
    path: Path, value: Any, edges: Sequence[float], spans: Sequence[float], words: frozenset[str]
) -> Iterator[Change]:
    moment = _moment(value)
    if isinstance(value, bool):
        yield Change(path, value, not value)
    elif _is_number(value):
        near = {type(value)(edge + step) for edge in (0, 1, *edges, value, value * 2) for step in (-1, 0, 1)}
        yield from (Change(path, value, other) for other in sorted(near - {value}) if other >= 0)
    elif moment is not None:
        for span in spans:
            for step in (span + 1, -span - 1):
                yield Change(path, value, rfc3339(moment + timedelta(seconds=step)))
    elif isinstance(value, str):
        yield from (Change(path, value, other) for other in _other_words(path, value, words) if other != value)
    elif isinstance(value, list | dict) and value:
        yield Change(path, value, type(value)())
    if path and isinstance(path[-1], int):
        yield Change(path, value, None, gone=True)


def _other_words(path: Path, value: str, words: frozenset[str]) -> Iterator[str]:
    """A text is changed only where it is known what else could stand there."""
    if path == ("phase",):
        yield from ("propose", "execute")
    elif path == ("proposal", "source"):
        yield from ("playbook:x", *(word + "x" for word in sorted(words) if word.endswith(":")))
    elif value in _LEVELS:
        yield from _LEVELS
    elif _is_duration(value):
        yield from ("0s", "1m", "1h", "1d", "7d")


def _below(document: Any, place: Path) -> Iterator[tuple[Path, Any]]:
    """The value at a place, and everything in it; names that people chose can be away as well."""
    value = document
    for step in place:
        if not isinstance(value, Mapping) or step not in value:
            return
        value = value[step]
    yield from _inside(tuple(place), value)


def _inside(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    yield path, value
    items: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(value, Mapping):
        items = iter(value.items())
    elif isinstance(value, list):
        items = iter(enumerate(value))
    for step, inner in items:
        yield from _inside((*path, step), inner)


def _with(document: Any, path: Path, value: Any) -> Any:
    """A copy along the path; what is not on it is shared."""
    copied = document.copy()
    step = path[0]
    if len(path) > 1:
        copied[step] = _with(document[step], path[1:], value)
    elif value is _UNSET:
        del copied[step]
    else:
        copied[step] = value
    return copied


def _overlap(one: Path, other: Path) -> bool:
    """Is one within the other, or are both members of one list, whose places shift when one goes?"""
    shared = min(len(one), len(other))
    siblings = len(one) == len(other) and one[:-1] == other[:-1] and isinstance(one[-1], int)
    return one[:shared] == other[:shared] or siblings


def _spans(document: Any) -> Iterator[float]:
    """How far each moment of the document is from its `now`."""
    now = _moment(document.get("now")) if isinstance(document, Mapping) else None
    if now is None:
        return
    for _, value in _inside((), document):
        moment = _moment(value)
        if moment is not None:
            yield abs((now - moment).total_seconds())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> float | None:
    if _is_number(value):
        return float(value) if isinstance(value, float) else value
    moment = _moment(value)
    return None if moment is None else int(moment.timestamp())


def _like(before: Any, number: float) -> Any:
    if isinstance(before, str):
        return rfc3339(datetime.fromtimestamp(number, UTC))
    return type(before)(number)


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str) or len(value) < len("2026-01-01T00:00:00Z"):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _is_duration(value: str) -> bool:
    try:
        parse_duration(value)
    except ValueError:
        return False
    return True
