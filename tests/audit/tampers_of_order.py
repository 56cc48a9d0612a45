"""Tampers of what is there and in which order: deletion, insertion, duplicates, truncation."""

from __future__ import annotations

from tampering import ROW, SIZE, TAIL, Hand, forged, tamper

# --- deletion, order, insertion ---------------------------------------------------------------------------------------


@tamper("record_missing", ROW)
def record_deleted(hand: Hand) -> None:
    hand.remove('"index" = ?', ROW)


@tamper("record_missing", 0)
def first_record_deleted(hand: Hand) -> None:
    hand.remove('"index" = 0')


@tamper("record_missing", 5)
def segment_dropped(hand: Hand) -> None:
    hand.remove('"index" BETWEEN 5 AND 8')


@tamper("record_missing", 4)
def segment_dropped_with_its_nodes(hand: Hand) -> None:
    hand.remove('"index" BETWEEN 4 AND 7')
    hand.run('DELETE FROM log_nodes WHERE ("index" << level) >= 4 AND (("index" + 1) << level) <= 8')


@tamper("index_differs", ROW)
def record_deleted_and_the_gap_closed(hand: Hand) -> None:
    hand.remove('"index" = ?', ROW)
    for index in range(ROW + 1, SIZE):
        hand.move(index, index - 1)


@tamper("index_differs", 4)
def two_rows_swapped(hand: Hand) -> None:
    for old, new in ((4, 100), (9, 4), (100, 9)):
        hand.move(old, new)


@tamper("node_differs", 4)
def two_records_swapped_with_their_index_forged(hand: Hand) -> None:
    for old, new in ((4, 100), (9, 4), (100, 9)):
        hand.move(old, new)
    for index in (4, 9):
        hand.put(forged(hand.stored(index), index=index))


@tamper("node_differs", 6)
def record_inserted_in_the_middle(hand: Hand) -> None:
    """The forgery is 7; the records from 8 on say that they are 7 and so on."""
    for index in range(SIZE - 1, 6, -1):
        hand.move(index, index + 1)
    hand.add(forged(hand.stored(6), index=7, unique_key=None, attributes={}))


@tamper("node_missing", SIZE - 1)
def record_added_past_the_writer(hand: Hand) -> None:
    hand.add(forged(hand.stored(SIZE - 1), index=SIZE, unique_key=None, attributes={}))


@tamper("index_differs", SIZE)
def record_duplicated(hand: Hand) -> None:
    copied = "INSERT INTO log_records SELECT 21, kind, at, actor, NULL, body, leaf FROM log_records"
    hand.run(f'{copied} WHERE "index" = 3')


@tamper("node_missing", SIZE - 1)
def record_duplicated_with_its_index_forged(hand: Hand) -> None:
    hand.add(forged(hand.stored(4), index=SIZE, unique_key=None, attributes={}))


@tamper("node_differs", 12)
def record_moved_from_another_log(hand: Hand) -> None:
    """The same index, time and form; signed for in the log that it comes from."""
    hand.put(forged(hand.stored(ROW), actor="agent of another cluster", payload={"note": "of another log"}))


# --- the tail ---------------------------------------------------------------------------------------------------------


def cut_tail(hand: Hand) -> None:
    hand.remove('"index" >= ?', TAIL)


@tamper("tail_missing", TAIL)
def tail_truncated(hand: Hand) -> None:
    cut_tail(hand)


@tamper("tail_missing", TAIL, by_anchor=True)
def tail_truncated_with_its_nodes(hand: Hand) -> None:
    cut_tail(hand)
    hand.run(f'DELETE FROM log_nodes WHERE (("index" + 1) << level) > {TAIL}')


@tamper("tail_missing", 0, by_anchor=True)
def everything_truncated(hand: Hand) -> None:
    for table in ("records", "attributes", "parts", "nodes"):
        hand.run(f"DELETE FROM log_{table}")
