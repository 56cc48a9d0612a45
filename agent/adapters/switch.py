"""The kill switch outside the log: a file on the agent's machine, or an annotation on its ConfigMap.

Either can be set with nothing but a shell or kubectl, when the agent's own doors do not answer. They are read before
every step. What cannot be read counts as set. For decisions, of which a storm makes dozens a second, that it was not
set a second ago will do: whatever they allow is not begun without another look.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from agent.domain.cluster import ObjectRef
from agent.ports import Cluster, NotFound, NotServed

ANNOTATION: Final = "watchkeeper.dev/freeze"
LATELY_S: Final = 1.0


def is_there(file: Path) -> bool:
    """Also a link to nothing, and what cannot be looked at."""
    try:
        file.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


class FreezeSwitch:
    """An agent.ports.Switch."""

    def __init__(
        self, file: Path, cluster: Cluster, namespace: str, name: str, steady: Callable[[], float] | None = None
    ) -> None:
        """`steady`: seconds that only grow. Without them each look is made anew, since a simulation's time stands."""
        self._file = file
        self._cluster = cluster
        self._steady = steady
        self._open_at: float | None = None  # when it was last seen that the annotation is not set
        self._config_map = ObjectRef(api_version="v1", kind="ConfigMap", namespace=namespace, name=name)

    def frozen(self) -> str | None:
        if is_there(self._file):
            return "file"
        began, self._open_at = self._steady() if self._steady else None, None
        if self._annotated():
            return "annotation"
        self._open_at = began
        return None

    def lately(self) -> str | None:
        if self._steady and self._open_at is not None and 0 <= self._steady() - self._open_at < LATELY_S:
            return "file" if is_there(self._file) else None
        return self.frozen()

    def _annotated(self) -> bool:
        """Raises ClusterFault when the API server does not answer: then nothing can be done anyway."""
        try:
            found = self._cluster.get(self._config_map)
        except NotServed:  # every server has ConfigMaps: this one lies, or something before it does
            raise
        except NotFound:
            return False
        annotations = (found.get("metadata") or {}).get("annotations") or {}
        return ANNOTATION in annotations and str(annotations[ANNOTATION]).lower() != "false"
