"""What a site sets counts: the same cluster, judged with another threshold, and just below it."""

import pytest

from agent.domain.duration import in_words
from agent.domain.incident import Symptom
from agent.domain.thresholds import USUAL, Thresholds
from agent.evidence.condition import Sight
from agent.evidence.facts import gather
from agent.evidence.hanging_facts import find_hanging
from evidence.field import NOW, Foresees, Told, incident
from evidence.signals import alert
from evidence.test_hanging import LLAMA, told, training


def limits(**given: int) -> Thresholds:
    return Thresholds.model_validate({**USUAL.model_dump(), **given})


@pytest.mark.parametrize(
    ("flat", "given", "hangs"),
    [(25, {}, False), (25, {"hang_after_s": 1200}, True), (19, {"hang_after_s": 1200}, False),
     (40, {}, True), (40, {"hang_after_s": 3600}, False), (40, {"hang_steady_s": 3600}, True)],
)  # fmt: skip
def test_when_a_training_hangs_is_the_sites_to_say(flat: int, given: dict[str, int], hangs: bool) -> None:
    view, metrics, set_so = training().view(), Told(*told(flat=flat)), limits(**given)
    assert bool(find_hanging(Sight(view, metrics, NOW, (), set_so))) is hangs
    about = incident(Symptom.WORKLOAD_HANGS, LLAMA, alert("TrainingStalled"))
    values = gather(about, view, metrics, Foresees(), NOW, (), thresholds=set_so).values["hang"]
    assert values["proven"] is hangs, "the finder and the facts judge alike"


def test_words_for_a_time() -> None:
    assert [in_words(s) for s in (600, 1800, 3600, 86400, 900, 7200, 3601)] == [
        "ten minutes", "half an hour", "an hour", "a day", "15 minutes", "2 hours", "3601 s",
    ]  # fmt: skip
