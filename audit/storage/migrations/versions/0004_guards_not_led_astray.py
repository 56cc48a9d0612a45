"""The guards of before believed a temporary table of whoever called them; they are made anew."""

from alembic import op

from audit.storage.guards_postgresql import log_schema, postgresql_functions, postgresql_note_function

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Nothing of the tables changes."""
    schema = log_schema(op.get_bind())
    for version in (1, 2):
        for statement in postgresql_functions(version, schema):
            op.execute(statement)
    op.execute(postgresql_note_function(schema))
