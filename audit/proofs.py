"""Inclusion and consistency proofs of RFC 9162 sections 2.1.3 and 2.1.4: made from stored nodes, checked from nothing.

The checking half is what an outsider runs, so it needs only Python's standard library, trusts no input, and refuses
with a reason; it never answers with a boolean somebody might forget to look at.
"""

from __future__ import annotations

import hmac
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence

from audit.merkle import HASH_BYTES, NodeSource, frontier_nodes, node_hash

MAX_TREE_SIZE = 2**63 - 1
"""What a signed 64-bit index can count; larger sizes are a mistake or an attack on the loops below."""


_HEX = re.compile(r"([0-9a-fA-F]{2})*", re.ASCII)


class ProofRefused(Exception):
    """The proof does not show what it claims."""


def inclusion_proof(index: int, size: int, node: NodeSource) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size` leaves."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    return _path(0, index, size, node)


def consistency_proof(size1: int, size2: int, node: NodeSource) -> list[bytes]:
    """Shows that the tree of `size2` leaves begins with the tree of `size1`.

    That is the path of the last complete subtree of the old tree inside the new one. The subtree's own hash comes
    first, unless it is the whole old tree, whose root the verifier already has.
    """
    if not 0 <= size1 <= size2:
        raise ValueError(f"no tree of {size1} before a tree of {size2}")
    if size1 in (0, size2):
        return []
    level, index = frontier_nodes(size1)[-1]
    seed = [] if size1 == 1 << level else [node(level, index)]
    return seed + _path(level, index, size2, node)


def _path(level: int, index: int, size: int, node: NodeSource) -> list[bytes]:
    """Siblings on the way from a complete subtree to the root. At most one of them is the ragged right edge."""
    path: list[bytes] = []
    while 1 << level < size:
        sibling = index ^ 1
        if (sibling + 1) << level <= size:
            path.append(node(level, sibling))
        elif sibling << level < size:
            path.append(_edge(level, size, node))
        level, index = level + 1, index >> 1
    return path


def _edge(level: int, size: int, node: NodeSource) -> bytes:
    """Root of the incomplete subtree of height `level` at the tree's right end: its frontier, folded."""
    *wider, subtree = [node(at, index) for at, index in frontier_nodes(size) if at < level]
    for left in reversed(wider):
        subtree = node_hash(left, subtree)
    return subtree


def verify_inclusion(leaf_index: int, tree_size: int, leaf_hash: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 section 2.1.3.2: `leaf_hash` is leaf `leaf_index` of the tree with this root, or `ProofRefused`."""
    _check_sizes(leaf_index=leaf_index, tree_size=tree_size)
    _check_hashes(leaf_hash=[leaf_hash], root=[root], proof=proof)
    if leaf_index >= tree_size:
        raise ProofRefused(f"leaf_index {leaf_index} lies beyond tree_size {tree_size}")
    fn, sn, result = leaf_index, tree_size - 1, leaf_hash
    for sibling in proof:
        if sn == 0:
            raise ProofRefused("proof is too long")
        if fn & 1 or fn == sn:
            result = node_hash(sibling, result)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            result = node_hash(result, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise ProofRefused("proof is too short")
    _check_root("root", result, root)


def verify_consistency(size1: int, root1: bytes, size2: int, root2: bytes, proof: Sequence[bytes]) -> None:
    """RFC 9162 section 2.1.4.2: the tree of `size2` leaves extends the tree of `size1`, or `ProofRefused`.

    An empty old tree is refused, as everything extends it: such a "proof" would say nothing while looking like one.
    """
    _check_sizes(size1=size1, size2=size2)
    _check_hashes(proof=proof, root1=[root1], root2=[root2])
    if size1 > size2:
        raise ProofRefused(f"size1 {size1} is larger than size2 {size2}")
    if size1 == 0:
        raise ProofRefused("size1 is 0: every tree extends the empty one, so this proves nothing")
    if size1 == size2:
        if proof:
            raise ProofRefused("proof between equal sizes must be empty")
        return _check_root("root2", root1, root2)
    if not proof:
        raise ProofRefused("proof is empty")
    path = list(proof) if size1 & (size1 - 1) else [root1, *proof]
    old, new = _fold_consistency(size1, size2, path)
    _check_root("root1", old, root1)
    return _check_root("root2", new, root2)


def _fold_consistency(size1: int, size2: int, path: list[bytes]) -> tuple[bytes, bytes]:
    """Both roots from one path: a sibling on the left belongs to both trees, one on the right to the new tree only."""
    fn, sn = size1 - 1, size2 - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if sn == 0:
            raise ProofRefused("proof is too long")
        if fn & 1 or fn == sn:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            new = node_hash(new, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise ProofRefused("proof is too short")
    return old, new


def _check_sizes(**sizes: int) -> None:
    for name, value in sizes.items():
        if type(value) is not int or not 0 <= value <= MAX_TREE_SIZE:
            raise ProofRefused(f"{name} is not an integer from 0 to {MAX_TREE_SIZE}")


def _check_hashes(**hashes: Sequence[bytes]) -> None:
    for name, values in hashes.items():
        for value in values:
            if not isinstance(value, bytes) or len(value) != HASH_BYTES:
                raise ProofRefused(f"{name} has a hash that is not {HASH_BYTES} bytes")


def _check_root(name: str, computed: bytes, claimed: bytes) -> None:
    if not hmac.compare_digest(computed, claimed):
        raise ProofRefused(f"{name} does not match: the proof leads to {computed.hex()}")


def _verify_line(command: str, line: str) -> None:
    """One JSON object with hashes in hex; an unknown or missing member is refused, so a typo cannot pass unseen."""
    try:
        claim = json.loads(line, object_pairs_hook=_once_each)
    except (ValueError, RecursionError) as error:
        raise ProofRefused(f"not JSON: {error}") from error
    verify, members = COMMANDS[command]
    if not isinstance(claim, Mapping) or set(claim) != set(members):
        raise ProofRefused(f"expected an object with exactly {', '.join(members)}")
    verify(**{name: claim[name] if name in SIZES else _unhex(name, claim[name]) for name in members})


def _consistency_claim(size1: int, root1: bytes, size2: int, root2: bytes, proof: Sequence[bytes]) -> None:
    """The published vectors hold that a tree is consistent with itself, and name its root by what is no hash."""
    _check_sizes(size1=size1, size2=size2)
    if size1 == size2 > 0 and root1 == root2 != b"" and not proof:
        return
    verify_consistency(size1, root1, size2, root2, proof)


COMMANDS: dict[str, tuple[Callable[..., None], tuple[str, ...]]] = {
    "verify-inclusion": (verify_inclusion, ("leaf_index", "tree_size", "leaf_hash", "proof", "root")),
    "verify-consistency": (_consistency_claim, ("size1", "root1", "size2", "root2", "proof")),
}
SIZES = ("leaf_index", "tree_size", "size1", "size2")


def main(arguments: Sequence[str], lines: Iterable[str]) -> int:
    """Prints `ok` or `refused: REASON` for each line; exits 0 only if all were ok and there was at least one."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(f"usage: python -m audit.proofs {'|'.join(COMMANDS)} < claims.ndjson", file=sys.stderr)
        return 2
    answers = []
    for line in lines:
        answers.append(_answer(arguments[0], line))
        print(answers[-1], flush=True)
    return 0 if answers and all(answer == "ok" for answer in answers) else 1


def _answer(command: str, line: str) -> str:
    if not line.strip():
        return "refused: empty line"  # an answer for each line, so that the third answer is the third line's
    try:
        _verify_line(command, line)
    except ProofRefused as refusal:
        return f"refused: {refusal}"
    return "ok"


def _unhex(name: str, value: object) -> object:
    if isinstance(value, list) and name == "proof":
        return [_hash(name, item) for item in value]
    if name == "proof":
        raise ProofRefused("proof is not a list")
    return _hash(name, value)


def _hash(name: str, value: object) -> bytes:
    """Two digits a byte and nothing else: `fromhex` would skip blanks, too."""
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise ProofRefused(f"{name} is not hex")
    return bytes.fromhex(value)


def _once_each(members: list[tuple[str, object]]) -> dict[str, object]:
    """A member that stands twice could be read either way."""
    found = dict(members)
    if len(found) != len(members):
        raise ProofRefused("a member stands twice")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], (line.decode("utf-8", "replace") for line in sys.stdin.buffer)))
