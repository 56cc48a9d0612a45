"""Starts held for large gangs in the queues of our own: what a site may set about them.

Off unless asked for. What is foreseen must be what happens, and Kueue and Kubernetes' own scheduler hold no starts;
only a site whose `Queue`s are driven by this core should say that it does.
"""

from pydantic import Field

from agent.domain.base import Noun


class Reservations(Noun):
    """Times in seconds; the defaults are the core's, and so are their reasons (`scheduler_core/backfill_rules.py`)."""

    depth: int = Field(
        1, ge=1, le=64, description="gangs that hold a start: 1 is EASY backfilling, more the conservative kind"
    )
    aging_s: int = Field(
        21_600, ge=60, le=30 * 86_400, description="waiting so long lifts a gang by one class of priority"
    )
    patience_s: int = Field(
        3_600, ge=0, le=30 * 86_400,
        description="having waited so long a gang holds its place though nobody knows the time",
    )  # fmt: skip
