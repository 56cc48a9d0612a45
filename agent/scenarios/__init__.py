"""Incidents as files: the format, what counts as right, and the runner that plays a file on the simulated world.

Nothing here decides anything for the agent, and nothing in the agent knows a scenario's name.
"""
