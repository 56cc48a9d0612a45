"""Kueue's patience: what is let in and does not get ready is sent back, each time for longer, at last for good."""

from typing import Any

import pytest
from queued_kinds import events, held, only, plain_job, queued, site
from world_builders import KUEUE, Json, at, node, pinned, pod, pod_names, ref, running, workload

from agent.adapters.simulated.world import World

NEVER = "waitForPodsReady: {enable: false}"


def configured(text: str) -> Json:
    metadata = {"name": "kueue-manager-config", "namespace": "kueue-system"}
    data = {"controller_manager_config.yaml": text}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def too_large(*more: Json) -> World:
    """There is quota for the gang and too few nodes."""
    made = site(*more, nodes=2)
    made.apply(queued(plain_job(pods=3)))
    return made


def status(made: World) -> Any:
    return only(made, "Workload")["status"]


def test_after_five_minutes_it_is_sent_back_and_its_pods_are_gone() -> None:
    made = too_large()
    made.advance_to(at(290))
    assert held(only(made, "Workload")).keys() == {"QuotaReserved", "Admitted"} and len(pod_names(made)) == 3
    made.advance_to(at(310))
    assert held(only(made, "Workload")) == {"Evicted": "PodsReadyTimeout"}
    assert pod_names(made) == []
    assert status(made)["requeueState"] == {"count": 1, "requeueAt": "2026-11-02T09:06:00Z"}
    (message,) = events(made, "EvictedDueToPodsReadyTimeout")
    assert message.startswith("Exceeded the PodsReady timeout a/job-train-")


def test_it_comes_back_after_a_back_off_that_doubles() -> None:
    made = too_large()
    made.advance_to(at(365))
    assert held(only(made, "Workload"))["Requeued"] == "BackoffFinished"
    assert "Admitted" in held(only(made, "Workload"))
    made.advance_to(at(670))
    assert status(made)["requeueState"] == {"count": 2, "requeueAt": "2026-11-02T09:13:00Z"}


def test_it_starts_as_soon_as_there_is_room() -> None:
    made = too_large()
    made.advance_to(at(310))
    made.apply(node("n3"))
    made.advance_to(at(355))
    assert running(made) == {}, "it backs off"
    made.advance_to(at(400))
    assert len(running(made)) == 3


def test_a_limit_of_returns_deactivates_it() -> None:
    made = too_large(configured("waitForPodsReady: {timeout: 1m, requeuingStrategy: {backoffLimitCount: 1}}"))
    made.advance_to(at(600))
    found = only(made, "Workload")
    assert found["spec"]["active"] is False
    assert held(found) == {"Evicted": "DeactivatedDueToRequeuingLimitExceeded"}
    assert "requeueState" not in found["status"]
    why = "The workload is deactivated due to exceeding the maximum number of re-queuing retries"
    assert events(made, "EvictedDueToDeactivatedDueToRequeuingLimitExceeded") == [why]


@pytest.mark.parametrize(("config", "patient"), [(NEVER, True), ("waitForPodsReady: {timeout: 10m}", False)])
def test_the_managers_own_configuration_counts(config: str, patient: bool) -> None:
    made = too_large(configured(config))
    made.advance_to(at(590))
    assert "Admitted" in held(only(made, "Workload"))
    made.advance_to(at(620))
    assert ("Admitted" in held(only(made, "Workload"))) is patient


def test_a_configuration_that_nobody_can_read_is_named() -> None:
    made = too_large(configured("waitForPodsReady: {timeout: soon}"))
    with pytest.raises(ValueError, match=r"kueue-manager-config: waitForPodsReady.timeout: 'soon' is no duration"):
        made.advance_to(at(10))


@pytest.mark.parametrize(("recovery", "sent_back"), [("0s", False), ("2m", True)])
def test_what_was_ready_once_recovers_in_its_own_time(recovery: str, sent_back: bool) -> None:
    made = site(configured(f"waitForPodsReady: {{timeout: 5m, recoveryTimeout: {recovery}}}"), nodes=3)
    made.apply(queued(plain_job(pods=3)))
    made.advance_to(at(60))
    made.delete(ref("v1", "Node", "n1", None))
    made.advance_to(at(90))
    (said,) = [each for each in status(made)["conditions"] if each["type"] == "PodsReady"]
    assert (said["status"], said["reason"]) == ("False", "WaitForRecovery")
    made.advance_to(at(400))
    assert ("requeueState" in status(made)) is sent_back


def test_what_the_scenario_wrote_as_not_ready_stays_so() -> None:
    train = plain_job(pods=2)
    told = workload("job-train-abcde", train)
    told["status"]["conditions"][2] |= {"status": "False", "reason": "WaitForStart"}
    made = site(train, told, pinned(pod("train-0", "n1", train)))
    made.cluster.patch(ref("batch/v1", "Job", "train"), {"metadata": {"annotations": {"looked": "at"}}})
    made.advance_to(at(3600))
    assert "Evicted" not in held(made.cluster.get(ref(KUEUE, "Workload", "job-train-abcde")))
