"""PyTorchJobs of Kubeflow's training operator: one pod for each replica of each role, no Jobs in between.

The job has succeeded when its master has (without a master, its first worker). A pod that failed fails the job, unless
its role restarts by exit code and the code says that another try is worth it.
"""

from collections.abc import Iterable
from typing import Any

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.owners import Key
from agent.adapters.kubernetes.pod_sets import PodSet, pod_sets_of
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.keys import controller_key, key_of
from agent.adapters.simulated.queued import is_suspended, outcome_of
from agent.adapters.simulated.store import Change
from agent.domain.base import rfc3339
from agent.ports import JsonObject

GROUP = "kubeflow.org"
NAME_LABEL = "training.kubeflow.org/job-name"
ROLE_LABEL = "training.kubeflow.org/replica-type"
INDEX_LABEL = "training.kubeflow.org/replica-index"
OPERATOR_LABEL = "training.kubeflow.org/operator-name"
MASTER, WORKER = "master", "worker"
RETRYABLE_FROM = 128  # exit codes from here on are a signal's, below they are the program's own


class PyTorchJobs:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control

    def wants(self, change: Change) -> Iterable[Key]:
        if (change.key.group, change.key.kind) == (GROUP, "PyTorchJob"):
            return (change.key,)
        owner = controller_key(change.object) if change.key.kind == "Pod" else None
        return (owner,) if owner is not None and owner.kind == "PyTorchJob" else ()

    def reconcile(self, key: Key) -> None:
        job = self._control.get(key)
        if job is None or outcome_of(job) is not None:
            return
        mine = self._control.store.owned_by(key, "Pod")
        if is_suspended(job):
            self._suspend(job, mine)
        else:
            self._run(job, mine)

    def _suspend(self, job: JsonObject, mine: list[JsonObject]) -> None:
        for pod in mine:
            self._control.delete(pod)
        suspended = pods.said("Suspended", True, "PyTorchJobSuspended", f"PyTorchJob {_name(job)} is suspended.")
        stopped = pods.said("Running", False, "PyTorchJobSuspended", f"PyTorchJob {_name(job)} is suspended.")
        said = [suspended, *([stopped] if pods.condition(job, "Running") else [])]
        self._tell(job, [], {"startTime": None}, *said)

    def _run(self, job: JsonObject, mine: list[JsonObject]) -> None:
        lost = [pod for pod in mine if pods.phase(pod) == "Failed" and not _is_worth_a_retry(job, pod)]
        if _has_succeeded(job, mine):
            self._end(job, mine, "Succeeded", f"PyTorchJob {_name(job)} is successfully completed.")
        elif lost:
            self._end(job, mine, "Failed", f"PyTorchJob {_name(job)} is failed because {len(lost)} replica(s) failed.")
        else:
            for pod in mine:
                if pods.phase(pod) == "Failed":
                    self._control.delete(pod)
            self._make_missing(job, mine)
            self._tell_running(job)

    def _make_missing(self, job: JsonObject, mine: list[JsonObject]) -> None:
        """A pod in the way of its successor, since it is still going, brings us back when it has gone."""
        for pod_set in pod_sets_of(Fields.of(job)):
            have = [pod for pod in mine if _role(pod, job) == pod_set.name and pods.phase(pod) != "Failed"]
            have = [pod for pod in have if not pods.terminating(pod)]
            known = {pod["metadata"]["name"] for pod in have}
            missing = pod_set.count - len(have)
            for index in range(pod_set.count):
                name = f"{_name(job)}-{pod_set.name}-{index}"
                if missing > 0 and name not in known:
                    missing -= 1
                    self._control.create(_pod(job, pod_set, name, index))

    def _tell_running(self, job: JsonObject) -> None:
        mine = [pod for pod in self._control.store.owned_by(key_of(job), "Pod") if pods.active(pod)]
        wanted = sum(each.count for each in pod_sets_of(Fields.of(job)))
        runs = sum(1 for pod in mine if pods.phase(pod) == "Running") >= wanted > 0
        said = [pods.said("Created", True, "PyTorchJobCreated", f"PyTorchJob {_name(job)} is created.")]
        if pods.holds(job, "Suspended"):
            said.append(pods.said("Suspended", False, "PyTorchJobResumed", f"PyTorchJob {_name(job)} is resumed."))
        if runs or pods.condition(job, "Running"):
            said.append(pods.said("Running", runs, "PyTorchJobRunning", f"PyTorchJob {_name(job)} is running."))
        started = (job.get("status") or {}).get("startTime") or rfc3339(self._control.now)
        self._tell(job, mine, {"startTime": started}, *said)

    def _end(self, job: JsonObject, mine: list[JsonObject], how: str, message: str) -> None:
        """With the default clean-up policy, pods that still run are stopped and the others are kept."""
        for pod in mine:
            if pods.active(pod):
                self._control.delete(pod)
        running = pods.said("Running", False, f"PyTorchJob{how}", message)
        said = pods.said(how, True, f"PyTorchJob{how}", message)
        self._tell(job, [], {"completionTime": rfc3339(self._control.now)}, running, said)
        self._control.event(job, "Normal" if how == "Succeeded" else "Warning", f"PyTorchJob{how}", message)

    def _tell(self, job: JsonObject, active: list[JsonObject], more: JsonObject, *said: JsonObject) -> None:
        everything = self._control.store.owned_by(key_of(job), "Pod")
        statuses: dict[str, Any] = {}
        for pod_set in pod_sets_of(Fields.of(job)):
            of_role = [pod for pod in everything if _role(pod, job) == pod_set.name]
            statuses[pod_set.name.capitalize()] = {
                "active": sum(1 for pod in active if pod in of_role) or None,
                "succeeded": sum(1 for pod in of_role if pods.phase(pod) == "Succeeded") or None,
                "failed": sum(1 for pod in of_role if pods.phase(pod) == "Failed") or None,
            }
        conditions = pods.with_conditions(job, self._control.now, *said)
        self._control.patch(job, {"status": {"conditions": conditions, "replicaStatuses": statuses, **more}})


def _name(job: JsonObject) -> str:
    return str(job["metadata"]["name"])


def _role(pod: JsonObject, job: JsonObject) -> str:
    """By its label, else by its name; a pod that tells of no role is a worker."""
    told = (pod["metadata"].get("labels") or {}).get(ROLE_LABEL)
    return str(told).lower() if told else MASTER if f"{_name(job)}-{MASTER}" in pod["metadata"]["name"] else WORKER


def _pod(job: JsonObject, pod_set: PodSet, name: str, index: int) -> JsonObject:
    labels = {NAME_LABEL: _name(job), ROLE_LABEL: pod_set.name, INDEX_LABEL: str(index)}
    made = pods.from_template(
        dict(pod_set.template.values), name, job, {**labels, OPERATOR_LABEL: "pytorchjob-controller"}
    )
    policy = _spec_of_role(job, pod_set.name).get("restartPolicy") or "Always"
    return {**made, "spec": {**made["spec"], "restartPolicy": "Never" if policy == "ExitCode" else policy}}


def _spec_of_role(job: JsonObject, role: str) -> JsonObject:
    specs = job["spec"].get("pytorchReplicaSpecs") or {}
    return next((spec for name, spec in sorted(specs.items()) if name.lower() == role), {})


def _has_succeeded(job: JsonObject, mine: list[JsonObject]) -> bool:
    roles = [each.name for each in pod_sets_of(Fields.of(job))]
    done = [pod for pod in mine if pods.phase(pod) == "Succeeded"]
    if MASTER in roles:
        return any(_role(pod, job) == MASTER for pod in done)
    return any(_index(pod) == 0 for pod in done)


def _index(pod: JsonObject) -> int:
    labels = pod["metadata"].get("labels") or {}
    text = str(labels.get(INDEX_LABEL) or pod["metadata"]["name"].rpartition("-")[2])
    return int(text) if text.isdecimal() else 0


def _is_worth_a_retry(job: JsonObject, pod: JsonObject) -> bool:
    if _spec_of_role(job, _role(pod, job)).get("restartPolicy") != "ExitCode":
        return False
    ended = ((each.get("state") or {}).get("terminated") for each in pod["status"].get("containerStatuses") or ())
    return any(each is not None and int(each.get("exitCode") or 0) >= RETRYABLE_FROM for each in ended)
