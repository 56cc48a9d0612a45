"""The tamper matrix on a SQLite file."""

from __future__ import annotations

from pathlib import Path

import pytest
from tamper_matrix import *  # noqa: F403
from tampering import File


@pytest.fixture
def place(path: Path) -> File:
    return File(path)
