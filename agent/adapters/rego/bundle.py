"""A bundle of policies, read and checked once: what decides, here or on a server.

Beside the policies lie their tests (`*_test.rego`, never loaded to decide), their data and its schema. The digest is of
all that can change a decision: each policy by name and bytes, and the limits as merged.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import regorus

from agent.adapters.rego.evaluator import Content
from agent.adapters.rego.faults import BundleRefused, engine_words
from agent.adapters.rego.limits import read_limits, schemas
from agent.adapters.rego.metadata import ReasonText, reason_texts
from agent.adapters.rego.scan import package_of, refuse_too_deep, refuse_unfit, rule_names
from agent.adapters.rego.signature import Trust, verify
from agent.adapters.rego.source import read_source, text_of
from agent.domain.base import digest_of

ENTRYPOINT_FILE = "main.rego"
GUARDRAILS = "guardrails"
ROOT_PACKAGE = "watchkeeper"
BUNDLES_KNOWN = 4  # in force, on the disk, and two that somebody compares; a bundle is 140 kB of text


@dataclass(frozen=True, slots=True)
class Bundle:
    """`policies` and `tests` are (name relative to the folder, text), sorted by name."""

    policies: tuple[tuple[str, str], ...]
    tests: tuple[tuple[str, str], ...]
    limits: Mapping[str, Any]
    reasons: Mapping[str, ReasonText]  # by code
    digest: str
    schemas: Mapping[str, str]  # the forms of the limits, by file

    @property
    def content(self) -> Content:
        """What an engine decides by."""
        return {"policies": [list(policy) for policy in self.policies], "data": {"limits": self.limits}}

    def engine_with_tests(self) -> Any:
        """For the policies' own tests, which bring their data along."""
        engine = regorus.Engine()
        for name, text in (*self.policies, *self.tests):
            add_policy(engine, name, text)
        return engine


def read_bundle(place: Path, overlay: Mapping[str, Any] | None = None, trust: Trust | None = None) -> Bundle:
    """Of a folder or an archive. Raises BundleRefused, naming file and line, for whatever is not fit to decide."""
    source = read_source(place)
    if trust is not None:
        verify(source, trust)
    files = [(name, text_of(name, content)) for name, content in source.items() if name.endswith(".rego")]
    policies = tuple(entry for entry in files if not entry[0].endswith("_test.rego"))
    if ENTRYPOINT_FILE not in dict(policies):
        raise BundleRefused(f"{place.name}/: there is no {ENTRYPOINT_FILE}, so nothing can decide")
    reasons = _reasons(policies)
    limits = read_limits(source, overlay)
    tests = tuple(entry for entry in files if entry[0].endswith("_test.rego"))
    return Bundle(policies, tests, limits, reasons, _digest(policies, limits), schemas(source))


def add_policy(engine: Any, name: str, text: str) -> None:
    try:
        engine.add_policy(name, text)
    except RuntimeError as fault:
        raise BundleRefused(engine_words(fault)) from fault


@lru_cache(maxsize=BUNDLES_KNOWN)
def _reasons(policies: tuple[tuple[str, str], ...]) -> Mapping[str, ReasonText]:
    """What each policy can say, once each is found fit. Of the texts alone, so the same texts are not read again."""
    trees = {name: syntax_tree(name, text) for name, text in policies}
    own: dict[str, set[str]] = {}
    for name, tree in trees.items():
        said = own.setdefault(_package_by_path(name), set())
        if Path(name).parts[0] != GUARDRAILS and (again := sorted(said & rule_names(tree))):
            raise BundleRefused(
                f"{name}: {again[0]} is defined in another file of its package: it would say more, unseen"
            )
        said.update(rule_names(tree))
    reasons: dict[str, ReasonText] = {}
    for name, text in policies:
        refuse_unfit(name, trees[name], own[_package_by_path(name)])
        for found in reason_texts(name, text, trees[name]):
            if found.code in reasons:
                raise BundleRefused(f"{found.place}: {found.code} is given at {reasons[found.code].place} already")
            reasons[found.code] = found
    return MappingProxyType(reasons)


def syntax_tree(name: str, text: str) -> Mapping[str, Any]:
    refuse_too_deep(name, text)
    engine = regorus.Engine()
    add_policy(engine, name, text)
    tree: Mapping[str, Any] = json.loads(engine.get_ast_as_json())[0]["ast"]
    package = package_of(tree)
    if package == f"{ROOT_PACKAGE}.main" and name != ENTRYPOINT_FILE:
        raise BundleRefused(f"{name}: only {ENTRYPOINT_FILE} says what {package} is")
    parts = Path(name).parts
    if parts[0] == GUARDRAILS and len(parts) != 3:
        raise BundleRefused(f"{name}: a guardrail lies in {GUARDRAILS}/NAME/, or {ENTRYPOINT_FILE} would not ask it")
    if package != _package_by_path(name):
        raise BundleRefused(f"{name}: the package is {package}, its path says {_package_by_path(name)}")
    return tree


def _package_by_path(name: str) -> str:
    """The path is the package: a file at the top is a package of its own, elsewhere the folder is."""
    path = Path(name)
    return ".".join([ROOT_PACKAGE, *(path.parent.parts or (path.stem,))])


def _digest(policies: tuple[tuple[str, str], ...], limits: Mapping[str, Any]) -> str:
    return digest_of([[[name, hashlib.sha256(text.encode()).hexdigest()] for name, text in policies], limits])
