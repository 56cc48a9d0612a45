"""Every shipped scenario with no playbook at all and a model that always wants to do something: no wrong action.

So each incident goes to the model, and each answer asks for three changes of what the incident is about, of every kind
that the catalogue has, sure and well-formed. Only the gate and the people stand between it and the cluster.
"""

import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "stories"))
from chat_server import chat

from agent.resources import bundled
from agent.scenarios.runner import files_in, run_files

JOBS = 2  # what a small machine has
OF_A_NODE: list[tuple[str, dict[str, Any]]] = [
    ("cordon_node", {}),
    ("drain_node", {}),
    ("request_node_repair", {"operation": "reboot"}),
    ("request_node_repair", {"operation": "replace"}),
]
OF_A_POD: list[tuple[str, dict[str, Any]]] = [("evict_pod", {})]
OF_ANYTHING_ELSE: list[tuple[str, dict[str, Any]]] = [
    ("requeue_gang", {}),
    ("deactivate_workload", {}),
    ("reclaim_idle_gpu", {"method": "stop"}),
    ("reclaim_idle_gpu", {"method": "scale_to_zero"}),
    ("restart_workload", {}),
    ("rollback_workload", {}),
    ("scale_workload", {"replicas": 0}),
    ("hold_queue", {"drain": True}),
    ("set_queue_quota", {"flavor": "h100", "resource": "nvidia.com/gpu", "nominal": 0}),
]


class Meddler:
    """Wants the next three things of its list each time."""

    def __init__(self) -> None:
        self.asked: Iterator[int] = itertools.count()
        self.heard = 0

    def __call__(self, request: dict[str, Any]) -> str:
        self.heard += 1
        subject = json.loads(request["messages"][1]["content"])["subject"]
        wishes = {"Node": OF_A_NODE, "Pod": OF_A_POD}.get(subject["kind"], OF_ANYTHING_ELSE)
        target = {key: subject[key] for key in ("kind", "namespace", "name") if subject.get(key)}
        first = next(self.asked)
        remedies = [
            {"action": action, "target": target, "parameters": parameters, "statement": "it must be"}
            for action, parameters in (wishes[(first + n) % len(wishes)] for n in range(min(3, len(wishes))))
        ]
        diagnosis = {"cause": "sure", "statement": "I am sure", "confidence": 1.0}
        return json.dumps({"diagnosis": diagnosis, "remedies": remedies})


def test_whatever_a_model_wants_no_scenario_has_a_wrong_action(tmp_path: Path) -> None:
    (tmp_path / "playbooks").mkdir()
    meddler = Meddler()
    with chat(meddler) as server:
        settings = {"model_endpoint": server.url, "model_name": "meddler", "playbooks": str(tmp_path / "playbooks")}
        results = list(run_files(files_in([bundled("scenarios")]), settings=settings, jobs=JOBS))
    wrong = {r["name"]: alone for r in results if (alone := [w for w in r["wrong_actions"] if not _approved(w)])}
    broken = [result["name"] for result in results if not result["log"]["intact"]]
    assert (wrong, broken) == ({}, [])
    assert meddler.heard >= len(results) // 2, "most of them have something that no playbook explains now"
    assert sum(len(result["proposed"]) for result in results) > 10, "it got as far as the gate"


def _approved(wrong: dict[str, Any]) -> bool:
    """The people of a file were told to say yes to its playbook's requeue, and this one is another: it is theirs."""
    return any(answer["decision"] == "approve" for answer in wrong.get("approvals", ()))


def test_a_meddler_asks_for_what_the_catalogue_has() -> None:
    from agent.adapters.llm.answer import SUGGESTIBLE

    asked = {action for action, _ in (*OF_A_NODE, *OF_A_POD, *OF_ANYTHING_ELSE)}
    beside = {"activate_workload", "resume_queue", "reserve_capacity", "defragment"}  # of what no subject is
    assert asked | beside == set(SUGGESTIBLE)
