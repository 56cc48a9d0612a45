"""Playbooks: the bundled ones do what their tables say; one that cannot be read stops start-up, naming the place."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from evidence.field import incident, ref

from agent.adapters.playbooks.cases import merged, run_cases
from agent.adapters.playbooks.expressions import PlaybookError, PlaybookFault
from agent.adapters.playbooks.library import load_playbooks
from agent.adapters.playbooks.playbook import Playbook
from agent.domain.incident import Symptom
from agent.ports import Playbooks
from agent.resources import bundled

BUNDLED = load_playbooks(bundled("playbooks"))
NODE = {"apiVersion": "v1", "kind": "Node", "name": "gpu-7"}
GOOD: dict[str, Any] = {
    "apiVersion": "watchkeeper.dev/v1alpha1",
    "kind": "Playbook",
    "metadata": {"name": "mine"},
    "spec": {
        "symptoms": ["gpu_fault"],
        "description": "d",
        "when": "facts.sick",
        "cause": "mine.${facts.code}",
        "statement": "${facts.names} are sick: ${facts.count}",
        "confidence": 0.5,
        "remedies": [
            {
                "action": "notify",
                "when": "item.bad",
                "forEach": "facts.nodes",
                "target": {"apiVersion": "v1", "kind": "Node", "name": "${item.name}"},
                "parameters": {"audience": "oncall", "message": "look at ${item.name}"},
                "statement": "s",
                "undoes": "${item.undoes}",
            }
        ],
    },
}
FACTS = {
    "sick": True,
    "code": 79,
    "count": 2,
    "names": ["a", "b"],
    "nodes": [{"name": "a", "bad": True, "undoes": None}, {"name": "b", "bad": False, "undoes": "inc-0/1"}],
}


def written(folder: Path, *changes: dict[str, Any], name: str = "mine") -> Path:
    document = GOOD
    for change in changes:
        document = merged(document, change)
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "playbook.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return folder


def spec(**change: Any) -> dict[str, Any]:
    return {"spec": change}


def remedy(**change: Any) -> dict[str, Any]:
    return {"spec": {"remedies": [{**GOOD["spec"]["remedies"][0], **change}]}}


@pytest.mark.parametrize("playbook", BUNDLED.playbooks, ids=lambda p: p.name)
def test_the_bundled_playbooks_do_what_their_tables_say(playbook: Playbook) -> None:
    results = run_cases(playbook)
    assert [f"{r.case}: {r.differences}" for r in results if not r.passed] == []
    assert any(result.case for result in results)


@pytest.mark.parametrize("playbook", BUNDLED.playbooks, ids=lambda p: p.name)
def test_each_bundled_playbook_is_told_in_words_and_named_after_its_folder(playbook: Playbook) -> None:
    folder = Path(playbook.file).parent
    assert folder.name == playbook.name
    assert (folder / "README.md").read_text(encoding="utf-8").startswith(f"# {playbook.name}\n")


def test_the_library_is_what_the_stages_ask_for() -> None:
    library: Playbooks = BUNDLED
    assert library.remedies("long-gone", {}) == []


def test_texts_are_filled_in_and_each_item_that_needs_it_gets_its_remedy(tmp_path: Path) -> None:
    library = load_playbooks(written(tmp_path))
    match = library.diagnose(incident(Symptom.GPU_FAULT, ref("Node", "a")), FACTS)
    assert match is not None
    assert (match.cause, match.statement, match.confidence) == ("mine.79", "a, b are sick: 2", 0.5)
    (asked,) = library.remedies("mine", FACTS)
    assert (asked.target.name, asked.parameters["message"], asked.undoes) == ("a", "look at a", None)
    assert asked.on_refusal == "stop"


def test_a_playbook_speaks_for_its_symptoms_only(tmp_path: Path) -> None:
    library = load_playbooks(written(tmp_path))
    assert library.diagnose(incident(Symptom.IDLE_GPU, ref("Node", "a")), FACTS) is None


def test_the_surest_playbook_speaks(tmp_path: Path) -> None:
    for name, confidence in (("a", 0.5), ("b", 0.7), ("c", 0.7)):
        written(tmp_path, {"metadata": {"name": name}}, spec(confidence=confidence, remedies=[]), name=name)
    match = load_playbooks(tmp_path).diagnose(incident(Symptom.GPU_FAULT, ref("Node", "a")), FACTS)
    assert match is not None and match.playbook == "b"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"kind": "Playbok"}, "kind"),
        ({"apiVersion": "v2"}, "apiVersion"),
        ({"metadata": {"name": "Not A Name"}}, "metadata.name"),
        (spec(whenn="true"), "spec.whenn"),
        (spec(symptoms=["gout"]), "spec.symptoms.0"),
        (spec(symptoms=[]), "spec.symptoms"),
        (spec(confidence=1.5), "spec.confidence"),
        (spec(when="facts.sick &&"), "spec.when: `facts.sick &&` is not CEL"),
        (spec(when="fact.sick"), "spec.when: `fact.sick` reads `fact`"),
        (spec(when="sleep(5)"), "spec.when: `sleep(5)` calls `sleep`"),
        (spec(when="facts.a == " + "1" * 1000), "spec.when: longer than 1000"),
        (spec(cause="x.${facts.}"), "spec.cause: `facts.` is not CEL"),
        (spec(statement="${item.name}"), "spec.statement: `item.name` reads `item`"),
        (remedy(action="hammer"), "spec.remedies[0].action: there is no action 'hammer'"),
        (remedy(onRefusal="maybe"), "spec.remedies.0.onRefusal"),
        (remedy(parameters={"audience": "oncall"}), "spec.remedies[0].parameters: notify needs 'message'"),
        (remedy(parameters={"loud": True}), "spec.remedies[0].parameters: notify has no parameter 'loud'"),
        (remedy(forEach=None), "spec.remedies[0].when: `item.bad` reads `item`"),
        (remedy(forEach="facts.nodes["), "spec.remedies[0].forEach"),
        (remedy(target={"name": "${1 +}"}), "spec.remedies[0].target.name"),
    ],
)
def test_a_playbook_that_cannot_be_used_names_file_and_field(
    tmp_path: Path, change: dict[str, Any], place: str
) -> None:
    with pytest.raises(PlaybookError) as error:
        load_playbooks(written(tmp_path, change))
    assert str(tmp_path / "mine" / "playbook.yaml") in str(error.value)
    assert place in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: [", "is not YAML"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"- 1", "the document"),
        (b"x" * 300_000, "larger than"),
    ],
)
def test_a_file_that_is_no_playbook_at_all(tmp_path: Path, content: bytes, says: str) -> None:
    (written(tmp_path) / "mine" / "playbook.yaml").write_bytes(content)
    with pytest.raises(PlaybookError, match=says):
        load_playbooks(tmp_path)


def test_two_of_one_name_and_a_folder_that_is_not_there(tmp_path: Path) -> None:
    written(written(tmp_path), name="other")
    with pytest.raises(PlaybookError, match=r"'mine' is in .* already"):
        load_playbooks(tmp_path)
    with pytest.raises(PlaybookError, match="no such folder"):
        load_playbooks(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "facts", "says"),
    [
        ({}, {}, "there is no `sick`"),
        (spec(when="facts.code"), FACTS, "wanted true or false"),
        (spec(when='facts.code + "x" == ""'), FACTS, "No such overload"),
    ],
)
def test_a_condition_that_cannot_be_read_is_neither_true_nor_false(
    tmp_path: Path, change: dict[str, Any], facts: dict[str, Any], says: str
) -> None:
    library = load_playbooks(written(tmp_path, change))
    with pytest.raises(PlaybookFault, match=says):
        library.diagnose(incident(Symptom.GPU_FAULT, ref("Node", "a")), facts)


def test_a_target_that_is_no_object_is_a_fault(tmp_path: Path) -> None:
    library = load_playbooks(written(tmp_path, remedy(target="${facts.code}")))
    with pytest.raises(PlaybookFault, match=r"remedies\[0\].target is no object reference"):
        library.remedies("mine", FACTS)


def test_more_items_than_anyone_wants_remedied_at_once_are_a_fault(tmp_path: Path) -> None:
    library = load_playbooks(written(tmp_path))
    with pytest.raises(PlaybookFault, match="at most 64"):
        library.remedies("mine", {**FACTS, "nodes": FACTS["nodes"] * 33})


def test_a_table_that_does_not_hold_says_where(tmp_path: Path) -> None:
    table = {
        "base": FACTS,
        "cases": [
            {"name": "match", "facts": {"sick": False}, "expect": {"match": True}},
            {"name": "cause", "expect": {"match": True, "cause": "x", "remedies": [{"action": "notify"}]}},
            {"name": "none", "expect": {"match": True, "remedies": []}},
            {"name": "target", "expect": {"match": True, "remedies": [{"action": "notify", "target": {"name": "b"}}]}},
        ],
    }
    playbook = load_playbooks(written(tmp_path)).playbooks[0]
    (tmp_path / "mine" / "cases.yaml").write_text(yaml.safe_dump(table), encoding="utf-8")
    assert [r.differences for r in run_cases(playbook)] == [
        ("match: wanted True, got False",),
        ("cause: wanted x, got mine.79",),
        ("remedies: wanted [], got ['notify Node/a']",),
        ("remedies[0].target.name: wanted 'b', got 'a'",),
    ]


def test_a_playbook_without_a_table_is_not_checked(tmp_path: Path) -> None:
    with pytest.raises(PlaybookError, match=r"cases\.yaml: cannot be read"):
        run_cases(load_playbooks(written(tmp_path)).playbooks[0])
