"""Can the world work with this manifest? Read it as translation and scheduler will, for their errors.

So a typing error in a scenario is one message that names the object, and never a scheduler that stops hours later.
"""

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.gang_size import templates_of
from agent.adapters.kubernetes.parsed import parse
from agent.adapters.scheduler.queues import check_queue
from agent.adapters.scheduler.shapes import node_of, shape_of
from agent.adapters.simulated.behaviour import check_behaviour
from agent.adapters.simulated.keys import key_of, ref_of, shown
from agent.ports import JsonObject


def check_wellformed(manifest: JsonObject) -> None:
    """Raises ValueError, naming the object and, where it is known, the field."""
    where = shown(key_of(manifest))
    parsed = parse(manifest)
    check_behaviour(manifest)
    _check_limits(parsed.root)
    try:
        if parsed.node is not None:
            node_of(parsed.node)
        check_queue(ref_of(manifest), manifest)
        for spec in _pod_specs(parsed.root):
            shape_of(spec.values)
    except (ValueError, TypeError, AttributeError) as wrong:
        raise ValueError(f"{where}: {wrong}") from wrong


def _check_limits(root: Fields) -> None:
    """Of an autoscaler."""
    if root.text("kind") == "HorizontalPodAutoscaler":
        for limit in ("minReplicas", "maxReplicas"):
            root.within("spec").integer(limit, 1)


def _pod_specs(root: Fields) -> list[Fields]:
    return [root.within("spec")] if root.text("kind") == "Pod" else templates_of(root)
