"""Resources that are charged as others: as Kueue's own applyResourceTransformations does it, and who is let in then."""

from decimal import Decimal
from typing import Any

import pytest
from kueue_reading import let_in, names
from kueue_world import GPU, Json, cluster_queue, flavor, local_queue, namespace, node, workload

from agent.adapters.kubernetes.fields import Fields, MalformedObject
from agent.adapters.kueue.rules import KueueRules
from agent.adapters.kueue.transformations import Transformation, generated, transformations
from scheduler_core.quota import Undeclared

MEMORY = "example.com/gpu-memory"


def by(*listed: Json) -> tuple[Transformation, ...]:
    return transformations(Fields.of({"transformations": list(listed)}))


def rules(*listed: Json, **more: Any) -> KueueRules:
    return KueueRules(literal=True, undeclared=Undeclared.BLOCK, transformations=by(*listed), **more)


@pytest.mark.parametrize(
    ("listed", "requests", "charged"),
    [
        ([{"input": GPU, "outputs": {MEMORY: "80Gi"}}], {GPU: 2}, {MEMORY: 160 * 2**30}),
        ([{"input": GPU, "outputs": {MEMORY: "80Gi"}}], {"cpu": 2000}, {}),
        ([{"input": "cpu", "outputs": {"credits": "10"}}], {"cpu": 1500}, {"credits": 15}),
        ([{"input": GPU, "outputs": {"cpu": "500m"}}], {GPU: 3}, {"cpu": 1500}),
        ([{"input": GPU, "outputs": {"credits": "0.3"}}], {GPU: 1}, {"credits": 1}),  # what is charged is rounded up
        ([{"input": GPU, "multiplyBy": "cpu", "outputs": {"credits": "1"}}], {GPU: 2, "cpu": 3000}, {"credits": 6}),
        ([{"input": GPU, "multiplyBy": "cpu", "outputs": {"credits": "1"}}], {GPU: 2}, {"credits": 2}),
        (
            [{"input": GPU, "outputs": {"credits": "5"}}, {"input": "cpu", "outputs": {"credits": "-1"}}],
            {GPU: 1, "cpu": 2000},
            {"credits": 3},
        ),
        ([{"input": GPU, "outputs": {"credits": "-1"}}], {GPU: 1}, {"credits": 0}),
        ([{"input": GPU, "strategy": "Replace"}], {GPU: 1}, {}),
    ],
)
def test_so_much_is_charged_besides(listed: list[Json], requests: dict[str, int], charged: dict[str, int]) -> None:
    assert generated(requests, by(*listed)) == charged


def test_a_transformation_as_it_is_written() -> None:
    (one,) = by({"input": GPU, "strategy": "Replace", "multiplyBy": "cpu", "outputs": {MEMORY: "1Gi", "a": 2}})
    assert one == Transformation(GPU, True, "cpu", (("a", Decimal(2)), (MEMORY, Decimal(2**30))))


@pytest.mark.parametrize(
    "listed",
    [
        "all",
        [{}],
        [{"input": GPU, "strategy": "Perhaps"}],
        [{"input": GPU, "outputs": {"a": "much"}}],
        [{"input": GPU, "outputs": {"a": [1]}}],
        [{"input": GPU}, {"input": GPU}],
        [{"input": f"r{number}"} for number in range(101)],
    ],
)
def test_what_makes_no_sense_names_its_place(listed: Any) -> None:
    with pytest.raises(MalformedObject, match="transformations"):
        transformations(Fields.of({"transformations": listed}))


def quotas(*amounts: tuple[str, str]) -> Json:
    resources = [{"name": name, "nominalQuota": amount} for name, amount in amounts]
    covered = [name for name, _ in amounts]
    groups = [{"coveredResources": covered, "flavors": [{"name": "h100", "resources": resources}]}]
    return cluster_queue(resourceGroups=groups)


def comes_in(queue: Json, with_rules: KueueRules, gpus: int = 8) -> list[str]:
    there = (namespace(), flavor(), queue, local_queue(), node("n1"))
    return names(let_in(*there, workload("w", gpus=gpus), rules=with_rules))


def test_what_is_replaced_needs_no_quota_and_what_it_is_charged_as_does() -> None:
    as_memory = rules({"input": GPU, "strategy": "Replace", "outputs": {MEMORY: "80Gi"}})
    assert comes_in(quotas((MEMORY, "640Gi")), as_memory) == ["w"]
    assert comes_in(quotas((MEMORY, "639Gi")), as_memory) == []
    assert comes_in(quotas((MEMORY, "640Gi"), (GPU, "0")), as_memory) == ["w"]  # nobody is charged that any more
    assert comes_in(quotas((GPU, "8")), as_memory) == []  # no quota for what it is charged as
    assert comes_in(quotas((MEMORY, "640Gi")), rules()) == []


def test_what_is_retained_is_charged_both_ways() -> None:
    both = rules({"input": GPU, "outputs": {"credits": "10"}})
    for gpus, credits, expected in (("8", "80", ["w"]), ("7", "80", []), ("8", "79", [])):
        assert comes_in(quotas((GPU, gpus), ("credits", credits)), both) == expected


def test_what_is_ignored_is_not_transformed_and_its_quota_is_nobodys() -> None:
    transforms = {"input": GPU, "outputs": {"credits": "10"}}
    ignores = rules(transforms, ignored_prefixes=("nvidia.com/",))
    assert comes_in(quotas(("credits", "0"), (GPU, "0")), ignores) == ["w"]
