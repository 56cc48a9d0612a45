"""Writes the table of thresholds in docs/operating.md from the agent's own value. `make docs` runs it."""

from pathlib import Path
from typing import Any

from agent.domain.thresholds import Thresholds

PAGE = Path(__file__).with_name("operating.md")
BEGIN, END = "<!-- thresholds: written by `make docs` -->", "<!-- end of thresholds -->"


def table() -> str:
    """One row per threshold, in the order of the code: what it says, its bounds, and why the lower one."""
    properties = Thresholds.model_json_schema()["properties"]
    rows = [
        f"| `{name}` | {each['description']} | {_bounds(each)} | {each['because']} |"
        for name, each in properties.items()
    ]
    return "\n".join(["| key | what it says | default (from, to) | why no less |", "|---|---|---|---|", *rows])


def written(page: str) -> str:
    """The page with its table as the code is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _bounds(each: dict[str, Any]) -> str:
    return f"{each['default']} ({each['minimum']}, {each['maximum']})"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
