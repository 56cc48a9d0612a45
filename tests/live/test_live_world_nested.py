"""Objects that nest deeper than anybody can walk: they hide nobody else."""

import json

from astray_kit import *  # noqa: F403
from astray_kit import crd_of, create_served, retire
from control_plane import ControlPlane
from kube import reference
from live_world import Seen, pod, ref
from meddling_proxy import Proxy


def test_what_nests_without_end_hides_nobody(plane: ControlPlane, proxy: Proxy, seen: Seen) -> None:
    """Whoever may make a pod may nest its managedFields as deep as the server lets him."""
    deep = pod("default", "deep")
    entry = {"manager": "mallory", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1"}
    deep["metadata"]["managedFields"] = [{**entry, "fieldsV1": "FIELDS"}]
    fields = '{"f:metadata":' + '{"f:x":' * 3_000 + "{}" + "}" * 3_000 + "}"
    text = json.dumps(deep).replace('"FIELDS"', fields)
    made = proxy.raw("POST", "/api/v1/namespaces/default/pods", text.encode())
    assert made.count(b"f:x") >= 2_000, "the server keeps it"
    seen.until("the deep pod", lambda view: ("default", "deep") in view.pods)
    fresh = Seen(plane.admin)
    try:
        assert ("default", "deep") in fresh.views.take().pods
        assert fresh.cluster.get(ref("v1", "Pod", "deep", "default"))["metadata"]["name"] == "deep"
    finally:
        fresh.close()
        proxy.raw("DELETE", "/api/v1/namespaces/default/pods/deep")  # too deep for the tests' own client


def test_a_custom_object_that_nests_too_deep_hides_no_other(plane: ControlPlane, proxy: Proxy) -> None:
    crd = crd_of("ray.io", "RayCluster", "rayclusters", "v1")
    plane.api.create(crd)
    create_served(plane, {**reference("ray.io/v1", "RayCluster", "flat", "default"), "spec": {}})
    about = json.dumps(reference("ray.io/v1", "RayCluster", "deep", "default"))
    spec = '{"x":[' * 450 + "]}" * 450  # read without a word, and more than whoever walks through it can bear
    proxy.raw("POST", "/apis/ray.io/v1/namespaces/default/rayclusters", f'{about[:-1]},"spec":{spec}}}'.encode())
    fresh = Seen(plane.admin)
    try:
        names = {each.name for each in fresh.views.take().objects if each.kind == "RayCluster"}
        assert names == {"deep", "flat"}
    finally:
        fresh.close()
        retire(plane, crd)
