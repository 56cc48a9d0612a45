"""The worked examples of docs/policies.md, put together as the page says, and what each says to some inputs."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from agent.resources import bundled
from tests.policies.inputs import Given, cordon, past, repair, requeue

ROOM = Path(__file__).resolve().parents[2] / "docs" / "examples" / "policies"
EXAMPLES = tuple(sorted(folder.name for folder in ROOM.iterdir()))


def put_together(name: str, folder: Path) -> Path:
    """The shipped policies and the example's own over them, as `cp -r` does."""
    shutil.copytree(bundled("policies"), folder / "policies")
    shutil.copytree(ROOM / name / "policies", folder / "policies", dirs_exist_ok=True)
    return folder / "policies"


def settings_of(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOM / name / "watchkeeper.yaml").read_text(encoding="utf-8"))
    return read


@dataclass(frozen=True)
class Story:
    example: str
    what: str
    given: Given
    decision: str
    codes: frozenset[str]
    asked: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        return f"{self.example}: {self.what}"


def drain(pool: str, *, open_: bool | None) -> Given:
    hours = [] if open_ is None else [{"name": "business-hours", "open": open_, "opens": None, "closes": None}]
    given = cordon().proposed(action="drain_node", destructive=True, protective=False)
    return given.seen(target={"labels": {"pool": pool}, "annotations": {}}, windows=hours)


def stop(gpus: int, *before: tuple[int | None, float]) -> Given:
    """A gang of research's is requeued; before, others of so many GPUs were, so many hours ago."""
    earlier = [
        {**past("requeue_gang", f"w-{n}", hours=h), "tenant": "research", "gpus": g} for n, (g, h) in enumerate(before)
    ]
    given = requeue(running=8).seen(namespaces={"research": {"annotations": {}}})
    target = {**given.document["proposal"]["target"], "namespace": "research"}
    radius = {**given.document["proposal"]["blast_radius"], "gpus": gpus}
    return given.proposed(tenant="research", target=target, blast_radius=radius).after(*earlier)


def opened(vendor: str, operation: str = "reboot") -> Given:
    return repair(operation=operation).seen(target={"labels": {"vendor": vendor}, "annotations": {}})


ONCALL, OWNERS = ("gpu-oncall", 1), ("inference-leads", 2)
_HOURS, _CAP, _WARRANTY = EXAMPLES
_ASK = frozenset({"inference_hours.ask_owners"})
_ACT = frozenset({"autonomy.act"})
STORIES = (
    Story(_HOURS, "in business hours", drain("prod-inference", open_=True), "escalate", _ASK, (ONCALL, OWNERS)),
    Story(_HOURS, "hours unknown", drain("prod-inference", open_=None), "escalate", _ASK, (ONCALL, OWNERS)),
    Story(_HOURS, "at night", drain("prod-inference", open_=False), "allow", _ACT),
    Story(_HOURS, "another pool", drain("training", open_=True), "allow", _ACT),
    Story(_HOURS, "a freeze beats it", drain("prod-inference", open_=True).seen(conflicts=["vendor"]), "deny",
          frozenset({"conflict.other_actor"})),
    Story(_CAP, "the first", stop(16), "allow", _ACT),
    Story(_CAP, "one too many", stop(17), "deny", frozenset({"stopped_gpu_hours.cap"})),
    Story(_CAP, "after another", stop(8, (9, 2)), "deny", frozenset({"stopped_gpu_hours.cap"})),
    Story(_CAP, "after another of yesterday", stop(8, (9, 24)), "allow", _ACT),
    Story(_CAP, "after one of unknown size", stop(1, (None, 2)), "deny", frozenset({"stopped_gpu_hours.unknown"})),
    Story(_WARRANTY, "the vendor's", opened("acme"), "deny", frozenset({"warranty.vendor_repairs"})),
    Story(_WARRANTY, "the vendor is called", opened("acme", "support"), "allow", _ACT),
    Story(_WARRANTY, "our own", opened("homemade"), "allow", _ACT),
)  # fmt: skip
