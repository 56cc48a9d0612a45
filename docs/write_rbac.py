"""Writes deploy/kubernetes/*/rbac.yaml from what the agent follows and what its actions declare, for `make docs`."""

from pathlib import Path

import yaml

from agent.adapters.kubernetes.rbac import FOLDERS, manifests, rule_json, rules

PLACE = Path(__file__).parents[1] / "deploy" / "kubernetes"
HEAD = """\
# Written by `make docs` from the action catalogue (agent/adapters/kubernetes/rbac.py): change it there.
"""
SAID = {
    "observing": "# All that an agent needs to observe; it allows no change. Beside a rule stands who needs it.\n",
    "kueue": "# Where Kueue is, besides: how it is configured. Without this right its defaults are assumed.\n",
    "acting": "# What an agent needs that acts, besides ../observing. Beside a rule stands who needs it.\n",
}


def page(folder: str) -> Path:
    return PLACE / folder / "rbac.yaml"


def written(folder: str) -> str:
    return HEAD + SAID[folder] + "".join(f"---\n{_document(each)}" for each in manifests(folder))


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
    for folder in FOLDERS:
        page(folder).parent.mkdir(exist_ok=True)
        page(folder).write_text(written(folder), encoding="utf-8")
