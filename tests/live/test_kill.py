"""`kill -9` of the agent, for real: another process goes on, each action happens once, the log verifies.

The incident is XID 79 under a gang, whole: cordon, requeue, a reboot that a person must approve, uncordon.
"""

import random
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from mortal_watch import RUN_TIMEOUT_S, Watch
from servers import wait_for

INCIDENT = Path(__file__).parents[2] / "scenarios" / "xid-79-under-a-gang.yaml"
ASKS_FOR_REPAIRS = {"autonomy": {"default": "act", "actions": {"request_node_repair": "act_with_approval"}}}
NODE, GANG = "Node/gpu-6", "Workload/research/job-llama-70b-03cf8"
ONCE_EACH = Counter(
    {f"patch {NODE}": 2, f"patch {GANG}": 2, f"request_repair {NODE}": 1}  # cordon and uncordon; stop and start
)
STEPS = 5
RANDOM_KILLS = 20
UP_TO_S = 1.5  # about what a run takes that is left alone


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    made = Watch(tmp_path, INCIDENT, {"autonomy": {"default": "act"}})
    yield made
    made.close()


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Watch]:
    made = Watch(tmp_path, INCIDENT, ASKS_FOR_REPAIRS)
    yield made
    made.close()


def assert_all_is_well(watch: Watch) -> None:
    assert watch.conductor.over, watch.said()
    assert watch.mutations == ONCE_EACH
    told = watch.told()
    assert [incident.state for incident in told.incidents.values()] == ["resolved"]
    assert told.unexplained(watch.conductor.world.effects) == ()
    assert told.without_intent == []
    assert watch.fsck() == 0


@pytest.mark.parametrize("occurrence", range(1, STEPS + 1))
@pytest.mark.parametrize("boundary", ["intent", "effect", "outcome"])
def test_killed_at_a_boundary_it_goes_on_where_it_was(watch: Watch, boundary: str, occurrence: int) -> None:
    assert watch.run_agent(boundary, str(occurrence)) == -signal.SIGKILL, watch.said()
    assert watch.run_agent() == 0, watch.said()
    assert_all_is_well(watch)


def test_killed_while_it_waits_for_approval_it_finds_the_answer_afterwards(asking: Watch) -> None:
    """The yes is said on the command line, in a process of its own, while no agent runs."""
    request = killed_while_waiting(asking)
    assert asking.mutations == Counter({f"patch {NODE}": 1, f"patch {GANG}": 2})
    answered = asking.ask("approvals", "approve", request, "--as", "alice", "--reason", "seen on the node")
    assert answered["state"] == "approved"
    assert asking.run_agent() == 0, asking.said()
    assert_all_is_well(asking)
    assert asked(asking) == []


def test_killed_when_it_has_read_the_approval_it_reads_it_again(asking: Watch) -> None:
    request = killed_while_waiting(asking)
    asking.ask("approvals", "approve", request, "--as", "alice", "--reason", "seen on the node")
    assert asking.run_agent("approval", "1") == -signal.SIGKILL, asking.said()
    assert asking.run_agent() == 0, asking.said()
    assert_all_is_well(asking)


def test_an_agent_that_runs_hears_the_answer_of_another_process(asking: Watch) -> None:
    agent = asking.start_agent()
    wait_for("the request", lambda: asking.conductor.waiting)
    asking.ask("approvals", "approve", asked(asking)[0], "--as", "alice", "--reason", "seen on the node")
    assert agent.wait(RUN_TIMEOUT_S) == 0, asking.said()
    assert_all_is_well(asking)


def test_killed_while_it_waits_and_never_answered_nothing_more_is_done(asking: Watch) -> None:
    """What a person was asked for expires to a no, whichever process notices."""
    request = killed_while_waiting(asking)
    asking.conductor.patient = False
    asking.conductor.lasts = timedelta(minutes=75)  # a request lives for an hour
    assert asking.run_agent() == 0, asking.said()
    assert asking.mutations == Counter({f"patch {NODE}": 1, f"patch {GANG}": 2})
    assert [incident.state for incident in asking.told().incidents.values()] == ["expired"]
    assert asking.ask("approvals", "show", request)["state"] == "expired"
    assert asking.fsck() == 0


def test_killed_at_any_moment_it_goes_on_where_it_was(tmp_path: Path) -> None:
    """As many kills as it takes, each after a time drawn from the seed, over as many incidents as they last for."""
    chance, kills, incidents = random.Random(79), 0, 0
    while kills < RANDOM_KILLS:
        folder = tmp_path / str(incidents)
        folder.mkdir()
        watch = Watch(folder, INCIDENT, {"autonomy": {"default": "act"}})
        killed = True
        while killed and kills < RANDOM_KILLS:
            killed = killed_after(watch, chance.uniform(0, UP_TO_S))
            kills += killed
        assert not killed or watch.run_agent() == 0, watch.said()
        assert_all_is_well(watch)
        watch.close()
        incidents += 1


def killed_after(watch: Watch, delay_s: float) -> bool:
    """False when the incident was over by then."""
    agent = watch.start_agent()
    with suppress(subprocess.TimeoutExpired):
        agent.wait(delay_s)
    agent.kill()
    status = agent.wait()
    assert status in (0, -signal.SIGKILL), watch.said()
    return status != 0


def killed_while_waiting(watch: Watch) -> str:
    """The request that it waited for."""
    agent = watch.start_agent()
    wait_for("the request", lambda: watch.conductor.waiting)
    agent.kill()
    assert agent.wait() == -signal.SIGKILL
    (request,) = asked(watch)
    return request


def asked(watch: Watch) -> list[str]:
    return [each["id"] for each in watch.ask("approvals", "list")["approvals"]]
