"""A manifest that the world cannot work with is one error that names the object; nothing else is lost."""

from typing import Any

import pytest
from world_builders import KUEUE, at, deployment, node, pod, ref, running, world

from agent.ports import Invalid

Json = dict[str, Any]
QUOTA = {"name": "nvidia.com/gpu", "nominalQuota": "many"}
GROUPS = [{"coveredResources": ["nvidia.com/gpu"], "flavors": [{"name": "f", "resources": [QUOTA]}]}]


def affinity(operator: str) -> Json:
    terms = [{"matchExpressions": [{"key": "zone", "operator": operator, "values": ["a"]}]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def changed(manifest: Json, **spec: Any) -> Json:
    return {**manifest, "spec": {**manifest.get("spec", {}), **spec}}


SCALING = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"}
BAD: list[tuple[Json, str]] = [
    ({"kind": "Pod", "metadata": {"name": "p"}}, "apiVersion"),
    ({"apiVersion": "v1", "metadata": {"name": "p"}}, "kind"),
    ({"apiVersion": "v1", "kind": "Pod", "metadata": {}}, "metadata.name"),
    ({"apiVersion": "v1", "kind": "Pod", "metadata": "p"}, "metadata.name"),
    ({**node("n9"), "status": {"allocatable": {"nvidia.com/gpu": "eight"}}}, "Node/n9.*nvidia.com/gpu"),
    ({**pod("p"), "status": {"phase": "Tired"}}, "Pod/a/p.*phase"),
    (changed(pod("p"), containers=[{"name": "m", "resources": {"limits": {"cpu": "fast"}}}]), "Pod/a/p.*cpu"),
    (changed(pod("p"), affinity=affinity("Near")), "Pod/a/p.*Near"),
    (changed(pod("p"), affinity="close"), "Pod/a/p"),
    (changed(pod("p"), tolerations=["everything"]), "Pod/a/p"),
    (changed(deployment("web", 1), template={"spec": {"affinity": affinity("Near")}}), "Deployment/a/web.*Near"),
    (
        {"apiVersion": KUEUE, "kind": "ClusterQueue", "metadata": {"name": "q"}, "spec": {"resourceGroups": GROUPS}},
        "ClusterQueue/q.*many",
    ),
    (
        {"apiVersion": KUEUE, "kind": "ClusterQueue", "metadata": {"name": "q"}, "spec": {"stopPolicy": "Stop"}},
        "ClusterQueue/q.*Stop",
    ),
    ({**SCALING, "metadata": {"name": "h"}, "spec": {"maxReplicas": "many"}}, "Autoscaler/h.*maxReplicas"),
]


def test_a_deployment_that_says_nothing_of_what_it_wants_stops_nobody() -> None:
    made = world(node("n1"), {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"}}, pod("good"))
    made.advance_to(at(30))
    assert running(made)["good"] == "n1"


@pytest.mark.parametrize(("manifest", "named"), BAD)
def test_it_is_refused_by_load_and_by_apply(manifest: Json, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        world(manifest)
    made = world(node("n1"))
    before = made.dump()
    with pytest.raises(ValueError, match=named):
        made.apply(manifest)
    assert made.dump() == before
    made.apply(pod("good"))
    made.advance_to(at(30))
    assert running(made) == {"good": "n1"}


@pytest.mark.parametrize(("manifest", "named"), BAD)
def test_it_is_refused_by_the_api_server(manifest: Json, named: str) -> None:
    with pytest.raises(Invalid, match=named):
        world().cluster.create(manifest)


def test_a_patch_that_would_make_it_so_is_refused() -> None:
    made = world(deployment("web", 1))
    body = {"spec": {"template": {"spec": {"affinity": affinity("Near")}}}}
    with pytest.raises(Invalid, match="Near"):
        made.cluster.patch(ref("apps/v1", "Deployment", "web"), body)
