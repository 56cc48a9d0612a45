"""Reads the data that the policies see at data.limits: the bundle's files, and the site's settings merged over them.

The form is policies/data.schema.json. An unknown key is refused with file and key, because a limit that was misspelled
would be no limit. What the schema names but the policies cannot enforce yet is refused too, rather than ignored.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

import jsonschema
from referencing.exceptions import Unresolvable

from agent.adapters.rego.faults import BundleRefused
from agent.adapters.rego.metadata import ADMISSION
from agent.adapters.rego.source import Source, text_of
from agent.domain.duration import parse_duration
from agent.domain.plain_yaml import NotPlain, plain_yaml, refuse_unlike_json
from agent.evidence.windows import why_unfit
from agent.resources import bundled

SCHEMA = "data.schema.json"
HISTORY_D = 7  # of what was done; `agent.look` reads no further back
SCHEMAS_KNOWN = 4  # of the bundle in force, the one on the disk, and two that somebody compares
OVERLAY = "the settings' policy data"
REQUIRED = (
    *("autonomy.default", "earned.granted_by", "attempts", "cooldown.default", "cost.ask_first", "freshness.evidence"),
    *("blast_radius.nodes", "blast_radius.gangs", "blast_radius.workloads", "blast_radius.breaker"),
    *("protected.namespaces", "protected.opt_out", "approvals.default"),
    *("idle.witnesses", "idle.minimum", "idle.notice", "idle.grace"),
)
"""What the shipped guardrails fall silent without. A site that wants none of one says so, with an empty list or map:
what is merely gone may be a file that was forgotten, or a schema of its own that does not ask."""

_OF_THE_WHOLE = ("required", "anyOf")  # what a part may lack
_TOLD = ("maxItems", "anyOf", "pattern")  # the schema's own words for it say more than the number or the pattern


def read_limits(source: Source, overlay: Mapping[str, Any] | None) -> dict[str, Any]:
    """The merged limits of a bundle. Raises BundleRefused naming the file and the key."""
    validator = _validator(source)
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for name, limits in _files(source):
        _check(validator, name, limits, whole=False)
        for key in limits:
            if key in origin:
                raise BundleRefused(f"{name}: {key} is set in {origin[key]} already")
            origin[key] = name
        merged.update(limits)
    if overlay:
        _check(validator, OVERLAY, _without_nulls(overlay), whole=False)
        merged = merge_patch(merged, overlay)
    name = f"data/ with {OVERLAY}" if overlay else "data/"
    _check(validator, name, merged, whole=True)
    _check_required(name, merged)
    _check_shipped_form(name, merged)
    _check_freezes(name, merged)
    _check_windows(name, merged)
    _check_tenants(name, merged)
    _check_reach(name, merged)
    return merged


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: maps are merged, null removes, everything else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def _files(source: Source) -> Iterator[tuple[str, dict[str, Any]]]:
    """data/*.yaml as we write them, data.json as OPA's bundles have it: {"limits": {...}}."""
    for name, content in source.items():
        path = PurePosixPath(name)
        if path.parent.as_posix() == "data" and path.suffix == ".yaml":
            yield name, _read(name, text_of(name, content))
        elif name == "data.json":
            document = _json(name, content)
            if not isinstance(document, dict) or document.keys() != {"limits"}:
                raise BundleRefused(f"{name}: expected limits and nothing else")
            yield name, _map(name, document["limits"])
        elif path.name in ("data.json", "data.yaml", "data.yml"):
            raise BundleRefused(f"{name}: a server would take it for data; limits are in data/*.yaml or data.json")


def shipped_form() -> dict[str, Any]:
    """The form of all limits that come along, those of Kueue's admission check among them."""
    shipped = bundled("policies")
    form: dict[str, Any] = _json(SCHEMA, (shipped / SCHEMA).read_bytes())
    form["properties"][ADMISSION] = _json(SCHEMA, (shipped / ADMISSION / SCHEMA).read_bytes())
    return form


def _check_shipped_form(name: str, limits: Mapping[str, Any]) -> None:
    """A bundle's own schema may ask for more and name more; it loosens nothing that the shipped guardrails read."""
    form = shipped_form()
    ours = {key: value for key, value in limits.items() if key in form["properties"]}
    _check(jsonschema.Draft202012Validator(form), name, ours, whole=True)


def schemas(source: Source) -> dict[str, str]:
    """The forms of the data that came with the policies, by file."""
    return {name: text_of(name, content) for name, content in source.items() if name == SCHEMA or _slug(name)}


def _validator(source: Source) -> jsonschema.Draft202012Validator:
    """Of the shipped limits, and of those of other guardrails: guardrails/NAME/data.schema.json is the form of NAME."""
    given = schemas(source)
    schema = _json(SCHEMA, given[SCHEMA] if SCHEMA in given else (bundled("policies") / SCHEMA).read_bytes())
    forms = schema.get("properties", {})
    for name in sorted(given.keys() - {SCHEMA}):
        if _slug(name) in forms:
            raise BundleRefused(f"{name}: {_slug(name)} has its form in {SCHEMA} already")
        forms[_slug(name)] = _json(name, given[name])
    try:
        _check_schema(json.dumps(schema))
    except jsonschema.SchemaError as error:
        raise BundleRefused(f"{SCHEMA}: {error.json_path}: {error.message}") from error
    return jsonschema.Draft202012Validator(schema)


@lru_cache(maxsize=SCHEMAS_KNOWN)
def _check_schema(text: str) -> None:
    """Raises jsonschema.SchemaError. It takes three times as long as the limits, so what was found fit is known."""
    jsonschema.Draft202012Validator.check_schema(json.loads(text))


def _slug(name: str) -> str:
    """Whose data this file is the form of: '' for every other file."""
    if name == f"{ADMISSION}/{SCHEMA}":
        return ADMISSION
    folder, _, file = name.removeprefix("guardrails/").partition("/")
    return folder if name.startswith("guardrails/") and file == SCHEMA else ""


def _json(name: str, content: str | bytes) -> Any:
    try:
        return json.loads(content, object_pairs_hook=_once)
    except RecursionError:
        raise BundleRefused(f"{name}: it nests without end") from None
    except ValueError as error:
        raise BundleRefused(f"{name}: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)} is given twice")
    return found


def _read(name: str, text: str) -> dict[str, Any]:
    try:
        limits = plain_yaml(text)
    except NotPlain as error:
        raise BundleRefused(f"{name}: {error}") from error
    return _map(name, limits)


def _map(name: str, limits: Any) -> dict[str, Any]:
    if not isinstance(limits, dict):
        raise BundleRefused(f"{name}: expected a map of limits")
    return limits


def _check(validator: jsonschema.Draft202012Validator, name: str, limits: Mapping[str, Any], *, whole: bool) -> None:
    """A part may lack what another part has; the whole may not."""
    try:
        refuse_unlike_json(limits)
        errors = [e for e in validator.iter_errors(limits) if whole or e.validator not in _OF_THE_WHOLE]
    except (Unresolvable, RecursionError) as fault:
        raise BundleRefused(f"{SCHEMA}: it refers to what is not there, or to itself: {str(fault)[:200]}") from fault
    except NotPlain as fault:
        raise BundleRefused(f"{name}: {fault}") from fault
    for error in sorted(errors, key=lambda e: [str(step) for step in e.absolute_path]):
        key = ".".join(str(step) for step in error.absolute_path)
        if error.validator in _TOLD and "description" in error.schema:
            raise BundleRefused(f"{name}: {key}: {error.schema['description']}")
        raise BundleRefused(f"{name}: {key + ': ' if key else ''}{error.message}")


def _check_required(name: str, limits: Mapping[str, Any]) -> None:
    for key in REQUIRED:
        value: Any = limits
        for step in key.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        if value is None:
            raise BundleRefused(f"{name}: {key} is missing, and what reads it would say nothing")


def _check_freezes(name: str, limits: Mapping[str, Any]) -> None:
    """A freeze that ends before it begins would never be in force."""
    for number, freeze in enumerate(limits.get("freezes", ())):
        key = f"{name}: freezes.{number}"
        try:
            begins, ends = (datetime.fromisoformat(freeze[moment]) for moment in ("from", "to"))
        except ValueError as error:
            raise BundleRefused(f"{key}: {error}") from error
        if begins >= ends:
            raise BundleRefused(f"{key}: it ends ({freeze['to']}) before it begins ({freeze['from']})")


def _check_tenants(name: str, limits: Mapping[str, Any]) -> None:
    """A namespace of two tenants would be bound by neither's word alone."""
    owner: dict[str, str] = {}
    for tenant, told in (limits.get("tenants") or {}).items():
        for namespace in told.get("namespaces", ()):
            if owner.setdefault(namespace, tenant) != tenant:
                raise BundleRefused(f"{name}: tenants.{tenant}: {namespace} belongs to {owner[namespace]} already")


def _check_reach(name: str, limits: Mapping[str, Any]) -> None:
    """A decision knows what was done in the last days, and no more: a longer limit would be a shorter one."""
    radius = limits.get("blast_radius") or {}
    reaches = {f"blast_radius.{part}.window": told["window"] for part, told in radius.items()}
    for action, told in (limits.get("cooldown") or {}).items():
        reaches |= {f"cooldown.{action}.per_target": told.get("per_target", "0s")}
        reaches |= {f"cooldown.{action}.total.window": (told.get("total") or {}).get("window", "0s")}
    reaches |= {f"attempts.{action}.window": told["window"] for action, told in (limits.get("attempts") or {}).items()}
    reaches |= {"earned.demotion.window": limits["earned"]["demotion"]["window"]}
    for key, duration in reaches.items():
        if _too_long(f"{name}: {key}", duration):
            raise BundleRefused(
                f"{name}: {key}: {duration} is longer than the {HISTORY_D} days that a decision knows of"
            )


def _too_long(key: str, duration: str) -> bool:
    try:
        return parse_duration(duration) > timedelta(days=HISTORY_D)
    except ValueError as error:
        raise BundleRefused(f"{key}: {error}") from error


def _check_windows(name: str, limits: Mapping[str, Any]) -> None:
    """A window that never opens would close for good what it names."""
    seen: set[str] = set()
    for number, window in enumerate(limits.get("windows", ())):
        key = f"{name}: windows.{number}"
        why = why_unfit(window)
        if why is not None:
            raise BundleRefused(f"{key}.{why}")
        if window["name"] in seen:
            raise BundleRefused(f"{key}.name: there are two windows named {window['name']}")
        seen.add(window["name"])


def _without_nulls(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
