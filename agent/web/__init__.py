"""The door for people over HTTP: what waits for an answer as JSON and as plain pages, and their answers.

A view of the desk like every other door: nothing is decided here, and an answer goes through `agent.answering`. Who
somebody is comes from their issuer's token with each request; there is no session, no cookie and no script.
"""

from agent.web.door import PeopleDoor, Words

__all__ = ["PeopleDoor", "Words"]
