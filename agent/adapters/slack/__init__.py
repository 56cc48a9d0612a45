"""Slack as a door and as a place where people are told: all it shows comes from the log and the desk, and an answer
given there goes the way of every other (`agent.answering`). While Slack is away nothing waits for it.
"""

from agent.adapters.slack.door import SlackDoor
from agent.adapters.slack.publisher import Publisher

__all__ = ["Publisher", "SlackDoor"]
