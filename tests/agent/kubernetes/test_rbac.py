"""The rights that an installation gives are those that the actions use: neither more nor fewer."""

import runpy
from pathlib import Path

import pytest
import yaml

from agent.actions.catalogue import ACTIONS
from agent.actions.rights import Right, plural, undeclared
from agent.adapters.kubernetes.kinds import KINDS
from agent.adapters.kubernetes.owners import group_of
from agent.adapters.kubernetes.rbac import ACTS, FOLDERS, NAMESPACE, READS, folder_of, manifests, rules
from agent.domain.cluster import ObjectRef
from agent.domain.proposal import Step, Verb

ROOT = Path(__file__).parents[3]
CHANGING = {"create", "update", "patch", "delete", "deletecollection"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_files_are_what_the_catalogue_says(folder: str) -> None:
    writing = runpy.run_path(str(ROOT / "docs" / "write_rbac.py"))
    written = writing["written"](folder)
    assert writing["page"](folder).read_text(encoding="utf-8") == written, "run `make docs`"
    assert list(yaml.safe_load_all(written)) == manifests(folder)


def test_every_rule_lies_in_one_folder_and_who_observes_can_change_nothing() -> None:
    roles = [role for roles in FOLDERS.values() for role in roles]
    assert sorted(roles) == sorted({rule.role for rule in rules()})
    observing = [rule.right for rule in rules() if folder_of(rule.role) != "acting"]
    assert observing and not any(CHANGING & set(right.verbs) for right in observing)


def test_every_declared_right_is_given_and_every_given_one_has_somebody_who_needs_it() -> None:
    declared = {(r.group, r.resource, verb) for action in ACTIONS for r in action.rights for verb in r.verbs}
    of_actions = [rule for rule in rules() if any(name in {a.name for a in ACTIONS} for name in rule.why)]
    given = {(rule.right.group, rule.right.resource, verb) for rule in of_actions for verb in rule.right.verbs}
    assert given == declared
    assert all(rule.why for rule in rules())


def test_who_only_reads_can_change_nothing_and_reads_what_the_view_is_made_of() -> None:
    reading = [rule.right for rule in rules() if rule.role == READS]
    assert not any(CHANGING & set(right.verbs) for right in reading)
    followed = {(group_of(each.api_version), plural(each.kind)) for each in KINDS}
    assert followed <= {(right.group, right.resource) for right in reading}


def test_nothing_is_given_wholesale() -> None:
    for rule in rules():
        assert "*" not in (rule.right.group, rule.right.resource, *rule.right.verbs)
        assert rule.right.resource not in ("secrets", "pods/exec", "serviceaccounts/token", "clusterroles")
        assert rule.role != ACTS or "delete" not in rule.right.verbs
    assert {rule.namespace for rule in rules()} == {None, NAMESPACE, "kueue-system"}


def _step(verb: Verb, api_version: str, kind: str) -> Step:
    target = ObjectRef(api_version=api_version, kind=kind, namespace="a", name="x")
    return Step(verb=verb, target=target, body={})


@pytest.mark.parametrize(
    ("step", "missing"),
    [
        (_step(Verb.PATCH, "v1", "Node"), Right("", "nodes", ("patch",))),
        (_step(Verb.SCALE, "apps/v1", "Deployment"), Right("apps", "deployments/scale", ("get", "update"))),
        (_step(Verb.EVICT, "v1", "Pod"), Right("", "pods/eviction", ("create",))),
        (_step(Verb.CREATE, "batch/v1", "Job"), Right("batch", "jobs", ("create",))),
        (_step(Verb.NOTIFY, "v1", "Node"), None),
    ],
)
def test_a_step_needs_what_its_verb_needs(step: Step, missing: Right | None) -> None:
    assert undeclared((), [step]) == missing
    assert undeclared((missing,) if missing else (), [step]) is None


def test_half_a_right_is_none() -> None:
    half = Right("apps", "deployments/scale", ("get",))
    assert undeclared((half,), [_step(Verb.SCALE, "apps/v1", "Deployment")]) is not None


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        ("Topology", "topologies"),
        ("WorkloadPriorityClass", "workloadpriorityclasses"),
        ("ClusterQueue", "clusterqueues"),
    ],
)
def test_resources_are_kinds_in_the_plural(kind: str, resource: str) -> None:
    assert plural(kind) == resource
