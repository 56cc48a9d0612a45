"""Fleets and pods in few words, and the slow definitions that the fast ones are held against."""

from hypothesis import strategies as st

from scheduler_core.gpus import Ask, Fleet, GpuNode, Mix

MODELS = ("A", "B")


def node(name: str = "n", gpus: int = 2, cpu: int = 16_000, memory: int = 65_536, model: str = "A") -> GpuNode:
    return GpuNode(name, cpu, memory, gpus, model)


def fleet(*nodes: GpuNode) -> Fleet:
    return Fleet(nodes)


def share(milli: int, cpu: int = 1000, memory: int = 0, models: tuple[str, ...] = ()) -> Ask:
    return Ask(cpu, memory, 1, milli, models)


def whole(gpus: int, cpu: int = 1000, memory: int = 0, models: tuple[str, ...] = ()) -> Ask:
    return Ask(cpu, memory, gpus, 1000, models)


def cpu_only(cpu: int = 1000, memory: int = 0) -> Ask:
    return Ask(cpu, memory)


asks = st.one_of(
    st.builds(
        share,
        st.sampled_from([110, 250, 320, 470, 500, 810]),
        st.sampled_from([500, 3000, 9000]),
        st.sampled_from([0, 20_000]),
        st.sampled_from([(), ("A",), ("B",), ("A", "B"), ("C",)]),
    ),
    st.builds(whole, st.integers(1, 4), st.sampled_from([500, 6000]), st.sampled_from([0, 20_000])),
    st.builds(cpu_only, st.sampled_from([1000, 12_000])),
)
fleets = st.lists(
    st.builds(
        GpuNode,
        st.just("n"),
        st.sampled_from([8000, 16_000, 32_000]),
        st.sampled_from([32_768, 65_536]),
        st.integers(0, 4),
        st.sampled_from(MODELS),
    ),
    min_size=1,
    max_size=5,
).map(lambda nodes: [GpuNode(f"n{i}", n.cpu_milli, n.memory_mib, n.gpus, n.model) for i, n in enumerate(nodes)])


def fits(on: Fleet, ask: Ask, row: int) -> bool:
    """By the definition, one node at a time."""
    left = [int(milli) for milli in on.left[row]]
    if on.cpu_left[row] < ask.cpu_milli or on.memory_left[row] < ask.memory_mib:
        return False
    if ask.models and on.nodes[row].model not in ask.models:
        return False
    return sum(milli >= ask.gpu_milli for milli in left[: on.nodes[row].gpus]) >= ask.gpus


def fragment_milli(on: Fleet, mix: Mix, row: int) -> float:
    """F_n as the paper words it: for each kind of pod, what is left that it cannot use."""
    left = [int(milli) for milli in on.left[row]]
    total = 0.0
    for kind, often in mix.shares:
        enough = [milli for milli in left if milli >= kind.gpu_milli]
        runs = (
            kind.gpus > 0
            and on.cpu_left[row] >= kind.cpu_milli
            and (not kind.models or on.nodes[row].model in kind.models)
            and len(enough) >= kind.gpus
        )
        total += often * (sum(left) - (sum(enough) if runs else 0))
    return total
