"""A drawn day as everybody plays it: the same for the demo, for the benchmark and for the tests.

Played twice: once with the agent at work, once without it. What the second loses and the first does not is what the
agent has won.
"""

from pathlib import Path

from agent.scenarios.format import Scenario
from agent.scenarios.losses import LossMeter, Tally
from agent.scenarios.performance import Performance
from agent.scenarios.unattended import Unattended

NODES, GPUS, TENANTS, TROUBLES = 32, 256, 3, 12
START = "2026-11-02T09:00:00Z"


def day(seed: int, trace: Path | None = None) -> Scenario:
    """Nothing but the seed and the trace: the same for everybody."""
    asked = {"nodes": NODES, "gpus": GPUS, "tenants": TENANTS, "troubles": TROUBLES}
    spec = {
        "description": f"A day on {NODES} nodes and {GPUS} GPUs, drawn from seed {seed}.",
        "seed": seed,
        "start": START,
        "generate": asked if trace is None else {**asked, "trace": str(trace)},
    }
    document = {"apiVersion": "watchkeeper.dev/v1alpha1", "kind": "Scenario", "metadata": {"name": f"day-{seed}"}}
    return Scenario.model_validate({**document, "spec": spec})


def alone(scenario: Scenario, seed: int | None = None) -> Tally:
    """What the same day loses while nobody acts."""
    meter = LossMeter()
    Unattended(scenario, seed).play(meter)
    return meter.tally


def approve_all(performance: Performance) -> None:
    """Somebody who may says yes to each request, until none is left or nobody may."""
    answered = True
    while answered:
        pending = performance.agent.ports.desk.pending()
        answered = any(performance.answer(request, "approve", "the demo says yes to all") for request in pending)
