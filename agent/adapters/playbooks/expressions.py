"""CEL expressions, compiled when a playbook is loaded and evaluated over facts.

A name or function that is not offered is an error at load, with file and field; an expression that fails on the facts
is a fault of its own, because a condition that cannot be read is neither true nor false.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import cel

from agent.ports import Fault

# What is offered of the language's library. Its operators come under names that are no words.
_FUNCTIONS = frozenset({"size", "string", "int", "double", "contains", "startsWith", "endsWith", "matches"})
_OPERATORS = re.compile(r"[@_!\-\[{?].*")
_OWN_NAMES = re.compile(r"\.(?:all|exists|exists_one|map|filter)\(\s*([A-Za-z_]\w*)\s*,")  # names that a macro binds
EXPRESSION_LIMIT_CHARS = 1000  # a condition that does not fit here belongs into the facts, as code with a test


class PlaybookError(Exception):
    """A playbook that cannot be used. Stops start-up; the message names file and field."""


class PlaybookFault(Fault):
    """An expression that failed on the facts at hand."""

    place = "playbooks"
    passes = False


class _Program(Protocol):
    def execute(self, context: Any) -> Any: ...


class Names:
    """What expressions read, by name. It is put into the language's own form once for all of them: to do that again
    for each takes a hundred times as long as the expression. Of one thread; whatever it names does not change."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)
        self._context: Any = None

    def __and__(self, more: Mapping[str, Any]) -> "Names":
        return Names({**self._values, **more})

    def context(self) -> Any:
        """Raises ValueError for what the language has no form for."""
        if self._context is None:
            self._context = cel.Context(variables=self._values)
        return self._context


@dataclass(frozen=True, slots=True)
class Expression:
    source: str
    place: str
    _program: _Program = field(repr=False, compare=False)

    def value(self, names: Names) -> Any:
        try:
            return self._program.execute(names.context())
        except (KeyError, TypeError, ValueError, RuntimeError, ArithmeticError, IndexError) as error:
            raise PlaybookFault(f"{self.place}: `{self.source}` failed: {_sentence(error)}") from error

    def holds(self, names: Names) -> bool:
        """The value of a condition. Anything but true or false is a fault: there is no truthiness here."""
        value = self.value(names)
        if not isinstance(value, bool):
            raise PlaybookFault(f"{self.place}: `{self.source}` is {value!r}, wanted true or false")
        return value


def compiled(source: str, place: str, names: frozenset[str]) -> Expression:
    """`source` as an Expression that may read `names`. Raises PlaybookError."""
    if len(source) > EXPRESSION_LIMIT_CHARS:
        raise PlaybookError(f"{place}: longer than {EXPRESSION_LIMIT_CHARS} characters")
    try:
        program = cel.compile(source)
    except ValueError as error:
        raise PlaybookError(f"{place}: `{source}` is not CEL: {_sentence(error)}") from error
    uses = program.references()
    readable = names | set(_OWN_NAMES.findall(source))
    for name in sorted(set(uses["variables"]) - readable):
        raise PlaybookError(f"{place}: `{source}` reads `{name}`; it may read {', '.join(sorted(names))}")
    for name in sorted(set(uses["functions"]) - _FUNCTIONS):
        if not _OPERATORS.fullmatch(name):
            raise PlaybookError(f"{place}: `{source}` calls `{name}`; offered are {', '.join(sorted(_FUNCTIONS))}")
    return Expression(source, place, program)


def _sentence(error: BaseException) -> str:
    """The library's own words, on one line, without the drawing of the place."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    words = " ".join(text.split("\n|")[0].split())
    return f"there is no `{words}`" if isinstance(error, KeyError) else words
