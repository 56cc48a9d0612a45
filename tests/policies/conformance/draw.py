"""Draws policy inputs and limits near the edges of the rules: one number says which, so that any of them comes back.

Values sit on a limit, just below and just above it; a share of the inputs then has parts taken out or replaced by
something of another type. Not that an engine decides well is asked with them, but that it decides as the other does.
"""

from copy import deepcopy
from datetime import timedelta
from random import Random
from typing import Any

from agent.actions.catalogue import CATALOGUE
from tests.policies.inputs import NOW, Given, ago, cordon, past, reclaim, repair, requeue, seen, tell

ACTIONS = tuple(sorted(CATALOGUE))
LEVELS = ("observe", "suggest", "act_with_approval", "act")
EDGES_S = (0, 1, 299, 300, 301, 899, 900, 901, 1799, 1800, 1801, 3599, 3600, 3601, 7199, 7200, 86_400, 604_799, 604_800)
STRANGERS: tuple[Any, ...] = (None, "", "7", -1, 0, 1.5, True, [], {}, ["x"], {"x": 1}, "not a time")
NAMES = ("gpu-1", "gpu-2", "gpu-7", "llama", "notebook")
NAMESPACES = ("research", "law", "kube-system", "gpu-operator")
OWNERS = (None, "DaemonSet/kube-system/kube-proxy", "Node/gpu-7", "Deployment/law/web")
KINDS = ("object", "object", "metric", "forecast", "signal")
AGES_S = (*EDGES_S[:4], 0, 60, 301, 3600, 86_400, 86_401, -60, -61)
OPERATIONS = ("reboot", "reset_gpu", "replace", "support", "diagnose")
BROKEN_PERCENT = 25


def draw_limits(seed: int) -> dict[str, Any]:
    """An overlay over the shipped limits."""
    chance = Random(f"limits-{seed}")
    some = [action for action in ACTIONS if chance.random() < 0.2]
    frozen_from = NOW + timedelta(seconds=chance.choice((-3600, -1, 0, 1)))
    freeze = {
        "name": "drawn",
        "from": frozen_from.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "to": (frozen_from + timedelta(seconds=chance.choice((1, 2, 3600)))).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **chance.choice(({}, {"actions": some or ["*"]}, {"tenants": ["research"]}, {"except": ["cordon_node"]})),
    }
    return {
        "autonomy": {
            "default": chance.choice(LEVELS + ("act",) * 6),
            "actions": {action: chance.choice(LEVELS) for action in some if chance.random() < 0.5},
            "tenants": {"research": chance.choice(LEVELS)} if chance.random() < 0.3 else {},
            "namespaces": {"law": chance.choice(LEVELS)} if chance.random() < 0.3 else {},
            "kill_switch": chance.random() < 0.05,
        },
        "blast_radius": {"nodes": {"percent": chance.choice((5, 10, 34)), "absolute": chance.choice((1, 4))}},
        "freezes": [freeze] if chance.random() < 0.2 else [],
        "tenants": {"research": {"namespaces": ["research"]}} if chance.random() < 0.5 else {},
        "protected": {"telemetry": ["gpu-operator/dcgm-exporter"]} if chance.random() < 0.5 else {},
    }


def draw_input(seed: int) -> dict[str, Any]:
    """A whole policy input; a quarter of them broken."""
    chance = Random(f"input-{seed}")
    given = _proposed(chance).after(*(_past(chance) for _ in range(chance.choice((0, 0, 1, 3, 8)))))
    given = _seen(chance, given)
    document = deepcopy(given.document)
    document["phase"] = chance.choice(("propose", "execute"))
    if chance.random() * 100 < BROKEN_PERCENT:
        for _ in range(chance.choice((1, 1, 2))):
            _break(chance, document)
    return document


def _proposed(chance: Random) -> Given:
    name = chance.choice(NAMES)
    made = chance.choice((cordon, cordon, repair, requeue, reclaim, tell))
    given = made() if made is tell else made(name)
    if chance.random() < 0.5:
        given = given.proposed(action=chance.choice(ACTIONS))
    destructive = given.document["proposal"]["destructive"]
    if chance.random() < 0.4:
        target = {"apiVersion": "apps/v1", "kind": chance.choice(("Deployment", "DaemonSet", "Pod")), "name": name}
        given = given.proposed(target={**target, "namespace": chance.choice(NAMESPACES)})
    until = (NOW + timedelta(seconds=chance.choice((-1, 0, 1, 14_399, 14_400, 14_401)))).strftime("%Y-%m-%dT%H:%M:%SZ")
    drawn = given.document["proposal"]["parameters"]
    if given.document["proposal"]["action"] == "request_node_repair":  # without one there is no verdict
        drawn = {"operation": chance.choice(OPERATIONS)}
    return given.proposed(
        destructive=destructive if chance.random() < 0.8 else not destructive,
        confidence=chance.choice((0.0, 0.49, 0.5, 0.51, 0.95, 1.0)),
        source=chance.choice(("playbook:xid-79", "playbook:xid-79", "model:small", "playbook:", "oracle")),
        undoes=chance.choice((None, None, None, "inc-0/1")),
        tenant=chance.choice(("", "research", "law")),
        notice_s=chance.choice((0, 0, 60, 899, 900, 901)),
        parameters=chance.choice(
            (
                drawn,
                {**drawn, "operation": chance.choice(OPERATIONS)},
                {**drawn, "until": until},
                {**drawn, "moves": [{"pod": f"p{number}"} for number in range(chance.choice((0, 2, 3, 4, 5)))]},
            )
        ),
        blast_radius={
            "nodes": chance.sample(NAMES, chance.choice((0, 1, 1, 2))),
            "gangs": [f"Workload/law/{chance.choice(NAMES)}"] * chance.choice((0, 0, 1)),
            "workloads": [
                f"{chance.choice(('DaemonSet', 'Deployment'))}/{chance.choice(NAMESPACES)}/{item}"
                for item in chance.sample((*NAMES, "dcgm-exporter"), chance.choice((0, 0, 1, 2)))
            ],
            "pods": chance.choice((0, 0, 1, 3)),
            "gpus": 0,
        },
    )


def _seen(chance: Random, given: Given) -> Given:
    total = chance.choice((0, 1, 2, 8, 10, 16, 20, 39, 40, 41))
    marks = chance.choice(
        (
            {},
            {},
            {"watchkeeper.dev/opt-out": "true"},
            {"watchkeeper.dev/opt-out": "False"},
            {"helm.toolkit.fluxcd.io/name": "x"},
        )
    )
    ref = f"Workload/law/{chance.choice(NAMES)}"
    running = chance.choice((0, 1, 8))
    touched = chance.choice((0, 1, running))
    gang = {"ref": ref, "minimum": 8, "running": running, "touched": touched, "whole": touched == running}
    idle = given.document["facts"]["idle"]
    if idle is not None:
        edge = chance.choice((3599, 3600, 3601, 7199, 7200, 7201, None))
        idle = {**idle, "idle_s": edge, "workload_class": chance.choice(("notebook", "serving", "strange"))}
        idle["witnesses"] = idle["witnesses"][: chance.choice((0, 1, 2))]
        idle["contradictions"] = chance.choice(([], [], ["power"]))
    return given.in_a_cluster_of(total, eligible=chance.choice((total, max(total - 1, 0)))).seen(
        target={"labels": {}, "annotations": marks},
        namespaces={n: {"annotations": chance.choice(({}, marks))} for n in NAMESPACES if chance.random() < 0.2},
        touched=[
            {"ref": f"Pod/{space}/{n}", "owner": owner, "annotations": chance.choice(({}, marks))}
            for n, space, owner in zip(
                NAMES[:2], ("law", chance.choice(NAMESPACES)), ("Job/law/x", chance.choice(OWNERS)), strict=True
            )
        ],
        gangs=[{**gang, "healthy": chance.random() < 0.5}] * chance.choice((0, 0, 1)),
        workload=chance.choice(
            (
                None,
                {
                    "class": chance.choice(("serving", "training")),
                    "pods": chance.choice((0, 1, 2, 4)),
                    "disruptions_allowed": chance.choice((None, 0, 1, 2)),
                },
            )
        ),
        budgets=[{"ref": "PodDisruptionBudget/law/web", "disruptions_allowed": 1, "touched": chance.choice((0, 1, 2))}]
        * chance.choice((0, 0, 1)),
        idle=idle,
        evidence=[
            seen(chance.choice(KINDS), seconds=chance.choice(AGES_S)) for _ in range(chance.choice((0, 1, 1, 2, 3)))
        ],
        notice=chance.choice((None, None, {"given_at": ago(seconds=chance.choice(EDGES_S[:8]))})),
        conflicts=chance.choice(([], [], [], ["nvsentinel"])),
    )


def _past(chance: Random) -> dict[str, Any]:
    done = past(
        chance.choice(ACTIONS),
        chance.choice(NAMES),
        undo=chance.random() < 0.1,
        seconds=chance.choice(EDGES_S),
    )
    done["parameters"] = chance.choice(({}, {"operation": chance.choice(("reboot", "support", "reset_gpu"))}))
    return {**done, "incident": chance.choice(("inc-0", "inc-1"))}


def _break(chance: Random, document: dict[str, Any]) -> None:
    """Takes one thing out, or puts something of another type in its place."""
    holder: Any = document
    while True:
        keys = sorted(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return
        key = chance.choice(keys)
        inner = holder[key]
        if isinstance(inner, dict | list) and inner and chance.random() < 0.8:
            holder = inner
            continue
        if isinstance(holder, dict) and chance.random() < 0.5:
            del holder[key]
        else:
            holder[key] = deepcopy(chance.choice(STRANGERS))
        return
