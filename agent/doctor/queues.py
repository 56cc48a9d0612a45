"""Kueue: which version, and whether it is whole: with half of it gangs wait, and nothing lets them in."""

import re
from collections.abc import Iterator

from agent.adapters.kubernetes.examination import Examination
from agent.config import Settings
from agent.doctor.finding import Finding, fail, ok, warn
from agent.doctor.kueue_configuration import configuration
from agent.ports import ClusterFault, JsonObject

GROUP = "kueue.x-k8s.io"
KNOWN = ("v1beta2", "v1beta1")  # what the views read
FIRST = {"v1beta2": (0, 15)}  # the release of Kueue that serves it first
NEEDED = ("workloads", "clusterqueues", "localqueues", "resourceflavors")
CONTROLLER = {"app.kubernetes.io/name": "kueue"}


def kueue(server: Examination, settings: Settings) -> Iterator[Finding]:
    served = server.served(GROUP)
    if not served:
        yield ok("Kueue", "not installed; gangs are read from other kinds")
        return
    version = next((each for each in KNOWN if each in served), None)
    if version is None:
        yield fail("Kueue", f"serves {', '.join(served)} only", f"install one that serves {' or '.join(KNOWN)}")
        return
    missing = [name for name in NEEDED if name not in server.resources(GROUP, version)]
    if missing:
        elsewhere = [(each, server.resources(GROUP, each)) for each in KNOWN if each in served and each != version]
        skewed = [f"{name} ({each})" for name in missing for each, there in elsewhere if name in there]
        said = f"half installed: {version} lacks {', '.join(missing)}"
        said += f"; CRDs of another release serve {', '.join(skewed)}" if skewed else ""
        yield fail("Kueue", said, "install all CRDs of one release: kubectl apply --server-side -f manifests.yaml")
        return
    yield from _controller(server, version)
    yield from configuration(server, settings.kueue_configuration)


def _controller(server: Examination, version: str) -> Iterator[Finding]:
    try:
        found = server.deployments(CONTROLLER)
    except ClusterFault as fault:
        yield warn(
            "Kueue", f"{version} is served; whether its controller runs cannot be seen: {fault}", "look yourself"
        )
        return
    if not found:
        said = f"{version} is served, and no Deployment is labelled {'='.join(*CONTROLLER.items())}"
        yield warn("Kueue", said, "if no controller runs, nothing is admitted: install it, or remove the CRDs")
        return
    ready = sum(int((each.get("status") or {}).get("readyReplicas") or 0) for each in found)
    name = "/".join(str(found[0]["metadata"].get(key)) for key in ("namespace", "name"))
    if not ready:
        yield fail("Kueue", f"{version} is served, and {name} has no ready replica", f"kubectl describe deploy {name}")
        return
    release = _release(found[0])
    if release and release < FIRST.get(version, release):
        told = ".".join(map(str, release))
        said = f"its CRDs serve {version}, but {name} is Kueue {told}, which does not know that version"
        yield fail("Kueue", said, "bring CRDs and controller to one release")
        return
    yield ok("Kueue", f"{version}, {name} is ready")


def _release(deployment: JsonObject) -> tuple[int, ...]:
    """Of the manager's image tag (`…:v0.19.2`); empty where it has none that says so."""
    pods = ((deployment.get("spec") or {}).get("template") or {}).get("spec") or {}
    tags = [re.search(r":v?(\d+)\.(\d+)[^/]*$", str(each.get("image"))) for each in pods.get("containers") or ()]
    return next((tuple(int(part) for part in tag.groups()) for tag in tags if tag), ())
