"""Jobs: as many pods as they run at once, none while suspended, done when enough have succeeded."""

from collections.abc import Iterable

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.keys import controller_key, key_of
from agent.adapters.simulated.store import Change
from agent.domain.base import rfc3339
from agent.ports import JsonObject

INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index"
NAME_LABEL = "batch.kubernetes.io/job-name"
BACKOFF_LIMIT = 6  # Kubernetes' default


class Jobs:
    starts_what_was_loaded = False
    watches_statuses = False

    def __init__(self, control: Control) -> None:
        self._control = control
        self._forgiven: dict[str, int] = {}  # failures from before the last resume, by the job's uid

    def wants(self, change: Change) -> Iterable[Key]:
        if (change.key.group, change.key.kind) == ("batch", "Job"):
            return (change.key,)
        owner = controller_key(change.object) if change.key.kind == "Pod" else None
        return (owner,) if owner is not None and owner.kind == "Job" else ()

    def reconcile(self, key: Key) -> None:
        job = self._control.get(key)
        if job is None or pods.holds(job, "Complete") or pods.holds(job, "Failed"):
            return
        mine = self._control.store.owned_by(key, "Pod")
        if (job.get("spec") or {}).get("suspend"):
            self._suspend(job, mine)
        else:
            self._run(job, mine)

    def _suspend(self, job: JsonObject, mine: list[JsonObject]) -> None:
        for pod in mine:
            if pods.active(pod):
                self._control.delete(pod)
        self._forgiven[job["metadata"]["uid"]] = _failures(mine)
        self._tell(job, [], {"startTime": None}, pods.said("Suspended", True, "JobSuspended", "Job suspended"))

    def _run(self, job: JsonObject, mine: list[JsonObject]) -> None:
        spec = job["spec"]
        running = [pod for pod in mine if pods.active(pod)]
        succeeded = sum(1 for pod in mine if pods.phase(pod) == "Succeeded")
        failed = _failures(mine) - self._forgiven.get(job["metadata"]["uid"], 0)
        parallelism = int(spec.get("parallelism", 1))
        completions = spec.get("completions")
        more: JsonObject = {"succeeded": succeeded or None, "failed": _failures(mine) or None}
        if failed > int(spec.get("backoffLimit", BACKOFF_LIMIT)):
            for pod in running:
                self._control.delete(pod)
            why = "Job has reached the specified backoff limit"
            self._tell(job, [], more, pods.said("Failed", True, "BackoffLimitExceeded", why))
        elif _is_complete(completions, parallelism, succeeded, running):
            done = {**more, "completionTime": rfc3339(self._control.now)}
            self._tell(job, running, done, pods.said("Complete", True, "CompletionsReached", "Reached expected number"))
        else:
            wanted = parallelism if completions is None else min(parallelism, int(completions) - succeeded)
            running = self._adjust(job, mine, running, wanted)
            self._tell(job, running, {**more, "startTime": self._start_time(job)}, *self._resumed(job))

    def _adjust(
        self, job: JsonObject, mine: list[JsonObject], running: list[JsonObject], wanted: int
    ) -> list[JsonObject]:
        for pod in sorted(running, key=_last_to_go)[max(0, wanted) :]:
            self._control.delete(pod)
        made = [self._make(job, mine, index) for index in range(len(running), wanted)]
        return sorted(running, key=_last_to_go)[: max(0, wanted)] + [pod for pod in made if pod is not None]

    def _make(self, job: JsonObject, mine: list[JsonObject], place: int) -> JsonObject | None:
        """None where a quota had no room for it: what is not there is not active."""
        name, template = job["metadata"]["name"], job["spec"].get("template") or {}
        indexed = job["spec"].get("completionMode") == "Indexed"
        number = self._free_index(job) if indexed else None
        stem = f"{name}-{number}" if indexed else name
        made = pods.from_template(template, f"{stem}-{self._control.suffix()}", job, {NAME_LABEL: name})
        if indexed:
            made["metadata"]["annotations"][INDEX_ANNOTATION] = str(number)
            made["metadata"]["labels"][INDEX_ANNOTATION] = str(number)
        return self._control.create(made)

    def _free_index(self, job: JsonObject) -> int:
        """The lowest that no pod works at or has finished. Pods without an index take the first ones."""
        mine = [pod for pod in self._control.store.owned_by(key_of(job), "Pod") if pods.phase(pod) != "Failed"]
        mine = [pod for pod in mine if not pods.terminating(pod)]
        known = {(pod["metadata"].get("annotations") or {}).get(INDEX_ANNOTATION) for pod in mine}
        nameless = sum(1 for pod in mine if INDEX_ANNOTATION not in (pod["metadata"].get("annotations") or {}))
        number = nameless
        while str(number) in known:
            number += 1
        return number

    def _start_time(self, job: JsonObject) -> str:
        return str((job.get("status") or {}).get("startTime") or rfc3339(self._control.now))

    def _resumed(self, job: JsonObject) -> tuple[JsonObject, ...]:
        if not pods.holds(job, "Suspended"):
            return ()
        return (pods.said("Suspended", False, "JobResumed", "Job resumed"),)

    def _tell(self, job: JsonObject, running: list[JsonObject], more: JsonObject, *said: JsonObject) -> None:
        status = {"active": len(running) or None, "ready": sum(1 for pod in running if pods.ready(pod)) or None, **more}
        if said:
            status["conditions"] = pods.with_conditions(job, self._control.now, *said)
        self._control.patch(job, {"status": status})


def _failures(mine: list[JsonObject]) -> int:
    return sum(1 for pod in mine if pods.phase(pod) == "Failed")


def _is_complete(completions: int | None, parallelism: int, succeeded: int, running: list[JsonObject]) -> bool:
    """Without a number of completions, one success and nobody left at work is success."""
    if completions is None:
        return succeeded > 0 and not running
    return succeeded >= int(completions)


def _last_to_go(pod: JsonObject) -> tuple[bool, bool, str]:
    return (not pods.ready(pod), pods.node_of(pod) is None, pod["metadata"]["name"])
