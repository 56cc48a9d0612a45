"""Does the log outlive the pod? A pod that moves begins with what its volumes bring, and evidence that lay in its own
layer is gone with it."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.config import Settings
from agent.doctor.finding import Finding, ok, warn

MOUNTS = Path("/proc/self/mountinfo")
IN_A_POD = "KUBERNETES_SERVICE_HOST"  # a kubelet sets it in every container
GONE_WITH_THE_POD = "kubernetes.io~empty-dir"  # in the path at which a kubelet keeps such a volume
_REMEDY = "put it on a PersistentVolume, which a standby needs as well, or set log: postgresql://…"


def moving(settings: Settings, mounts: Path = MOUNTS, environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    if settings.world != "live" or IN_A_POD not in environment:
        return
    if settings.log is not None:
        yield ok("moving", "the log lies in PostgreSQL: whoever takes charge goes on by it")
        return
    folder = settings.database.resolve().parent
    where = _lies_on(folder, _read(mounts))
    if where == "volume":
        yield ok("moving", f"{folder} is a volume: the log goes where it goes")
    else:
        yield warn("moving", f"the log in {folder} is gone with the pod: it lies {where}", _REMEDY)


def _read(mounts: Path) -> str:
    try:
        return mounts.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _lies_on(folder: Path, mountinfo: str) -> str:
    """The mount nearest to it says so. By proc(5) the fourth word is the root in its file system, the fifth where it
    is mounted."""
    nearest, root = Path("/"), ""
    for line in mountinfo.splitlines():
        words = line.split(" ")
        if len(words) < 5:
            continue
        at = Path(words[4])
        if (folder == at or at in folder.parents) and len(at.parts) >= len(nearest.parts):
            nearest, root = at, words[3]
    if nearest == Path("/"):
        return "in the container's own layer"
    return "in an emptyDir" if GONE_WITH_THE_POD in root else "volume"
