"""An OPA server that decides for the agent, and everything that such a server can do wrong: none of it is a yes."""

import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opa_server import Opa, opa
from servers import Server, wait_for

from agent.adapters.opa import OpaPlace, OpaPolicyEngine
from agent.adapters.opa.client import HANGING_AT_MOST
from agent.adapters.rego import EmbeddedPolicyEngine
from agent.adapters.rego.archive import bundle_archive
from agent.adapters.rego.bundle import read_bundle
from agent.adapters.rego.signature import FILE, Trust, verify
from agent.adapters.rego.source import read_source
from agent.domain.verdict import Decision
from agent.ports import PolicyUnavailable
from agent.resources import bundled
from agent.stages.judge import decision
from tests.agent.rego.bundles import with_main
from tests.policies.inputs import cordon

POLICIES = bundled("policies")
ACT = {"autonomy": {"default": "act"}}
TIMEOUT_S = 0.5
Keep = Callable[[Server], Server]


def code_of(engine: OpaPolicyEngine) -> str:
    """And whatever the code, what the agent makes of it is a deny with that code."""
    with pytest.raises(PolicyUnavailable) as refused:
        engine.decide(cordon().document)
    said = decision(engine, cordon().document)
    assert (said.decision, said.reasons[0].code.split(".")[0]) == (Decision.DENY, "policy")
    return refused.value.code


def run(folder: Path, started: Keep, policies: Path = POLICIES, overlay: Any = ACT, **more: Any) -> Opa:
    running = Opa(folder / "opa", bundle_archive(read_bundle(policies, overlay)), **more)
    started(running.server)
    return running


def engine_at(place: OpaPlace, policies: Path = POLICIES, overlay: Any = ACT) -> OpaPolicyEngine:
    return OpaPolicyEngine(policies, overlay, server=place)


def test_a_server_with_our_policies_decides(tmp_path: Path, started: Keep) -> None:
    engine = engine_at(run(tmp_path, started).place())
    assert engine.decide(cordon().document) == EmbeddedPolicyEngine(POLICIES, ACT).decide(cordon().document)
    assert engine.not_ready() is None


def test_a_server_with_other_policies_or_limits_does_not(tmp_path: Path, started: Keep) -> None:
    running = run(tmp_path, started)
    engine = engine_at(running.place(), overlay={"autonomy": {"default": "suggest"}})
    assert code_of(engine) == "policy.revision"
    # Once the server has loaded what this agent has, it decides: nobody has to restart anything.
    running.archive = bundle_archive(engine.bundle)
    wait_for("the new bundle", lambda: decision(engine, cordon().document).reasons[0].code == "autonomy.suggest")


def test_a_server_without_a_bundle_does_not(tmp_path: Path, started: Keep) -> None:
    running = Opa(tmp_path / "bare", b"", ready="/health")
    started(running.server)
    engine = engine_at(running.place())
    assert code_of(engine) == "policy.revision"


def test_nobody_writes_beside_the_bundle(tmp_path: Path, started: Keep) -> None:
    """OPA itself keeps others out of the roots of a bundle; that is what the revision rests on."""
    running = run(tmp_path, started)
    policy = 'package watchkeeper.guardrails.mine\n\nallow contains {"code": "autonomy.act", "params": {}}\n'
    curl = ["curl", "-s", "-X", "PUT", "--data-binary", policy, f"{running.url}/v1/policies/mine"]
    assert "owned by bundle" in subprocess.run(curl, capture_output=True, text=True, check=True).stdout
    data = ["curl", "-s", "-X", "PUT", "--data-binary", "{}", f"{running.url}/v1/data/limits/autonomy"]
    assert "owned by bundle" in subprocess.run(data, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("verdict := 1 if false", "policy.undefined"),
        ('verdict := "allow"', "policy.ill_typed"),
        ("verdict := true", "policy.ill_typed"),
        ("verdict := 1 if input.now\n\nverdict := 2 if input.phase", "policy.error"),
        ("verdict := to_number(input.now)", "policy.error"),
        (
            "verdict := count([1 | some i in numbers.range(1, 99999); some j in numbers.range(1, 99999); i + j > 0])",
            "policy.timeout",
        ),
        ("verdict := numbers.range(1, 300000)", "policy.error"),
    ],
)
def test_what_is_no_verdict(tmp_path: Path, started: Keep, rule: str, code: str) -> None:
    policies = with_main(tmp_path, rule)
    patience_s = TIMEOUT_S if code == "policy.timeout" else 30
    engine = engine_at(run(tmp_path, started, policies).place(timeout_s=patience_s), policies)
    assert code_of(engine) == code


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, signed by itself."""
    made, key = folder / "made.pem", folder / "made.key"
    made.parent.mkdir(parents=True, exist_ok=True)
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=opa"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    return made, key


def test_the_right_server_and_the_right_client(tmp_path: Path, started: Keep) -> None:
    theirs, their_key = certificate(tmp_path / "server")
    ours, our_key = certificate(tmp_path / "client")
    other, _ = certificate(tmp_path / "other")
    secure = [f"--tls-cert-file={theirs}", f"--tls-private-key-file={their_key}", "--authentication=tls"]
    running = run(tmp_path, started, tls=True, options=[*secure, f"--tls-ca-cert-file={ours}"])
    with_ours = {"certificate_file": ours, "key_file": our_key}
    right = engine_at(running.place(ca_file=theirs, **with_ours))
    wait_for("a decision", lambda: decision(right, cordon().document).decision is Decision.ALLOW)
    assert code_of(engine_at(running.place(ca_file=other, **with_ours))) == "policy.unreachable"
    assert code_of(engine_at(running.place(**with_ours))) == "policy.unreachable"
    assert code_of(engine_at(running.place(ca_file=theirs))) == "policy.unreachable"


def test_a_token(tmp_path: Path, started: Keep) -> None:
    authz = tmp_path / "authz.rego"
    rules = ("default allow := false", 'allow if input.identity == "right"', 'allow if input.path == ["health"]')
    authz.write_text("\n\n".join(("package system.authz", *rules)) + "\n")
    running = run(tmp_path, started, options=["--authentication=token", "--authorization=basic", str(authz)])
    assert engine_at(running.place(token="right")).decide(cordon().document)["decision"] == "allow"
    for token in ("wrong", None):
        engine = engine_at(running.place(token=token))
        assert code_of(engine) == "policy.error"
        assert "401" in decision(engine, cordon().document).reasons[0].message
    assert "right" not in repr(running.place(token="right"))


def test_a_server_that_is_gone(tmp_path: Path, started: Keep) -> None:
    running = run(tmp_path, started)
    engine = engine_at(running.place())
    assert engine.decide(cordon().document)["decision"] == "allow"
    running.stop()
    assert code_of(engine) == "policy.unreachable"
    assert engine.not_ready() == "the OPA server is not healthy"


def test_both_verify_what_the_other_signed(tmp_path: Path, started: Keep) -> None:
    key, public = tmp_path / "key.pem", tmp_path / "public.pem"
    make = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(key)]
    subprocess.run(make, check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", str(key), "-pubout", "-out", str(public)], check=True)
    bundle = read_bundle(POLICIES, ACT)
    signed = bundle_archive(bundle, key.read_bytes(), "production")
    signing = {"keyid": "watchkeeper", "scope": "production"}
    keys = {"watchkeeper": {"key": public.read_text(), "algorithm": "RS256"}}
    running = Opa(tmp_path / "opa", signed, config={"keys": keys}, bundle={"signing": signing})
    started(running.server)
    assert engine_at(running.place()).decide(cordon().document)["decision"] == "allow"
    # The other way round: `opa sign` over the files of the archive, verified by us.
    plain = tmp_path / "plain.tar.gz"
    plain.write_bytes(bundle_archive(bundle))
    command = [opa(), "sign", f"--signing-key={key}", "--bundle", str(plain), f"--output-file-path={tmp_path}"]
    subprocess.run(command, check=True, capture_output=True)
    source = {**read_source(plain), FILE: (tmp_path / FILE).read_bytes()}
    verify(source, Trust(public.read_bytes()))
    with pytest.raises(PolicyUnavailable, match=r"gang\.rego: it has changed"):
        verify({**source, "guardrails/gang/gang.rego": b"x"}, Trust(public.read_bytes()))


# --- what no OPA does, and something in its place may: bytes on a socket ---


@contextmanager
def answering(speak: Callable[[socket.socket], None]) -> Iterator[str]:
    """A listener that reads a request and then does what `speak` does."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection: socket.socket) -> None:
        try:
            with connection:
                connection.recv(65_536)
                speak(connection)
        except OSError:
            return

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


ALLOWED = {"decision": "allow", "reasons": [{"code": "autonomy.act", "params": {"action": "cordon_node"}}]}


def ours() -> bytes:
    """An answer that would be an allow, from a server with our policies."""
    obligations = {"dry_run": True, "notice_s": 0, "verify_within_s": 600}
    verdict = {**ALLOWED, "obligations": obligations, "approval": None}
    revision = read_bundle(POLICIES, ACT).digest
    return json.dumps({"result": verdict, "provenance": {"bundles": {"b": {"revision": revision}}}}).encode()


def said(status: str, body: bytes, *, length: int | None = None, more: str = "") -> Callable[[socket.socket], None]:
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n{more}\r\n"
    return lambda connection: connection.sendall(head.encode() + body)


def drips(connection: socket.socket) -> None:
    """A byte at a time, so that no single read is late."""
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n" + b" " * 4000:
        connection.sendall(bytes([byte]))
        time.sleep(TIMEOUT_S / 5)


def floods(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        connection.sendall(b" " * 65_536)


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunks_without_end(connection: socket.socket) -> None:
    connection.sendall(CHUNKED)
    while True:
        connection.sendall(b"10000\r\n" + b" " * 65_536 + b"\r\n")


def chunks_that_drip(connection: socket.socket) -> None:
    connection.sendall(CHUNKED)
    for _ in range(4_000):
        connection.sendall(b"1\r\n \r\n")
        time.sleep(TIMEOUT_S / 5)


def chunks_of_no_size(connection: socket.socket) -> None:
    connection.sendall(CHUNKED + b"what\r\n{}\r\n")


def silent(_connection: socket.socket) -> None:
    time.sleep(TIMEOUT_S * 4)


@pytest.mark.parametrize(
    ("speak", "code"),
    [
        (silent, "policy.timeout"),
        (drips, "policy.timeout"),
        (floods, "policy.error"),
        (said("200 OK", b'{"result": {"decision": "al', length=4000), "policy.error"),
        (said("200 OK", b'{"result": {"decision": "al'), "policy.error"),
        (said("200 OK", b"[]"), "policy.ill_typed"),
        (said("200 OK", b"{}"), "policy.revision"),
        (said("200 OK", json.dumps({"result": ALLOWED}).encode()), "policy.revision"),
        (said("200 OK", b"[" * 100_000 + b"]" * 100_000), "policy.error"),
        (said("200 OK", b'{"result": ' + b"[" * 200 + b"]" * 200 + b"}"), "policy.error"),
        (said("200 OK", b'{"result": {"decision": "deny", "decision": "allow"}}'), "policy.error"),
        (said("200 OK", b'{"result": {"decision": "allow", "n": NaN}}'), "policy.error"),
        (said("200 OK", b'{"result": "\xff\xfe"}'), "policy.error"),
        (said("200 OK", b""), "policy.error"),
        (said("201 Created", ours()), "policy.error"),
        (said("202 Accepted", ours()), "policy.error"),
        (said("204 No Content", b""), "policy.error"),
        (said("206 Partial Content", ours(), more="Content-Range: bytes 0-3/9\r\n"), "policy.error"),
        (said("300 Multiple Choices", ours()), "policy.error"),
        (said("302 Found", b"", more="Location: /v1/data/watchkeeper/main/verdict\r\n"), "policy.error"),
        (said("308 Permanent Redirect", b"", more="Location: /elsewhere\r\n"), "policy.error"),
        (said("200 OK", b"{}", length=100 << 20), "policy.error"),
        (said("500 Internal Server Error", b"[" * 100_000), "policy.error"),
        (chunks_without_end, "policy.error"),
        (chunks_that_drip, "policy.timeout"),
        (chunks_of_no_size, "policy.error"),
        (said("500 Internal Server Error", b'{"code": "internal_error", "message": "x"}'), "policy.error"),
        (said("503 Service Unavailable", b""), "policy.error"),
        (said("307 Temporary Redirect", b"", more="Location: http://127.0.0.1:1/\r\n"), "policy.error"),
        (lambda connection: connection.sendall(b"220 smtp ready\r\n"), "policy.unreachable"),
        (lambda connection: connection.close(), "policy.unreachable"),
    ],
)
def test_what_is_no_answer(speak: Callable[[socket.socket], None], code: str) -> None:
    with answering(speak) as url:
        began = time.monotonic()
        assert code_of(engine_at(OpaPlace(url, timeout_s=TIMEOUT_S))) == code
        assert time.monotonic() - began < 10 * TIMEOUT_S


def test_the_same_answer_with_opas_own_status_is_one() -> None:
    with answering(said("200 OK", ours())) as url:
        engine = engine_at(OpaPlace(url, timeout_s=10))
        assert engine.decide(cordon().document)["decision"] == "allow"


def test_a_server_that_hangs_is_not_asked_without_end() -> None:
    with answering(drips) as url:
        before = asking()
        engine = engine_at(OpaPlace(url, timeout_s=TIMEOUT_S))
        for _ in range(HANGING_AT_MOST + 3):
            with pytest.raises(PolicyUnavailable) as refused:
                engine.decide(cordon().document)
            assert refused.value.code == "policy.timeout"
        assert len(asking() - before) <= HANGING_AT_MOST


def asking() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "opa-question"}
