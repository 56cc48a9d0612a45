"""Clocks that differ and certificates that change before the API server: told, and nothing is done by a wrong one."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from astray_kit import *  # noqa: F403
from astray_kit import blind
from certificates import Authority
from control_plane import ControlPlane
from kube import reference
from live_world import Seen, ref
from meddling_proxy import Instead, Proxy
from servers import wait_for

from agent.adapters.gated import ClockAstray
from agent.adapters.kubernetes.lease_api import KubernetesLease
from agent.adapters.kubernetes.live.access import Access
from agent.cli.post import post_of
from agent.config import Settings
from agent.ports import ClusterUnavailable


def test_a_server_that_shows_the_certificate_of_a_new_authority_is_believed_once_we_are_told_of_it(
    plane: ControlPlane, proxy: Proxy, seen: Seen
) -> None:
    renewed = Authority("renewed")
    proxy.show(renewed)
    why = wait_for("it says so", lambda: blind(seen), 30)
    assert "certificate verify failed" in why
    proxy.trust(renewed)
    wait_for("it sees again", lambda: not blind(seen), 30)
    seen.cluster.patch(ref("v1", "Node", "there"), {"metadata": {"labels": {"after": "renewal"}}})


def test_nor_is_the_lease_lost_for_ever(plane: ControlPlane, proxy: Proxy) -> None:
    plane.api.create(reference("coordination.k8s.io/v1", "Lease", "held", "default"))
    lease = KubernetesLease(Access(proxy.kubeconfig).api_client, "default", "held")
    assert lease.get()["metadata"]["name"] == "held"
    renewed = Authority("renewed")
    proxy.show(renewed)
    with pytest.raises(ClusterUnavailable, match="certificate verify failed"):
        lease.get()
    proxy.trust(renewed)
    assert lease.get()["metadata"]["name"] == "held"


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 0000 99:99:99 GMT"])
def test_a_date_that_makes_no_sense_says_nothing(proxy: Proxy, seen: Seen, date: str) -> None:
    proxy.rules = [lambda method, path: Instead(real=True, headers={"Date": date})]
    seen.cluster.get(ref("v1", "Node", "there"))
    assert abs(seen.cluster.skew_s) < 3


def test_a_clock_that_is_set_while_we_run_is_told(proxy: Proxy, seen: Seen) -> None:
    wrong = format_datetime(datetime.now(UTC) - timedelta(minutes=10), usegmt=True)
    proxy.rules = [lambda method, path: Instead(real=True, headers={"Date": wrong})]
    seen.cluster.get(ref("v1", "Node", "there"))
    assert 590 < seen.cluster.skew_s < 610
    assert any(place == "clock" and "ahead of" in reason for _, place, reason in seen.told)
    post = post_of(Settings(world="live", kubeconfig=proxy.kubeconfig, leader_election=False))
    post.gate.observing = False
    gated = post.interpose("cluster", seen.cluster)
    before = len(proxy.asked)
    with pytest.raises(ClockAstray, match="ahead of the API server's: nothing is changed"):
        gated.patch(ref("v1", "Node", "there"), {"spec": {"unschedulable": True}})
    assert not any(asked.startswith("PATCH") for asked in proxy.asked[before:])
    proxy.rules = []
    seen.cluster.get(ref("v1", "Node", "there"))
    gated.patch(ref("v1", "Node", "there"), {"metadata": {"labels": {"clock": "right"}}})
