"""Takes one look at the cluster: the mirror's objects, translated.

Taking a view often is cheap: when nothing changed, the last translation is given again with the time of this look.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from agent.adapters.kubernetes.fields import MalformedObject
from agent.adapters.kubernetes.kinds import KINDS, Kind
from agent.adapters.kubernetes.memo import Memo
from agent.adapters.kubernetes.mirror import Mirror
from agent.adapters.kubernetes.parsed import Parsed
from agent.adapters.kubernetes.translate import Translation, assemble
from agent.domain.cluster import ClusterView
from agent.ports import Clock, Cluster


class ClusterViews:
    """ports.Views. Malformed objects are left out of the view and told once per change through `on_malformed`."""

    def __init__(
        self,
        cluster: Cluster,
        clock: Clock,
        *,
        on_malformed: Callable[[MalformedObject], None] | None = None,
        kinds: Sequence[Kind] = KINDS,
    ) -> None:
        self._clock = clock
        self._on_malformed = on_malformed
        self._mirror = Mirror(cluster, kinds)
        self._memo = Memo()
        self._last: Translation | None = None
        self._told: frozenset[str] = frozenset()

    def take(self) -> ClusterView:
        now = self._clock.now()
        changed = self._mirror.refresh(now)
        if self._last is None or changed:
            self._last = self._translated()
            self._tell()
        return replace(self._last.view, taken_at=now)

    @property
    def malformed(self) -> tuple[MalformedObject, ...]:
        """What the last view leaves out."""
        return self._last.malformed if self._last else ()

    def _translated(self) -> Translation:
        results = [copy.result for copy in self._mirror.copies.values()]
        bad = tuple(r for r in results if isinstance(r, MalformedObject))
        translation = assemble([r for r in results if isinstance(r, Parsed)], self._clock.now(), self._memo)
        return Translation(translation.view, (*bad, *translation.malformed))

    def _tell(self) -> None:
        now_bad = {str(error): error for error in self.malformed}
        for text, error in now_bad.items():
            if text not in self._told and self._on_malformed:
                self._on_malformed(error)
        self._told = frozenset(now_bad)
