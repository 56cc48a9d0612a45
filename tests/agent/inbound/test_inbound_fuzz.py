"""Whatever is sent: signals or a named refusal, and never anything else; every signal can be stored and recorded."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import HealthCheck, given, strategies as st

from agent.adapters.inbound.alertmanager import read_alerts
from agent.adapters.inbound.cloudevents import BATCHED, STRUCTURED, read_cloudevent, read_http
from agent.adapters.inbound.conditions import read_condition, read_node
from agent.adapters.inbound.delivery import Delivery, Malformed
from agent.adapters.inbound.events import read_events
from agent.adapters.inbound.logs import read_log, read_logs
from agent.adapters.inbound.metrics import read_metrics
from agent.adapters.inbound.wire import json_document, text_of
from agent.domain.signal import Signal
from tests.tried import tried

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)

VALID: list[Any] = [
    {
        "version": "4",
        "alerts": [{"status": "firing", "labels": {"alertname": "A"}, "startsAt": "2026-11-02T09:00:00Z"}],
    },
    {
        "kind": "Event",
        "metadata": {"uid": "u"},
        "involvedObject": {"kind": "Pod", "name": "p"},
        "reason": "R",
        "count": 2,
    },
    {"kind": "List", "items": [{"regarding": {"kind": "Node", "name": "n"}, "reason": "R", "series": {"count": 1}}]},
    {"node": "n", "condition": "Ready", "status": "False", "lastTransitionTime": "2026-11-02T09:00:00Z"},
    {"kind": "Node", "metadata": {"name": "n"}, "status": {"conditions": [{"type": "Ready", "status": "False"}]}},
    {"node": "n", "line": "NVRM: Xid (PCI:0000:b3:00): 79, pid=1", "time": "2026-11-02T09:00:00Z"},
    {"specversion": "1.0", "id": "1", "source": "s", "type": "dev.watchkeeper.x", "data": {"node": "n", "xid": 79}},
    {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data_base64": "e30="},
]

READERS: dict[str, Callable[[Any], Delivery | Signal | list[Signal]]] = {
    "alerts": lambda d: read_alerts(d, NOW),
    "events": lambda d: read_events(d, NOW),
    "log": lambda d: read_log(d, NOW),
    "condition": lambda d: read_condition(d, NOW),
    "node": lambda d: read_node(d, NOW),
    "cloudevent": lambda d: read_cloudevent(d, NOW),
}

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-11-02"]
    ),
)
anything = st.recursive(
    odd, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


@st.composite
def mutants(draw: st.DrawFn) -> Any:
    """A valid document with one or two places changed, added or removed."""
    document = json.loads(json.dumps(draw(st.sampled_from(VALID))))
    for _ in range(draw(st.integers(0, 2))):
        here = document
        while isinstance(here, dict | list) and here:
            key = draw(st.sampled_from(sorted(here))) if isinstance(here, dict) else draw(st.integers(0, len(here) - 1))
            if not isinstance(here[key], dict | list) or not here[key] or draw(st.booleans()):
                if draw(st.booleans()):
                    here[key] = draw(anything)
                else:
                    del here[key]
                break
            here = here[key]
    return document


def check(read: Callable[[], Delivery | Signal | list[Signal]]) -> None:
    try:
        found = read()
    except Malformed as error:
        assert error.reason
        return
    signals = found.signals if isinstance(found, Delivery) else [found] if isinstance(found, Signal) else found
    for signal in signals:
        rfc8785.dumps(signal.json_object())
        assert Signal.model_validate_json(signal.model_dump_json(by_alias=True)) == signal


@pytest.mark.parametrize("reader", READERS)
@given(document=mutants() | anything)
@tried(150, suppress_health_check=[HealthCheck.too_slow])
def test_any_document(reader: str, document: Any) -> None:
    check(lambda: READERS[reader](document))


mangled = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(VALID).map(lambda d: json.dumps(d).encode()),
    st.tuples(st.sampled_from(VALID), st.integers(0, 200), st.binary(max_size=3)).map(
        lambda t: json.dumps(t[0]).encode()[: t[1]] + t[2] + json.dumps(t[0]).encode()[t[1] :]
    ),
)
HEADERS = [
    {"content-type": STRUCTURED},
    {"content-type": BATCHED},
    {"content-type": "application/json", "ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "t"},
    {"content-type": "a/b", "ce-specversion": "1.0", "ce-id": "%ff", "ce-source": "s", "ce-type": "dev.watchkeeper.x"},
    {},
]


@given(body=mangled, headers=st.sampled_from(HEADERS))
@tried(300)
def test_any_body(body: bytes, headers: dict[str, str]) -> None:
    check(lambda: read_logs(body, NOW))
    check(lambda: read_http(headers, body, NOW))
    check(lambda: read_alerts(json_document(body), NOW))
    check(lambda: read_metrics(text_of(body), NOW, {}).delivery)


pieces = st.sampled_from(
    [
        "DCGM_FI_DEV_XID_ERRORS",
        "{",
        "}",
        '"',
        "Hostname",
        "=",
        ",",
        " ",
        "79",
        "NaN",
        "1e400",
        "\\",
        "# TYPE",
        "#",
        "\n",
        "é",
        "\r",
    ]
)


@given(text=st.lists(pieces, max_size=25).map("".join) | st.text(max_size=40))
@tried(400)
def test_any_exposition(text: str) -> None:
    check(lambda: read_metrics(text, NOW, {}).delivery)


@given(
    line=st.text(max_size=60)
    | st.lists(
        st.sampled_from(["NVRM: Xid (", "PCI:", "0000:b3:00", "): ", "79", ",", "kernel: ", "[1.2] "]), max_size=10
    ).map("".join)
)
@tried(300)
def test_any_line(line: str) -> None:
    check(lambda: read_log({"node": "n", "line": line}, NOW))
