"""Writes the generated parts of docs/policies.md: the reason codes from the rules' own METADATA, and the limits from
their schema, with the shipped values. `make docs` runs it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.adapters.rego.engine import EmbeddedPolicyEngine
from agent.adapters.rego.limits import shipped_form
from agent.resources import bundled

PAGE = Path(__file__).with_name("policies.md")
BEGIN, END = "<!-- reasons: written by `make docs` -->", "<!-- end of reasons -->"
LIMITS_BEGIN, LIMITS_END = "<!-- limits: written by `make docs` -->", "<!-- end of limits -->"
WORDS = {"action_or_all": 'action, or `"*"`', "moment": "moment (RFC 3339)", "tier": "tier", "count": "whole number"}
JSON_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "yes or no"}
Schema = dict[str, Any]


def table() -> str:
    """One row per reason code, in the order of the codes."""
    reasons = EmbeddedPolicyEngine(bundled("policies")).bundle.reasons
    rows = [
        f"| `{code}` | {text.decision} | {_cell(text.message)} | {_cell(text.remedy)} |"
        for code, text in sorted(reasons.items())
    ]
    return "\n".join(["| code | decision | message | remedy |", "|---|---|---|---|", *rows])


def limits_table() -> str:
    """One row per limit, in the order of the schema."""
    schema = shipped_form()
    shipped = EmbeddedPolicyEngine(bundled("policies")).limits
    rows = [
        f"| `{key}` | {_type(form, schema)} | {_shipped(shipped, key)} | {_cell(form.get('description', ''))} |"
        for key, form in leaves(schema, schema)
    ]
    return "\n".join(["| limit | type | as shipped | meaning |", "|---|---|---|---|", *rows])


def leaves(form: Schema, schema: Schema, key: str = "") -> Iterator[tuple[str, Schema]]:
    """Every limit with its form. NAME is a name that somebody chose, ACTION one of the actions, [] each of a list."""
    inner = _resolved(form, schema)
    if "items" in inner and _resolved(inner["items"], schema).get("type") == "object":
        yield from leaves(inner["items"], schema, f"{key}[]")
    elif inner.get("type") != "object":
        yield key, form
    else:
        rest = inner.get("additionalProperties")
        if rest:
            name = "ACTION" if "propertyNames" in inner else "NAME"
            yield from leaves(rest, schema, f"{key}.{name}")
        for name, part in inner.get("properties", {}).items():
            if not (rest and name == "default"):  # the default has the form of the others
                yield from leaves(part, schema, f"{key}.{name}".lstrip("."))


def written(page: str) -> str:
    """The page with its tables as the policies are now."""
    return _between(_between(page, BEGIN, END, table()), LIMITS_BEGIN, LIMITS_END, limits_table())


def _between(page: str, begin: str, end: str, text: str) -> str:
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{text}\n{end}{after}"


def _resolved(form: Schema, schema: Schema) -> Schema:
    found: Schema = schema["$defs"][_named(form)] if "$ref" in form else form
    return found


def _named(form: Schema) -> str:
    return str(form["$ref"]).rpartition("/")[2]


def _type(form: Schema, schema: Schema) -> str:
    if "$ref" in form:
        return WORDS.get(_named(form), _named(form))
    if form.get("type") == "array":
        return f"list of {_type(form['items'], schema)}"
    return JSON_WORDS[form["type"]]


def _shipped(limits: Any, key: str) -> str:
    """Nothing where the names are the site's own."""
    for step in key.split("."):
        limits = limits.get("default" if step == "ACTION" else step) if isinstance(limits, dict) else None
    return "" if limits is None else f"`{json.dumps(limits)}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
