"""A writer that is killed while it writes: says each index once its append has returned; see test_audit_processes."""

from __future__ import annotations

import sys

from audit.log import Log

if __name__ == "__main__":
    with Log.open(sys.argv[1]) as log:
        while True:
            record = log.append("intent", actor="agent", attributes={"target": "gpu-7"}, payload="x" * 2000)
            print(record.index, flush=True)
