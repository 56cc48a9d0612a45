"""`python -m scheduler_core.cases PATH… [--json]`. Exit status 0: all hold; 1: one does not; 2: there are none."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from scheduler_core.cases.running import Result, run_paths

HOLDS, FAILS, NOTHING_TO_RUN = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m scheduler_core.cases", description="Runs scheduler cases.")
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file with cases, or a folder of such")
    parser.add_argument("--json", action="store_true", help="the result as one JSON object")
    options = parser.parse_args(arguments)
    missing = [str(path) for path in options.paths if not path.exists()]
    if missing:
        print(f"there is no {missing[0]}", file=sys.stderr)
        return NOTHING_TO_RUN
    results = run_paths(options.paths)
    print(_as_json(results) if options.json else _as_text(results))
    if not results:
        print("no cases found", file=sys.stderr)
        return NOTHING_TO_RUN
    return HOLDS if all(each.passed for each in results) else FAILS


def _as_json(results: Sequence[Result]) -> str:
    cases = [
        {"name": each.name, "file": each.file, "passed": each.passed, "differences": list(each.differences)}
        for each in results
    ]
    passed = sum(each.passed for each in results)
    return json.dumps({"passed": passed, "failed": len(results) - passed, "cases": cases}, indent=2, ensure_ascii=False)


def _as_text(results: Sequence[Result]) -> str:
    lines = []
    for each in results:
        if not each.passed:
            lines += [f"FAILED {each.file}: {each.name}", *(f"  {difference}" for difference in each.differences)]
    passed = sum(each.passed for each in results)
    return "\n".join([*lines, f"{passed} passed, {len(results) - passed} failed"])


if __name__ == "__main__":
    sys.exit(main())
