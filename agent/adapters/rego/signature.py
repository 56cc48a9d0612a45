"""Signed bundles, in OPA's form: `.signatures.json` holds one JWT whose payload lists each file with its hash.

Form and hashing: the "Signing" section of OPA's documentation on bundles; `opa sign` makes what is verified here, and
OPA verifies what is signed here. Two things are stricter: only keys that cannot sign with what verifies (no HMAC), and
only algorithms that fit the key, never what the token asks for.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from agent.adapters.rego.faults import BundleRefused
from agent.adapters.rego.source import Source

FILE = ".signatures.json"
KEY_ID = "watchkeeper"  # OPA finds its key by this name, unless it is told one
STRUCTURED = ("data.json", ".manifest")  # hashed as values, whatever their white space
_HASHES: Mapping[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_FILE_HASHES: Mapping[str, str] = {"SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


class SignatureWrong(BundleRefused):
    """The bundle is not what the holder of the key signed."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = "policy.signature"


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose bundles are taken: a public key in PEM, and the scope that the signature must name (empty: none)."""

    key_pem: bytes
    scope: str = ""


def verify(source: Source, trust: Trust) -> None:
    """Raises SignatureWrong unless every file is signed, is as it was signed, and none that was signed is missing."""
    if FILE not in source:
        raise SignatureWrong(f"the bundle has no {FILE}, and only signed ones are taken")
    payload = _payload(source[FILE], trust)
    signed: dict[str, Any] = {}
    for entry in payload.get("files") or ():
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or entry["name"] in signed:
            raise SignatureWrong(f"{FILE}: its list of files has another form")
        signed[entry["name"]] = entry
    files = {name: content for name, content in source.items() if name != FILE}
    for name in sorted(files.keys() | signed.keys()):
        if name not in signed:
            raise SignatureWrong(f"{name}: it is not among the signed files")
        if name not in files:
            raise SignatureWrong(f"{name}: it was signed and is missing")
        if file_hash(name, files[name], str(signed[name].get("algorithm"))) != str(signed[name].get("hash")).lower():
            raise SignatureWrong(f"{name}: it has changed since it was signed")


def sign(source: Source, key_pem: bytes, scope: str = "") -> bytes:
    """The `.signatures.json` of these files. Raises BundleRefused for a key that cannot sign."""
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError) as error:
        raise BundleRefused(f"the signing key cannot be read: {error}") from error
    files = [
        {"name": name, "hash": file_hash(name, content, "SHA-256"), "algorithm": "SHA-256"}
        for name, content in source.items()
        if name != FILE
    ]
    payload = {"files": files, **({"scope": scope} if scope else {})}
    algorithm = _algorithm(key)
    parts = ({"alg": algorithm, "kid": KEY_ID}, payload)
    signing_input = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
    token = f"{signing_input}.{_encoded(_made(key, signing_input.encode()))}"
    return json.dumps({"signatures": [token]}, indent=2).encode() + b"\n"


def _algorithm(key: Any) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return "RS256"
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1":
        return "ES256"
    raise BundleRefused("the signing key is neither RSA nor of the curve P-256")


def _made(key: Any, data: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    return _raw(key.sign(data, ec.ECDSA(hashes.SHA256())))


def file_hash(name: str, content: bytes, algorithm: str) -> str:
    if algorithm not in _FILE_HASHES:
        raise SignatureWrong(f"{name}: {algorithm!r} is no hash that counts here")
    hashed = content
    if name.rpartition("/")[2] in STRUCTURED:
        try:
            value = json.loads(content, parse_int=_Number, parse_float=_Number)
        except ValueError as error:
            raise SignatureWrong(f"{name}: {error}") from error
        hashed = "".join(_walked(value)).encode()
    return hashlib.new(_FILE_HASHES[algorithm], hashed).hexdigest()


class _Number(str):
    """A number as it was written: 1.0 is hashed as 1.0."""


def _walked(value: Any) -> list[str]:
    if isinstance(value, dict):
        inner = [[_walked(key)[0], ":", *_walked(value[key]), ","] for key in sorted(value)]
        return ["{", *[word for words in inner for word in words][: -1 if inner else None], "}"]
    if isinstance(value, list):
        items = [[*_walked(item), ","] for item in value]
        return ["[", *[word for words in items for word in words][: -1 if items else None], "]"]
    if isinstance(value, _Number):
        return [str(value)]
    return [json.dumps(value, ensure_ascii=False)]


def _payload(content: bytes, trust: Trust) -> dict[str, Any]:
    try:
        tokens = json.loads(content)["signatures"]
        (token,) = tokens
        head, body, signature = token.split(".")
        header, payload = json.loads(_decoded(head)), json.loads(_decoded(body))
        made = _decoded(signature)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise SignatureWrong(f"{FILE}: expected one signature (a compact JWT): {error}") from error
    if not isinstance(header, dict) or not isinstance(payload, dict):
        raise SignatureWrong(f"{FILE}: the JWT has another form")
    try:
        _checker(trust.key_pem, str(header.get("alg")))(made, f"{head}.{body}".encode())
    except InvalidSignature:
        raise SignatureWrong(f"{FILE}: it was not made with the key that policies are signed with") from None
    if payload.get("scope", "") != trust.scope:
        raise SignatureWrong(f"{FILE}: the scope is {payload.get('scope', '')!r}, expected {trust.scope!r}")
    return payload


def _checker(key_pem: bytes, algorithm: str) -> Callable[[bytes, bytes], None]:
    try:
        key = serialization.load_pem_public_key(key_pem)
    except ValueError as error:
        raise SignatureWrong(f"the key that policies are verified with cannot be read: {error}") from error
    family, digest = algorithm[:2], _HASHES.get(algorithm[2:])
    if isinstance(key, rsa.RSAPublicKey) and digest is not None and family == "RS":
        return lambda made, data: key.verify(made, data, padding.PKCS1v15(), digest)
    if isinstance(key, rsa.RSAPublicKey) and digest is not None and family == "PS":
        salted = padding.PSS(padding.MGF1(digest), digest.digest_size)
        return lambda made, data: key.verify(made, data, salted, digest)
    if isinstance(key, ec.EllipticCurvePublicKey) and digest is not None and _CURVES.get(key.curve.name) == algorithm:
        return lambda made, data: key.verify(_der(made), data, ec.ECDSA(digest))
    raise SignatureWrong(f"{FILE}: it is signed with {algorithm!r}, which does not fit the key")


def _der(raw: bytes) -> bytes:
    """JOSE writes the two numbers of an ECDSA signature one behind the other (RFC 7518, 3.4)."""
    half = len(raw) // 2
    return utils.encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))


def _raw(der: bytes) -> bytes:
    r, s = utils.decode_dss_signature(der)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
