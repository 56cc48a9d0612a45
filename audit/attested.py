"""Records held against the tree before anybody sees them: what a door shows is then what the whole log stands for.

A record that was changed together with its leaf looks right on its own. Its leaf no longer leads to the root, though,
so it is found by the same path of hashes that proves it to an outsider. All paths of a page are looked up at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from audit import merkle
from audit.errors import LogDamaged
from audit.merkle import NodeSource
from audit.proofs import ProofRefused, inclusion_proof, verify_inclusion
from audit.record import Record
from audit.storage.transaction import Transaction

_CHANGED = "it does not lead to the root of the log: it, or one beside it, was changed together with its leaf"


def attested(transaction: Transaction, found: Sequence[Record | LogDamaged]) -> list[Record | LogDamaged]:
    """In place of each record that the tree does not bear out, what is wrong with it."""
    indexes, size = [each.index for each in found if isinstance(each, Record)], transaction.size()
    try:
        bad = _not_borne_out(transaction, indexes, size)
    except LogDamaged:  # hashes are missing from the tree: each record on its own, as far as it can be proved
        bad = {index for index in indexes if not _is_provable(transaction, index, size)}
    return [LogDamaged(each.index, _CHANGED) if each.index in bad else each for each in found]


def _is_provable(transaction: Transaction, index: int, size: int) -> bool:
    try:
        return not _not_borne_out(transaction, [index], size)
    except LogDamaged:
        return False


def _not_borne_out(transaction: Transaction, indexes: Sequence[int], size: int) -> set[int]:
    def paths(node: NodeSource) -> tuple[bytes, list[tuple[int, bytes, list[bytes]]]]:
        root = merkle.root(merkle.load_frontier(size, node))
        return root, [(index, node(0, index), inclusion_proof(index, size, node)) for index in indexes]

    root, known = transaction.proved(paths)
    return {index for index, leaf, path in known if not _leads_to(root, index, size, leaf, path)}


def _leads_to(root: bytes, index: int, size: int, leaf: bytes, path: list[bytes]) -> bool:
    try:
        verify_inclusion(index, size, leaf, path, root)
    except ProofRefused:
        return False
    return True
