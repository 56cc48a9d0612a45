"""Log lines. A kernel line of a node that reports an NVIDIA XID becomes that XID; every other line stays a line.

Only a node's kernel may report hardware: a container can print whatever it likes, so a pod's line is never an XID, and
a line that syslog attributes to another program than the kernel is not one either.
"""

import re
from datetime import datetime

from agent.adapters.inbound.delivery import Delivery, Malformed, signal
from agent.adapters.inbound.limits import LIMITS, Limits
from agent.adapters.inbound.wire import Moment, Wire, check_count, check_name, cut, json_document, read
from agent.domain.base import digest_of, rfc3339
from agent.domain.signal import LogBody, Signal, XidBody

SOURCE = "logs"

_XID = re.compile(
    r"""
    \s{0,4}
    (?: <\d{1,3}> | \d{1,5},\d{1,20},\d{1,20},[^;\s]{1,40}; )?       # syslog priority, or a raw /dev/kmsg record
    (?: (?: [A-Z][a-z]{2}\s{1,2}\d{1,2}\s[\d:.]{8,15}                # Nov  2 09:00:00
          | \d{4}-\d\d-\d\dT[\d:.,]{8,18}(?:Z|[+-]\d\d:?\d\d)? )\s )?  # 2026-11-02T09:00:00.000000+00:00
    (?: (?:[\w.-]{1,253}\s)? kernel:\s{0,4} )?                       # the host, and no other program than the kernel
    (?: \[[\w\s:.]{1,40}\]\s{0,4} )?                                 # [12345.678901], [Mon Nov  2 09:00:00 2026]
    NVRM:\ Xid\ \( (?:PCI:)? (?P<pci>[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(?:\.[0-7])?) \):\s
    (?P<xid>[0-9]{1,3}) (?![0-9])
    """,
    re.VERBOSE,
)


class LogLine(Wire):
    node: str | None = None
    pod: str | None = None
    namespace: str | None = None
    line: str
    time: Moment = None


def read_logs(body: bytes, received_at: datetime, limits: Limits = LIMITS) -> Delivery:
    """Newline-delimited JSON, one {node | pod, line} a line; blank lines are nothing."""
    lines = body.split(b"\n")
    check_count("", len(lines), limits.max_lines)
    placed = ((f"line {number}", raw) for number, raw in enumerate(lines, start=1) if raw.strip())
    return Delivery.of_each(placed, lambda raw: [read_log(_document(raw, limits), received_at, limits)])


def _document(raw: bytes, limits: Limits) -> object:
    """The JSON of one line, whose place is its column: which line it is, the delivery knows."""
    try:
        return json_document(raw, limits)
    except Malformed as error:
        raise Malformed(error.place.removeprefix("line 1 "), error.reason) from None


def read_log(document: object, received_at: datetime, limits: Limits = LIMITS) -> Signal:
    """One line: `node`, or `pod` with `namespace` (or as namespace/name)."""
    said = read(LogLine, document)
    if bool(said.node) == bool(said.pod):
        raise Malformed("node", "expected either node or pod")
    namespace, pod = _pod(said)
    for place, name in (("node", said.node), ("pod", pod), ("namespace", namespace)):
        check_name(place, name or None, limits)
    time = said.time or received_at
    line = cut(said.line, limits)
    body = (xid_in(line, said.node) if said.node else None) or LogBody(
        node=said.node or None, namespace=namespace, pod=pod, line=line
    )
    subject = f"Node/{said.node}" if said.node else f"Pod/{namespace}/{pod}" if namespace else f"Pod/{pod}"
    return signal(SOURCE, digest_of([subject, said.line, rfc3339(time)])[:32], subject, time, body)


def xid_in(line: str, node: str) -> XidBody | None:
    """The XID that a kernel line of `node` reports."""
    found = _XID.match(line)
    xid = int(found["xid"]) if found else 0
    return XidBody(node=node, xid=xid, pci_bus_id=found["pci"], text=line) if found and xid else None


def _pod(said: LogLine) -> tuple[str | None, str | None]:
    if not said.pod:
        return None, None
    namespace, _, name = said.pod.rpartition("/")
    return said.namespace or namespace or None, name
