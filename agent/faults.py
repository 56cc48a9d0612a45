"""What can go wrong outside, one type for each cause: stages let it pass, the watch puts the task off.

Import them from `agent.ports`, beside the Protocols that raise them.
"""

from collections.abc import Mapping


class Fault(Exception):
    """Something outside did not work. `place` names it: 'apiserver', 'log', 'prometheus', 'policy' …"""

    place = "outside"
    passes = True  # worth asking again; False for what fails alike each time, such as an expression on its facts


class ClusterFault(Fault):
    """The API server refused or failed. `status` is the HTTP code (0: no answer)."""

    place = "apiserver"
    status = 0


class Unauthorized(ClusterFault):
    """Our credentials are not accepted: an expired token, most often. Nothing was judged, so nothing was refused."""

    status = 401


class Forbidden(ClusterFault):
    """We lack the right, or an admission webhook said no."""

    status = 403


class NotFound(ClusterFault):
    status = 404


class NotServed(NotFound):
    """Not the object is missing but the whole kind, in this version: a CRD that is not there, or not any more."""


class Conflict(ClusterFault):
    """A stale resourceVersion, a failed precondition, or an object that exists already."""

    status = 409


class Changed(Conflict):
    """What the change rests on reads otherwise than when it was looked at: trying again would not mend that."""


class FieldConflict(Conflict):
    """Another field manager owns what an apply would change."""

    def __init__(self, message: str, owners: Mapping[str, str]) -> None:
        super().__init__(message)
        self.owners = owners  # field -> what the server says of its owner


class Gone(ClusterFault):
    """The server has forgotten the changes since our version, or the list that a page belongs to."""

    status = 410


class Invalid(ClusterFault):
    status = 422


class Altered(Invalid):
    """The server took what was asked for and wrote something else."""


class TooManyRequests(ClusterFault):
    """A PodDisruptionBudget forbids the eviction, or the server sheds load."""

    status = 429
    retry_after_s: float | None = None  # as far as the server said


class ServerError(ClusterFault):
    """The server failed at it: whether anything was done is not known."""

    status = 500


class ClusterUnavailable(ClusterFault):
    status = 503
    retry_after_s: float | None = None


class MetricsUnavailable(Fault):
    place = "prometheus"


class MetricsNotConfigured(MetricsUnavailable):
    """The site has named no Prometheus: its choice, which nobody need be called about."""


class LedgerUnavailable(Fault):
    """No durable record, no action."""

    place = "log"


class PolicyUnavailable(Fault):
    """The engine gave no decision: the stage turns this into a deny with the code given."""

    place = "policy"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code  # policy.not_loaded | policy.error | policy.timeout | policy.undefined | policy.ill_typed …


class RepairUnavailable(Fault):
    place = "repair"


class DeskUnavailable(Fault):
    place = "approvals"


class StoreUnavailable(Fault):
    """The inbox, the timers or the projections could not be read or written."""

    place = "store"
