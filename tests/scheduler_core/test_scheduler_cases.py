"""Every table of ours holds, and a table that is wrong says where."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from scheduler_core.cases.__main__ import main
from scheduler_core.cases.form import Ask
from scheduler_core.cases.running import run_case, run_paths
from tests.tried import tried

TABLES = Path(__file__).parent / "cases"
RESULTS = run_paths([TABLES])


@pytest.mark.parametrize("result", RESULTS, ids=lambda each: f"{Path(each.file).stem}: {each.name}")
def test_a_case_of_our_tables_holds(result):
    assert result.differences == ()


def example(ask):
    return json.loads((TABLES / f"example_{ask}.json").read_text(encoding="utf-8"))


def changed(raw, path, value):
    """A copy with one value exchanged; the path is keys and indices."""
    raw = copy.deepcopy(raw)
    *way, last = path
    at = raw
    for step in way:
        at = at[step]
    at[last] = value
    return raw


QUOTA = ("cluster_queues", 0, "resource_groups", 0, "flavors", 0, "resources", 0)
WRONG = [
    (("workload",), [], "unknown key 'workload'"),
    (("workloads", 0, "pod_sets", 0, "request"), {}, "workloads[0].pod_sets[0]: unknown key 'request'"),
    (("settings", "cycle"), 1, "settings: unknown key 'cycle'"),
    (("expect", "availible"), {}, "expect: unknown key 'availible'"),
    (("expect", "shares"), {}, "expect.shares: ask quota can expect available, potential"),
    (("expect", "available", "z"), {}, "expect.available.z: there is no cluster queue or cohort 'z'"),
    ((*QUOTA, "nominal"), "-1", "resources[0].nominal: '-1' is negative"),
    ((*QUOTA, "nominal"), "4 GB", "resources[0].nominal: '4 GB' is not a Kubernetes quantity"),
    ((*QUOTA, "nominal"), 4.5, "resources[0].nominal: 4.5 is not a Kubernetes quantity"),
    ((*QUOTA, "nominal"), None, "resources[0].nominal: is missing"),
    ((*QUOTA, "nominal"), 4000, "resources[0].nominal: 4000 is a bare number"),
    ((*QUOTA, "nominal"), "4Gi", "resources[0].nominal: '4Gi' is an amount of bytes, and cpu is not counted in bytes"),
    (("workloads", 0, "pod_sets", 0, "requests"), {"nvidia.com/gpu": "1Ki"}, "nvidia.com/gpu: '1Ki' is an amount of b"),
    (("workloads", 0, "pod_sets", 0, "requests"), {"memory": "500m"}, "requests.memory: '500m' is a part of a byte"),
    (("workloads", 0, "pod_sets", 0, "requests"), {"memory": 64}, "requests.memory: 64 is a bare number"),
    (("workloads", 0, "pod_sets", 0, "min_count"), 0, "PodSet 'main': min_count: 0 is below 1"),
    (("workloads", 0, "admission", "pod_sets", 0, "count"), 9, "admission.counts.main: 9 is above the pod set's count"),
    ((*QUOTA, "lending_limit"), "99", "Queue 'a': quotas.default/cpu.lending_limit: 99000 is above the nominal"),
    (("cluster_queues", 0, "cohort"), None, "Queue 'a': quotas.default/cpu.borrowing_limit"),
    (
        ("cluster_queues", 0, "preemption"),
        {"borrow_within_cohort": {"policy": "LowerPriority"}},
        "Queue 'a': preemption.borrow: who may not reclaim",
    ),
    ((*QUOTA, "name"), "memory", "resources[0].name: 'memory' is not among the covered resources"),
    (("cluster_queues", 0, "stop_policy"), "Stop", "cluster_queues[0].stop_policy: 'Stop' is none of None, Hold"),
    (("cluster_queues", 0, "weight"), "-1", "cluster_queues[0].weight: '-1' is negative"),
    (("cohorts", 0, "parent"), "root", "Cohort 'root': parent: the cohorts form a circle"),
    (("workloads", 0, "pod_sets", 0, "min_count"), 3, "PodSet 'main': min_count: 3 is above count 2"),
    (("workloads", 0, "pod_sets", 0, "count"), "2", "pod_sets[0].count: an integer is wanted, not str '2'"),
    (("workloads", 0, "pod_sets", 0, "requests"), {"nvidia.com/gpu": "500m"}, "nvidia.com/gpu cannot be divided"),
    (("workloads", 0, "created_at"), "yesterday", "workloads[0].created_at: 'yesterday' is not an RFC 3339 time"),
    (("workloads", 0, "created_at"), "2026-02-30T00:00:00Z", "workloads[0].created_at: '2026-02-30T00:00:00Z' is no"),
    (("now",), "2026-01-01", "now: '2026-01-01' is not an RFC 3339 time"),
    (("local_queues", 0, "cluster_queue"), "z", "local_queues[0].cluster_queue: there is no cluster queue 'z'"),
    (("incoming",), "w9", "incoming: 'w9': there is no such workload"),
    (("ask",), "guess", "ask: 'guess' is none of schedule, preempt"),
    (("pods", 0, "node"), "n9", "Pod 'kube-system/other': node: there is no node 'n9'"),
    (("cohorts", 0, "quotas", 0, "flavor"), "gold", "Cohort 'root': quotas.gold/cpu: there is no flavor 'gold'"),
    ((*QUOTA[:-2], "name"), "gold", "Queue 'a': quotas.gold/cpu: there is no flavor 'gold'"),
    (("flavors", 0, "topology"), "dc", "Flavor 'default': topology: there is no topology 'dc'"),
    (
        ("workloads", 0, "admission", "pod_sets", 0, "flavors"),
        {"cpu": "gold"},
        "workloads[0].admission.pod_sets[0].flavors.cpu: there is no flavor 'gold'",
    ),
    (("workloads", 0, "admission", "pod_sets", 0, "name"), "x", "admission.pod_sets[0].name: the workload has no pod"),
    (("workloads", 0, "admission", "cluster_queue"), "z", "Gang 'default/w1': queue: there is no queue 'z'"),
    (("workloads", 0, "priority"), 2**31, "workloads[0].priority: 2147483648 has no room in 32 bits"),
]


@pytest.mark.parametrize(("path", "value", "told"), WRONG, ids=lambda each: str(each)[:60])
def test_a_wrong_table_names_the_place(path, value, told):
    found = run_case(changed(example("quota"), path, value))
    assert len(found) == 1
    assert told in found[0]
    assert found[0].startswith("cannot be ")


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 100_000])
def test_a_file_that_is_nested_too_deeply_is_told_like_any_other(tmp_path, deep):
    file = tmp_path / "deep.json"
    file.write_text(deep, encoding="utf-8")
    (result,) = run_paths([file])
    assert result.differences == ("cannot be read: it is nested too deeply",)


@pytest.mark.parametrize(
    "what", ["flavors", "topologies", "cohorts", "cluster_queues", "local_queues", "nodes", "pods"]
)
def test_a_name_given_twice_is_an_error(what):
    raw = example("quota")
    raw["topologies"] = [{"name": "t", "levels": ["rack"]}]
    raw[what] = raw[what] * 2
    (found,) = run_case(raw)
    assert "is taken" in found or "is there twice" in found


EXAMPLES = [example(ask) for ask in Ask]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from(["", "x", "a", "-1", "1", "NaN", "default", "root", "2026-01-01T00:00:00Z", "cpu"]),
    st.sampled_from([[], {}, [None], [{}], {"x": 1}, {"cpu": "1"}, 1.5, 10**30]),
)


def ways(raw, way=()):
    """The path to every value in it."""
    pairs = raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ()
    for key, value in pairs:
        yield (*way, key)
        yield from ways(value, (*way, key))


@tried(400)
@given(st.data())
def test_whatever_a_table_says_it_is_run_or_refused(data):
    raw = data.draw(st.sampled_from(EXAMPLES))
    for _ in range(data.draw(st.integers(1, 2))):
        raw = changed(raw, data.draw(st.sampled_from(list(ways(raw)))), data.draw(VALUES))
    found = run_case(raw)
    assert all(each.startswith(("expect.", "cannot be read: ", "cannot be run: ")) for each in found)


def two_namespaces(incoming):
    """The flavors example with a second workload `new`, in another namespace."""
    raw = example("flavors")
    raw["local_queues"].append({"name": "main", "namespace": "other", "cluster_queue": "a"})
    raw["workloads"].append({**raw["workloads"][1], "namespace": "other"})
    raw["incoming"] = incoming
    raw["expect"]["admitted"] = {incoming: raw["expect"]["admitted"]["new"]}
    return raw


def test_a_name_in_two_namespaces_is_written_with_its_namespace():
    assert run_case(two_namespaces("default/new")) == ()
    assert run_case(two_namespaces("other/new")) == ()
    (told,) = run_case(two_namespaces("new"))
    assert "incoming: 'new': several namespaces have one: write namespace/name" in told


def test_a_local_queue_is_looked_up_in_the_workloads_namespace():
    raw = two_namespaces("other/new")
    del raw["local_queues"][1]
    (told,) = run_case(raw)
    assert told.endswith("workloads[2].queue: there is no local queue 'main' in namespace 'other'")


def test_one_that_must_wait_for_others_is_admitted_nowhere_or_on_their_flavor():
    """Both are ways to say it: nobody is admitted yet, and which flavor it will be."""
    raw = json.loads((TABLES / "flavors.json").read_text(encoding="utf-8"))
    case = next(each for each in raw if each["expect"]["mode"] == "Preempt")
    assert run_case(case) == run_case(changed(case, ("expect", "admitted"), {})) == ()


def test_what_does_not_hold_is_told_and_the_exit_status_says_so(tmp_path, capsys):
    raw = changed(example("quota"), ("expect", "available", "a", "default/cpu"), "3500m")
    (tmp_path / "one.json").write_text(json.dumps([example("quota"), raw]), encoding="utf-8")
    assert main([str(tmp_path), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["passed"], told["failed"]) == (1, 1)
    assert told["cases"][1] == {
        "name": raw["name"],
        "file": str(tmp_path / "one.json"),
        "passed": False,
        "differences": ["expect.available.a.default/cpu: wanted 3500m, got 4"],
    }
    assert main([str(TABLES / "example_quota.json")]) == 0
    assert capsys.readouterr().out == "1 passed, 0 failed\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"name": "a", "name": "b"}', "'name' is given twice"),
        ('{"name": NaN}', "NaN is not JSON"),
        ("{", "Expecting property name"),
        ("3", "an object is wanted"),
    ],
)
def test_what_is_no_json_is_a_failed_case(tmp_path, capsys, text, told):
    (tmp_path / "bad.json").write_text(text, encoding="utf-8")
    assert main([str(tmp_path / "bad.json")]) == 1
    assert told in capsys.readouterr().out


def test_no_cases_at_all_do_not_hold(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert main([str(tmp_path / "nowhere.json")]) == 2
    assert "nowhere.json" in capsys.readouterr().err


def test_a_queue_that_is_left_out_of_the_expectation_is_a_difference():
    raw = example("share")
    del raw["expect"]["shares"]["b"]
    assert run_case(raw) == ("expect.shares: wanted ['a'], got ['a', 'b']",)
