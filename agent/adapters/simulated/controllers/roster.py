"""Which controllers there are, in the order in which they work: whoever asks for pods first, the scheduler last."""

from agent.adapters.simulated.control import Control
from agent.adapters.simulated.controllers.admitting import Admitting
from agent.adapters.simulated.controllers.autoscalers import HorizontalPodAutoscalers
from agent.adapters.simulated.controllers.budgets import Budgets
from agent.adapters.simulated.controllers.crashing import Crashing
from agent.adapters.simulated.controllers.daemonsets import DaemonSets
from agent.adapters.simulated.controllers.deployments import Deployments
from agent.adapters.simulated.controllers.finishing import Finishing
from agent.adapters.simulated.controllers.flapping import Flapping
from agent.adapters.simulated.controllers.garbage import GarbageCollection
from agent.adapters.simulated.controllers.inferenceservices import InferenceServices
from agent.adapters.simulated.controllers.jobs import Jobs
from agent.adapters.simulated.controllers.jobsets import JobSets
from agent.adapters.simulated.controllers.kubelet import Kubelets
from agent.adapters.simulated.controllers.leaderworkersets import LeaderWorkerSets
from agent.adapters.simulated.controllers.nodes import NodeLifecycle
from agent.adapters.simulated.controllers.notebooks import Notebooks
from agent.adapters.simulated.controllers.podgroups import PodGroups
from agent.adapters.simulated.controllers.pods_ready import PodsReadyTimeouts
from agent.adapters.simulated.controllers.pytorchjobs import PyTorchJobs
from agent.adapters.simulated.controllers.queueing import Queueing
from agent.adapters.simulated.controllers.quotas import ResourceQuotas
from agent.adapters.simulated.controllers.rayjobs import RayClusters, RayJobs
from agent.adapters.simulated.controllers.replicasets import ReplicaSets
from agent.adapters.simulated.controllers.scheduling import PodScheduler
from agent.adapters.simulated.controllers.statefulsets import StatefulSets
from agent.adapters.simulated.controllers.tainting import TaintEviction
from agent.adapters.simulated.controllers.trainjobs import TrainJobs
from agent.adapters.simulated.controllers.workloads import Workloads
from agent.adapters.simulated.plane import Controller


def controllers(control: Control) -> tuple[Controller, ...]:
    return (
        GarbageCollection(control),
        Flapping(control),
        NodeLifecycle(control),
        TaintEviction(control),
        Queueing(control),
        Workloads(control),
        Admitting(control),
        PodsReadyTimeouts(control),
        TrainJobs(control),
        PyTorchJobs(control),
        RayJobs(control),
        RayClusters(control),
        LeaderWorkerSets(control),
        JobSets(control),
        Jobs(control),
        Notebooks(control),
        InferenceServices(control),
        HorizontalPodAutoscalers(control),
        Deployments(control),
        ReplicaSets(control),
        StatefulSets(control),
        DaemonSets(control),
        Kubelets(control),
        Crashing(control),
        Finishing(control),
        Budgets(control),
        ResourceQuotas(control),
        PodGroups(control),
        PodScheduler(control),
    )
