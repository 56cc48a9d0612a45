"""Work that has an end: a pod that is said to run for a while has succeeded after it, unless it came to a standstill.

How long is the scenario's word (`simulation.watchkeeper.dev/runs-for`, on the pod or on what owns it); a pod that is
stopped and started again begins anew.
"""

from collections.abc import Iterable

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.behaviour import RUNS_FOR, behaviour_of, parse_runs_for, said_by
from agent.adapters.simulated.control import Control
from agent.adapters.simulated.store import Change
from agent.ports import JsonObject

NEVER_ENDS = frozenset({"hangs", "crashes", "repeats", "finished"})  # behaviours of a process that does not get there


class Finishing:
    starts_what_was_loaded = True
    watches_statuses = True

    def __init__(self, control: Control) -> None:
        self._control = control
        self._begun: set[str] = set()  # uids

    def wants(self, change: Change) -> Iterable[Key]:
        pod = change.after
        if change.key.kind != "Pod" or pod is None or pods.phase(pod) != "Running":
            return ()
        return () if pod["metadata"]["uid"] in self._begun else (change.key,)

    def reconcile(self, key: Key) -> None:
        pod = self._control.get(key)
        if pod is None or pods.phase(pod) != "Running":
            return
        said = said_by(self._control.store, pod, RUNS_FOR)
        if said is not None:
            uid = str(pod["metadata"]["uid"])
            self._begun.add(uid)
            self._control.after(parse_runs_for(said[1]), lambda: self._finish(key, uid))

    def _finish(self, key: Key, uid: str) -> None:
        pod = self._control.get(key)
        if pod is None or pod["metadata"]["uid"] != uid or not pods.ready(pod):
            return
        behaviour = behaviour_of(self._control.store, pod)
        if behaviour is None or behaviour.word not in NEVER_ENDS:
            self._control.patch(pod, {"status": {"phase": "Succeeded", "conditions": _over(self._control, pod)}})


def _over(control: Control, pod: JsonObject) -> list[JsonObject]:
    done = pods.said("Ready", False, "PodCompleted"), pods.said("ContainersReady", False, "PodCompleted")
    return pods.with_conditions(pod, control.now, *done)
