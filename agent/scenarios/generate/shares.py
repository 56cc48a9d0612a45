"""Queues of a trouble's own: a cohort for itself, so that who waits for whose quota is certain whatever else runs."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from agent.scenarios.generate.manifests import metadata, pod_spec, queue
from agent.scenarios.generate.site import Json, Site, Tenant, seconds
from agent.scenarios.generate.submitted import QUEUE_LABEL, RUNS_FOR

IMAGE = "train:2.4"


def of(site: Site, who: str) -> Site:
    """The same place, for the work of one of them: a namespace, a LocalQueue `main` and a ClusterQueue of that name."""
    return replace(site, tenant=Tenant(f"{site.tenant.name}-{who}-{site.label}"))


def cohort(site: Site, shares: Mapping[str, int]) -> list[Json]:
    """GPUs for each of them."""
    return [
        each for who, gpus in shares.items() for each in queue(of(site, who).tenant.name, {site.kind: gpus}, site.label)
    ]


def waiting_job(site: Site, name: str, pods: int, runs: timedelta) -> Json:
    """As somebody hands it in: Kueue makes its Workload, and lets it in when there is quota."""
    about = metadata(site, "Job", name, labels={QUEUE_LABEL: "main"}, annotations={RUNS_FOR: seconds(runs)})
    del about["creationTimestamp"]  # it is made when it comes
    spec = {
        "suspend": True,
        "parallelism": pods,
        "completions": pods,
        "completionMode": "Indexed",
        "backoffLimit": 6,
        "template": {"metadata": {}, "spec": pod_spec(site, site.gpus, IMAGE, "OnFailure")},
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": about, "spec": spec}


def reference(manifest: Json) -> Json:
    about = manifest["metadata"]
    known = {key: about[key] for key in ("namespace", "name")}
    return {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], **known}
