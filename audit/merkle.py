"""The Merkle tree of RFC 9162 section 2.1, as pure functions over hashes.

A tree of n leaves is kept as its *frontier*: the roots of the complete subtrees that the binary form of n names,
widest first. Appending touches only the frontier's end, so it costs O(log n) at worst and one hash on average, and the
complete subtrees (*nodes*) it finishes never change again: a store may keep them append-only and prove from them later.

The RFC's own recursive definition lives in the tests, as the reference for this one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

HASH_BYTES = 32

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""


@dataclass(frozen=True, slots=True)
class Node:
    """A complete subtree: it covers leaves [index << level, (index + 1) << level). A leaf is a node of level 0."""

    level: int
    index: int
    hash: bytes


NodeSource = Callable[[int, int], bytes]
"""Answers the hash of the complete subtree (level, index); the caller asks only for subtrees inside the tree."""


def asked_for(make: Callable[[NodeSource], object]) -> list[tuple[int, int]]:
    """The subtrees (level, index) that this asks for, so that they can be had at once.

    It is run for it, with hashes that mean nothing: which it asks for must depend on sizes and indexes alone.
    """
    asked: dict[tuple[int, int], None] = {}

    def note(level: int, index: int) -> bytes:
        asked[level, index] = None
        return EMPTY_ROOT

    make(note)
    return list(asked)


@dataclass(frozen=True, slots=True)
class Frontier:
    """All that is needed of a tree to append to it and to name its root."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf. The 0x00 keeps a leaf from posing as an inner node."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def frontier_nodes(size: int) -> list[tuple[int, int]]:
    """(level, index) of the frontier's subtrees of a tree of `size` leaves, widest first."""
    return [(level, (size >> level) - 1) for level in range(size.bit_length() - 1, -1, -1) if size >> level & 1]


def load_frontier(size: int, node: NodeSource) -> Frontier:
    """The frontier of a tree whose complete subtrees are at hand."""
    return Frontier(size, tuple(node(level, index) for level, index in frontier_nodes(size)))


def append(frontier: Frontier, leaf: bytes) -> tuple[Frontier, list[Node]]:
    """The frontier with one more leaf, and the inner nodes which that leaf completes, lowest first."""
    size, hashes = frontier.size, list(frontier.hashes)
    completed: list[Node] = []
    level, subtree = 0, leaf
    while size >> level & 1:
        subtree = node_hash(hashes.pop(), subtree)
        level += 1
        completed.append(Node(level, size >> level, subtree))
    hashes.append(subtree)
    return Frontier(size + 1, tuple(hashes)), completed


def root(frontier: Frontier) -> bytes:
    """The Merkle tree hash: the frontier folded from its narrow end."""
    if not frontier.hashes:
        return EMPTY_ROOT
    *wider, subtree = frontier.hashes
    for left in reversed(wider):
        subtree = node_hash(left, subtree)
    return subtree
