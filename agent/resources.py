"""Finds the rooms that are data: policies, playbooks and scenarios.

They are top-level folders in a checkout and folders of `agent/bundled` in an installed wheel; nobody else need know.
What is inside belongs to those who read it.
"""

from pathlib import Path
from typing import Literal

PACKAGE = Path(__file__).resolve().parent


def bundled(name: Literal["policies", "playbooks", "scenarios"]) -> Path:
    """The folder `name` that came with this installation. Raises FileNotFoundError when the installation is broken."""
    for folder in (PACKAGE / "bundled" / name, PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"this installation has no {name}: install the wheel, or run from a whole checkout")
