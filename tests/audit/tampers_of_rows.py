"""Tampers of single rows: a field changed, other bytes of the same value, and what is sealed."""

from __future__ import annotations

from tampering import PART, ROW, SEALED, SIZE, Hand, forged, statement, tamper

from audit.record import leaf_hash
from audit.sealing import Part

WHERE = f'WHERE "index" = {ROW}'

# --- a byte flipped, field by field ---------------------------------------------------------------------------------

statement(
    "time_column_changed", "at_differs", ROW, f"UPDATE log_records SET at = '2026-01-31T12:00:14.000000Z' {WHERE}"
)
statement("kind_column_changed", "kind_differs", ROW, f"UPDATE log_records SET kind = 'outcome' {WHERE}")
statement("actor_column_changed", "actor_differs", ROW, f"UPDATE log_records SET actor = 'agenT' {WHERE}")
statement("unique_key_column_changed", "unique_key_differs", ROW, f"UPDATE log_records SET unique_key = 'x' {WHERE}")
statement("unique_key_column_removed", "unique_key_differs", ROW, f"UPDATE log_records SET unique_key = NULL {WHERE}")
statement("index_column_changed", "record_missing", ROW, f'UPDATE log_records SET "index" = 99 {WHERE}')
statement("index_column_negative", "index_invalid", 0, f'UPDATE log_records SET "index" = -5 {WHERE}')
statement("index_far_away", "record_missing", ROW, f'UPDATE log_records SET "index" = 9000000000000000000 {WHERE}')
statement("attribute_value_changed", "attributes_differs", ROW,
          f"UPDATE log_attributes SET value = 'gpu-9' {WHERE} AND name = 'target'")  # fmt: skip
statement("attribute_name_changed", "attributes_differs", ROW,
          f"UPDATE log_attributes SET name = 'node' {WHERE} AND name = 'target'")  # fmt: skip
statement("attribute_removed", "attributes_differs", ROW, f"DELETE FROM log_attributes {WHERE} AND name = 'target'")
statement("attribute_added", "attributes_differs", ROW, f"INSERT INTO log_attributes VALUES ({ROW}, 'tenant', 'a')")
statement("attribute_of_no_record_added", "record_missing", SIZE,
          f"INSERT INTO log_attributes VALUES ({SIZE}, 'tenant', 'a')")  # fmt: skip


@tamper("body_differs", ROW)
def payload_byte_flipped(hand: Hand) -> None:
    hand.change(ROW, b"number 013", b"number 017", leaf=False)


@tamper("body_differs", ROW)
def leaf_byte_flipped(hand: Hand) -> None:
    leaf = bytearray(leaf_hash(hand.body(ROW)))
    leaf[7] ^= 1
    hand.run(f"UPDATE log_records SET leaf = ? {WHERE}", bytes(leaf))


@tamper("body_differs", ROW)
def leaf_cut_short(hand: Hand) -> None:
    hand.run(f"UPDATE log_records SET leaf = ? {WHERE}", leaf_hash(hand.body(ROW))[:31])


@tamper("node_differs", 12)
def payload_changed_with_its_leaf(hand: Hand) -> None:
    hand.change(ROW, b"number 013", b"number 017")


@tamper("node_differs", 12)
def time_changed_with_its_copy_and_leaf(hand: Hand) -> None:
    hand.put(forged(hand.stored(ROW), at="2026-01-31T12:00:14.000000Z"))


@tamper("node_differs", 12)
def actor_changed_with_its_copy_and_leaf(hand: Hand) -> None:
    hand.put(forged(hand.stored(ROW), actor="cli/mallory"))


@tamper("index_differs", ROW)
def index_changed_in_the_body(hand: Hand) -> None:
    hand.change(ROW, b'"index":13', b'"index":14')


@tamper("node_differs", 18)
def last_pair_changed_with_its_leaf(hand: Hand) -> None:
    hand.put(forged(hand.stored(SIZE - 2), payload="forged"))


@tamper("root_differs", None, by_anchor=True)
def last_record_of_an_odd_log_changed_with_its_leaf(hand: Hand) -> None:
    """No stored node covers it yet."""
    hand.put(forged(hand.stored(SIZE - 1), payload="forged"))


# --- other bytes of the same value ------------------------------------------------------------------------------------


@tamper("not_a_record", ROW)
def number_written_differently(hand: Hand) -> None:
    hand.change(ROW, b'"gpus":1', b'"gpus":1.0')


@tamper("not_a_record", ROW)
def keys_reordered(hand: Hand) -> None:
    hand.change(ROW, b'"gpus":1,"note":"evidence number 013"', b'"note":"evidence number 013","gpus":1')


@tamper("not_a_record", ROW)
def key_there_twice(hand: Hand) -> None:
    hand.change(ROW, b'"gpus":1', b'"gpus":8,"gpus":1')


@tamper("not_a_record", ROW)
def attribute_there_twice_in_the_body(hand: Hand) -> None:
    hand.change(ROW, b'"target":"gpu-13"', b'"target":"gpu-13","target":"gpu-13"')


@tamper("not_a_record", ROW)
def white_space_added(hand: Hand) -> None:
    hand.put_body(ROW, hand.body(ROW) + b" ")


@tamper("not_a_record", ROW)
def character_escaped(hand: Hand) -> None:
    hand.change(ROW, "caf\u00e9".encode(), b"caf\\u00e9")


@tamper("node_differs", 12)
def unicode_equal_but_other_bytes(hand: Hand) -> None:
    hand.change(ROW, "caf\u00e9".encode(), "cafe\u0301".encode())


@tamper("not_a_record", ROW)
def text_that_is_no_utf_8(hand: Hand) -> None:
    hand.change(ROW, "caf\u00e9".encode(), b"caf\xe9")


@tamper("not_a_record", ROW)
def member_added(hand: Hand) -> None:
    hand.change(ROW, b'"schema":1', b'"remark":"","schema":1')


@tamper("not_a_record", ROW)
def number_that_is_none(hand: Hand) -> None:
    hand.change(ROW, b'"gpus":1', b'"gpus":NaN')


@tamper("not_a_record", ROW)
def integer_that_other_readers_would_round(hand: Hand) -> None:
    hand.change(ROW, b'"gpus":1', b'"gpus":9007199254740993')


@tamper("not_a_record", ROW)
def nesting_bomb(hand: Hand) -> None:
    hand.change(ROW, b'"gpus":1', b'"gpus":' + b"[" * 200_000)


@tamper("not_a_record", ROW)
def lone_surrogate_escaped(hand: Hand) -> None:
    hand.change(ROW, "caf\u00e9".encode(), b"caf\\ud800")


@tamper("not_a_record", ROW)
def schema_of_a_record_that_nobody_wrote(hand: Hand) -> None:
    hand.change(ROW, b'"schema":1', b'"schema":9')


@tamper("not_a_record", ROW)
def ten_megabytes_that_are_no_record(hand: Hand) -> None:
    hand.put_body(ROW, b"x" * 10_000_000)


# --- what is sealed ---------------------------------------------------------------------------------------------------

SEALED_PART = f"WHERE \"index\" = {PART} AND place = '/payload/reason'"
WORD = f"WHERE \"index\" = {PART} AND place = '/attributes/approver'"
statement("part_removed", "part_missing", PART, f"DELETE FROM log_parts {SEALED_PART}")
statement("all_parts_removed", "part_missing", SEALED[0], "DELETE FROM log_parts")
statement("part_named_otherwise", "part_unknown", PART, f"UPDATE log_parts SET place = '/payload/rack' {SEALED_PART}")
statement("part_found_by_another_word", "word_differs", PART, f"UPDATE log_parts SET word = 'person-3' {WORD}")
statement("part_found_by_no_word", "word_differs", PART, f"UPDATE log_parts SET word = NULL {WORD}")
statement("part_of_another_record", "part_differs", PART,
          f'DELETE FROM log_parts WHERE "index" = {PART}',
          f'UPDATE log_parts SET "index" = {PART} WHERE "index" = {SEALED[2]}')  # fmt: skip


@tamper("part_differs", PART)
def sealed_text_changed(hand: Hand) -> None:
    hand.run(f"UPDATE log_parts SET text = ? {SEALED_PART}", b"because 13")


@tamper("part_differs", PART)
def salt_changed(hand: Hand) -> None:
    hand.run(f"UPDATE log_parts SET salt = ? {SEALED_PART}", bytes(32))


@tamper("part_differs", PART)
def salt_and_text_cut_elsewhere(hand: Hand) -> None:
    """The commitment hashes salt and text as one: a byte moved from one to the other hashes alike."""
    ((salt, text),) = hand.run(f"SELECT salt, text FROM log_parts {SEALED_PART}")
    joined = bytes(salt) + bytes(text)
    hand.run(f"UPDATE log_parts SET salt = ?, text = ? {SEALED_PART}", joined[:33], joined[33:])


@tamper("part_unknown", ROW)
def part_added_to_a_record_without(hand: Hand) -> None:
    hand.run(f"INSERT INTO log_parts VALUES ({ROW}, '/payload/note', ?, ?, NULL)", bytes(32), b"something else")


@tamper("node_differs", 12)
def commitment_replaced_with_its_part(hand: Hand) -> None:
    record, part = hand.stored(PART), Part("/payload/reason", bytes(32), "because I say so")
    hand.put(forged(record, sealed={**record.sealed, part.place: part.commitment}))
    hand.run(f"UPDATE log_parts SET salt = ?, text = ? {SEALED_PART}", part.salt, part.text.encode())


@tamper("node_differs", 12)
def sealed_record_downgraded_to_schema_1(hand: Hand) -> None:
    """With its texts in the open, and no parts: an older form, and valid as such."""
    hand.put(forged(hand.stored(PART), sealed={}))
    hand.remove('"index" = ?', PART, tables=("parts",))


@tamper("node_differs", 12)
def redaction_forged_over_a_record(hand: Hand) -> None:
    """A record that would excuse the missing part, in place of one that was there."""
    attributes, payload = {"redacts": "3"}, {"places": ["/attributes/approver", "/payload/reason"], "reason": "x"}
    hand.put(forged(hand.stored(ROW), kind="redaction", attributes=attributes, payload=payload))
    hand.run(f"DELETE FROM log_attributes {WHERE}")
    hand.run(f"INSERT INTO log_attributes VALUES ({ROW}, 'redacts', '3')")
    hand.remove('"index" = 3', tables=("parts",))
