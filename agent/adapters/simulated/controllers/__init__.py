"""The controllers of the simulated world, one file each, in the order in which they work (see `plane.py`).

Each watches what its namesake in Kubernetes watches and brings about what that would, in its first form. A controller
never changes a pinned object: `control.py` keeps that rule for all.
"""
