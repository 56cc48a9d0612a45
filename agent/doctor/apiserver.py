"""The API server: reached, allowed to, in time, and with a lease to hold."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from agent.adapters.kubernetes.examination import Access, Examination
from agent.adapters.kubernetes.leasing import CLIENT_GO
from agent.adapters.kubernetes.rbac import KUEUE_CONFIG, Rule, folder_of, rules
from agent.config import Settings
from agent.doctor.finding import Finding, fail, ok, warn
from agent.ports import ClusterFault, NotFound

SKEW_S = 5.0  # approvals and windows are judged by this clock; the Date header has whole seconds
OLDEST = (1, 30)  # aggregated discovery


def reached(server: Examination, now: Callable[[], datetime]) -> Iterator[Finding]:
    """Raises ClusterFault: then there is nothing else to ask. `now` is this machine's clock."""
    version = server.version()
    numbers = tuple(int(part) for part in version.removeprefix("v").split(".")[:2] if part.isdecimal())
    if numbers < OLDEST:
        yield fail("API server", f"{version} is too old", "Kubernetes 1.30 or newer is needed")
    else:
        yield ok("API server", f"{version}, as {server.whoami()}")
    if server.server_time is None:
        yield warn("clock", "the server does not say what time it is", "compare the clocks by hand")
        return
    ahead_s = (now() - server.server_time).total_seconds()
    if abs(ahead_s) > SKEW_S:
        side = "ahead of" if ahead_s > 0 else "behind"
        yield fail("clock", f"{abs(ahead_s):.0f} s {side} the API server's", "have NTP set it on this machine")
    else:
        yield ok("clock", "agrees with the API server's")


def rights(server: Examination, settings: Settings) -> Iterator[Finding]:
    """By the same rules that deploy/kubernetes/*/rbac.yaml are written from, one role after the other."""
    by_role: dict[str, list[Rule]] = {}
    for rule in rules():
        by_role.setdefault(rule.role, []).append(rule)
    for role, mine in sorted(by_role.items(), key=lambda each: (folder_of(each[0]) == "acting", each[0])):
        if role != KUEUE_CONFIG:  # whether Kueue's settings can be read is asked where Kueue is
            yield _role(server, role, mine, settings.observes)


def _role(server: Examination, role: str, mine: Sequence[Rule], observes: bool) -> Finding:
    asked = sorted({access for rule in mine for access in _accesses(rule)}, key=str)
    missing = [access for access in asked if not server.may(access)]
    what, folder = f"rights: {role}", folder_of(role)
    if not missing:
        return ok(what, f"all {len(asked)}")
    said = f"{len(missing)} of {len(asked)} are missing: {'; '.join(named(missing))}"
    remedy = f"kubectl apply -f deploy/kubernetes/{folder}/rbac.yaml"
    if folder == "acting" and observes:
        return ok(what, f"{len(asked) - len(missing)} of {len(asked)}: to observe none is needed")
    return fail(what, said, remedy)


def named(missing: Sequence[Access]) -> Iterable[str]:
    """Every one of them, a resource's verbs together."""
    verbs: dict[str, list[str]] = {}
    for access in missing:
        verbs.setdefault(access.what, []).append(access.verb)
    return [f"{', '.join(mine)} {what}" for what, mine in verbs.items()]


def lease(server: Examination, settings: Settings) -> Iterator[Finding]:
    if settings.observes:
        yield ok("lease", "none is held to observe")
        return
    if not settings.leader_election:
        yield warn("lease", "leader_election is off", "start one agent alone, or turn it on")
        return
    namespace, _, name = settings.lease.partition("/")
    group = "coordination.k8s.io"
    asked = [Access(group, "leases", verb, namespace, name) for verb in ("get", "update")]
    missing = [each for each in (*asked, Access(group, "leases", "create", namespace)) if not server.may(each)]
    if missing:
        remedy = "kubectl apply -f deploy/kubernetes/acting/rbac.yaml; another `lease` needs a role of its own"
        yield fail("lease", f"missing for {settings.lease}: {'; '.join(named(missing))}", remedy)
        return
    try:
        server.get(f"/api/v1/namespaces/{namespace}")
    except NotFound:
        yield fail("lease", f"there is no namespace {namespace}", f"kubectl create namespace {namespace}")
        return
    except ClusterFault:
        pass  # who may hold the lease need not read namespaces
    try:
        spec = server.get(f"/apis/{group}/v1/namespaces/{namespace}/leases/{name}").get("spec") or {}
    except NotFound:
        yield ok("lease", f"{settings.lease} is free")
        return
    holder = spec.get("holderIdentity")
    held = f"is or was held by {holder}; whoever comes waits {CLIENT_GO.duration_s:g} s" if holder else "is free"
    yield ok("lease", f"{settings.lease} {held}")


def _accesses(rule: Rule) -> Iterable[Access]:
    names = tuple(rule.names) or ("",)
    return (
        Access(rule.right.group, rule.right.resource, verb, rule.namespace, "" if verb == "create" else name)
        for verb in rule.right.verbs
        for name in names
    )
