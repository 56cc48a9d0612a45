"""RFC 9162 section 2.1, word for word: recursive, slow, and what the fast code must agree with."""

from __future__ import annotations

import hashlib

Leaves = list[bytes]


def hash_of(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    return 1 << ((n - 1).bit_length() - 1)


def mth(d: Leaves) -> bytes:
    """2.1.1: the Merkle tree hash."""
    if not d:
        return hash_of(b"")
    if len(d) == 1:
        return hash_of(b"\x00" + d[0])
    k = split(len(d))
    return hash_of(b"\x01" + mth(d[:k]) + mth(d[k:]))


def path(m: int, d: Leaves) -> list[bytes]:
    """2.1.3.1: the inclusion proof of leaf m."""
    if len(d) == 1:
        return []
    k = split(len(d))
    if m < k:
        return [*path(m, d[:k]), mth(d[k:])]
    return [*path(m - k, d[k:]), mth(d[:k])]


def proof(m: int, d: Leaves) -> list[bytes]:
    """2.1.4.1: the consistency proof from the first m leaves to all."""
    return subproof(m, d, True)


def subproof(m: int, d: Leaves, complete: bool) -> list[bytes]:
    if m == len(d):
        return [] if complete else [mth(d)]
    k = split(len(d))
    if m <= k:
        return [*subproof(m, d[:k], complete), mth(d[k:])]
    return [*subproof(m - k, d[k:], False), mth(d[:k])]
