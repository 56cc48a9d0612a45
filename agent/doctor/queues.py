"""Kueue: which version, and whether it is whole: with half of it gangs wait, and nothing lets them in."""

from collections.abc import Iterator

from agent.adapters.kubernetes.examination import Examination
from agent.doctor.finding import Finding, fail, ok, warn
from agent.ports import ClusterFault

GROUP = "kueue.x-k8s.io"
KNOWN = ("v1beta2", "v1beta1")  # what the views read
NEEDED = ("workloads", "clusterqueues", "localqueues", "resourceflavors")
CONTROLLER = {"app.kubernetes.io/name": "kueue"}


def kueue(server: Examination) -> Iterator[Finding]:
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
        said = f"half installed: {version} lacks {', '.join(missing)}"
        yield fail("Kueue", said, "install all CRDs of one release: kubectl apply --server-side -f manifests.yaml")
        return
    yield from _controller(server, version)


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
    else:
        yield ok("Kueue", f"{version}, {name} is ready")
