"""Other policies on the disk come into force whole, or not at all and said so."""

import shutil
from pathlib import Path

import pytest

from agent.adapters.gate import policies_for
from agent.adapters.gate.reload import PoliciesInForce
from agent.adapters.rego.engine import EmbeddedPolicyEngine
from agent.config import Settings
from agent.ports import PolicyUnavailable
from tests.agent.rego.bundles import GUARDRAIL, RULE, shipped
from tests.policies.inputs import cordon


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shipped(tmp_path)


@pytest.fixture
def policies(folder: Path) -> PoliciesInForce:
    return policies_for(Settings(policies=folder, policy_data={"autonomy": {"default": "act"}}))


def add_guardrail(folder: Path, condition: str) -> Path:
    room = folder / "guardrails" / "site"
    room.mkdir(exist_ok=True)
    file = room / "site.rego"
    file.write_text(GUARDRAIL + RULE + condition + "\n")
    return file


def test_nothing_changed(policies: PoliciesInForce) -> None:
    assert policies.reload() is None
    assert policies.details() == {"policies": {"digest": policies.digest}}


def test_a_change_comes_into_force_at_the_second_look(policies: PoliciesInForce, folder: Path) -> None:
    before = policies.digest
    add_guardrail(folder, "true")
    assert policies.reload() is None
    assert policies.decide(cordon().document)["decision"] == "allow"
    reloaded = policies.reload()
    assert reloaded is not None
    assert (reloaded.fault, reloaded.digest) == (None, policies.digest)
    assert policies.digest != before
    assert policies.decide(cordon().document)["decision"] == "deny"
    assert policies.reload() is None


def test_what_is_still_being_written_is_waited_for(policies: PoliciesInForce, folder: Path) -> None:
    for part in range(4):
        add_guardrail(folder, f"input.nobody == {part}")
        assert policies.reload() is None
    assert policies.reload() is not None


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("{", "policy.not_loaded"),
        ("time.now_ns() > 0", "policy.not_loaded"),
        ("to_number(input.now) > 0", "policy.error"),
    ],
)
def test_a_bad_bundle_leaves_the_old_one_and_is_told_once(
    policies: PoliciesInForce, folder: Path, condition: str, code: str
) -> None:
    before = policies.digest
    assert policies.decide(cordon().document)["decision"] == "allow"
    bad = add_guardrail(folder, condition)
    assert policies.reload() is None
    reloaded = policies.reload()
    assert reloaded is not None
    assert reloaded.fault is not None
    assert (reloaded.fault.code, reloaded.digest, policies.digest) == (code, before, before)
    assert policies.details()["policies"] == {
        "digest": before,
        "refused": {"code": code, "reason": str(reloaded.fault)},
    }
    assert policies.decide(cordon().document)["decision"] == "allow"
    assert policies.reload() is None
    bad.unlink()
    bad.parent.rmdir()
    assert [policies.reload(), policies.reload()] == [None, None]
    assert policies.fault is None


def test_a_folder_that_is_gone_leaves_the_old_one(policies: PoliciesInForce, folder: Path) -> None:
    shutil.rmtree(folder)
    policies.reload()
    reloaded = policies.reload()
    assert reloaded is not None
    assert reloaded.fault is not None
    assert policies.decide(cordon().document)["decision"] == "allow"


class Panic(BaseException):
    """As the embedded engine panics: not an Exception."""


@pytest.mark.parametrize("fault", [AttributeError("no such node"), RecursionError("too deep"), Panic("index")])
def test_a_fault_that_nobody_foresaw_leaves_the_old_one_and_is_told(folder: Path, fault: BaseException) -> None:
    faults: list[BaseException] = []

    def make() -> EmbeddedPolicyEngine:
        for met in faults:
            raise met
        return EmbeddedPolicyEngine(folder, {"autonomy": {"default": "act"}})

    policies = PoliciesInForce(make, (folder,))
    before = policies.digest
    faults.append(fault)
    add_guardrail(folder, "true")
    assert policies.reload() is None
    reloaded = policies.reload()
    assert reloaded is not None
    assert reloaded.fault is not None
    assert (reloaded.fault.code, reloaded.digest, policies.digest) == ("policy.not_loaded", before, before)
    assert type(fault).__name__ in str(reloaded.fault)
    assert policies.details()["policies"] == {
        "digest": before,
        "refused": {"code": "policy.not_loaded", "reason": str(reloaded.fault)},
    }
    assert policies.decide(cordon().document)["decision"] == "allow"
    assert policies.reload() is None


def test_who_ends_the_agent_ends_it(folder: Path) -> None:
    asked: list[None] = []

    def make() -> EmbeddedPolicyEngine:
        if asked:
            raise KeyboardInterrupt
        asked.append(None)
        return EmbeddedPolicyEngine(folder)

    policies = PoliciesInForce(make, (folder,))
    add_guardrail(folder, "true")
    policies.reload()
    with pytest.raises(KeyboardInterrupt):
        policies.reload()


def test_nothing_fit_to_begin_with_stops_the_start(folder: Path) -> None:
    (folder / "main.rego").unlink()
    with pytest.raises(PolicyUnavailable, match=r"main\.rego"):
        policies_for(Settings(policies=folder))


def test_what_a_key_asks_for_is_a_signature(folder: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    with pytest.raises(PolicyUnavailable, match="policy_key_file: "):
        policies_for(Settings(policies=folder, policy_key_file=key))
    key.write_text("no key")
    with pytest.raises(PolicyUnavailable) as refused:
        policies_for(Settings(policies=folder, policy_key_file=key))
    assert refused.value.code == "policy.signature"
