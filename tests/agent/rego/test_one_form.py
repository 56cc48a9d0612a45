"""A whole number in a reason is written one way, whichever engine wrote it: what was approved is compared by it."""

from typing import Any

import pytest

from agent.adapters.rego.metadata import ReasonText
from agent.adapters.rego.verdict import reason_of

TEXTS = {"too.low": ReasonText("too.low", "deny", "Too low", "It is {share}", "Look", "a.rego:1")}


@pytest.mark.parametrize(
    ("written", "kept"), [(0.0, "0"), (3.0, "3"), (0.25, "0.25"), ([1.0, 2.5], "[1, 2.5]"), (1e300, "1e+300")]
)
def test_one_form(written: Any, kept: str) -> None:
    said = reason_of({"code": "too.low", "params": {"share": written}}, "deny", TEXTS)
    assert str(said["params"]["share"]) == kept
