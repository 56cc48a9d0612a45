"""What is written beside a deed: the Event on the object, the User-Agent, the path of what is asked for."""

import pytest

from agent.acting import Deed, acting, current
from agent.adapters.kubernetes.live.connection import user_agent
from agent.adapters.kubernetes.live.deeds import event_of
from agent.adapters.kubernetes.live.discovery import Resource, resources_in
from agent.domain.cluster import ObjectRef
from agent.ports import ClusterFault, Invalid

DEED = Deed(incident="inc-7", action="cordon_node", step="inc-7/1/0")
NODE = ObjectRef(api_version="v1", kind="Node", name="gpu-7")
POD = ObjectRef(api_version="v1", kind="Pod", namespace="law", name="p")


def test_the_event_says_what_was_done_for_which_incident() -> None:
    after = {"metadata": {"uid": "u-1"}}
    event = event_of(DEED, NODE, after, "patch", "2026-11-02T09:00:00.250Z", "watchkeeper-0")
    assert event["metadata"]["namespace"] == "default" and event["metadata"]["name"].startswith("gpu-7.")
    assert (event["reason"], event["action"], event["type"]) == ("CordonNode", "patch", "Normal")
    assert event["regarding"] == {"apiVersion": "v1", "kind": "Node", "name": "gpu-7", "uid": "u-1"}
    assert event["eventTime"] == "2026-11-02T09:00:00.250000Z"
    assert "inc-7" in event["note"] and event["metadata"]["annotations"]["watchkeeper.dev/action"] == "inc-7/1/0"


def test_the_same_deed_has_the_same_name_and_another_has_another() -> None:
    def name(ref: ObjectRef, verb: str, moment: str) -> str:
        return str(event_of(DEED, ref, {}, verb, moment, "w")["metadata"]["name"])

    first = name(POD, "evict", "2026-11-02T09:00:00Z")
    assert first == name(POD, "evict", "2026-11-02T10:00:00Z")
    assert len({first, name(POD, "patch", "2026-11-02T09:00:00Z"), name(NODE, "evict", "2026-11-02T09:00:00Z")}) == 3


def test_names_and_notes_keep_to_the_servers_limits() -> None:
    long = Deed("i" * 3_000, "a" * 300, "s" * 3_000)
    ref = ObjectRef(api_version="v1", kind="Pod", namespace="law", name="p" * 253)
    event = event_of(long, ref, {}, "patch", "2026-11-02T09:00:00Z", "w" * 300)
    assert len(event["metadata"]["name"]) <= 253 and len(event["note"]) <= 1_024
    assert len(event["reason"]) <= 128 and len(event["reportingInstance"]) <= 128


def test_the_user_agent_names_incident_and_step_while_something_is_done() -> None:
    assert user_agent() == "watchkeeper"
    with acting(DEED):
        assert current() == DEED
        assert user_agent() == "watchkeeper incident/inc-7 action/inc-7/1/0"
    assert current() is None


def test_nothing_that_an_incident_is_called_gets_into_a_header_of_its_own() -> None:
    with acting(Deed("x\r\nEvil: yes", "a", "b c")):
        assert user_agent() == "watchkeeper incident/x__Evil__yes action/b_c"


DISCOVERY = {
    "kind": "APIGroupDiscoveryList",
    "items": [
        {
            "metadata": {"name": "apps"},
            "versions": [
                {
                    "version": "v1",
                    "resources": [
                        {
                            "resource": "deployments",
                            "responseKind": {"group": "", "version": "", "kind": "Deployment"},
                            "scope": "Namespaced",
                            "verbs": ["get", "list", "watch"],
                            "subresources": [{"subresource": "scale"}, {"subresource": "status"}],
                        },
                        {"resource": "oddities", "scope": "Namespaced", "verbs": []},
                    ],
                }
            ],
        },
        {
            "metadata": {},
            "versions": [
                {
                    "version": "v1",
                    "resources": [
                        {"resource": "nodes", "responseKind": {"kind": "Node"}, "scope": "Cluster", "verbs": ["get"]}
                    ],
                }
            ],
        },
    ],
}


def test_discovery_tells_paths_scopes_and_subresources() -> None:
    deployment, node = resources_in(DISCOVERY)
    assert deployment == Resource(
        "apps/v1",
        "Deployment",
        "deployments",
        True,
        frozenset({"get", "list", "watch"}),
        frozenset({"scale", "status"}),
    )
    web = ObjectRef(api_version="apps/v1", kind="Deployment", namespace="law", name="web")
    assert deployment.path(web, "scale") == "/apis/apps/v1/namespaces/law/deployments/web/scale"
    assert deployment.collection() == "/apis/apps/v1/deployments"
    assert node.path(NODE) == "/api/v1/nodes/gpu-7"


def test_a_name_cannot_leave_its_place_in_a_path() -> None:
    _, node = resources_in(DISCOVERY)
    evil = ObjectRef(api_version="v1", kind="Node", name="../../secrets?x=1")
    assert node.path(evil) == "/api/v1/nodes/..%2F..%2Fsecrets%3Fx%3D1"
    for name in (".", "..", ""):
        with pytest.raises(Invalid, match="no object has that name"):
            node.path(ObjectRef(api_version="v1", kind="Node", name=name))


def test_what_lies_in_a_namespace_names_it() -> None:
    deployment, _ = resources_in(DISCOVERY)
    with pytest.raises(Invalid, match="Deployment/web: a Deployment lies in a namespace"):
        deployment.path(ObjectRef(api_version="apps/v1", kind="Deployment", name="web"))


def test_a_server_that_is_too_old_to_tell_is_named() -> None:
    with pytest.raises(ClusterFault, match="Kubernetes 1"):
        list(resources_in({"kind": "APIGroupList", "groups": []}))
