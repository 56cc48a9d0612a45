"""The Cluster port on a real API server: how it is reached, what its refusals mean, its verbs, and how it is followed.

`cluster.py` is the door. What the objects mean is left to the files above this folder.
"""
