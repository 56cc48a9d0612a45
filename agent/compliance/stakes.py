"""Whose work a change stops and how much of it is lost, in words: page, Slack and timeline say it alike.

Pure, and from the proposal alone (`agent/domain/stake.py`).
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from agent.domain.stake import Stake, StakeKind, gpu_hours, grows_by

STAKES_SHOWN = 8  # what a person reads; the record has all


def in_all(stakes: Sequence[Stake]) -> str:
    """The sum, and how it grows while nobody answers; empty where no work is lost."""
    if not any(stake.kind is StakeKind.WORK for stake in stakes):
        return ""
    hours = gpu_hours(stakes)
    most = "nobody knows how many GPU-hours of work" if hours is None else f"at most {hours:g} GPU-hours of work"
    return f"{most}, and {grows_by(stakes)} more for every hour until it is done"


def of_each(stakes: Sequence[Stake]) -> Iterator[str]:
    """One owner's part in a line."""
    yield from (_of_one(stake) for stake in stakes[:STAKES_SHOWN])
    if len(stakes) > STAKES_SHOWN:
        yield f"and {len(stakes) - STAKES_SHOWN} more; `approvals show --json` has all"


def _of_one(stake: Stake) -> str:
    whose = f"{stake.whose}{f' ({stake.tenant})' if stake.tenant else ''}"
    stop = f"{whose}: {stake.pods} pods with {stake.gpus} GPUs stop"
    if stake.kind is not StakeKind.WORK:
        return f"{stop}; {_NOT_WORK[stake.kind]}"
    if stake.gpu_hours is None or stake.since is None:
        return f"{stop}; since when it works nobody says"
    at = _shown(stake.since)
    since = f"its last checkpoint ({at})" if stake.saved else f"it started ({at}; it tells of no checkpoint)"
    return f"{stop}; at most {stake.gpu_hours:g} GPU-hours of work since {since}"


_NOT_WORK = {
    StakeKind.STILL: "it stands still already, as a part of it does not run",
    StakeKind.SERVED: "it serves, and keeps nothing",
    StakeKind.IDLE: "it was idle; what it has in memory goes",
}


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
