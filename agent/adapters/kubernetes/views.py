"""Takes one look at the cluster: the mirror's objects, translated.

Taking a view often is cheap: when nothing changed, the last translation is given again with the time of this look, and
where nodes or pods changed, the rest of it stands.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from agent.adapters.kubernetes.fields import MalformedObject
from agent.adapters.kubernetes.kinds import KINDS, Kind
from agent.adapters.kubernetes.meeting import Meeting
from agent.adapters.kubernetes.memo import Memo
from agent.adapters.kubernetes.mirror import Copy, Mirror
from agent.adapters.kubernetes.owners import Key
from agent.adapters.kubernetes.parsed import Parsed
from agent.adapters.kubernetes.patching import Change, patched
from agent.adapters.kubernetes.translate import Translation, whole
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
        self._meeting: Meeting | None = None  # what the last one was made from; None while parts of it do not fit
        self._told: frozenset[str] = frozenset()

    def take(self) -> ClusterView:
        now = self._clock.now()
        self._mirror.refresh(now)
        seen = self._mirror.changes()
        if self._last is None or seen:
            last, self._last = self._last, None
            self._last = self._patched(last, seen) or self._translated()
            self._tell()
        return replace(self._last.view, taken_at=now)

    @property
    def malformed(self) -> tuple[MalformedObject, ...]:
        """What the last view leaves out."""
        return self._last.malformed if self._last else ()

    def _patched(
        self, last: Translation | None, seen: Mapping[Key, tuple[Copy | None, Copy | None]]
    ) -> Translation | None:
        """None where everything has to be brought together anew."""
        changes = [_change(key, *copies) for key, copies in seen.items()]
        meeting, self._meeting = self._meeting, None
        plain = [change for change in changes if change is not None]
        if last is None or meeting is None or len(plain) < len(changes):
            return None
        with suppress(MalformedObject):  # told when everything is brought together without it
            view = patched(last.view, meeting, plain, self._clock.now(), self._memo)
            self._meeting = meeting
            return Translation(view, last.malformed) if view is not None else None
        return None

    def _translated(self) -> Translation:
        results = [copy.result for copy in self._mirror.copies.values()]
        bad = tuple(r for r in results if isinstance(r, MalformedObject))
        fit = [r for r in results if isinstance(r, Parsed)]
        translation, meeting = whole(fit, self._clock.now(), self._memo)
        self._meeting = meeting if not translation.malformed else None
        return Translation(translation.view, (*bad, *translation.malformed))

    def _tell(self) -> None:
        now_bad = {str(error): error for error in self.malformed}
        for text, error in now_bad.items():
            if text not in self._told and self._on_malformed:
                self._on_malformed(error)
        self._told = frozenset(now_bad)


def _change(key: Key, before: Copy | None, after: Copy | None) -> Change | None:
    """None for one of which more than itself has to be said: malformed, or known by another name."""
    found = [copy.result if copy is not None else None for copy in (before, after)]
    if any(isinstance(each, MalformedObject) or (each is not None and each.key != key) for each in found):
        return None
    return Change(*(each if isinstance(each, Parsed) else None for each in found))
