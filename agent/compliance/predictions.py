"""What was predicted and what came of it, in one line each, and how often predictions came true.

Pure, and from the record's own JSON: the approval page, the timeline, the feed and the reports all say it alike.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agent.domain.outcome import Foreseen
from agent.domain.proposal import Prediction

NAMES_SHOWN = 4  # of one list in a line that is read at a glance


def predicted(prediction: Prediction | None) -> str:
    """Without the word "predicted"; empty where nothing changes."""
    if prediction is None:
        return ""
    parts = [", ".join(_gangs(prediction)), *_gpus(prediction), *_queues(prediction), *_services(prediction)]
    said = "; ".join(part for part in parts if part)
    unknown = f"not foretold: {', '.join(prediction.not_foretold)}" if prediction.not_foretold else ""
    return "; ".join(part for part in (said or ("" if unknown else "nothing else changes"), unknown) if part)


def without_it(prediction: Prediction | None) -> str:
    """What happens if nothing is done, where that is anything."""
    if prediction is None or prediction.gpus is None:
        return ""
    anyway = [name for name in prediction.gangs_started if name not in prediction.starts] + list(prediction.delays)
    names = ", ".join(_short(name) for name in sorted(anyway)[:NAMES_SHOWN])
    more = f" and {len(anyway) - NAMES_SHOWN} more" if len(anyway) > NAMES_SHOWN else ""
    free = f"{prediction.gpus.without.free} GPUs free, {prediction.gpus.without.idle_held} held idle"
    return f"{names}{more} {'starts' if len(anyway) == 1 else 'start'} anyway; {free}" if anyway else free


def came_of_it(foreseen: Iterable[Foreseen]) -> str:
    """`came true: …; did not: … (why); unknown: …`; empty where nothing was predicted."""
    words: dict[str, list[str]] = {}
    for each in foreseen:
        words.setdefault(each.came, []).append(each.effect + ("" if each.came == "kept" else f" ({each.reason})"))
    heads = (("kept", "came true"), ("missed", "did not come true"), ("unknown", "cannot be told"))
    return "; ".join(f"{head}: {', '.join(words[came])}" for came, head in heads if came in words)


def accuracy(verifications: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Over the payloads of a log's `verification` records."""
    counts = {"kept": 0, "missed": 0, "unknown": 0}
    for payload in verifications:
        for each in payload.get("foreseen") or ():
            counts[each["came"]] += 1
    return counts


def accuracy_line(counts: Mapping[str, int]) -> str:
    """For a closing page."""
    told = counts["kept"] + counts["missed"]
    share = f"{counts['kept'] / told:.0%} of {told} predicted effects came true" if told else "nothing was predicted"
    return share + (f", {counts['unknown']} cannot be told" if counts["unknown"] else "")


def _gangs(prediction: Prediction) -> Iterator[str]:
    yield from _named(prediction.starts, "starts", prediction)
    yield from _named(prediction.stops, "waits", prediction)
    yield from _named(prediction.delays, "waits longer", prediction)


def _named(names: tuple[str, ...], does: str, prediction: Prediction) -> Iterator[str]:
    for name in names[:NAMES_SHOWN]:
        gpus = prediction.gpus_of.get(name)
        most_s = prediction.waits_at_most_s.get(name)
        size = f" ({gpus} GPUs)" if gpus else ""
        yield f"{_short(name)} {does}{size}" + (f" for at most {-(-most_s // 60)} min" if most_s is not None else "")
    if len(names) > NAMES_SHOWN:
        yield f"{len(names) - NAMES_SHOWN} more {does.replace('starts', 'start').replace('waits', 'wait')}"


def _gpus(prediction: Prediction) -> Iterator[str]:
    told = prediction.gpus
    if told is None:
        return
    before, after = told.before, told.after
    if before.free != after.free:
        yield f"free {before.free} -> {after.free} GPUs"
    if before.idle_held != after.idle_held:
        yield f"held idle {before.idle_held} -> {after.idle_held}"
    if before.unusable != after.unusable:
        yield f"out of use {before.unusable} -> {after.unusable}"


def _queues(prediction: Prediction) -> Iterator[str]:
    for queue in prediction.queues[:NAMES_SHOWN]:
        changes = [
            f"{word} {before} -> {after}"
            for word, before, after in (
                ("waiting", queue.pending_before, queue.pending_after),
                ("quota used", queue.used_before, queue.used_after),
                ("quota", queue.nominal_before, queue.nominal_after),
            )
            if before != after
        ]
        if changes:
            yield f"{_short(queue.queue)}: {', '.join(changes)}"


def _services(prediction: Prediction) -> Iterator[str]:
    for service in prediction.services[:NAMES_SHOWN]:
        after = "?" if service.ready_after is None else service.ready_after
        least = (
            f", at least {service.ready_at_worst} meanwhile" if service.ready_at_worst < service.ready_before else ""
        )
        floor = f" (its budget: {service.minimum})" if service.minimum is not None else ""
        wait = f", {service.requests_waiting} requests wait" if service.requests_waiting else ""
        yield f"{_short(service.ref)}: ready {service.ready_before} -> {after}{least}{floor}{wait}"


def _short(name: str) -> str:
    """Without the kind."""
    return name.partition("/")[2] or name
