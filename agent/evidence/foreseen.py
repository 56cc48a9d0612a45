"""What was predicted, and what came of it: looked at when the action has done its own work.

Each effect is kept or missed, with the reason; it is unknown where others changed what it was about meanwhile, for
then nobody can say what the action alone would have done.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

from agent.domain.cluster import ClusterView, Gang, GangState, ObjectRef
from agent.domain.forecast import ServiceForecast
from agent.domain.outcome import Foreseen
from agent.domain.proposal import Prediction, Proposal
from agent.evidence.lookup import find_gang
from agent.evidence.services import ready_pods

AWAITED = frozenset({"start", "service"})  # effects that need a while: images are pulled, weights are loaded
Came = Literal["kept", "missed", "unknown"]


def foreseen(prediction: Prediction, view: ClusterView, now: Prediction | None) -> tuple[Foreseen, ...]:
    """`now`: what the scheduler says of the cluster as it is; None when it cannot."""
    gangs = {str(ref): gang for ref, gang in view.gangs.items()}
    why = now.gangs_pending if now else {}
    of_gangs = [
        *(_start(name, gangs.get(name), why) for name in prediction.starts),
        *(_stop(name, gangs.get(name)) for name in prediction.stops),
        *(_wait(name, gangs.get(name)) for name in prediction.delays),
    ]
    seen = [*of_gangs, *_services(prediction, view)]
    return (*seen, *_gpus(prediction, now, others_kept=all(each.came != "missed" for each in seen)))


def promised(proposal: Proposal, subject: ObjectRef) -> tuple[str, ...]:
    """Whose start the proposal is for: one of them has to run, or it did not help.

    About a node the point is that the node is empty or mended, and about a gang that starts itself, that it does.
    """
    if proposal.prediction is None or subject.kind == "Node" or proposal.undoes is not None:
        return ()
    starts = [name for name in proposal.prediction.starts if name != str(proposal.target)]
    return (str(subject),) if str(subject) in starts else tuple(starts)


def in_vain(proposal: Proposal, subject: ObjectRef, seen: tuple[Foreseen, ...], view: ClusterView) -> str:
    """Why it was for nothing: nobody runs of those that were to start, and what was moved for them does not either."""
    hoped = promised(proposal, subject)
    said = [each for each in seen if each.kind == "start" and each.effect in {_started(name) for name in hoped}]
    moved = find_gang(view, proposal.target)
    if not said or any(each.came != "missed" for each in said):
        return ""
    if moved is not None and moved.state is GangState.RUNNING:
        return ""
    return "; ".join(f"{each.effect}: {each.reason}" for each in said)


def broken_promise(proposal: Proposal, fresh: Proposal, subject: ObjectRef) -> str:
    """Why the benefit for which it was proposed is gone, by the prediction as of now; nothing when it stands."""
    hoped = promised(proposal, subject)
    if not hoped or fresh.prediction is None or fresh.prediction.gpus is None or "starts" in fresh.prediction.left_out:
        return ""
    if set(hoped) & set(fresh.prediction.starts):
        return ""
    return f"{', '.join(hoped)} would not start by it any more"


def _started(name: str) -> str:
    return f"{name} starts"


def _start(name: str, gang: Gang | None, why: Mapping[str, str]) -> Foreseen:
    came: Came
    match gang.state if gang else None:
        case None:
            came, reason = "unknown", "it is gone"
        case GangState.RUNNING | GangState.FINISHED as state:
            came, reason = "kept", f"it is {state}"
        case GangState.SUSPENDED:
            came, reason = "unknown", "somebody took it out of its queue"
        case state:
            came, reason = "missed", f"it is {state}" + (f" ({why[name]})" if name in why else "")
    return Foreseen(kind="start", effect=_started(name), came=came, reason=reason)


def _stop(name: str, gang: Gang | None) -> Foreseen:
    effect = f"{name} waits whole"
    match gang.state if gang else None:
        case GangState.RUNNING:
            return Foreseen(kind="stop", effect=effect, came="missed", reason="it runs: room was found")
        case GangState.STUCK:
            return Foreseen(kind="stop", effect=effect, came="missed", reason="a part of it runs")
        case state:
            return Foreseen(kind="stop", effect=effect, came="kept", reason=f"it is {state or 'gone'}")


def _wait(name: str, gang: Gang | None) -> Foreseen:
    runs = gang is not None and gang.state is GangState.RUNNING
    reason = "it runs all the same" if runs else f"it is {gang.state if gang else 'gone'}"
    return Foreseen(kind="stop", effect=f"{name} waits longer", came="missed" if runs else "kept", reason=reason)


def _services(prediction: Prediction, view: ClusterView) -> Iterator[Foreseen]:
    for service in prediction.services:
        if service.ready_after is not None:
            yield _service(service, service.ready_after, view)


def _service(service: ServiceForecast, after: int, view: ClusterView) -> Foreseen:
    effect = f"{service.ref}: {service.ready_before} -> {after} pods ready"
    found = next((w for ref, w in view.workloads.items() if str(ref) == service.ref), None)
    if found is None:
        came: Came = "kept" if after == 0 else "unknown"
        return Foreseen(kind="service", effect=effect, came=came, reason="it is gone")
    ready = len(ready_pods(view, found.ref))
    kept = ready >= after if after >= service.ready_before else ready <= after
    if kept:
        return Foreseen(kind="service", effect=effect, came="kept", reason=f"{ready} are ready")
    if service.wanted is not None and found.replicas != service.wanted:
        reason = f"{ready} are ready, and somebody else asked for {found.replicas}"
        return Foreseen(kind="service", effect=effect, came="unknown", reason=reason)
    return Foreseen(kind="service", effect=effect, came="missed", reason=f"{ready} are ready")


def _gpus(prediction: Prediction, now: Prediction | None, *, others_kept: bool) -> Iterator[Foreseen]:
    told = prediction.gpus
    if told is None:
        return
    for name, said in (("free", "free GPUs"), ("idle_held", "GPUs held idle")):
        before, after = getattr(told.before, name), getattr(told.after, name)
        if before != after:
            seen = getattr(now.gpus.before, name) if now is not None and now.gpus is not None else None
            yield _count(f"{said} {before} -> {after}", after, seen, others_kept=others_kept)


def _count(effect: str, told: int, seen: int | None, *, others_kept: bool) -> Foreseen:
    if seen is None:
        reason = "the scheduler cannot count them now"
        return Foreseen(kind="gpus", effect=effect, came="unknown", reason=reason)
    if seen == told:
        return Foreseen(kind="gpus", effect=effect, came="kept", reason=f"{seen} now")
    if others_kept:
        return Foreseen(kind="gpus", effect=effect, came="unknown", reason=f"{seen} now: others came or went")
    return Foreseen(kind="gpus", effect=effect, came="missed", reason=f"{seen} now")
