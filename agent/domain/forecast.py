"""The parts of a Prediction: GPUs, queues and services, before and after. Numbers that somebody can check later."""

from agent.domain.base import Noun


class Gpus(Noun):
    """Whole GPUs of a cluster."""

    free: int = 0  # on nodes that take new pods
    idle_held: int = 0  # held by gangs below their minimum, and by the owner that a reclaim found idle
    unusable: int = 0  # free on nodes that take no new pods


class GpuForecast(Noun):
    before: Gpus = Gpus()
    without: Gpus = Gpus()  # what the scheduler makes of it when the agent does nothing
    after: Gpus = Gpus()


class QueueForecast(Noun):
    """Of one queue: gangs that do not run whole, and the GPUs of quota that its gangs hold."""

    queue: str
    pending_before: int
    pending_without: int
    pending_after: int
    used_before: int
    used_after: int
    nominal_before: int
    nominal_after: int


class ServiceForecast(Noun):
    """Of one workload whose pods are no gang: how many of them are ready."""

    ref: str
    wanted: int | None = None  # as its spec will say afterwards
    ready_before: int
    ready_at_worst: int  # while it is done
    ready_after: int | None = None  # None: whether new pods become ready is not known
    minimum: int | None = None  # what its disruption budgets leave it
    requests_waiting: int | None = None
