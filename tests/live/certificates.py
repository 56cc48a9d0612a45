"""A small certificate authority for servers on loopback and for the people and programs that call them.

Everything is made anew for each run and lasts as long as is asked for, also a few seconds: that is how a test sees what
becomes of a client whose certificate or token runs out.
"""

from __future__ import annotations

import base64
import ipaddress
import json
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LASTS = timedelta(days=365)  # Kueue makes anew what has less than 90 days left
BEGAN = timedelta(minutes=5)  # two clocks of one machine may differ by as much
LEEWAY = timedelta(minutes=1)  # for which an API server still takes a token that has run out
_COORDINATE_BYTES = 32  # of P-256
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def pem_of(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


class Authority:
    """`like_kueue`: with its name among those of servers, and a key in PKCS #1, as Kueue makes its own."""

    def __init__(self, name: str, like_kueue: bool = False) -> None:
        self._key: Key = (
            rsa.generate_private_key(65537, 2048) if like_kueue else ec.generate_private_key(ec.SECP256R1())
        )
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=True,
            data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        made = (
            self._of(self._name, self._key, LASTS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
        )
        if like_kueue:
            made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        self.certificate = made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        self.key = pem_of(self._key)

    def server(self, *names: str, common_name: str = "server") -> tuple[bytes, bytes]:
        """Certificate and key for who answers under these names and addresses."""
        known = [
            x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names
        ]
        return self._issued(common_name, (), LASTS, [ExtendedKeyUsageOID.SERVER_AUTH], known)

    def client(self, user: str, groups: tuple[str, ...] = (), lasts: timedelta = LASTS) -> tuple[bytes, bytes]:
        """Certificate and key by which an API server knows a user and the groups."""
        return self._issued(user, groups, lasts, [ExtendedKeyUsageOID.CLIENT_AUTH], [])

    def _issued(
        self,
        common_name: str,
        groups: tuple[str, ...],
        lasts: timedelta,
        uses: list[x509.ObjectIdentifier],
        names: list[x509.DNSName | x509.IPAddress],
    ) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        subject.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
        made = self._of(x509.Name(subject), key, lasts).add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        if names:
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        signed = made.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM), pem_of(key)

    def _of(self, subject: x509.Name, key: Key, lasts: timedelta) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BEGAN)
            .not_valid_after(now + lasts)
        )


class TokenIssuer:
    """Signs the tokens of service accounts as the API server does, which checks them by the same key."""

    def __init__(self, issuer: str) -> None:
        self._issuer, self._key = issuer, ec.generate_private_key(ec.SECP256R1())

    @property
    def key(self) -> bytes:
        return pem_of(self._key)

    def token(self, namespace: str, account: str, uid: str, lasts: timedelta) -> str:
        """RFC 7519 by ES256 (RFC 7518, 3.4), with the private claims of Kubernetes; taken for as long as `lasts`, and
        for ten seconds more by a server that has just seen it."""
        now = datetime.now(UTC)
        began = int((now - LEEWAY - BEGAN).timestamp())
        claims = {
            "iss": self._issuer,
            "aud": [self._issuer],
            "sub": f"system:serviceaccount:{namespace}:{account}",
            "iat": began,
            "nbf": began,
            "exp": int((now + lasts - LEEWAY).timestamp()),
            "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": account, "uid": uid}},
        }
        signed = f"{_segment(json.dumps({'alg': 'ES256', 'typ': 'JWT'}))}.{_segment(json.dumps(claims))}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        raw = r.to_bytes(_COORDINATE_BYTES, "big") + s.to_bytes(_COORDINATE_BYTES, "big")
        return f"{signed}.{_unpadded(raw)}"


def _segment(text: str) -> str:
    return _unpadded(text.encode())


def _unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
