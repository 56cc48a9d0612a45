"""Decision tables as JSON: read strictly, run each on a fresh core, compare. `python -m scheduler_core.cases PATH…`.

`form.py` says what a case is, `reading/` how it is read, `world.py` makes a snapshot of it, `asks.py` lists the
questions, `comparing.py` tells the differences. Nothing here decides anything: the answers are the core's.
"""
