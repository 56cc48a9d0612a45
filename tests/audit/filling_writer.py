"""Writes until the disk is full, and once more when there is room; see test_audit_full_disk."""

from __future__ import annotations

import json
import resource
import signal
import sys

from audit.errors import LogUnavailable
from audit.log import Log

DISK_BYTES = 1_000_000


def main(path: str, payload_bytes: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that the write fails and the process does not end
    payload, recorded = "x" * payload_bytes, 0
    with Log.open(path) as log:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (DISK_BYTES, hard))
        try:
            while True:
                log.append("intent", actor="agent", payload=payload)
                recorded += 1
        except LogUnavailable as full:
            fault = full
        try:
            log.append("intent", actor="agent", payload=payload)
            refused_again = False
        except LogUnavailable:
            refused_again = True
        size = log.size()
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        after = log.append("intent", actor="agent", payload=payload).index
    told = {
        "recorded": recorded,
        "store": fault.store,
        "fault": fault.cause,
        "refused_again": refused_again,
        "size_when_full": size,
        "after": after,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
