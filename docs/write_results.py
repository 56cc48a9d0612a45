"""Writes docs/scenarios-results.md from the report of `watchkeeper evaluate scenarios/ --report FILE`.

python docs/write_results.py FILE           writes the page (`make docs`)
python docs/write_results.py --check FILE   says what the page has wrong (`make test`)
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.resources import bundled
from agent.scenarios.expectation import Expectation
from agent.scenarios.format import Scenario, load_scenario
from agent.scenarios.matchers import Item, as_any_of

PAGE = Path(__file__).with_name("scenarios-results.md")
TOP = """# What became of the shipped scenarios

Written by `make docs` from a run of all of them; `make test` says when this page is not what happens. How to read a
file is told in [scenarios.md](scenarios.md). *Right* is what the file expects; the root is how the Merkle root of the
run's log begins, the same on every machine: `watchkeeper evaluate scenarios/NAME.yaml --json` prints it whole.
"""
HEADS = ("scenario", "category", "right", "incidents", "executed", "people called", "wrong", "root")
ROOT_CHARS = 12
_NAME = re.compile(r"^\| \[([^\]]+)\]", re.MULTILINE)


def page(report: Mapping[str, Any]) -> str:
    """The whole page: the numbers, then a row for each scenario by its name."""
    results = sorted(report["scenarios"], key=lambda result: str(result["name"]))
    named = [result["name"] for result in results]
    scenarios = {name: load_scenario(bundled("scenarios") / f"{name}.yaml") for name in named}
    rows = [_row(result, scenarios[result["name"]]) for result in results]
    waits = sum(not _acts(one.spec.expect) for one in scenarios.values())
    total = (
        f"{report['passed']} passed, {report['failed']} failed, **{report['wrong_actions']} wrong actions**; "
        f"in {waits} of {len(results)} the right thing is to do nothing, to wait, to ask or to call a person."
    )
    return "\n".join([TOP, total, "", _cells(HEADS), _cells("---" for _ in HEADS), *rows, ""])


def names(text: str) -> list[str]:
    """The scenarios that a page has a row for."""
    return _NAME.findall(text)


def _row(result: Mapping[str, Any], scenario: Scenario) -> str:
    name = str(result["name"])
    actions = Counter(each["action"] for each in result["actions"] if each["action"] != "notify")
    return _cells(
        (
            f"[{name}](../scenarios/{name}.yaml)",
            scenario.metadata.labels.get("category", ""),
            _right(scenario.spec.expect),
            _counted(Counter(each["state"] for each in result["incidents"])),
            _counted(actions),
            result["escalations"],
            len(result["wrong_actions"]),
            f"`{(result['log']['root'] or '')[:ROOT_CHARS]}`",
        )
    )


def _right(expect: Expectation) -> str:
    """In a word what the file calls right."""
    if _acts(expect):
        return "act after a yes" if expect.escalations.min else "act"
    if any(verdict.decision == "deny" for verdict in expect.verdicts):
        return "refuse"
    if expect.escalations.min or any(_only_tells(item) for item in expect.actions):
        return "ask or call a person"
    return "do nothing"


def _acts(expect: Expectation) -> bool:
    return any(not _only_tells(item) for item in expect.actions)


def _only_tells(item: Item) -> bool:
    return all(matcher.action == "notify" for matcher in as_any_of(item).any_of)


def _counted(found: Mapping[str, int]) -> str:
    return ", ".join(name if times == 1 else f"{times} × {name}" for name, times in sorted(found.items())) or "none"


def _cells(values: Any) -> str:
    return f"| {' | '.join(str(value) for value in values)} |"


def main(arguments: Sequence[str]) -> int:
    check = "--check" in arguments
    (file,) = (word for word in arguments if word != "--check")
    text = page(json.loads(Path(file).read_text(encoding="utf-8")))
    if not check:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    old, new = (set(each.splitlines()) for each in (PAGE.read_text(encoding="utf-8"), text))
    wrong = sorted(old ^ new)
    for line in wrong:
        print(f"{'now ' if line in new else 'page'}: {line}", file=sys.stderr)
    if wrong:
        print(f"{PAGE.name} is not what happens: run `make docs`", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
