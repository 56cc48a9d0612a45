"""What was predicted and what came of it, as people read it."""

from agent.compliance.predictions import accuracy, accuracy_line, came_of_it, predicted, without_it
from agent.compliance.timeline import sentence
from agent.domain.forecast import GpuForecast, Gpus, QueueForecast, ServiceForecast
from agent.domain.outcome import Foreseen
from agent.domain.proposal import Prediction

GIVES_WAY = Prediction(
    gpus=GpuForecast(before=Gpus(free=0, idle_held=64), without=Gpus(free=0, idle_held=64), after=Gpus(free=8)),
    gangs_started=("Gang/lab/early", "Gang/lab/vlm"),
    starts=("Gang/lab/vlm",),
    stops=("Gang/lab/ocr",),
    gpus_of={"Gang/lab/vlm": 32, "Gang/lab/ocr": 16},
    waits_at_most_s={"Gang/lab/ocr": 90},
    queues=(
        QueueForecast(
            queue="Queue/training", pending_before=3, pending_without=2, pending_after=1,
            used_before=40, used_after=56, nominal_before=64, nominal_after=64,
        ),
    ),
)  # fmt: skip
SEEN = (
    Foreseen(kind="start", effect="Gang/lab/vlm starts", came="kept", reason="it is running"),
    Foreseen(kind="stop", effect="Gang/lab/ocr waits whole", came="missed", reason="it runs: room was found"),
    Foreseen(kind="gpus", effect="free GPUs 0 -> 8", came="unknown", reason="4 now: others came or went"),
)


def test_a_prediction_is_one_line() -> None:
    assert predicted(GIVES_WAY) == (
        "lab/vlm starts (32 GPUs), lab/ocr waits (16 GPUs) for at most 2 min; free 0 -> 8 GPUs; held idle 64 -> 0; "
        "training: waiting 3 -> 1, quota used 40 -> 56"
    )
    assert without_it(GIVES_WAY) == "lab/early starts anyway; 0 GPUs free, 64 held idle"


def test_what_is_not_known_is_said() -> None:
    web = ServiceForecast(ref="Deployment/lab/web", ready_before=4, ready_at_worst=3, minimum=2, requests_waiting=9)
    told = Prediction(services=(web,), not_foretold=("whether the new pods become ready",))
    assert predicted(told) == (
        "lab/web: ready 4 -> ?, at least 3 meanwhile (its budget: 2), 9 requests wait; "
        "not foretold: whether the new pods become ready"
    )


def test_a_long_list_is_counted() -> None:
    many = Prediction(starts=tuple(f"Gang/lab/g{index}" for index in range(6)))
    assert predicted(many) == "lab/g0 starts, lab/g1 starts, lab/g2 starts, lab/g3 starts, 2 more start"


def test_nothing_to_tell_is_told_as_nothing() -> None:
    assert (predicted(None), without_it(None), came_of_it(())) == ("", "", "")
    assert predicted(Prediction(gpus=GpuForecast())) == "nothing else changes"


def test_the_timeline_has_both() -> None:
    target = {"apiVersion": "watchkeeper.dev/v1alpha1", "kind": "Gang", "namespace": "lab", "name": "ocr"}
    proposal = {"action": "requeue_gang", "target": target, "statement": "it gives way",
                "prediction": Prediction(starts=("Gang/lab/vlm",)).json_object()}  # fmt: skip
    assert sentence("proposal", proposal).endswith("it gives way. Predicted: lab/vlm starts.")
    verification = {"helped": True, "statement": "it waits", "foreseen": [each.json_object() for each in SEEN]}
    assert sentence("verification", verification) == (
        "It helped: it waits. Came true: Gang/lab/vlm starts; did not come true: Gang/lab/ocr waits whole (it runs: "
        "room was found); cannot be told: free GPUs 0 -> 8 (4 now: others came or went)."
    )
    assert sentence("proposal", {**proposal, "prediction": None}).endswith("it gives way.")
    assert sentence("verification", {"helped": True, "statement": "told"}) == "It helped: told."  # an older record


def test_how_often_predictions_came_true() -> None:
    counts = accuracy([{"foreseen": [each.json_object() for each in SEEN]}, {"helped": True}])
    assert counts == {"kept": 1, "missed": 1, "unknown": 1}
    assert accuracy_line(counts) == "50% of 2 predicted effects came true, 1 cannot be told"
    assert accuracy_line(accuracy([])) == "nothing was predicted"
