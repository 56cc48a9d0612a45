"""Checks Ed25519 signatures by RFC 8032 section 5.1.7, with Python's standard library alone. It cannot sign.

This is the one exception to "no crypto of our own": whoever checks an exported log may have nothing but Python, which
has no Ed25519. Nothing here is secret, so nothing needs to take constant time. Signing is `audit.signing`'s, with
the `cryptography` library, and the tests hold both to the same answers.
"""

from __future__ import annotations

import hashlib

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
"""The field's prime and the order of the base point."""

COFACTOR = 8

D = -121665 * pow(121666, -1, P) % P
SQRT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)

Point = tuple[int, int, int, int]
"""Extended homogeneous coordinates (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z."""

NEUTRAL: Point = (0, 1, 1, 0)


class SignatureRefused(Exception):
    """The signature is not one of this key over this message."""


def verify(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Raises `SignatureRefused`, with the reason, unless the owner of `public_key` signed `message`."""
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise SignatureRefused(f"a public key has {PUBLIC_KEY_BYTES} bytes, not {len(public_key)}")
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureRefused(f"a signature has {SIGNATURE_BYTES} bytes, not {len(signature)}")
    key = _key(public_key)
    s = int.from_bytes(signature[32:], "little")
    if s >= L:
        raise SignatureRefused("the signature's second half is not below the group's order")
    digest = hashlib.sha512(signature[:32] + public_key + message).digest()
    k = int.from_bytes(digest, "little") % L
    # R = [S]B - [k]A, compared as bytes, as the implementations do that most signers use.
    if _bytes(_add(_times(s, BASE), _times(k, _negative(key)))) != signature[:32]:
        raise SignatureRefused("the signature does not match key and message")


def check_key(public_key: bytes) -> None:
    """Raises `SignatureRefused` unless this is a point of the curve that only one who knows a secret can sign for.

    For the eight points of small order anybody can: half the messages, or all, verify under a signature of nothing.
    """
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise SignatureRefused(f"a public key has {PUBLIC_KEY_BYTES} bytes, not {len(public_key)}")
    _key(public_key)


def _key(encoded: bytes) -> Point:
    point = _point(encoded)
    x, y, z, _ = _times(COFACTOR, point)
    if x % P == 0 and (y - z) % P == 0:
        raise SignatureRefused("the public key is of small order: anybody could sign for it")
    return point


def _point(encoded: bytes) -> Point:
    """RFC 8032 section 5.1.3."""
    number = int.from_bytes(encoded, "little")
    y, sign = number & (2**255 - 1), number >> 255
    if y >= P:
        raise SignatureRefused("the public key is not in canonical form")
    x = _x_of(y, sign)
    return (x, y, 1, x * y % P)


def _x_of(y: int, sign: int) -> int:
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT_OF_MINUS_1 % P
    if (x * x - square) % P or (x == 0 and sign):
        raise SignatureRefused("the public key is no point of the curve")
    return P - x if x & 1 != sign else x


def _bytes(point: Point) -> bytes:
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _negative(point: Point) -> Point:
    return (-point[0] % P, point[1], point[2], -point[3] % P)


def _add(one: Point, two: Point) -> Point:
    """RFC 8032 section 5.1.4; complete, so it doubles as well."""
    a = (one[1] - one[0]) * (two[1] - two[0]) % P
    b = (one[1] + one[0]) * (two[1] + two[0]) % P
    c = 2 * one[3] * two[3] * D % P
    d = 2 * one[2] * two[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _times(scalar: int, point: Point) -> Point:
    result = NEUTRAL
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point, scalar = _add(point, point), scalar >> 1
    return result


_BASE_Y = 4 * pow(5, -1, P) % P
_BASE_X = _x_of(_BASE_Y, 0)
BASE: Point = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % P)
