"""What would make PostgreSQL forget records that it said are durable: such a log takes no more, and its check tells.

An unlogged table is empty after a crash, by its documentation; without `fsync` the server does not wait for its disk.
Either is quiet until the power fails, and a log without an anchor then looks like a new one.
"""

from __future__ import annotations

FAULTS = """
    SELECT string_agg(fault, '; ' ORDER BY fault) FROM (
        SELECT 'the server''s fsync is off: what it says is durable is not' AS fault
            WHERE pg_catalog.current_setting('fsync') <> 'on'
        UNION ALL SELECT 'the table ' || relname || ' is unlogged: a crash empties it' FROM pg_catalog.pg_class
            WHERE oid IN ('log_records'::regclass, 'log_attributes'::regclass, 'log_nodes'::regclass,
                'log_parts'::regclass, 'log_stubs'::regclass) AND relpersistence <> 'p') AS faults"""
"""SQL for one text, null where all is well; an expression of others' statements, so that it costs no way of its own."""
