"""Which series the timeline speaks for: the world says nothing of its own there, in whatever spelling they came.

A scenario that names a GPU's utilisation means what that GPU does. So what would be read from the same source, and the
steps of the same pod, are the timeline's as well: the world shall not contradict what was written down.
"""

from collections.abc import Iterator, Mapping

from agent.adapters.simulated.exposition import Labels
from agent.evidence.labels import NAMESPACE, NODE, POD, first

STEPS = "train_steps_total"
_UTILISATION = ("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_MEM_COPY_UTIL")
_PROFILING = ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "DCGM_FI_PROF_DRAM_ACTIVE")
_POWER = ("DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION")
_SAME_SOURCE = (_UTILISATION, _PROFILING, _POWER)
_GPU_PREFIX = "DCGM_"
_DESCRIPTIVE = ("UUID", "device", "modelName", "pci_bus_id", "container")  # labels that say nothing about which it is


class Claims:
    def __init__(self) -> None:
        self._claims: dict[str, list[Mapping[str, str]]] = {}

    def claim(self, labels: Labels) -> bool:
        """True when the world has to give up something that it was not known to before."""
        fresh = False
        for name, identity in _claimed_with(dict(labels)):
            known = self._claims.setdefault(name, [])
            if identity not in known:
                known.append(identity)
                fresh = True
        return fresh

    def holds(self, named: Mapping[str, str]) -> bool:
        claims = self._claims.get(named["__name__"], ())
        if not claims:
            return False
        identity = _identity(named)
        return any(claim.items() <= identity.items() for claim in claims)


def _claimed_with(named: Mapping[str, str]) -> Iterator[tuple[str, Mapping[str, str]]]:
    name, identity = named["__name__"], _identity(named)
    yield name, identity
    for source in _SAME_SOURCE:
        if name in source:
            yield from ((other, identity) for other in source if other != name)
            if "pod" in identity:
                yield STEPS, {each: identity[each] for each in ("namespace", "pod") if each in identity}


def _identity(named: Mapping[str, str]) -> Mapping[str, str]:
    """Which GPU and pod, or whatever else a series is about."""
    if not named["__name__"].startswith(_GPU_PREFIX):
        return {label: value for label, value in named.items() if label not in (*_DESCRIPTIVE, "__name__")}
    about = {"gpu": named.get("gpu", ""), "node": first(named, NODE)}
    about |= {"namespace": first(named, NAMESPACE), "pod": first(named, POD)}
    return {label: value for label, value in about.items() if value}
