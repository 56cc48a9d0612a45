"""Why a gang gets no quota, as Kueue writes it into a Workload's condition: people and tools know these words."""

from collections.abc import Callable, Mapping

from scheduler_core.explanation import Explanation, Reason
from scheduler_core.model import Gang


def in_kueues_words(gang: Gang, why: Explanation) -> str:
    """The core's own sentence where Kueue has none for it."""
    worded = _WORDS.get(why.reason)
    if worded is None or "/" not in why.resource:
        return why.message
    flavor, _, resource = why.resource.partition("/")
    asking = (each.name for each in gang.pod_sets if each.requests.get(resource))
    name = next(asking, gang.pod_sets[0].name)
    return f"couldn't assign flavors to pod set {name}: {worded(f'{resource} in flavor {flavor}', resource, why)}"


def _waits(what: str, resource: str, why: Explanation) -> str:
    return f"insufficient unused quota for {what}, {_shown(resource, why.wanted - why.available)} more needed"


def _exceeds(what: str, resource: str, why: Explanation) -> str:
    wanted, most = _shown(resource, why.wanted), _shown(resource, why.available)
    before = "previously considered podsets requests (0)"
    return f"insufficient quota for {what}, {before} + current podset request ({wanted}) > maximum capacity ({most})"


def _shown(resource: str, amount: int) -> str:
    return f"{amount}m" if resource == "cpu" else str(amount)


_WORDS: Mapping[Reason, Callable[[str, str, Explanation], str]] = {
    Reason.WAITING_FOR_QUOTA: _waits,
    Reason.EXCEEDS_MAX_QUOTA: _exceeds,
}
