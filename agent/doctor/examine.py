"""All checks, in the order in which a person would mend what they find."""

from collections.abc import Iterator
from datetime import UTC, datetime

from agent.adapters.kubernetes.examination import Examination
from agent.adapters.live import access_of
from agent.config import Settings
from agent.doctor import apiserver, monitoring, own, people, queues, repairs
from agent.doctor.finding import Finding, fail, ok
from agent.doctor.moving import moving
from agent.ports import ClusterFault


def examine(settings: Settings) -> Iterator[Finding]:
    """One finding after the other, as they come: some take seconds."""
    for check in (own.policies, own.playbooks, own.store, own.log, moving, own.freeze, people.identities, people.slack):
        yield from check(settings)
    if settings.world != "live":
        yield ok("world", "simulated: no cluster is needed")
        return
    yield from _cluster(settings)
    yield from monitoring.prometheus(settings)
    yield from monitoring.alertmanager(settings)


def _cluster(settings: Settings) -> Iterator[Finding]:
    try:
        server = Examination(access_of(settings).api_client())
        yield from apiserver.reached(server, lambda: datetime.now(UTC))
        yield from apiserver.rights(server, settings)
        yield from apiserver.lease(server, settings)
        yield from queues.kueue(server, settings)
        yield from repairs.repair(server, settings)
    except ClusterFault as fault:
        yield fail("API server", str(fault), "check kubeconfig, context, network and credentials, then ask again")
