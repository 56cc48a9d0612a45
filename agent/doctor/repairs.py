"""The site's repair system: are the custom resources there that it is asked by, and may we make them?"""

from collections.abc import Iterator

from agent.adapters.kubernetes.examination import Access, Examination
from agent.config import Settings
from agent.doctor.apiserver import named
from agent.doctor.finding import Finding, fail, ok, warn
from agent.domain.repairing import RepairKind

VERBS = ("create", "get", "patch")  # asked for, looked after, marked when it is withdrawn


def repair(server: Examination, settings: Settings) -> Iterator[Finding]:
    """One finding for each operation. Raises ClusterFault."""
    if settings.repair is None:
        return
    for operation, kind in settings.repair.operations.items():
        yield _operation(server, f"repair: {operation}", kind, settings.observes)


def _operation(server: Examination, what: str, kind: RepairKind, observes: bool) -> Finding:
    group, _, version = kind.api_version.partition("/")
    served = server.served(group)
    if version not in served:
        there = f"only {', '.join(served)}" if served else "nothing of that group"
        said = f"{kind.kind} of {kind.api_version} is not served, {there} is"
        return fail(
            what, said, "install the repair system's CRDs, or mend repair.operations; until then it is a person's"
        )
    resource = server.resource_of(group, version, kind.kind)
    if resource is None:
        return fail(what, f"{kind.api_version} serves no {kind.kind}", "install its CRD, or mend repair.operations")
    if resource.namespaced != (kind.namespace is not None):
        wants = "lies in a namespace: name one" if resource.namespaced else "lies in no namespace: name none"
        return fail(what, f"{kind.kind} {wants}", "set or remove `namespace` of that operation")
    asked = [Access(group, resource.plural, verb, kind.namespace) for verb in VERBS]
    missing = [each for each in asked if not server.may(each)]
    if not missing:
        return ok(what, f"asked for by {kind.kind} of {kind.api_version}")
    said, remedy = f"missing: {'; '.join(named(missing))}", "give the agent's account a role with these verbs"
    return warn(what, said, f"enough to observe; to act {remedy}") if observes else fail(what, said, remedy)
