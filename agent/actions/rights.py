"""What an action may do to which kinds of objects, declared beside it: the cluster's RBAC rules are written from this.

A proposal with a step that its action does not declare is refused, so the declarations cannot fall behind the steps.
Reading is not here: every action reads what the view is made of.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.domain.proposal import Step, Verb

CORE, APPS, BATCH, KUEUE, OURS = "", "apps", "batch", "kueue.x-k8s.io", "watchkeeper.dev"


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """Verbs of the API server on one resource, or on a subresource of it."""

    group: str
    resource: str
    verbs: tuple[str, ...]


def plural(kind: str) -> str:
    """As the API server spells the resource of a kind: English, as all our kinds keep to."""
    small = kind.lower()
    if small.endswith(("s", "x", "ch", "sh")):
        return f"{small}es"
    return f"{small[:-1]}ies" if small.endswith("y") else f"{small}s"


def patching(group: str, *kinds: str) -> tuple[Right, ...]:
    return tuple(Right(group, plural(kind), ("patch",)) for kind in kinds)


def scaling(group: str, *kinds: str) -> tuple[Right, ...]:
    """The scale is read, and written as it was read: its version is the precondition."""
    return tuple(Right(group, f"{plural(kind)}/scale", ("get", "update")) for kind in kinds)


EVICTING: tuple[Right, ...] = (Right(CORE, "pods/eviction", ("create",)),)
LEVERS = (  # what holds a gang back and lets it go (levers.py)
    *patching(KUEUE, "Workload"),
    *patching(OURS, "Gang"),
    *patching(BATCH, "Job"),
    *patching("jobset.x-k8s.io", "JobSet"),
)
TEMPLATES = (
    *patching("kubeflow.org", "PyTorchJob"),
    *patching("ray.io", "RayJob"),
)  # beside those above (exclusion.py)
QUEUES = (*patching(KUEUE, "ClusterQueue"), *patching(OURS, "Queue"))


def undeclared(rights: Sequence[Right], steps: Iterable[Step]) -> Right | None:
    """The first right that a step needs and `rights` lack."""
    declared = {(each.group, each.resource, verb) for each in rights for verb in each.verbs}
    needed = (right for step in steps for right in needed_by(step))
    return next((each for each in needed if not {(each.group, each.resource, v) for v in each.verbs} <= declared), None)


def needed_by(step: Step) -> tuple[Right, ...]:
    """Repairs and notices go other ways than through the API server, or by rights of their own."""
    group, kind = step.target.group, step.target.kind
    match step.verb:
        case Verb.PATCH:
            return patching(group, kind)
        case Verb.SCALE:
            return scaling(group, kind)
        case Verb.EVICT:
            return EVICTING
        case Verb.CREATE:
            return (Right(group, plural(kind), ("create",)),)
        case _:
            return ()
