"""Log lines: a node's kernel reports XIDs, nobody else does."""

from datetime import UTC, datetime
from typing import Any

import pytest

from agent.adapters.inbound.limits import Limits
from agent.adapters.inbound.logs import read_log, read_logs
from agent.domain.signal import LogBody, XidBody

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
XID_79 = "NVRM: Xid (PCI:0000:b3:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."
Json = dict[str, Any]


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-02T{text}+00:00")


@pytest.mark.parametrize(
    ("line", "xid", "pci"),
    [
        (XID_79, 79, "0000:b3:00"),
        ("[12345.678901] " + XID_79, 79, "0000:b3:00"),
        ("[Mon Nov  2 09:00:00 2026] " + XID_79, 79, "0000:b3:00"),
        ("<3>" + XID_79, 79, "0000:b3:00"),
        ("3,1042,5678901234,-;" + XID_79, 79, "0000:b3:00"),
        ("kernel: " + XID_79, 79, "0000:b3:00"),
        ("Nov  2 09:00:00 gpu-3 kernel: [12345.678901] " + XID_79, 79, "0000:b3:00"),
        ("2026-11-02T09:00:00.123456+00:00 gpu-3 kernel: " + XID_79, 79, "0000:b3:00"),
        (
            "NVRM: Xid (PCI:0000:29:00): 94, pid=20771, name=python, Contained: SM (0x1). RST: No, D-RST: No",
            94,
            "0000:29:00",
        ),
        ("NVRM: Xid (0000:03:00): 13, Graphics Exception: ESR 0x404600=0x80000002", 13, "0000:03:00"),
        (
            "NVRM: Xid (PCI:00000008:01:00.0): 154, GPU recovery action changed from 0x0 (None) to 0x1",
            154,
            "00000008:01:00.0",
        ),
    ],
)
def test_a_kernel_line_of_a_node_is_an_xid(line: str, xid: int, pci: str) -> None:
    body = read_log({"node": "gpu-3", "line": line}, NOW).body
    assert body == XidBody(node="gpu-3", xid=xid, pci_bus_id=pci, text=line)


@pytest.mark.parametrize(
    "document",
    [
        {"pod": "law/train-3", "line": XID_79},  # a container prints what it likes
        {"node": "gpu-3", "line": "Nov  2 09:00:00 gpu-3 python[123]: " + XID_79},
        {"node": "gpu-3", "line": "user said: " + XID_79},
        {"node": "gpu-3", "line": "NVRM: Xid (PCI:0000:b3:00): 1790, unheard of"},
        {"node": "gpu-3", "line": "NVRM: Xid (PCI:0000:b3:00): 0, nothing"},
        {"node": "gpu-3", "line": "NVRM: GPU at PCI:0000:b3:00: GPU-6f1a"},
        {"node": "gpu-3", "line": ""},
    ],
)
def test_any_other_line_stays_a_line(document: Json) -> None:
    body = read_log(document, NOW).body
    assert isinstance(body, LogBody) and body.line == document["line"]


@pytest.mark.parametrize(
    "document", [{"pod": "law/train-3", "line": "x"}, {"pod": "train-3", "namespace": "law", "line": "x"}]
)
def test_a_pods_line_says_whose_it_is(document: Json) -> None:
    signal = read_log(document, NOW)
    assert signal.body == LogBody(namespace="law", pod="train-3", line="x")
    assert signal.subject == "Pod/law/train-3"


def test_lines_of_different_moments_are_different_signals() -> None:
    lines = [{"node": "a", "line": XID_79, "time": f"2026-11-02T09:00:0{second}Z"} for second in (1, 1, 2)]
    assert len({read_log(line, NOW).id for line in lines}) == 2


def test_a_push_of_lines_names_the_bad_one() -> None:
    push = b'{"node":"a","line":"x"}\n\n{"node":"a"}\n{"node":"a","pod":"b","line":"x"}\n{oops\n'
    delivery = read_logs(push, NOW)
    assert [str(refused) for refused in delivery.refused] == [
        "line 3.line: missing",
        "line 4.node: expected either node or pod",
        "line 5.column 2: not JSON: Expecting property name enclosed in double quotes",
    ]
    assert len(delivery.signals) == 1


def test_a_long_line_is_cut() -> None:
    body = read_log({"node": "a", "line": "x" * 100}, NOW, Limits(max_text_chars=10)).body
    assert isinstance(body, LogBody) and body.line == "x" * 9 + "…"
