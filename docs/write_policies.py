"""Writes the table of reason codes in docs/policies.md from the rules' own METADATA. `make docs` runs it."""

from pathlib import Path

from agent.adapters.rego.engine import EmbeddedPolicyEngine
from agent.resources import bundled

PAGE = Path(__file__).with_name("policies.md")
BEGIN, END = "<!-- reasons: written by `make docs` -->", "<!-- end of reasons -->"


def table() -> str:
    """One row per reason code, in the order of the codes."""
    reasons = EmbeddedPolicyEngine(bundled("policies")).bundle.reasons
    rows = [
        f"| `{code}` | {text.decision} | {_cell(text.message)} | {_cell(text.remedy)} |"
        for code, text in sorted(reasons.items())
    ]
    return "\n".join(["| code | decision | message | remedy |", "|---|---|---|---|", *rows])


def written(page: str) -> str:
    """The page with its table as the policies are now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
