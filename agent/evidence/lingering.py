"""Why a pod that was told to go is still there, in words: whoever is called about it has to know where to look.

Its time to end, which may be an hour of writing a checkpoint, or a finalizer that somebody has not taken away. Pure.
"""

from collections.abc import Iterable

from agent.domain.cluster import ClusterView, Pod
from agent.evidence.lookup import raw_object

NAMED_AT_MOST = 3


def lingering(pods: Iterable[Pod], view: ClusterView) -> str:
    """Of those that are leaving; begins with a colon, and is empty where none is."""
    leaving = sorted((pod for pod in pods if pod.terminating), key=lambda pod: str(pod.ref))
    told = [_why(pod, view) for pod in leaving[:NAMED_AT_MOST]]
    more = [f"{len(leaving) - NAMED_AT_MOST} more"] if len(leaving) > NAMED_AT_MOST else []
    return f": {'; '.join([*told, *more])}" if told else ""


def _why(pod: Pod, view: ClusterView) -> str:
    metadata = raw_object(view, pod.ref).get("metadata") or {}
    finalizers = [str(each) for each in metadata.get("finalizers") or ()]
    until = metadata.get("deletionTimestamp")
    held = f", and held by {', '.join(finalizers)}" if finalizers else ""
    return f"{pod.ref} was told to go by {until}{held}"
