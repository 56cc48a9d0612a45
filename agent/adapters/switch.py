"""The kill switch outside the log: a file on the agent's machine, or an annotation on its ConfigMap.

Either can be set with nothing but a shell or kubectl, when the agent's own doors do not answer. They are read for every
decision and before every step. What cannot be read counts as set.
"""

from pathlib import Path
from typing import Final

from agent.domain.cluster import ObjectRef
from agent.ports import Cluster, NotFound, NotServed

ANNOTATION: Final = "watchkeeper.dev/freeze"


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

    def __init__(self, file: Path, cluster: Cluster, namespace: str, name: str) -> None:
        self._file = file
        self._cluster = cluster
        self._config_map = ObjectRef(api_version="v1", kind="ConfigMap", namespace=namespace, name=name)

    def frozen(self) -> str | None:
        if is_there(self._file):
            return "file"
        return "annotation" if self._annotated() else None

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
