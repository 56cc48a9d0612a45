"""Asks the process beside the agent (evaluating.py) and waits no longer than a decision may take.

A decision takes a tenth of a millisecond. One that takes a second of processor time is a policy that does not end: its
process is killed, the answer is policy.timeout, and the next question gets a fresh process. Counting processor time
keeps a busy machine from being taken for a policy that hangs; the wall clock is only the last resort.
"""

import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from threading import Lock
from typing import Any

from agent.adapters.rego.faults import engine_words
from agent.ports import PolicyUnavailable

ENTRYPOINT = "data.watchkeeper.main.verdict"
PROCESSOR_S = 1.0  # ten thousand times what a decision of the shipped bundle takes
WALL_S = 30.0  # where the process gets no processor at all, or cannot start
ANSWER_AT_MOST_BYTES = 1 << 20  # a verdict has about a thousand
_PROGRAM = Path(__file__).with_name("evaluating.py")
_POLL_S_AT_MOST = 1.0


class Evaluator:
    """One process for all bundles of this agent; questions take turns. Every failure is a PolicyUnavailable."""

    def __init__(
        self, processor_s: float = PROCESSOR_S, wall_s: float = WALL_S, *, entrypoint: str = ENTRYPOINT
    ) -> None:
        self._processor_s, self._wall_s, self._entrypoint = processor_s, wall_s, entrypoint
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = Lock()

    def answer(self, digest: str, content: "Content", policy_input: str) -> str:
        """The JSON of the entrypoint's value under the policies and data of `content`, which `digest` names."""
        with self._lock:
            kind, words = self._exchange(b"Q" + digest.encode() + policy_input.encode())
            if kind == b"U":
                self._loaded(digest, content)
                kind, words = self._exchange(b"Q" + digest.encode() + policy_input.encode())
        if kind == b"A":
            return words
        if kind == b"P":
            raise PolicyUnavailable("policy.error", f"the policy engine panicked: {words.splitlines()[0][:200]}")
        raise PolicyUnavailable("policy.error", engine_words(RuntimeError(words)))

    def close(self) -> None:
        with self._lock:
            self._end()

    def _loaded(self, digest: str, content: "Content") -> None:
        kind, words = self._exchange(b"L" + digest.encode() + json.dumps(content).encode())
        if kind != b"A":
            raise PolicyUnavailable("policy.not_loaded", engine_words(RuntimeError(words)))

    def _exchange(self, frame: bytes) -> tuple[bytes, str]:
        process = self._running()
        until = time.monotonic() + self._wall_s
        try:
            _send(process, struct.pack(">I", len(frame)) + frame, until)
            length = struct.unpack(">I", _receive(process, 4, until))[0]
            if length > ANSWER_AT_MOST_BYTES:
                raise PolicyUnavailable("policy.ill_typed", f"the answer has {length} bytes")
            answer = _receive(process, length, until)
        except TimeoutError:
            self._end()
            raise PolicyUnavailable("policy.timeout", f"no decision within {self._wall_s:g} s") from None
        except OSError:
            raise self._died() from None
        except PolicyUnavailable:
            self._end()
            raise
        return answer[:1], answer[1:].decode("utf-8", "replace")

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None or self._owner != os.getpid():
            command = [sys.executable, "-I", str(_PROGRAM), self._entrypoint, str(self._processor_s)]
            self._process = subprocess.Popen(  # noqa: S603 (this interpreter, our own file)
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
            )
            self._owner = os.getpid()
            for pipe in (self._process.stdin, self._process.stdout):
                os.set_blocking(pipe.fileno(), False)  # type: ignore[union-attr]
        return self._process

    def _died(self) -> PolicyUnavailable:
        status = self._process.wait() if self._process else 0
        self._end()
        if status == -signal.SIGPROF:
            words = f"a policy took more than {self._processor_s:g} s of processor time and was ended"
            return PolicyUnavailable("policy.timeout", words)
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        return PolicyUnavailable(
            "policy.error", f"the evaluation ended {how}: too much memory, or a fault of the engine"
        )

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


Content = dict[str, Any]
"""`policies` as [name, text] pairs, and `data`."""

SHARED = Evaluator()


def _send(process: "subprocess.Popen[bytes]", data: bytes, until: float) -> None:
    pipe = process.stdin.fileno()  # type: ignore[union-attr]
    while data:
        _wait(pipe, select.POLLOUT, until)
        data = data[os.write(pipe, data) :]


def _receive(process: "subprocess.Popen[bytes]", count: int, until: float) -> bytes:
    pipe, parts = process.stdout.fileno(), b""  # type: ignore[union-attr]
    while len(parts) < count:
        _wait(pipe, select.POLLIN, until)
        part = os.read(pipe, count - len(parts))
        if not part:
            raise BrokenPipeError
        parts += part
    return parts


def _wait(pipe: int, event: int, until: float) -> None:
    watched = select.poll()
    watched.register(pipe, event)
    while not watched.poll(max(0.0, min(until - time.monotonic(), _POLL_S_AT_MOST)) * 1000):
        if time.monotonic() > until:
            raise TimeoutError
