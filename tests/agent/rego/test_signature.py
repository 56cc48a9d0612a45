"""Signed bundles: every file, as it was signed, by the key that counts. `opa sign` itself is asked in tests/live."""

import base64
import hmac
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from agent.adapters.rego import BundleRefused, EmbeddedPolicyEngine
from agent.adapters.rego.archive import bundle_archive
from agent.adapters.rego.bundle import read_bundle
from agent.adapters.rego.signature import FILE, Trust, file_hash, sign, verify
from agent.adapters.rego.source import FILES_AT_MOST, read_source
from agent.resources import bundled
from tests.agent.rego.bundles import shipped
from tests.policies.inputs import cordon


def private(key: object) -> bytes:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form)  # type: ignore[attr-defined, no-any-return]


def public(key: object) -> bytes:
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return key.public_key().public_bytes(*form)  # type: ignore[attr-defined, no-any-return]


EC, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def signed(tmp_path: Path, key: object = EC, scope: str = "") -> Path:
    folder = shipped(tmp_path)
    (folder / FILE).write_bytes(sign(read_source(folder), private(key), scope))
    return folder


def refusal(folder: Path, trust: Trust) -> str:
    with pytest.raises(BundleRefused) as refused:
        EmbeddedPolicyEngine(folder, trust=trust)
    assert refused.value.code == "policy.signature"
    return str(refused.value)


@pytest.mark.parametrize("key", [EC, RSA], ids=["ES256", "RS256"])
@pytest.mark.parametrize("scope", ["", "production"])
def test_what_is_signed_is_taken(tmp_path: Path, key: object, scope: str) -> None:
    engine = EmbeddedPolicyEngine(signed(tmp_path, key, scope), trust=Trust(public(key), scope))
    assert engine.digest == EmbeddedPolicyEngine(bundled("policies")).digest
    assert engine.decide(cordon().document)["decision"] == "deny"


def test_every_file_is_as_it_was_signed(tmp_path: Path) -> None:
    trust = Trust(public(EC))
    folder = signed(tmp_path)
    gang = folder / "guardrails" / "gang" / "gang.rego"
    as_signed = gang.read_text()
    gang.write_text(as_signed + "\n")
    assert refusal(folder, trust) == "guardrails/gang/gang.rego: it has changed since it was signed"
    gang.unlink()
    assert refusal(folder, trust) == "guardrails/gang/gang.rego: it was signed and is missing"
    gang.write_text(as_signed)
    (folder / "data" / "more.yaml").write_text("tenants: {}\n")
    assert refusal(folder, trust) == "data/more.yaml: it is not among the signed files"


def test_without_a_signature_by_the_right_key_for_the_right_scope_nothing_is_taken(tmp_path: Path) -> None:
    folder = signed(tmp_path, scope="staging")
    assert "the scope is 'staging', expected 'production'" in refusal(folder, Trust(public(EC), "production"))
    assert "the scope is 'staging'" in refusal(folder, Trust(public(EC)))
    assert "not made with the key" in refusal(folder, Trust(public(OTHER), "staging"))
    assert "does not fit the key" in refusal(folder, Trust(public(RSA), "staging"))
    assert "cannot be read" in refusal(folder, Trust(b"no key", "staging"))
    (folder / FILE).unlink()
    assert "only signed ones are taken" in refusal(folder, Trust(public(EC), "staging"))


def forged(header: dict[str, str], folder: Path, signature: str = "") -> str:
    """A token with this header over the folder as it is."""
    token = json.loads((folder / FILE).read_text())["signatures"][0].split(".")
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return f"{head}.{token[1]}.{signature or token[2]}"


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES384", "RS256", "", "ES256 "])
def test_the_token_does_not_choose_how_it_is_checked(tmp_path: Path, algorithm: str) -> None:
    folder = signed(tmp_path)
    (folder / FILE).write_text(json.dumps({"signatures": [forged({"alg": algorithm}, folder)]}))
    assert "does not fit the key" in refusal(folder, Trust(public(EC)))


def test_another_header_is_another_token(tmp_path: Path) -> None:
    folder = signed(tmp_path)
    (folder / FILE).write_text(json.dumps({"signatures": [forged({"alg": "ES256"}, folder)]}))
    assert "not made with the key" in refusal(folder, Trust(public(EC)))


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", "{}", '{"signatures": []}', '{"signatures": ["a.b", "c"]}', '{"signatures": ["a.b.c"]}'),
        *('{"signatures": ["W10.W10.W10"]}', '{"signatures": [7]}', '{"signatures": ["ÿ.ÿ.ÿ"]}'),
    ],
)
def test_what_is_no_signature(tmp_path: Path, content: str) -> None:
    folder = signed(tmp_path)
    (folder / FILE).write_text(content)
    assert refusal(folder, Trust(public(EC))).startswith(FILE)


def test_a_key_that_cannot_sign(tmp_path: Path) -> None:
    source = read_source(shipped(tmp_path))
    for key in (b"no key", private(ed25519.Ed25519PrivateKey.generate()), public(EC)):
        with pytest.raises(BundleRefused, match="the signing key"):
            sign(source, key)


def test_who_verifies_holds_no_key_that_signs(tmp_path: Path) -> None:
    folder = signed(tmp_path)
    assert "cannot be read" in refusal(folder, Trust(private(EC)))
    for key in (ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256K1())):
        assert "neither RSA nor of a NIST curve" in refusal(folder, Trust(public(key)))


def test_a_secret_made_of_the_public_key_signs_nothing(tmp_path: Path) -> None:
    """The oldest trick with such tokens: HMAC with the bytes of the public key, which everybody has."""
    folder = signed(tmp_path)
    head = base64.urlsafe_b64encode(b'{"alg":"HS256"}').rstrip(b"=")
    body = json.loads((folder / FILE).read_text())["signatures"][0].split(".")[1].encode()
    made = base64.urlsafe_b64encode(hmac.digest(public(EC), head + b"." + body, "sha256")).rstrip(b"=")
    (folder / FILE).write_text(json.dumps({"signatures": [b".".join((head, body, made)).decode()]}))
    assert "does not fit the key" in refusal(folder, Trust(public(EC)))


def test_a_list_of_as_many_files_as_a_bundle_may_have() -> None:
    many = {f"guardrails/a_site_with_a_long_name_{n}/policy_{n}.rego": b"x" for n in range(FILES_AT_MOST - 1)}
    verify({**many, FILE: sign(many, private(EC))}, Trust(public(EC)))
    with pytest.raises(BundleRefused, match="it was signed and is missing"):
        verify({FILE: sign(many, private(EC))}, Trust(public(EC)))


def test_values_are_hashed_whatever_their_white_space() -> None:
    """The form is OPA's: keys in order, numbers as they were written."""
    one = file_hash("data.json", b'{"b": [1.0, 10e2, true, null, "<\\u00fc>"], "a": {}}', "SHA-256")
    assert one == file_hash("data.json", '{"a":{},"b":[1.0,10e2,true,null,"<ü>"]}'.encode(), "SHA-256")
    assert one != file_hash("data.json", '{"a":{},"b":[1,10e2,true,null,"<ü>"]}'.encode(), "SHA-256")
    assert one != file_hash("other.json", '{"a": {}, "b": [1.0,10e2,true,null,"<ü>"]}'.encode(), "SHA-256")


def test_the_archive_of_a_bundle_is_the_bundle(tmp_path: Path) -> None:
    overlay = {"autonomy": {"default": "act"}}
    bundle = read_bundle(bundled("policies"), overlay)
    archive = tmp_path / "bundle.tar.gz"
    archive.write_bytes(bundle_archive(bundle, private(EC), "production"))
    assert archive.read_bytes()[:4] == bundle_archive(bundle)[:4]
    assert bundle_archive(bundle) == bundle_archive(bundle)
    assert read_bundle(archive, trust=Trust(public(EC), "production")).digest == bundle.digest
    assert read_bundle(archive, overlay).reasons.keys() == bundle.reasons.keys()


@pytest.mark.parametrize("name", [FILE, ".manifest"])
def test_a_file_that_nests_without_end_is_refused_and_takes_nobody_along(tmp_path: Path, name: str) -> None:
    folder = shipped(tmp_path)
    (folder / ".manifest").write_bytes(b"{}")
    (folder / FILE).write_bytes(sign(read_source(folder), private(EC)))
    (folder / name).write_bytes(b"[" * 200_000)
    assert "recursion" in refusal(folder, Trust(public(EC)))
