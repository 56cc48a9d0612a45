"""What a door shows is borne out by the tree: in a real PostgreSQL."""

from __future__ import annotations

from attested_contract import *  # noqa: F403
from postgresql_log import *  # noqa: F403
from test_postgresql_tampers import place  # noqa: F401 - a fixture
