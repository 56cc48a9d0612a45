"""How the API server is reached: as the pod's service account, else as a kubeconfig says.

Read anew when the server no longer accepts what we have, since a kubelet rolls tokens over while we run and a person
may log in again. Which file is read never changes in between.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException

from agent.ports import ClusterUnavailable

USER_AGENT = "watchkeeper"
CONNECTIONS = 64  # one for each kind that is followed, and some for the verbs


@dataclass(frozen=True, slots=True)
class Access:
    """Where the credentials are kept. `kubeconfig` and `context`: None for the usual ones."""

    kubeconfig: Path | None = None
    context: str | None = None

    def configuration(self) -> client.Configuration:
        """As the files say now. Raises ClusterUnavailable, naming what is missing."""
        found = client.Configuration()
        if self.kubeconfig is None and self.context is None:
            try:
                config.load_incluster_config(client_configuration=found)  # type: ignore[no-untyped-call]
            except ConfigException as no_pod:
                found = client.Configuration()
                self._of_file(found, f"; as a pod: {no_pod}")
        else:
            self._of_file(found)
        found.retries = False  # what may be asked twice is known here, not in urllib3
        found.connection_pool_maxsize = CONNECTIONS
        return found

    def api_client(self) -> client.ApiClient:
        """One with connections of its own, for what must not wait behind the rest: a lease, a diagnosis."""
        made = client.ApiClient(self.configuration())
        made.user_agent = USER_AGENT
        return made

    def _of_file(self, into: client.Configuration, besides: str = "") -> None:
        """`besides`: what was tried before."""
        try:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=str(self.kubeconfig) if self.kubeconfig else None,
                context=self.context,
                client_configuration=into,
            )
        except (ConfigException, OSError) as error:
            said = " ".join(f"{error}{besides}".split())
            raise ClusterUnavailable(f"no cluster is known here: {said}") from error


Configure = Callable[[], client.Configuration]
