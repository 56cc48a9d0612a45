"""Writes deploy/kubernetes/rbac.yaml from what the agent follows and what its actions declare. `make docs` runs it."""

from pathlib import Path

import yaml

from agent.adapters.kubernetes.rbac import ACTS, manifests, rule_json, rules

PAGE = Path(__file__).parents[1] / "deploy" / "kubernetes" / "rbac.yaml"
HEAD = f"""\
# Written by `make docs` from the action catalogue (agent/adapters/kubernetes/rbac.py): change it there.
# An agent that only observes needs no {ACTS}: leave that role's binding out. Beside a rule stands who needs it.
"""


def written() -> str:
    return HEAD + "".join(f"---\n{_document(each)}" for each in manifests())


def _document(manifest: dict[str, object]) -> str:
    plain = yaml.safe_dump({k: v for k, v in manifest.items() if k != "rules"}, sort_keys=False)
    name = str(manifest["metadata"]["name"]) if isinstance(manifest["metadata"], dict) else ""
    mine = [each for each in rules() if each.role == name] if "rules" in manifest else []
    lines, said = "", tuple[str, ...]()
    for each in mine:
        lines += f"  # {', '.join(each.why)}\n" if each.why != said else ""
        lines += f"  - {_flow(rule_json(each))}\n"
        said = each.why
    return plain + (f"rules:\n{lines}" if mine else "")


def _flow(rule: dict[str, object]) -> str:
    return yaml.safe_dump(rule, default_flow_style=True, sort_keys=False, width=10_000).strip()


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(written(), encoding="utf-8")
