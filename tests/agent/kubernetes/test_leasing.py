"""Leader election: one acts at a time, whatever the network does, by each candidate's own clock."""

import random

import pytest
from lease_server import Candidate, LeaseServer

from agent.adapters.kubernetes.leasing import CLIENT_GO, Mind, Role, Terms, micro_time, taken
from agent.ports import JsonObject


@pytest.fixture
def server() -> LeaseServer:
    return LeaseServer()


def test_the_first_leads_and_the_second_stands_by(server: LeaseServer) -> None:
    first, second = Candidate(server, "a"), Candidate(server, "b")
    first.election.round()
    second.election.round()
    assert (first.election.role, second.election.role) == (Role.LEADING, Role.STANDBY)
    assert second.election.standing()["holder"] == "a"
    assert server.lease is not None
    assert server.lease["spec"]["leaseTransitions"] == 1


def test_a_leader_that_cannot_renew_stops_before_another_begins(server: LeaseServer) -> None:
    first, second = Candidate(server, "a"), Candidate(server, "b")
    first.election.round()
    second.election.round()
    first.line.network = "cut"
    stopped = began = 0.0
    while not began:
        server.now_s += 0.5
        first.election.round()
        second.election.round()
        stopped = stopped or (0.0 if first.election.held() else server.now_s)
        began = server.now_s if second.election.held() else 0.0
    assert stopped == CLIENT_GO.renew_deadline_s
    assert began == CLIENT_GO.duration_s
    assert first.election.role is Role.SUSPENDED  # it cannot know
    first.line.network = "well"
    first.election.round()
    assert first.election.role is Role.STANDBY


def test_it_stops_acting_without_asking_anybody(server: LeaseServer) -> None:
    """Its thread may hang in a request: what counts is its own clock."""
    only = Candidate(server, "a")
    only.election.round()
    server.now_s += CLIENT_GO.renew_deadline_s
    assert not only.election.held()


def test_the_deadline_runs_from_before_the_request(server: LeaseServer) -> None:
    """The server may have written it at once, and taken long to say so: others count from there."""
    slow = Candidate(server, "a")
    slow.line.takes_s = 2.5
    slow.election.round()
    asked_at = 5.0  # after the read, which took as long
    server.now_s = asked_at + CLIENT_GO.renew_deadline_s
    assert not slow.election.held()


def test_whoever_gives_it_back_is_followed_at_once(server: LeaseServer) -> None:
    first, second = Candidate(server, "a"), Candidate(server, "b")
    first.election.round()
    second.election.round()
    first.election.give_back()
    assert not first.election.held()
    second.election.round()
    assert second.election.held()
    assert server.lease is not None
    assert server.lease["spec"]["leaseTransitions"] == 2


def test_whoever_gave_it_back_takes_it_no_more(server: LeaseServer) -> None:
    only = Candidate(server, "a")
    only.election.round()
    only.election.give_back()
    assert only.election.role is Role.STANDBY
    assert server.lease is not None
    assert server.lease["spec"]["holderIdentity"] == ""


def test_a_lease_of_another_is_not_given_back(server: LeaseServer) -> None:
    first, second = Candidate(server, "a"), Candidate(server, "b")
    first.election.round()
    server.now_s += CLIENT_GO.duration_s
    second.election.round()
    server.now_s += CLIENT_GO.duration_s
    second.election.round()
    assert second.election.held()
    first.election.give_back()
    second.election.round()
    assert second.election.held()


def test_a_cut_off_leader_goes_on_when_nobody_came(server: LeaseServer) -> None:
    only = Candidate(server, "a")
    only.election.round()
    only.line.network = "cut"
    server.now_s += 60
    only.election.round()
    assert only.election.role is Role.SUSPENDED
    only.line.network = "well"
    only.election.round()
    assert only.election.role is Role.LEADING


def test_a_lease_that_was_deleted_is_made_again(server: LeaseServer) -> None:
    only = Candidate(server, "a")
    only.election.round()
    server.lease = None
    only.election.round()
    assert only.election.held()
    assert server.lease is not None


def test_a_lease_that_was_deleted_sets_nobody_beside_the_leader(server: LeaseServer) -> None:
    """Who is cut off from the server does not hear of it, and acts until its own deadline."""
    first, second = Candidate(server, "a"), Candidate(server, "b")
    first.election.round()
    second.election.round()
    first.line.network = "cut"
    server.lease = None
    while not second.election.held():
        server.now_s += 2
        second.election.round()
        assert not (first.election.held() and second.election.held())
    assert server.now_s <= 2 * CLIENT_GO.duration_s + 4


def test_a_lease_that_is_deleted_again_and_again_sets_nobody_beside_the_leader(server: LeaseServer) -> None:
    """Between two looks of the second the leader has made it anew each time, and it was deleted each time."""
    first, second = Candidate(server, "a"), Candidate(server, "b")
    first.election.round()
    second.election.round()
    for _ in range(60):
        server.lease = None
        second.election.round()
        server.now_s += 1
        first.election.round()
        assert not (first.election.held() and second.election.held())
        server.now_s += 1


def test_who_makes_the_lease_waits_until_nobody_can_think_that_it_leads(server: LeaseServer) -> None:
    """It may have been deleted a moment ago, under a leader that cannot be told."""
    server.lease = None
    leader = Candidate(server, "a")
    leader.election.round()
    server.now_s += CLIENT_GO.duration_s
    leader.election.round()
    assert leader.election.held()
    leader.line.network = "cut"
    server.lease = None
    fresh = Candidate(server, "b")
    fresh.election.round()
    assert fresh.election.role is Role.STANDBY and leader.election.held()
    while not fresh.election.held():
        server.now_s += 2
        fresh.election.round()
        assert not (leader.election.held() and fresh.election.held())
    assert not leader.election.held()


def test_who_made_it_and_was_not_told_waits_as_long(server: LeaseServer) -> None:
    server.lease = None
    only = Candidate(server, "a")
    only.line.network = "deaf"
    only.election.round()
    only.line.network = "well"
    only.election.round()
    assert server.lease is not None and server.lease["spec"]["holderIdentity"] == "a"
    assert only.election.role is Role.STANDBY
    server.now_s += CLIENT_GO.duration_s
    only.election.round()
    assert only.election.held()


@pytest.mark.parametrize("said", [None, 0, -5, "x", 10**9, True])
def test_a_mad_duration_neither_lets_in_nor_locks_out(said: object) -> None:
    lease: JsonObject = {
        "metadata": {"resourceVersion": "1"},
        "spec": {"holderIdentity": "b", "leaseDurationSeconds": said, "renewTime": "2026-11-02T09:00:00.000000Z"},
    }
    mind = Mind("a").observed(lease, 0.0)
    first = CLIENT_GO.duration_s if said is not True else 1.0
    assert not mind.may_take(first - 0.1)
    assert mind.may_take(first)


def test_others_clocks_mean_nothing(server: LeaseServer) -> None:
    """A holder whose wall clock is a year behind holds its lease all the same."""
    first, second = Candidate(server, "a", ahead_s=-31_536_000), Candidate(server, "b", ahead_s=86_400)
    first.election.round()
    for _ in range(20):
        server.now_s += 2
        first.election.round()
        second.election.round()
        assert first.election.held() and not second.election.held()


def test_times_have_their_six_digits() -> None:
    """A MicroTime without a fraction is refused by the server."""
    server = LeaseServer()
    whole = Candidate(server, "a").now().replace(microsecond=0)
    assert micro_time(whole) == "2026-11-02T09:00:00.000000Z"
    spec = taken(None, "a", CLIENT_GO, ("ns", "lease"), whole)["spec"]
    assert spec["renewTime"] == spec["acquireTime"] == "2026-11-02T09:00:00.000000Z"


def test_terms_that_would_let_two_act_are_no_terms() -> None:
    with pytest.raises(ValueError, match="renew_deadline_s"):
        Terms(duration_s=10, renew_deadline_s=10, retry_s=2)


@pytest.mark.parametrize("seed", range(40))
def test_never_do_two_act(seed: int) -> None:
    """Networks that come and go, answers that are lost, requests that hang, clocks that disagree, leases deleted."""
    chance = random.Random(seed)
    server = LeaseServer()
    candidates = [Candidate(server, name, chance.uniform(-1e6, 1e6)) for name in "abcd"]
    led: set[str] = set()
    for _ in range(800):
        server.now_s += chance.choice((0.1, 0.5, 1.0, 2.0, 4.0))
        one = chance.choice(candidates)
        if chance.random() < 0.05:
            one.line.network = chance.choice(("well", "well", "cut", "deaf"))
            one.line.takes_s = chance.choice((0.0, 0.0, 0.3, 3.0))
        if chance.random() < 0.02:
            server.lease = None
        one.election.round()
        acting = [name for name, each in zip("abcd", candidates, strict=True) if each.election.held()]
        assert len(acting) <= 1, f"seed {seed} at {server.now_s} s"
        led.update(acting)
    assert len(led) > 1  # it was passed on
