"""The whole way of a rule of one's own, by the very commands of docs/policies.md, from its check to its archive."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from agent.adapters.rego import BundleRefused, EmbeddedPolicyEngine
from agent.adapters.rego.signature import Trust
from agent.cli import policy
from agent.resources import bundled
from agent.stages.judge import decision
from tests.policies.examples import ROOM, opened, put_together, settings_of

PAGE = (ROOM.parents[1] / "policies.md").read_text(encoding="utf-8")
WALK = [
    line.removeprefix("watchkeeper policy ")
    for block in re.findall(r"<!-- walk.*?-->\n```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]


def test_the_walk_of_the_page(site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    given = settings_of("warranty")
    with site.config.open("a") as config:
        config.write("policy_data: {autonomy: {default: act}}\n")
    now = EmbeddedPolicyEngine(bundled("policies"), given["policy_data"])
    for number, document in enumerate((opened("acme").document, opened("homemade").document)):
        payload = {"verdict": decision(now, document).json_object(), "input": document}
        site.ledger.record("verdict", payload, attributes={"proposal": f"inc-9/{number}"})
    key = ec.generate_private_key(ec.SECP256R1())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "private.pem").write_bytes(key.private_bytes(*form))
    put_together("warranty", tmp_path)
    with site.config.open("a") as config:
        config.write("policies: policies\n")
    said = {}
    for line in WALK:
        run = CliRunner().invoke(policy.app, shlex.split(line))
        assert run.exit_code == 0, f"{line}: {run.output}"
        said[line.split()[0]] = " ".join(run.output.split())
    assert list(said) == ["check", "test", "shadow", "sign", "build"]
    assert "warranty.vendor_repairs" in said["check"]
    assert said["test"].endswith("0 failed")
    assert "1 flipped" in said["shadow"]
    assert "warranty.vendor_repairs" in said["shadow"]
    public = key.public_key().public_bytes(form[0], serialization.PublicFormat.SubjectPublicKeyInfo)
    trust = Trust(public, given["policy_scope"])
    for place in (tmp_path / "policies", tmp_path / "bundle.tar.gz"):
        engine = EmbeddedPolicyEngine(place, given["policy_data"], trust=trust)
        assert engine.decide(opened("acme").document)["decision"] == "deny"
    (tmp_path / "policies/data/warranty.yaml").write_text("warranty: {label: vendor, vendors: []}\n")
    with pytest.raises(BundleRefused, match=r"data/warranty\.yaml: it has changed since it was signed"):
        EmbeddedPolicyEngine(tmp_path / "policies", given["policy_data"], trust=trust)
