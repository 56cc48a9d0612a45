"""Tampers of the tree, of its algorithm, of what retention leaves behind, and of the version of the tables."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from tampering import LET_GO, ROW, SIZE, Hand, forged, statement, tamper

from audit import merkle
from audit.merkle import node_hash
from audit.record import leaf_hash

NODE = 'WHERE level = 2 AND "index" = 3'

# --- the tree ---------------------------------------------------------------------------------------------------------

statement("node_deleted", "node_missing", 12, f"DELETE FROM log_nodes {NODE}")
statement("all_nodes_deleted", "node_missing", 0, "DELETE FROM log_nodes")
statement("node_of_records_that_never_were", "tail_missing", SIZE,
          "INSERT INTO log_nodes SELECT 1, 10, leaf FROM log_records WHERE \"index\" = 0")  # fmt: skip
statement("node_that_no_record_completes", "node_unknown", None,
          "INSERT INTO log_nodes SELECT 0, 0, leaf FROM log_records WHERE \"index\" = 0")  # fmt: skip


@tamper("node_differs", 12)
def node_hash_changed(hand: Hand) -> None:
    hand.run(f"UPDATE log_nodes SET hash = ? {NODE}", bytes(32))


@tamper("node_differs", 0)
def nodes_of_one_level_swapped(hand: Hand) -> None:
    for old, new in ((0, 100), (1, 0), (100, 1)):
        hand.run('UPDATE log_nodes SET "index" = ? WHERE level = 2 AND "index" = ?', new, old)


def rebuild_tree(hand: Hand) -> None:
    """All nodes, of the leaves as they are."""
    hand.run("DELETE FROM log_nodes")
    frontier = merkle.Frontier()
    for (leaf,) in hand.run('SELECT leaf FROM log_records ORDER BY "index"'):
        frontier, completed = merkle.append(frontier, bytes(leaf))
        for node in completed:
            hand.run("INSERT INTO log_nodes VALUES (?, ?, ?)", node.level, node.index, node.hash)


@tamper("root_differs", None, by_anchor=True)
def record_and_all_nodes_above_it_changed(hand: Hand) -> None:
    hand.put(forged(hand.stored(ROW), payload="forged"))
    rebuild_tree(hand)


def downgrade(hand: Hand, leaf_of: Callable[[bytes], bytes], node_of: Callable[[bytes, bytes], bytes]) -> None:
    level = []
    for index, body in hand.run('SELECT "index", body FROM log_records ORDER BY "index"'):
        level.append(leaf_of(bytes(body)))
        hand.run('UPDATE log_records SET leaf = ? WHERE "index" = ?', level[-1], index)
    for height in range(1, 6):
        level = [node_of(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        for index, value in enumerate(level):
            hand.run('UPDATE log_nodes SET hash = ? WHERE level = ? AND "index" = ?', value, height, index)


@tamper("body_differs", 0)
def algorithm_downgraded_to_sha_1(hand: Hand) -> None:
    def sha1(data: bytes) -> bytes:
        return hashlib.sha1(data).digest()

    downgrade(hand, lambda body: sha1(b"\x00" + body), lambda left, right: sha1(b"\x01" + left + right))


@tamper("body_differs", 0)
def leaves_without_their_prefix(hand: Hand) -> None:
    """A tree in which a leaf could pose as a node (RFC 9162 puts 0x00 and 0x01 against it)."""
    downgrade(hand, lambda body: hashlib.sha256(body).digest(), node_hash)


@tamper("node_differs", 0)
def nodes_without_their_prefix(hand: Hand) -> None:
    downgrade(hand, leaf_hash, lambda left, right: hashlib.sha256(left + right).digest())


# --- retention and version --------------------------------------------------------------------------------------------


def leave_stubs(hand: Hand, end: int) -> None:
    hand.run(f'INSERT INTO log_stubs SELECT "index", leaf FROM log_records WHERE "index" < {end}')
    hand.remove(f'"index" < {end}')


@tamper("dropped_unsaid", LET_GO)
def more_dropped_than_a_record_says(hand: Hand) -> None:
    leave_stubs(hand, LET_GO + 2)


@tamper("node_differs", 4)
def stub_of_retention_forged(hand: Hand) -> None:
    leave_stubs(hand, LET_GO)
    hand.run('UPDATE log_stubs SET leaf = ? WHERE "index" = 5', leaf_hash(b"what would have been better"))


@tamper("stub_invalid", 5)
def stub_of_retention_removed(hand: Hand) -> None:
    leave_stubs(hand, LET_GO)
    hand.run('DELETE FROM log_stubs WHERE "index" = 5')


@tamper("stub_invalid", 5)
def stub_of_retention_cut_short(hand: Hand) -> None:
    leave_stubs(hand, LET_GO)
    hand.run('UPDATE log_stubs SET leaf = ? WHERE "index" = 5', b"short")


@tamper("index_invalid", 5)
def stubs_beside_the_records_they_stand_for(hand: Hand) -> None:
    hand.run('INSERT INTO log_stubs SELECT "index", leaf FROM log_records WHERE "index" < 5')


statement("schema_version_unknown", "schema_unknown", None, "UPDATE log_schema SET version = 7")
statement("schema_version_removed", "schema_unknown", None, "DELETE FROM log_schema")
statement("schema_version_twice", "schema_unknown", None, "INSERT INTO log_schema VALUES (7)")
statement("nodes_table_dropped", "table_missing", None, "ALTER TABLE log_nodes RENAME TO elsewhere")
statement("parts_table_dropped", "table_missing", None, "ALTER TABLE log_parts RENAME TO elsewhere")
