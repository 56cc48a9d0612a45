"""Limits that say two things, or nothing that JSON knows, are refused by name: the last word is never just taken."""

import math
from pathlib import Path
from typing import Any

import pytest

from agent.adapters.rego import BundleRefused, EmbeddedPolicyEngine
from agent.config import SettingsInvalid, load_settings
from tests.agent.rego.bundles import shipped

LIMITS = "data/limits.yaml"
FREEZE = "freezes: [{name: year-end, from: 2026-11-01T00:00:00Z, to: 2026-12-01T00:00:00Z}]\n"

BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))


def edited(tmp_path: Path, old: str, new: str) -> Path:
    folder = shipped(tmp_path)
    text = (folder / LIMITS).read_text()
    assert old in text
    (folder / LIMITS).write_text(text.replace(old, new, 1))
    return folder


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("windows: []", FREEZE + "windows: []", "line [0-9]+: freezes is given twice"),
        ("actions: {}", "actions: {drain_node: observe, drain_node: act}", "drain_node is given twice"),
        ("percent: 10", "percent: .nan", r"blast_radius\.nodes\.percent: nan is no number"),
        ("percent: 10", "percent: .inf", r"blast_radius\.nodes\.percent: inf is no number"),
        ("tenants: {}\n\nidle", "tenants: {7: {namespaces: [a]}}\n\nidle", r"tenants\.7: a name is a text"),
        ("windows: []", "windows: " + "[" * 5000, "it nests without end"),
        ("windows: []", "windows: &all [*all]", "written out it has more than 100000 values"),
        ("windows: []", f"windows: []\n{BOMB}", "written out it has more than 100000 values"),
        ("per_target: 30m", "per_target: 999999999d", r"cooldown\.default\.per_target: '999999999d' is longer"),
        ("per_target: 30m", 'per_target: "30m\\n"', r"cooldown\.default\.per_target: '30m"),
        ("freezes: []", FREEZE.replace("}]", ", actions: []}]"), r"freezes\.0\.actions: \[\] should be non-empty"),
        ("freezes: []", FREEZE.replace("}]", ", tenants: []}]"), r"freezes\.0\.tenants: \[\] should be non-empty"),
    ],
)
def test_in_a_file_of_the_bundle(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(BundleRefused, match=words):
        EmbeddedPolicyEngine(edited(tmp_path, old, new))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"limits": {"windows": []}, "limits": {}}', "data.json: limits is given twice"),
        ("[" * 100_000, "data.json: it nests without end"),
        ('{"limits": {"moves": {"alone": NaN}}}', r"data.json: moves\.alone: nan is no number"),
    ],
)
def test_in_a_bundle_of_opas_form(tmp_path: Path, text: str, words: str) -> None:
    folder = shipped(tmp_path)
    (folder / "data.json").write_text(text)
    with pytest.raises(BundleRefused, match=words):
        EmbeddedPolicyEngine(folder)


@pytest.mark.parametrize(
    ("overlay", "words"),
    [
        ({"blast_radius": {"nodes": {"percent": math.nan}}}, "percent: nan is no number"),
        ({"tenants": {7: {"namespaces": ["a"]}}}, "tenants.7: a name is a text"),
    ],
)
def test_in_the_settings_policy_data(tmp_path: Path, overlay: dict[str, Any], words: str) -> None:
    with pytest.raises(BundleRefused, match=words):
        EmbeddedPolicyEngine(shipped(tmp_path), overlay)


def test_in_the_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("policy_data:\n  autonomy: {kill_switch: true}\n  autonomy: {kill_switch: false}\n")
    with pytest.raises(SettingsInvalid, match="line 3: autonomy is given twice"):
        load_settings(file)
