"""Defragmentation: few moves, nothing without a new place, and the ordinary schedule must come to the same end."""

from collections.abc import Sequence

from schedule_language import Cluster, cluster

from scheduler_core import Mend, Move, Reserve, defragment


def scattered() -> Cluster:
    """Two nodes with a pod of two each, a third one nearly full: 14 GPUs are free, no node whole."""
    where = cluster().node("gpu-0").node("gpu-1").node("gpu-2")
    where.pod("chat/a", "gpu-0", gpus=2, owner="chat").pod("chat/b", "gpu-1", gpus=2, owner="chat")
    return where.pod("web/c", "gpu-2", gpus=6, owner="web").gang("llama", pods=1, gpus=8)


def moves(where: Cluster, pods: Sequence[str] = ("chat/a", "chat/b", "web/c"), **more: object) -> object:
    before = dict(where.snapshot.free)
    found = defragment(where.snapshot, "llama", 0, pods=pods, **more)  # type: ignore[arg-type]
    assert where.snapshot.free == before, "nothing of it stays"
    return found


def test_one_small_pod_moves_to_where_it_fits() -> None:
    assert moves(scattered()) == (Move("chat/a", None, ("gpu-0",), ("gpu-2",)),)


def test_nothing_moves_for_a_gang_that_starts_anyway() -> None:
    assert moves(scattered().node("gpu-3")) == ()


def test_nothing_moves_that_has_no_other_place() -> None:
    full = cluster().node("gpu-0").node("gpu-1").gang("llama", pods=1, gpus=8)
    full.pod("chat/a", "gpu-0", gpus=4, owner="chat").pod("chat/b", "gpu-1", gpus=5, owner="chat")
    assert moves(full) is None


def test_only_what_may_move_is_moved() -> None:
    assert moves(scattered(), pods=["chat/b"]) == (Move("chat/b", None, ("gpu-1",), ("gpu-2",)),)
    assert moves(scattered(), pods=[]) is None


def test_a_pod_that_nobody_would_create_again_stays() -> None:
    lonely = cluster().node("gpu-0").node("gpu-1").pod("plain", "gpu-0", gpus=2)
    lonely.pod("chat/b", "gpu-1", gpus=4, owner="chat").gang("llama", pods=1, gpus=8)
    assert moves(lonely, pods=["plain"]) is None
    assert moves(lonely, pods=["chat/b"]) == (Move("chat/b", None, ("gpu-1",), ("gpu-0",)),)


def test_no_more_moves_than_allowed() -> None:
    many = cluster().node("gpu-0").node("gpu-1").gang("llama", pods=1, gpus=8)
    for index in range(3):
        many.pod(f"chat/{index}", "gpu-0", gpus=1, owner="chat")
    many.pod("web/a", "gpu-1", gpus=1, owner="web").pod("web/b", "gpu-1", gpus=1, owner="web")
    many.pod("web/c", "gpu-1", gpus=1, owner="web")
    names = [f"chat/{index}" for index in range(3)]
    assert moves(many, pods=names, moves_max=2) is None
    assert len(moves(many, pods=names, moves_max=3) or ()) == 3  # type: ignore[arg-type]


def test_a_gang_moves_whole_where_pods_do_not_suffice() -> None:
    gangs = cluster().nodes(2).node("gpu-2", gpus=4).gang("llama", pods=2, gpus=8).gang("small", pods=2, gpus=2)
    gangs.running("small", "gpu-0", "gpu-1")
    assert moves(gangs, pods=[]) is None
    assert moves(gangs, pods=[], gangs=["small"]) == (Move(None, "small", ("gpu-0", "gpu-1"), ("gpu-2",)),)


def test_a_node_that_is_mended_lets_a_gang_start() -> None:
    sick = cluster().node("gpu-0").node("gpu-1", ready=False, unschedulable=True).gang("llama", pods=2)
    assert sick.what_if().started == ()
    assert sick.what_if(Mend("gpu-1")).started == ("llama",)


def test_a_reserved_node_takes_its_gang_alone() -> None:
    rivals = cluster().node("gpu-0").gang("llama", pods=1, created_s=9).gang("other", pods=1, created_s=1)
    assert rivals.what_if().started == ("other",)
    assert rivals.what_if(Reserve("llama", ("gpu-0",))).started == ("llama",)
