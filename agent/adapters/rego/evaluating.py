"""The process beside the agent in which policies are evaluated. Run as a file; it imports nothing of the agent.

The interpreter has no time limit of its own and holds Python's lock while it evaluates, so a policy that never ends
would stop the whole agent. Here the operating system ends it: the processor time of one question is limited by a timer
whose signal kills this process, and so is its memory. What a policy crashes is this process and not the agent.

A frame is a length (4 bytes, big endian), one letter and the rest:
to here    L digest policies-and-data as JSON      Q digest input as JSON
from here  A answer as JSON      E words of a failed evaluation      P words of a panic      U (this digest is unknown)
"""

import json
import os
import resource
import signal
import struct
import sys
from collections import OrderedDict
from typing import Any

import regorus

DIGEST_CHARACTERS = 64
ENGINES_AT_MOST = 8  # the bundle in force, its successor, and what a shadow run compares
MEMORY_AT_MOST_BYTES = 2 * 1024**3  # an engine of the shipped bundle takes 10 MiB


def main(rule: str, processor_s: float) -> None:
    """Answers until its input is closed, which is when the agent is gone."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_AT_MOST_BYTES, MEMORY_AT_MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the agent, which then closes our input
    engines: OrderedDict[str, Any] = OrderedDict()
    while (frame := _read()) is not None:
        signal.setitimer(signal.ITIMER_PROF, processor_s)
        try:
            answer = _answer(frame, engines, rule)
        except BaseException as fault:
            if type(fault).__name__ != "PanicException":
                raise
            engines.clear()
            answer = b"P" + str(fault).encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        _write(answer)


def _answer(frame: bytes, engines: "OrderedDict[str, Any]", rule: str) -> bytes:
    kind, digest, rest = frame[:1], frame[1 : 1 + DIGEST_CHARACTERS].decode(), frame[1 + DIGEST_CHARACTERS :].decode()
    try:
        if kind == b"L":
            engines[digest] = engine_of(json.loads(rest))
            while len(engines) > ENGINES_AT_MOST:
                engines.popitem(last=False)
            return b"A"
        if digest not in engines:
            return b"U"
        engines.move_to_end(digest)
        engine = engines[digest]
        engine.set_input_json(rest)
        return b"A" + str(engine.eval_rule_as_json(rule)).encode()
    except RuntimeError as fault:
        return b"E" + str(fault).encode()


def engine_of(content: dict[str, Any]) -> Any:
    """Data go in as JSON: as Python objects, this binding would turn false into 0, and 0 is true.

    Each time that a policy reads data.limits.x, this interpreter looks whether a package has rules below that name. One
    package of that name without rules is an answer that it remembers, once a policy has asked for data.limits.
    """
    engine = regorus.Engine()
    engine.add_policy("limits", "package limits")
    for name, text in content["policies"]:
        engine.add_policy(name, text)
    engine.add_data_json(json.dumps(content["data"]))
    return engine


def _read() -> bytes | None:
    length = _exactly(4)
    return None if length is None else _exactly(struct.unpack(">I", length)[0])


def _exactly(count: int) -> bytes | None:
    parts = b""
    while len(parts) < count:
        part = os.read(0, count - len(parts))
        if not part:
            return None
        parts += part
    return parts


def _write(answer: bytes) -> None:
    left = struct.pack(">I", len(answer)) + answer
    while left:
        left = left[os.write(1, left) :]


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
