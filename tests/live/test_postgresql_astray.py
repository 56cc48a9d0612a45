"""Guards that somebody tries to lead astray: by temporary tables named as the log's, and by half a record.

Each role says what psql would let it say. Everybody is given temporary tables here, as a database of before gives
them, so that it is the guards that refuse and not the lack of that right.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from postgresql import OWNER, READER, REDACTOR, WRITER, Postgresql
from postgresql_log import *  # noqa: F403
from sqlalchemy.engine import make_url

from audit.errors import LogDamaged, LogUnavailable
from audit.log import Log
from audit.storage.migrate import migrate
from audit.storage.recheck import fsck_postgresql
from audit.verdict import Verdict

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
RECORDS = 9

SAYS_REDACTED = """CREATE TEMP TABLE log_attributes (index bigint, name text, value text);
    INSERT INTO log_attributes SELECT g, 'redacts', g::text FROM generate_series(0, 9) g;
    CREATE TEMP TABLE log_records (index bigint, kind text, unique_key text, leaf bytea);
    INSERT INTO log_records SELECT g, 'redaction', NULL, NULL FROM generate_series(0, 9) g;"""
SAYS_DROPPED = "CREATE TEMP TABLE log_stubs (index bigint); INSERT INTO log_stubs VALUES (3);"
SAYS_NOT_THE_OWNER = """CREATE TEMP TABLE pg_tables (schemaname text, tablename text, tableowner text);
    INSERT INTO pg_tables VALUES ('public', 'log_parts', 'nobody');"""
SAYS_LONGER = """CREATE TEMP TABLE log_records (index bigint, kind text, unique_key text, leaf bytea);
    INSERT INTO log_records VALUES (999, NULL, NULL, NULL);"""
SAYS_NOTED = """CREATE TEMP TABLE log_records (unique_key text, kind text);
    INSERT INTO log_records SELECT 'log_read:' || at || '/' || id, 'log_read' FROM public.log_read_notes;"""
SAYS_SHORTER = """CREATE TEMP TABLE log_records (index bigint, kind text, unique_key text, leaf bytea);"""
NEXT = (
    "INSERT INTO public.log_records SELECT {index}, kind, at, actor, NULL, body, leaf FROM public.log_records LIMIT 1"
)

LED_ASTRAY = [
    (REDACTOR, SAYS_REDACTED, "DELETE FROM public.log_parts WHERE index = 3", "append-only: DELETE refused"),
    (REDACTOR, SAYS_DROPPED, "DELETE FROM public.log_parts WHERE index = 3", "append-only: DELETE refused"),
    (
        OWNER,
        SAYS_REDACTED + SAYS_NOT_THE_OWNER,
        "DELETE FROM public.log_parts WHERE index = 3",
        "append-only: DELETE refused",
    ),
    (WRITER, SAYS_LONGER, NEXT.format(index=1000), "the next record has the next index"),
    (WRITER, SAYS_SHORTER, "INSERT INTO public.log_attributes VALUES (3, 'x', 'y')", "its record is closed"),
    (WRITER, SAYS_SHORTER, "INSERT INTO public.log_parts VALUES (3, '/x', '\\x00', '\\x00')", "its record is closed"),
    (WRITER, SAYS_NOTED, "DELETE FROM public.log_read_notes", "waits for its record: DELETE refused"),
]


@pytest.fixture
def filled(database: Postgresql) -> Postgresql:
    """Nine records with a sealed text each, a note of a reader, and temporary tables for everybody."""
    with Log.open(database.url(WRITER)) as log:
        for index in range(RECORDS):
            log.append("note", actor="cli/alice", at=NOW, payload={"t": f"text {index}"}, sealed=["/payload/t"])
    database.sql("INSERT INTO log_read_notes (body) VALUES ('i read it all')", READER, "audit")
    database.sql("GRANT TEMPORARY ON DATABASE audit TO PUBLIC", "postgres", "audit")
    return database


def counted(server: Postgresql) -> str:
    tables = ("log_records", "log_attributes", "log_parts", "log_stubs", "log_read_notes")
    return server.sql("SELECT " + ", ".join(f"(SELECT count(*) FROM {table})" for table in tables), "postgres", "audit")


STRAY = [
    (REDACTOR, "redacts", "DELETE FROM log_parts WHERE index = 3", "append-only: DELETE refused"),
    (
        OWNER,
        "first_kept",
        "INSERT INTO log_stubs SELECT index, leaf FROM log_records WHERE index = 0",
        "no record of retention lets it go",
    ),
]


def check(server: Postgresql) -> Verdict:
    return fsck_postgresql(make_url(server.url(WRITER)), processes=1)


@pytest.mark.parametrize(("role", "before", "statement", "refusal"), LED_ASTRAY)
def test_guards_look_at_the_log_and_at_nothing_else(
    filled: Postgresql, role: str, before: str, statement: str, refusal: str
) -> None:
    there = counted(filled)
    assert refusal in filled.sql(f"{before} {statement}", role, "audit")
    assert counted(filled) == there
    assert check(filled).ok


@pytest.mark.parametrize(("role", "name", "statement", "refusal"), STRAY)
def test_an_attribute_without_its_record_lets_nothing_go(
    filled: Postgresql, role: str, name: str, statement: str, refusal: str
) -> None:
    """One that got there before the guards were mended."""
    made = f"SET session_replication_role = replica; INSERT INTO log_attributes VALUES ({RECORDS}, '{name}', '3')"
    assert filled.sql(made, "postgres", "audit") == ""
    assert refusal in filled.sql(statement, role, "audit")


@pytest.mark.parametrize("role", [WRITER, REDACTOR, OWNER])
@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        (f"INSERT INTO log_attributes VALUES ({RECORDS}, 'x', 'y')", "its record is not there"),
        ("INSERT INTO log_attributes VALUES (2, 'x', 'y'), (1000000, 'x', 'y')", "its record is not there"),
        ("INSERT INTO log_attributes VALUES (2, 'x', 'y'), (3, 'x', 'y')", "its record is closed"),
        (f"INSERT INTO log_parts VALUES ({RECORDS}, '/x', '\\x00', '\\x00')", "its record is not there"),
        (f"INSERT INTO log_nodes VALUES (1, {RECORDS // 2}, '\\x00')", "its records are not there"),
        ("INSERT INTO log_nodes VALUES (0, 3, '\\x00')", "there is no such place in a tree"),
        ("INSERT INTO log_nodes VALUES (64, 3, '\\x00')", "there is no such place in a tree"),
        (
            f"INSERT INTO log_records SELECT {RECORDS}, kind, at, actor, NULL, body, leaf FROM log_records LIMIT 1; "
            "INSERT INTO log_attributes VALUES (3, 'x', 'y')",
            "its record is closed",
        ),
        (
            f"INSERT INTO log_records SELECT {RECORDS}, kind, at, actor, NULL, body, leaf FROM log_records LIMIT 1; "
            f"INSERT INTO log_attributes VALUES (3, 'x', 'y'), ({RECORDS}, 'x', 'y')",
            "its record is closed",
        ),
    ],
)
def test_what_belongs_to_a_record_comes_with_it_and_neither_later_nor_earlier(
    filled: Postgresql, role: str, statement: str, refusal: str
) -> None:
    """Nothing is laid in the way of the next append, either."""
    there = counted(filled)
    assert refusal in filled.sql(statement, role, "audit")
    assert counted(filled) == there
    with Log.open(filled.url(WRITER)) as log:
        assert log.append("note", actor="x", at=NOW, attributes={"x": "y"}).index == RECORDS
    assert check(filled).ok


def test_a_node_of_before_that_is_gone_is_not_made_up_for(filled: Postgresql) -> None:
    assert filled.sql("DELETE FROM log_nodes WHERE level = 1 AND index = 1", OWNER, "audit") == ""
    said = filled.sql("INSERT INTO log_nodes VALUES (1, 1, '\\x00')", WRITER, "audit")
    assert "its subtree is closed" in said


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE RULE quiet AS ON INSERT TO log_attributes DO INSTEAD NOTHING",
        "CREATE RULE quiet AS ON INSERT TO log_records DO INSTEAD NOTHING",
        "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; "
        "CREATE TRIGGER quiet BEFORE INSERT ON log_records FOR EACH ROW EXECUTE FUNCTION quiet()",
        "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; "
        "CREATE TRIGGER quiet BEFORE INSERT ON log_attributes FOR EACH ROW EXECUTE FUNCTION quiet()",
    ],
)
def test_an_append_whose_rows_are_dropped_without_a_word_has_not_happened(filled: Postgresql, statement: str) -> None:
    """By the owner's hand: nobody is told that a record is durable which is not there."""
    with Log.open(filled.url(WRITER)) as log:
        log.append("note", actor="x", at=NOW, attributes={"a": "b"})
        assert filled.sql(statement, OWNER, "audit") == ""
        with pytest.raises(LogUnavailable):
            log.append("note", actor="x", at=NOW, attributes={"a": "b"})
        assert log.size() == RECORDS + 1
    assert "guard_unknown" in [each.code for each in check(filled).warnings.problems]


OF_BEFORE = """CREATE OR REPLACE FUNCTION log_refuse_parts() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF EXISTS (SELECT 1 FROM log_attributes WHERE name = 'redacts' AND value = OLD.index::text)
    THEN RETURN OLD; END IF; RAISE EXCEPTION 'refused'; END $$;
    ALTER FUNCTION log_refuse_parts() RESET ALL; UPDATE log_alembic_version SET version_num = '0003'"""


def test_a_log_of_before_is_mended_by_migrating_it(filled: Postgresql) -> None:
    assert filled.sql(OF_BEFORE, OWNER, "audit") == ""
    attack = f"{SAYS_REDACTED} DELETE FROM public.log_parts WHERE index = 3"
    assert filled.sql(attack, REDACTOR, "audit") == ""
    assert [(each.code, each.index) for each in check(filled).completeness.problems] == [("part_missing", 3)]
    migrate(make_url(filled.url(OWNER)), writers=(WRITER,), readers=(READER,), redactors=(REDACTOR,))
    filled.sql("GRANT TEMPORARY ON DATABASE audit TO PUBLIC", "postgres", "audit")
    attack = f"{SAYS_REDACTED} DELETE FROM public.log_parts WHERE index = 4"
    assert "append-only: DELETE refused" in filled.sql(attack, REDACTOR, "audit")


ROW_BY_ROW = """CREATE FUNCTION of_before() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
    DROP TRIGGER log_attributes_insert ON log_attributes;
    CREATE TRIGGER log_attributes_insert BEFORE INSERT ON log_attributes FOR EACH ROW EXECUTE FUNCTION of_before()"""


def test_guards_of_before_stop_appends_until_their_owner_has_made_them_anew(filled: Postgresql) -> None:
    assert filled.sql(ROW_BY_ROW, OWNER, "audit") == ""
    with Log.open(filled.url(WRITER)) as log:
        with pytest.raises(LogUnavailable, match="its owner runs `watchkeeper audit migrate`"):
            log.append("note", actor="x", at=NOW)
        assert log.size() == RECORDS, "it can be read meanwhile"
        migrate(make_url(filled.url(OWNER)))
        assert log.append("note", actor="x", at=NOW).index == RECORDS
    assert not check(filled).warnings.problems


@pytest.mark.parametrize(
    ("statement", "code", "named"),
    [
        ("ALTER FUNCTION log_refuse_parts() RESET search_path", "guard_differs", "log_parts_"),
        ("ALTER FUNCTION log_attributes_insert() SECURITY DEFINER", "guard_differs", "log_attributes_insert"),
        (
            "CREATE OR REPLACE FUNCTION log_refuse() RETURNS trigger LANGUAGE plpgsql "
            "SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$ BEGIN RETURN NEW; END $$",
            "guard_differs",
            "log_records_update",
        ),
        (
            "DROP TRIGGER log_records_delete ON log_records; CREATE TRIGGER log_records_delete BEFORE DELETE "
            "ON log_records FOR EACH ROW WHEN (false) EXECUTE FUNCTION log_refuse()",
            "guard_differs",
            "log_records_delete",
        ),
        (
            "DROP TRIGGER log_records_update ON log_records; CREATE TRIGGER log_records_update BEFORE UPDATE OF kind "
            "ON log_records FOR EACH ROW EXECUTE FUNCTION log_refuse()",
            "guard_differs",
            "log_records_update",
        ),
        ("ALTER TABLE log_nodes DISABLE TRIGGER log_nodes_insert", "guard_missing", "log_nodes_insert"),
        ("ALTER TABLE log_nodes ENABLE REPLICA TRIGGER log_nodes_insert", "guard_missing", "log_nodes_insert"),
        ("DROP TRIGGER log_stubs_truncate ON log_stubs", "guard_missing", "log_stubs_truncate"),
        ("DROP TRIGGER log_read_notes_delete ON log_read_notes", "guard_missing", "log_read_notes_delete"),
        ("CREATE RULE quiet AS ON DELETE TO log_parts DO ALSO NOTHING", "guard_unknown", "quiet"),
    ],
)
def test_a_guard_that_is_not_as_it_was_made_is_told_and_migrating_mends_it(
    filled: Postgresql, statement: str, code: str, named: str
) -> None:
    assert not check(filled).warnings.problems
    assert filled.sql(statement, OWNER, "audit") == ""
    found = check(filled)
    assert found.ok, "no record has changed"
    assert [each.code for each in found.warnings.problems if named in each.reason] and {
        each.code for each in found.warnings.problems
    } == {code}
    migrate(make_url(filled.url(OWNER)))
    assert {each.code for each in check(filled).warnings.problems} == ({code} if code == "guard_unknown" else set())


def test_migrating_takes_temporary_tables_from_everybody(database: Postgresql) -> None:
    database.sql(f"GRANT TEMPORARY ON DATABASE audit TO PUBLIC, {WRITER}", "postgres", "audit")
    migrate(make_url(database.url(OWNER)), writers=(WRITER,), readers=(READER,), redactors=(REDACTOR,))
    for role in (WRITER, READER, REDACTOR):
        assert "permission denied to create temporary tables" in database.sql(
            "CREATE TEMP TABLE log_records (index bigint)", role, "audit"
        )


def test_a_number_that_is_none_does_not_stop_retention(filled: Postgresql) -> None:
    with Log.open(filled.url(WRITER)) as log:
        for said in ("9" * 1000, "soon"):
            log.append("retention", actor="x", at=NOW, attributes={"first_kept": said}, payload={})
        log.append("retention", actor="x", at=NOW, attributes={"first_kept": "1"}, payload={})
    left = "INSERT INTO log_stubs SELECT index, leaf FROM log_records WHERE index = {}"
    assert filled.sql(left.format(0), OWNER, "audit") == ""
    assert "no record of retention lets it go" in filled.sql(left.format(1), OWNER, "audit")


def test_after_a_gap_an_append_says_what_is_wrong_and_what_mends_it(filled: Postgresql) -> None:
    """A gap that got there before the guards were mended."""
    made = "SET session_replication_role = replica; " + NEXT.format(index=1000)
    assert filled.sql(made, "postgres", "audit") == ""
    with Log.open(filled.url(WRITER)) as log:
        with pytest.raises(LogDamaged, match=r"^record \d+: .*`watchkeeper audit fsck`.*owner") as damaged:
            log.append("note", actor="x", at=NOW)
        assert "1001" in str(damaged.value)
        found = check(filled).completeness.problems
        assert ("record_missing", RECORDS) in [(each.code, each.index) for each in found]
        assert filled.sql(f"DELETE FROM log_records WHERE index > {RECORDS}", OWNER, "audit") == ""
        assert log.append("note", actor="x", at=NOW).index == RECORDS
    assert check(filled).ok
