"""What can go wrong outside, one type for each cause: stages let it pass, the watch puts the task off.

Import them from `agent.ports`, beside the Protocols that raise them.
"""


class Fault(Exception):
    """Something outside did not work. `place` names it: 'apiserver', 'log', 'prometheus', 'policy' …"""

    place = "outside"
    passes = True  # worth asking again; False for what fails alike each time, such as an expression on its facts


class ClusterFault(Fault):
    """The API server refused or failed. `status` is the HTTP code (0: no answer)."""

    place = "apiserver"
    status = 0


class NotFound(ClusterFault):
    status = 404


class Conflict(ClusterFault):
    """A stale resourceVersion, a failed precondition, or an object that exists already."""

    status = 409


class Invalid(ClusterFault):
    status = 422


class TooManyRequests(ClusterFault):
    """A PodDisruptionBudget forbids the eviction, or the server sheds load."""

    status = 429


class ClusterUnavailable(ClusterFault):
    status = 503


class MetricsUnavailable(Fault):
    place = "prometheus"


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
