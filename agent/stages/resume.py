"""Taking up an incident whose thread is lost: another agent led, or the file with the checkpoints is gone."""

from agent.domain.thread import Move, Next, Thread
from agent.look import look_at, remedies_of, remedy_key
from agent.ports import Ports
from agent.resuming import last_diagnosis, rounds_of, taken_up


def resume(thread: Thread, ports: Ports) -> Move:
    """Where nothing was proposed yet it begins at its beginning, and recalls what it was diagnosed with."""
    story = ports.ledger.story(thread.incident)
    diagnosis, rounds = last_diagnosis(story), rounds_of(story, ports.desk.get)
    if diagnosis is None or not rounds:
        return Next("diagnose", thread)
    wanted = remedies_of(diagnosis, look_at(thread.incident, ports), ports)
    said = next((remedy.on_refusal for remedy in wanted if remedy_key(remedy) == rounds[-1].remedy), "stop")
    stage, standing = taken_up(thread, diagnosis, rounds, said)
    return Next(stage, standing)
