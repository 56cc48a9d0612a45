"""JobSets: their counts, and what a failed Job does to all of them."""

from queued_kinds import ended, events, held, jobset, of_kind, site
from world_builders import at, ref, running

from agent.adapters.simulated.world import World

TRAIN = ref("jobset.x-k8s.io/v1alpha2", "JobSet", "train")


def fail_one(made: World) -> None:
    job = of_kind(made, "Job")[0]["metadata"]["name"]
    ended(made, next(name for name in running(made) if name.startswith(job)), "Failed", 1)
    made.cluster.patch(ref("batch/v1", "Job", job), {"metadata": {"annotations": {"looked": "at"}}})
    made.advance_to(made.clock.now())


def test_it_counts_its_jobs() -> None:
    made = site()
    made.apply(jobset())
    made.advance_to(at(30))
    counts = {"ready": 3, "active": 3, "succeeded": 0, "failed": 0, "suspended": 0}
    assert made.cluster.get(TRAIN)["status"]["replicatedJobsStatus"] == [{"name": "workers", **counts}]


def test_without_a_failure_policy_one_failed_job_fails_it() -> None:
    made = site()
    made.apply(jobset())
    made.advance_to(at(30))
    fail_one(made)
    made.advance_to(at(60))
    assert held(made.cluster.get(TRAIN)) == {"Failed": "FailedJobs"}
    assert running(made) == {}


def test_with_one_all_jobs_are_made_anew_as_often_as_it_allows() -> None:
    made = site()
    made.apply(jobset(failurePolicy={"maxRestarts": 1}))
    made.advance_to(at(30))
    before = set(running(made))
    fail_one(made)
    made.advance_to(at(60))
    assert len(running(made)) == 3 and not before & set(running(made))
    assert made.cluster.get(TRAIN)["status"]["restarts"] == 1
    assert events(made, "RestartJobSetFailurePolicyAction")
    fail_one(made)
    made.advance_to(at(90))
    assert held(made.cluster.get(TRAIN)) == {"Failed": "ReachedMaxRestarts"}
