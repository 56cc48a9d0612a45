"""The tree and its proofs agree with the RFC's definition, and nothing but a true proof is accepted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import rfc9162
from hypothesis import given, strategies as st

from audit import merkle, proofs
from audit.proofs import ProofRefused, verify_consistency, verify_inclusion
from tests.tried import tried

VECTORS = Path(__file__).parent / "vectors"
SIZES = range(70)


@dataclass
class Tree:
    """Leaves with the nodes and frontiers that appending them one by one gives."""

    leaves: list[bytes]

    def __post_init__(self) -> None:
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.frontier = merkle.Frontier()
        for index, leaf in enumerate(self.leaves):
            hashed = merkle.leaf_hash(leaf)
            self.nodes[0, index] = hashed
            self.frontier, completed = merkle.append(self.frontier, hashed)
            self.nodes |= {(node.level, node.index): node.hash for node in completed}

    def node(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]


def tree(size: int) -> Tree:
    return Tree([b"leaf %d" % index for index in range(size)])


@pytest.mark.parametrize("size", SIZES)
def test_appending_gives_the_root_of_the_rfc(size: int) -> None:
    grown = tree(size)
    assert merkle.root(grown.frontier) == rfc9162.mth(grown.leaves)
    assert merkle.load_frontier(size, grown.node) == grown.frontier


@pytest.mark.parametrize("size", SIZES)
def test_inclusion_proofs_are_those_of_the_rfc_and_verify(size: int) -> None:
    grown = tree(size)
    root = merkle.root(grown.frontier)
    for index in range(size):
        proof = proofs.inclusion_proof(index, size, grown.node)
        assert proof == rfc9162.path(index, grown.leaves)
        verify_inclusion(index, size, grown.nodes[0, index], proof, root)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 13, 33, 64])
def test_consistency_proofs_are_those_of_the_rfc_and_verify(size: int) -> None:
    grown = tree(size)
    for old in range(1, size + 1):
        proof = proofs.consistency_proof(old, size, grown.node)
        assert proof == rfc9162.proof(old, grown.leaves)
        verify_consistency(old, rfc9162.mth(grown.leaves[:old]), size, merkle.root(grown.frontier), proof)


def flipped(data: bytes, bit: int) -> bytes:
    bit %= len(data) * 8
    return bytes(byte ^ (1 << bit % 8 if position == bit // 8 else 0) for position, byte in enumerate(data))


@tried(150)
@given(st.data(), st.integers(1, 200))
def test_an_inclusion_proof_with_one_thing_changed_is_refused(data: st.DataObject, size: int) -> None:
    grown = tree(size)
    index = data.draw(st.integers(0, size - 1))
    leaf, root = grown.nodes[0, index], merkle.root(grown.frontier)
    proof = proofs.inclusion_proof(index, size, grown.node)
    bit = data.draw(st.integers(0, 255))
    changed = [
        (index, size, flipped(leaf, bit), proof, root),
        (index, size, leaf, proof, flipped(root, bit)),
        (index, size, leaf, [*proof, leaf], root),
        (size, size, leaf, proof, root),
        *((index, size, leaf, proof[:at] + proof[at + 1 :], root) for at in range(len(proof))),
        *(
            (index, size, leaf, [*proof[:at], flipped(item, bit), *proof[at + 1 :]], root)
            for at, item in enumerate(proof)
        ),
        *((other, size, leaf, proof, root) for other in range(size) if other != index),
    ]
    for claim in changed:
        with pytest.raises(ProofRefused):
            verify_inclusion(*claim)


@tried(150)
@given(st.data(), st.integers(2, 200))
def test_a_consistency_proof_with_one_thing_changed_is_refused(data: st.DataObject, size: int) -> None:
    grown = tree(size)
    old = data.draw(st.integers(1, size - 1))
    root1, root2 = rfc9162.mth(grown.leaves[:old]), merkle.root(grown.frontier)
    proof = proofs.consistency_proof(old, size, grown.node)
    bit = data.draw(st.integers(0, 255))
    changed = [
        (old, flipped(root1, bit), size, root2, proof),
        (old, root1, size, flipped(root2, bit), proof),
        (old, root1, size, root2, [*proof, root1]),
        (old, root2, size, root1, proof),
        (size, root1, old, root2, proof),
        (0, root1, size, root2, proof),
        *((old, root1, size, root2, proof[:at] + proof[at + 1 :]) for at in range(len(proof))),
        *((old, root1, size, root2, [*proof[:at], flipped(it, bit), *proof[at + 1 :]]) for at, it in enumerate(proof)),
    ]
    for claim in changed:
        with pytest.raises(ProofRefused):
            verify_consistency(*claim)


@pytest.mark.parametrize("kind", ["inclusion", "consistency"])
def test_the_command_answers_as_the_published_vectors_do(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    vectors = [json.loads(line) for line in (VECTORS / f"{kind}.ndjson").read_text().splitlines()]
    assert proofs.main([f"verify-{kind}"], [json.dumps(vector["claim"]) for vector in vectors]) == 1
    answers = capsys.readouterr().out.splitlines()
    wrong = [
        (vector["name"], answer)
        for vector, answer in zip(vectors, answers, strict=True)
        if (answer != "ok") != vector["refused"]
    ]
    assert wrong == []
    assert len(vectors) > 90


GOOD = {"leaf_index": 0, "tree_size": 1, "leaf_hash": "00" * 32, "proof": [], "root": "00" * 32}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "exactly"),
        (json.dumps(GOOD | {"extra": 1}), "exactly"),
        (json.dumps(GOOD | {"leaf_index": True}), "not an integer"),
        (json.dumps(GOOD | {"leaf_index": -1}), "not an integer"),
        (json.dumps(GOOD | {"tree_size": 2**63}), "not an integer"),
        (json.dumps(GOOD | {"tree_size": 1.0}), "not an integer"),
        (json.dumps(GOOD | {"proof": "00" * 32}), "not a list"),
        (json.dumps(GOOD | {"proof": [["00" * 32]]}), "not hex"),
        (json.dumps(GOOD | {"proof": None}), "not a list"),
        (json.dumps(GOOD | {"leaf_hash": "00" * 31}), "not 32 bytes"),
        (json.dumps(GOOD | {"root": "zz"}), "not hex"),
        (json.dumps(GOOD | {"root": "00 " * 32}), "not hex"),
        (json.dumps(GOOD | {"leaf_hash": int("1" * 64)}), "not hex"),
        (json.dumps(GOOD)[:-1] + ', "tree_size": 9}', "stands twice"),
    ],
)
def test_a_malformed_claim_is_refused_with_a_reason(line: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert proofs.main(["verify-inclusion"], [line]) == 1
    answer = capsys.readouterr().out
    assert answer.startswith("refused: ") and reason in answer


def test_a_good_claim_is_ok_and_silence_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert proofs.main(["verify-inclusion"], [json.dumps(GOOD)]) == 0
    assert capsys.readouterr().out == "ok\n"
    assert proofs.main(["verify-inclusion"], []) == 1


@pytest.mark.parametrize("line", ["", "\n", " \t\n", "\x85\n", "\f\n"])
def test_each_line_has_its_answer(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert proofs.main(["verify-inclusion"], [json.dumps(GOOD), line, json.dumps(GOOD)]) == 1
    assert capsys.readouterr().out == "ok\nrefused: empty line\nok\n"


@pytest.mark.parametrize("root", ["", "00", "00" * 31, "00" * 33])
def test_roots_that_are_no_hashes_prove_nothing_even_where_they_are_equal(root: str) -> None:
    with pytest.raises(ProofRefused, match="not 32 bytes"):
        verify_consistency(3, bytes.fromhex(root), 3, bytes.fromhex(root), [])
