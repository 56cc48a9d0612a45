"""Days drawn from a seed: a cluster, the troubles that befall it, and what is right and wrong to do about each of them.

A generated day is an ordinary scenario. Nothing outside this room knows that it was drawn.
"""
