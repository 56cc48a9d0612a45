"""ResourceFlavors and Topologies in the core's words: which nodes a quota is for, and how close together they stand."""

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.scheduler.shapes import taint, tolerations
from scheduler_core.quota import Flavor
from scheduler_core.topologies import Topology


def flavor(root: Fields) -> Flavor:
    spec = root.within("spec")
    return Flavor(
        name=root.within("metadata").required_text("name"),
        node_labels=spec.strings("nodeLabels"),
        node_taints=tuple(taint(each.values) for each in spec.objects("nodeTaints")),
        tolerations=tolerations(each.values for each in spec.objects("tolerations")),
        topology=spec.text("topologyName") or None,
    )


def topology(root: Fields) -> Topology:
    levels = root.within("spec").objects("levels")
    return Topology(
        name=root.within("metadata").required_text("name"),
        levels=tuple(each.required_text("nodeLabel") for each in levels),
    )
