"""The contract of the Cluster port, held by the simulated API server."""

from cluster_contract import *  # noqa: F403 - its tests and their fixtures
