"""The policies of a running agent are exchanged, refused and lost: what it does, what it records, what it tells."""

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from opa_server import Opa
from servers import Server, wait_for
from test_real_input import Agent

from agent.adapters.rego.archive import bundle_archive
from agent.adapters.rego.bundle import Bundle, read_bundle
from agent.resources import bundled
from tests.agent.rego.bundles import GUARDRAIL, RULE, with_guardrail

WAIT_S = 60.0
CALL_WHEN_AWAY_S = 60
RETRIED_S = 90.0  # it asks again every 30 s
LINE = "NVRM: Xid (PCI:0000:b3:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."
ACT = {"autonomy": {"default": "act", "actions": {"request_node_repair": "act_with_approval"}}}
NOT_GPU_9 = GUARDRAIL + RULE + 'input.proposal.target.name == "gpu-9"\n'
BROKEN = ("guardrails/late/late.rego", "package nothing {")
SCOPE = "production"
Keep = Callable[[Server], Server]


class PolicedAgent(Agent):
    def __init__(self, folder: Path, **more: Any) -> None:
        super().__init__(folder)
        self.config.write_text(yaml.safe_dump(self.settings() | more), encoding="utf-8")

    def kernel_says(self, node: str) -> None:
        headers = {"Authorization": "Bearer s3cret"}
        answer = httpx.post(f"{self.url}/v1/logs", json={"node": node, "line": LINE}, headers=headers)
        assert answer.status_code == 202, answer.text

    def readiness(self) -> tuple[int, Any]:
        answer = httpx.get(f"{self.url}/readyz")
        return answer.status_code, answer.json()

    def recorded(self, kind: str) -> list[dict[str, Any]]:
        return [record["payload"] for record in self.ask("audit", "query", "--kind", kind)["records"]]

    def codes_of(self, node: str) -> set[str]:
        """Of all verdicts on this node."""
        verdicts = [v for v in self.recorded("verdict") if v["input"]["proposal"]["target"]["name"] == node]
        return {reason["code"] for verdict in verdicts for reason in verdict["verdict"]["reasons"]}

    def cordoned(self) -> set[str]:
        """Nodes on which anything was begun."""
        return {intent["target"]["name"] for intent in self.recorded("intent") if intent["action"] == "cordon_node"}


def pem(key: ec.EllipticCurvePrivateKey) -> tuple[bytes, bytes]:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(form[0], serialization.PublicFormat.SubjectPublicKeyInfo)
    return key.private_bytes(*form), public


def put(place: Path, bundle: Bundle, key: bytes) -> None:
    """At once, as whoever deploys a file should."""
    beside = place.with_name("next.tar.gz.part")
    beside.write_bytes(bundle_archive(bundle, key, SCOPE))
    os.replace(beside, place)


def test_a_better_bundle_is_taken_and_a_bad_one_is_not(tmp_path: Path, started: Keep) -> None:
    (ours, public), (strangers, _) = (pem(ec.generate_private_key(ec.SECP256R1())) for _ in range(2))
    (tmp_path / "public.pem").write_bytes(public)
    place = tmp_path / "bundle.tar.gz"
    shipped = read_bundle(bundled("policies"))
    put(place, shipped, ours)
    trusting = {"policies": str(place), "policy_key_file": str(tmp_path / "public.pem"), "policy_scope": SCOPE}
    agent = PolicedAgent(tmp_path, policy_data=ACT, **trusting)
    process = started(agent.start(tmp_path))
    first = agent.details()["policies"]
    assert set(first) == {"digest"}

    better = read_bundle(with_guardrail(tmp_path, NOT_GPU_9))
    put(place, better, ours)
    taken = wait_for("the better bundle", lambda: d if (d := agent.details()["policies"]) != first else None, WAIT_S)
    agent.kernel_says("gpu-9")
    wait_for("its no", lambda: "site.rule" in agent.codes_of("gpu-9"), WAIT_S)
    assert agent.cordoned() == set()

    broken = dataclasses.replace(
        better, policies=(*better.policies, ("guardrails/late/late.rego", "package nothing {"))
    )
    for bundle, key, code in ((broken, ours, "policy.not_loaded"), (shipped, strangers, "policy.signature")):
        put(place, bundle, key)
        refused = wait_for(code, lambda code=code: said_to_be(agent, code), WAIT_S)
        assert refused["digest"] == taken["digest"]
        assert agent.readiness()[0] == 200
    assert "the policies on the disk are refused, the old ones stay: policy.signature" in process.tail()

    agent.kernel_says("gpu-8")
    wait_for("a deed under the old bundle", lambda: "gpu-8" in agent.cordoned(), WAIT_S)
    assert agent.cordoned() == {"gpu-8"}
    assert [record["digest"] for record in agent.recorded("policy_loaded")] == [first["digest"], taken["digest"]]
    kept = [(record["code"], record["digest"]) for record in agent.recorded("policy_refused")]
    assert kept == [("policy.not_loaded", taken["digest"]), ("policy.signature", taken["digest"])]

    put(place, shipped, ours)
    wait_for("the first bundle again", lambda: agent.details()["policies"]["digest"] == first["digest"], WAIT_S)


def said_to_be(agent: PolicedAgent, code: str) -> dict[str, Any] | None:
    policies: dict[str, Any] = agent.details()["policies"]
    return policies if policies.get("refused", {}).get("code") == code else None


def test_without_its_opa_server_nothing_is_done_and_a_person_is_called(tmp_path: Path, started: Keep) -> None:
    running = Opa(tmp_path / "opa", bundle_archive(read_bundle(bundled("policies"), ACT)))
    started(running.server)
    agent = PolicedAgent(
        tmp_path, policy_data=ACT, opa_url=running.url, opa_timeout_s=5, call_when_away_s=CALL_WHEN_AWAY_S
    )
    started(agent.start(tmp_path))
    agent.kernel_says("gpu-8")
    wait_for("a deed", lambda: "gpu-8" in agent.cordoned(), WAIT_S)

    running.server.process.kill()
    running.server.process.wait()
    agent.kernel_says("gpu-9")
    wait_for("no decision", lambda: "policy.unreachable" in agent.codes_of("gpu-9"), WAIT_S)
    status, page = agent.readiness()
    assert (status, "the OPA server" in json.dumps(page)) == (503, True)
    (call,) = wait_for("the call", lambda: agent.recorded("notice"), RETRIED_S)
    assert call["audience"] == "oncall"
    assert "no decision" in call["message"]
    assert "gpu-9" in call["message"]
    assert agent.cordoned() == {"gpu-8"}
    (incident,) = [i for i in agent.ask("incidents", "list")["incidents"] if "gpu-9" in json.dumps(i)]
    assert incident["state"] == "open"

    same_place = [str(word) for word in running.server.process.args]  # type: ignore[union-attr]
    started(Server("opa-again", same_place, f"{running.url}/health?bundles", tmp_path))
    wait_for("the deed after all", lambda: "gpu-9" in agent.cordoned(), RETRIED_S)
    assert agent.readiness()[0] == 200
