"""Whether roles may do more with a log in PostgreSQL than `watchkeeper audit migrate` grants: a part of its check.

The guards refuse a change whoever asks for it, but the right to it is the first half of one: whoever got it may wait
for the day on which a guard is off. Ownership is not looked at; an owner may do everything. None of this changes a
record, so it is a warning for a person, with the statement that takes the right back.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from audit.storage.guards_postgresql import NOTES_TABLE
from audit.storage.schema import metadata, parts, stubs, versions
from audit.verdict import Section

_GRANTS = text("""
    WITH log AS (
        SELECT oid, relname, relowner, relacl FROM pg_catalog.pg_class WHERE relname = ANY(:tables)
            AND relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = 'log_records'::regclass)),
    given AS (
        SELECT relname, relowner, '' AS part, acl.* FROM log, pg_catalog.aclexplode(relacl) acl
        UNION ALL
        SELECT relname, relowner, attname, acl.* FROM log
            JOIN pg_catalog.pg_attribute ON attrelid = log.oid AND NOT attisdropped,
            pg_catalog.aclexplode(attacl) acl)
    SELECT relname AS table, part, privilege_type AS verb, is_grantable AS lends,
        CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_catalog.pg_get_userbyid(grantee)) END AS role
    FROM given WHERE grantee <> relowner ORDER BY 1, 5, 3, 2""")
"""What others than the owner were given, of a whole table or (`part`) of one column."""


def _granted() -> dict[str, set[str]]:
    """By table, what a writer, a reader or a redactor has of it."""
    found = {table.name: {"SELECT", "INSERT"} for table in metadata.sorted_tables}
    found[versions.name] = found[stubs.name] = {"SELECT"}
    found[parts.name] = found[NOTES_TABLE] = {"SELECT", "INSERT", "DELETE"}
    return found


def look_at_grants(connection: Connection, warnings: Section) -> None:
    """Adds to the warnings each right that no role of the log has, and each that may be handed on."""
    granted = _granted()
    for row in connection.execute(_GRANTS, {"tables": list(granted)}):
        usual = row.role != "PUBLIC" and row.verb in granted[row.table]
        if usual and not row.lends:
            continue
        what = f"{row.verb} ({row.part}) ON {row.table}" if row.part else f"{row.verb} ON {row.table}"
        lends = " and hand it on" if row.lends else ""
        back = f"REVOKE {'GRANT OPTION FOR ' if usual else ''}{what} FROM {row.role}"
        warnings.add("grant_unknown", None, f"{row.role} may {what}{lends}: {back}")
