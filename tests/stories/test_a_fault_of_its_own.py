"""The agent itself fails in the middle of a remedy: that is on the record, and a person hears what stands as it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from telling import KUEUE, Story
from test_xid_79_under_a_gang import ACT, LLAMA, site


class Faulty(Story):
    """A fault of the agent's own comes with the first stage after the gang was switched off."""

    def _interpose(self, name: str, port: Any) -> Any:
        return self._stage if name == "stages" else super()._interpose(name, port)

    @contextmanager
    def _stage(self, _stage: str, _incident: str) -> Iterator[None]:
        gang = self.object(KUEUE, "Workload", "job-llama", "research")
        if gang and not gang["spec"]["active"]:
            raise KeyError("nobody thought of this")
        yield


def test_what_was_begun_is_named_to_the_person_who_is_called(tmp_path: Path) -> None:
    story = Faulty(tmp_path, site(), autonomy=ACT).kernel_says("gpu-7").passes(minutes=10)
    (closed,) = story.records("incident_closed")
    stands = "what was begun stands as it is: cordon_node on Node/gpu-7 (succeeded), requeue_gang on "
    assert closed["state"] == "failed" and "nobody thought of this" in closed["statement"]
    assert f"{stands}{LLAMA} (unknown)" in closed["statement"]
    assert [told for told in story.told("oncall") if closed["statement"] in told]
    story.close()
