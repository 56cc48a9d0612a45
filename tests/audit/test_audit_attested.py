"""What a door shows is borne out by the tree: in a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from attested_contract import *  # noqa: F403
from tampering import File

from audit.merkle import asked_for, load_frontier
from audit.proofs import consistency_proof, inclusion_proof


@pytest.fixture
def place(path: Path) -> File:
    return File(path)


def test_what_a_proof_asks_for_is_known_without_any_hash() -> None:
    for size in range(1, 40):
        for index in range(size):
            asked = asked_for(lambda node, index=index, size=size: inclusion_proof(index, size, node))
            assert len(set(asked)) == len(asked)
            assert all((at + 1) << level <= size for level, at in asked), "only what is inside the tree"
            answers = {place: bytes([number] * 32) for number, place in enumerate(asked)}
            proof = inclusion_proof(index, size, lambda level, at, known=answers: known[level, at])
            assert len(proof) <= size.bit_length()
        assert len(asked_for(lambda node, size=size: load_frontier(size, node))) == size.bit_count()
    assert asked_for(lambda node: consistency_proof(7, 7, node)) == []
