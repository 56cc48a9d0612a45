"""A model at work: a good one helps and a person decides; while it thinks the watch goes on; what it may see."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from chat_server import Drip, Redirect, chat
from telling import Story, cluster

from agent.adapters.kubernetes.kinds import KINDS
from agent.adapters.llm import client, loop
from agent.adapters.llm.client import ModelClient, ModelFault
from agent.adapters.llm.loop import MAX_ASKED, MAX_TURNS
from agent.adapters.llm.prompt import LAST_WORD, system_prompt
from agent.adapters.llm.redaction import NOT_TO_BE_SEEN
from agent.domain.cluster import node_ref

GPU_1 = {"kind": "Node", "name": "gpu-1"}
WORKLOAD = {"kind": "Workload", "namespace": "research", "name": "job-llama"}
KUEUE_LLAMA = {"apiVersion": "kueue.x-k8s.io/v1beta2", **WORKLOAD}
ODD = "NVRM: Xid (PCI:0000:b3:00): 999, pid=1, name=python, NVLink smells of smoke"


def says(*remedies: Any, statement: str = "the GPU is odd") -> str:
    diagnosis = {"cause": "odd_fault", "statement": statement, "confidence": 0.7}
    return json.dumps({"diagnosis": diagnosis, "remedies": list(remedies)})


def looks(tool: str, **arguments: Any) -> str:
    return json.dumps({"tool": tool, "arguments": arguments})


def site() -> Any:
    nodes = cluster().nodes(*(f"gpu-{index}" for index in range(1, 21)))
    return nodes.queue("research", 160).gang("llama", 2, "research", ["gpu-1", "gpu-2"])


def odd_line(told: Story, node: str) -> None:
    assert told.posts("logs", {"node": node, "line": ODD}).status_code == 202


def found(server: Any) -> list[Any]:
    """What the tools told the model, in their order."""
    told = [json.loads(m["content"]) for m in server.requests[-1]["messages"] if m["role"] == "user"]
    return [json.loads(each["data_from_strangers"]) for each in told if "tool" in each]


# --- a good one -------------------------------------------------------------------------------------------------------


def test_a_good_model_helps_and_a_person_decides_each_time(tmp_path: Path) -> None:
    """It looks, asks what would come of it, and proposes: keep work off the node, move the gang away from it."""
    requeue = {"action": "requeue_gang", "target": KUEUE_LLAMA, "parameters": {"exclude_nodes": ["gpu-1"]}}
    answers = [
        looks("get_object", **GPU_1),
        looks("metrics", query='DCGM_FI_DEV_XID_ERRORS{Hostname="gpu-1"}'),
        looks("what_if", **requeue),
        says(
            {"action": "cordon_node", "target": GPU_1, "statement": "keep work off the node"},
            {**requeue, "statement": "run the gang on nodes that are well"},
            statement="an XID that is in no catalogue, and the gang on the node stands still",
        ),
    ]
    with chat(*answers) as server:
        told = Story(tmp_path, site(), model=server.url, autonomy={"default": "act"})
        odd_line(told, "gpu-1")
        told.passes(minutes=1)
        assert told.changes() == [], "nothing without a person"
        told.answers("approve").passes(minutes=10)
        assert told.cordoned("gpu-1") and len(told.asked()) == 1
        told.answers("approve").passes(minutes=30)
        nodes = {pod["spec"].get("nodeName") for pod in told.world.objects() if pod["kind"] == "Pod"}
        assert len(nodes) == 2 and "gpu-1" not in nodes
        assert told.endings() == ["resolved"]
        assert [each["source"] for each in told.records("proposal")] == ["model:scripted"] * 2
        assert [isinstance(each, dict) for each in found(server)] == [True, False, True]
        told.close()


def test_who_is_called_reads_what_the_model_says_and_what_was_seen(tmp_path: Path) -> None:
    with chat(says(statement="the NVLink cable of gpu-1 may be loose")) as server:
        told = Story(tmp_path, site(), model=server.url)
        odd_line(told, "gpu-1")
        told.passes(minutes=1)
        (message,) = told.told("oncall")
        assert "model:scripted says: the NVLink cable of gpu-1 may be loose" in message
        assert "Seen: " in message and "999" in message.split("Seen: ")[1]
        told.close()


# --- the watch goes on ------------------------------------------------------------------------------------------------


def until(done: Any) -> None:
    ends_at = time.monotonic() + 60  # what has stuck never comes
    while not done():
        assert time.monotonic() < ends_at, "the model has not answered"
        time.sleep(0.01)


def test_while_a_model_thinks_the_other_incidents_go_on(tmp_path: Path) -> None:
    release = threading.Event()

    def slowly(_: Any) -> str:
        release.wait(10)
        return says()

    with chat(slowly) as server:
        told = Story(tmp_path, site(), model=server.url, in_turn=False, autonomy={"default": "act"})
        odd_line(told, "gpu-9")
        told.passes(seconds=20)
        until(lambda: server.requests)
        told.kernel_says("gpu-7").passes(minutes=1)
        assert told.cordoned("gpu-7") and told.records("reasoning") == []
        (thinks,) = [each for each in told.agent.ports.incidents.open() if each.subject == node_ref("gpu-9")]
        assert told.agent.ports.reasoner.thinking(thinks.id)
        release.set()
        until(lambda: not told.agent.ports.reasoner.thinking(thinks.id))
        told.passes(minutes=1)
        assert [each["meaning"] for each in told.records("reasoning")] == ["conclusion"]
        assert len(told.told("oncall")) == 1
        told.close()


def test_in_a_storm_of_unknown_things_people_are_called_at_once(tmp_path: Path) -> None:
    release = threading.Event()

    def slowly(_: Any) -> str:
        release.wait(10)
        return says()

    with chat(slowly) as server:
        told = Story(tmp_path, site(), model=server.url, in_turn=False)
        for number in range(5, 5 + MAX_ASKED + 3):
            odd_line(told, f"gpu-{number}")
        told.passes(minutes=1)
        assert len(told.told("oncall")) == 3
        assert {"other incidents wait" in each["notes"][0] for each in told.records("reasoning")} == {True}
        release.set()
        told.close()


def test_a_model_that_never_answers_is_given_up_and_a_person_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "MAX_REASONING_S", 3.0)  # a busy machine plays the twenty seconds in less
    with chat(10.0) as server:
        told = Story(tmp_path, site(), model=server.url, in_turn=False)
        odd_line(told, "gpu-1")
        told.passes(seconds=20)
        assert told.told("oncall") == []
        time.sleep(3.1)
        told.passes(minutes=1)
        assert told.endings() == ["escalated"] and len(told.told("oncall")) == 1
        told.close()


def test_an_agent_that_dies_while_the_model_thinks_asks_again(tmp_path: Path) -> None:
    release = threading.Event()

    def slowly(_: Any) -> str:
        release.wait(10)
        return says()

    def asked(times: int) -> bool:
        told.passes(seconds=2)
        return len(server.requests) == times

    with chat(looks("explain_queue"), slowly, says()) as server:
        told = Story(tmp_path, site(), model=server.url, in_turn=False)
        odd_line(told, "gpu-1")
        until(lambda: asked(2))
        told.dies_and_begins_again()
        until(lambda: asked(3))
        until(lambda: asked(3) and told.endings() == ["escalated"])
        assert [each["meaning"] for each in told.records("reasoning")] == ["tool", "conclusion"]
        assert server.requests[1]["messages"] == server.requests[2]["messages"], "it is told the same again"
        release.set()
        told.close()


# --- time and size ----------------------------------------------------------------------------------------------------


def test_an_answer_that_comes_drop_by_drop_has_its_time() -> None:
    with chat(Drip(0.02)) as server:
        begun = time.monotonic()
        with pytest.raises(ModelFault, match="in time"):
            ModelClient(server.url, "m", None, request_timeout_s=0.5).ask([], {}, 30.0)
        assert time.monotonic() - begun < 15, "with no bound of its own it takes the incident's 30, or never ends"


def test_a_busy_server_is_asked_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAUSE_S", 0.0)
    with chat(429, says()) as server:
        assert json.loads(ModelClient(server.url, "m", None).ask([], {}, 30.0))
        assert len(server.requests) == 2


def test_an_answer_is_not_fetched_from_where_nobody_sent_the_agent() -> None:
    with chat(says()) as elsewhere, chat(Redirect(f"{elsewhere.url}/chat/completions")) as server:
        with pytest.raises(ModelFault, match="307"):
            ModelClient(server.url, "m", "key").ask([], {}, 30.0)
        assert elsewhere.requests == []


def test_the_last_turn_is_said_to_be_the_last(tmp_path: Path) -> None:
    with chat(*(looks("list_objects", kind=f"Kind{number}") for number in range(99))) as server:
        told = Story(tmp_path, site(), model=server.url)
        odd_line(told, "gpu-1")
        told.passes(minutes=1)
        assert len(server.requests) == MAX_TURNS
        assert [LAST_WORD in request["messages"][-1]["content"] for request in server.requests] == [False] * 7 + [True]
        told.close()


# --- what it may see --------------------------------------------------------------------------------------------------


def test_a_prompt_is_the_same_each_time(tmp_path: Path) -> None:
    prompts = []
    for number in (1, 2):
        with chat(looks("list_objects", kind="Pod"), looks("explain_queue"), says()) as server:
            (folder := tmp_path / str(number)).mkdir()
            told = Story(folder, site(), model=server.url)
            odd_line(told, "gpu-1")
            told.passes(minutes=1)
            prompts.append([request["messages"] for request in server.requests])
            told.close()
    assert prompts[0] == prompts[1] and prompts[0][0][0]["content"] == system_prompt()


BAD_CALLS = {
    "no such kind": ("get_object", {"kind": "Secret", "namespace": "research", "name": "token"}),
    "no list of secrets": ("list_objects", {"kind": "Secret"}),
    "no config maps": ("list_objects", {"kind": "ConfigMap"}),
    "a kind of numbers": ("get_object", {"kind": 7, "name": "x"}),
    "more than it takes": ("get_object", {"kind": "Node", "name": "gpu-1", "verb": "delete"}),
    "a name without end": ("list_objects", {"kind": "x" * 300}),
    "a query without end": ("metrics", {"query": "up or " * 100}),
    "an action that is none": ("what_if", {"action": "drain_all", "target": {"apiVersion": "v1", **GPU_1}}),
    "a target that is none": ("what_if", {"action": "cordon_node", "target": "gpu-1"}),
    "a huge what-if": (
        "what_if",
        {"action": "scale_workload", "target": KUEUE_LLAMA, "parameters": {"replicas": 10**9}},
    ),
    "a what-if of something that is not there": (
        "what_if",
        {"action": "drain_node", "target": {"apiVersion": "v1", "kind": "Node", "name": "gpu-99"}},
    ),
}


@pytest.mark.parametrize(("tool", "arguments"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_a_call_that_makes_no_sense_is_answered_so(tool: str, arguments: dict[str, Any], tmp_path: Path) -> None:
    with chat(looks(tool, **arguments), says()) as server:
        told = Story(tmp_path, site(), model=server.url)
        odd_line(told, "gpu-1")
        told.passes(minutes=1)
        assert list(found(server)[0]) == ["error"]
        assert told.endings() == ["escalated"] and told.changes() == []
        told.close()


def test_nothing_that_holds_secrets_is_in_a_view() -> None:
    assert NOT_TO_BE_SEEN.isdisjoint(kind.kind for kind in KINDS)


SECRETS = {
    "password=hunter2": "password=(masked)",
    "DB_PASSWORD: 'hunter22'": "DB_PASSWORD: '(masked)'",
    "Authorization: Bearer hunter2hunter2": "Authorization: Bearer (masked)",
    "pull https://u:hunter2@registry/x failed": "pull https://u:(masked)@registry/x failed",
    "sent sk-hunter2hunter2": "sent (masked)",
    "hf_hunter2hunter2hunter2 refused": "(masked) refused",
    "-----BEGIN RSA PRIVATE KEY----- hunter2": "(masked)",
    "tokens per second: 55": "tokens per second: 55",
}


@pytest.mark.parametrize(("line", "shown"), SECRETS.items())
def test_what_looks_like_a_key_stays_here_wherever_it_stands(line: str, shown: str, tmp_path: Path) -> None:
    with chat(looks("events", namespace="research"), looks("get_object", **GPU_1), says()) as server:
        told = Story(tmp_path, site(), model=server.url)
        node: dict[str, Any] = {"metadata": {"annotations": {"note": line, "my-api-key": "hunter2"}}}
        told.happens("v1", "Node", "gpu-1", None, **node)
        odd = {"alertname": "OddSmell", "node": "gpu-1"}
        alert = {"status": "firing", "labels": odd, "annotations": {"summary": line}, "startsAt": told.now.isoformat()}
        told.posts("alertmanager", {"version": "4", "status": "firing", "alerts": [alert]})
        told.passes(minutes=1)
        everything = json.dumps(server.requests)
        assert "hunter2" not in everything
        assert json.dumps(shown)[1:-1] in json.dumps([opening_text(server), found(server)], ensure_ascii=False)
        told.close()


def opening_text(server: Any) -> Any:
    return json.loads(json.loads(server.requests[0]["messages"][1]["content"])["data_from_strangers"])


def test_a_long_tale_is_cut(tmp_path: Path) -> None:
    with chat(looks("get_object", **GPU_1), says()) as server:
        told = Story(tmp_path, site(), model=server.url)
        told.happens("v1", "Node", "gpu-1", None, metadata={"annotations": {"note": "x" * 200_000}})
        odd_line(told, "gpu-1")
        told.passes(minutes=1)
        assert max(len(m["content"]) for request in server.requests for m in request["messages"]) < 10_000
        assert json.loads(server.requests[-1]["messages"][-1]["content"])["cut"] is True
        told.close()
