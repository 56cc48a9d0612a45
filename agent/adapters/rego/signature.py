"""Signed bundles, in OPA's form: `.signatures.json` holds one JWT whose payload lists each file with its hash.

Form and hashing: the "Signing" section of OPA's documentation on bundles; `opa sign` makes what is verified here, and
OPA verifies what is signed here. Two things are stricter: only keys that cannot sign with what verifies (no HMAC), and
only algorithms that fit the key, never what the token asks for.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jws
from joserfc.errors import BadSignatureError, JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, RSAKey

from agent.adapters.rego.faults import BundleRefused
from agent.adapters.rego.source import BYTES_AT_MOST, Source

FILE = ".signatures.json"
KEY_ID = "watchkeeper"  # OPA finds its key by this name, unless it is told one
STRUCTURED = ("data.json", ".manifest")  # hashed as values, whatever their white space
_FILE_HASHES: Mapping[str, str] = {"SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES = {"secp256r1": ("ES256",), "secp384r1": ("ES384",), "secp521r1": ("ES512",)}


class _Form(jws.JWSRegistry):
    """A list of two thousand files is longer than what tokens usually carry."""

    max_payload_length = BYTES_AT_MOST


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
    algorithm: str
    signing: RSAKey | ECKey
    if isinstance(key, rsa.RSAPrivateKey):
        algorithm, signing = "RS256", RSAKey.import_key(key_pem)
    elif isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1":
        algorithm, signing = "ES256", ECKey.import_key(key_pem)
    else:
        raise BundleRefused("the signing key is neither RSA nor of the curve P-256")
    header = {"alg": algorithm, "kid": KEY_ID}
    token = jws.serialize_compact(header, json.dumps(payload), signing, registry=_Form(algorithms=[algorithm]))
    return json.dumps({"signatures": [token]}, indent=2).encode() + b"\n"


def file_hash(name: str, content: bytes, algorithm: str) -> str:
    if algorithm not in _FILE_HASHES:
        raise SignatureWrong(f"{name}: {algorithm!r} is no hash that counts here")
    hashed = content
    if name.rpartition("/")[2] in STRUCTURED:
        try:
            value = json.loads(content, parse_int=_Number, parse_float=_Number)
        except (ValueError, RecursionError) as error:
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
    key, algorithms = _checked_by(trust.key_pem)
    try:
        (token,) = json.loads(content)["signatures"]
        payload = json.loads(jws.deserialize_compact(token, key, registry=_Form(algorithms=algorithms)).payload or b"")
    except BadSignatureError:
        raise SignatureWrong(f"{FILE}: it was not made with the key that policies are signed with") from None
    except UnsupportedAlgorithmError as error:
        raise SignatureWrong(f"{FILE}: how it is signed does not fit the key: {error.description}") from error
    except (JoseError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SignatureWrong(f"{FILE}: expected one signature (a compact JWT): {error}") from error
    if not isinstance(payload, dict):
        raise SignatureWrong(f"{FILE}: the JWT has another form")
    if payload.get("scope", "") != trust.scope:
        raise SignatureWrong(f"{FILE}: the scope is {payload.get('scope', '')!r}, expected {trust.scope!r}")
    return payload


def _checked_by(key_pem: bytes) -> tuple[RSAKey | ECKey, tuple[str, ...]]:
    """The key, and the algorithms that fit it. The library would take a private key for a public one, so it is read
    here first; and it takes an empty list of algorithms for any, so there is none."""
    try:
        key = serialization.load_pem_public_key(key_pem)
    except ValueError as error:
        raise SignatureWrong(f"the key that policies are verified with cannot be read: {error}") from error
    if isinstance(key, rsa.RSAPublicKey):
        return RSAKey.import_key(key_pem), _RSA
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return ECKey.import_key(key_pem), _CURVES[key.curve.name]
    raise SignatureWrong("the key that policies are verified with is neither RSA nor of a NIST curve")
