"""The ConfigMap anchor by the protocol of a Kubernetes object: by apply, for two agents, and small."""

from __future__ import annotations

import pytest
from anchoring_kit import *  # noqa: F403 - its fixtures
from anchoring_kit import configmap, grow
from api_server import ApiServer

from audit.anchoring.anchor import AnchorUnavailable
from audit.anchoring.configmap import KEPT_AT_MOST, MANAGER
from audit.anchoring.publishing import checkpoint
from audit.checkpoints import Checkpoint
from audit.log import Log
from audit.signing import Signer


def test_the_object_is_written_by_apply_under_our_name(api: ApiServer, log: Log, signer: Signer) -> None:
    anchor = configmap(api)
    for _ in range(2):
        grow(log, 1)
        checkpoint(log, signer, [anchor])
    writes = [(verb, manager) for verb, _, manager in api.requests if verb != "GET"]
    assert writes == [("POST", MANAGER), ("PATCH", MANAGER), ("PATCH", MANAGER)]
    assert all(agent.startswith(MANAGER) for agent in api.agents)
    (standing,) = api.objects.values()
    assert sorted(standing["data"]) == ["0000000000000000001.checkpoint", "0000000000000000002.checkpoint"]


def test_two_agents_cannot_take_each_others_checkpoint_back(api: ApiServer, signer: Signer) -> None:
    """The second was made from a version that is gone: refused, and right the next time."""
    one, two = configmap(api), configmap(api)
    notes = {size: str(signer.sign(Checkpoint(signer.key.name, size, bytes(32)))).encode() for size in (1, 2, 3)}
    one.keep(1, notes[1])
    read = two._get

    def then_the_other_writes() -> object:
        standing = read()
        one.keep(2, notes[2])
        return standing

    two._get = then_the_other_writes  # type: ignore[method-assign,assignment]
    with pytest.raises(AnchorUnavailable, match="409"):
        two.keep(3, notes[3])
    two._get = read  # type: ignore[method-assign]
    two.keep(3, notes[3])
    assert two.since(0) == [notes[1], notes[2], notes[3]]


def test_the_object_stays_small(api: ApiServer, signer: Signer) -> None:
    anchor = configmap(api)
    anchor.keep(1, str(signer.sign(Checkpoint(signer.key.name, 1, bytes(32)))).encode())
    (standing,) = api.objects.values()
    note = standing["data"]["0000000000000000001.checkpoint"]
    standing["data"] = {f"{size:019d}.checkpoint": note for size in range(1, KEPT_AT_MOST + 1)}
    size = KEPT_AT_MOST + 1
    anchor.keep(size, str(signer.sign(Checkpoint(signer.key.name, size, bytes(32)))).encode())
    (standing,) = api.objects.values()
    assert len(standing["data"]) == KEPT_AT_MOST and min(standing["data"]) == "0000000000000000002.checkpoint"
    assert sum(map(len, standing["data"].values())) < 1024 * 1024 / 2


def test_what_it_may_not_do_is_told(api: ApiServer) -> None:
    api.forbidden = True
    with pytest.raises(AnchorUnavailable, match="403"):
        configmap(api).newest()
