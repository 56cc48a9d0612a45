"""A command of ours as in a pod: the service account's folder is the first argument, the rest is the command.

The client library has that folder's path as a constant, which lies where only root may write: that alone is set here.
"""

import sys
from pathlib import Path

from kubernetes.config import incluster_config

from agent.cli.main import main

MOUNTED = Path("/var/run/secrets/kubernetes.io/serviceaccount")
assert Path(incluster_config.SERVICE_TOKEN_FILENAME) == MOUNTED / "token"
assert Path(incluster_config.SERVICE_CERT_FILENAME) == MOUNTED / "ca.crt"

folder = Path(sys.argv.pop(1))
incluster_config.SERVICE_TOKEN_FILENAME = str(folder / "token")
incluster_config.SERVICE_CERT_FILENAME = str(folder / "ca.crt")
main()
