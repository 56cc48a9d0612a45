"""The closing page of the demo: what went wrong, what was done about it, and how anybody can check the log.

Every number comes from the log's records, or from the simulated API server at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.cli.output import console, say, show_table

if TYPE_CHECKING:
    from agent.scenarios.performance import Performance


def closing_json(performance: Performance, seconds: float, alone: float | None = None) -> dict[str, Any]:
    """`alone`: GPU-hours that the same day loses without the agent."""
    result, won = _told(performance)
    return {
        "wrong_actions": len(result["wrong_actions"]),
        "incidents": result["incidents"],
        "actions": result["actions"],
        "escalations": result["escalations"],
        "gpu_hours_won_back": won,
        **({"gpu_hours": compared} if (compared := _compared(performance, alone)) else {}),
        "log": {**result["log"], "database": str(performance.database)},
        "seconds": round(seconds, 1),
    }


def closing_page(performance: Performance, seconds: float, alone: float | None = None) -> None:
    result, won = _told(performance)
    spec = performance.scenario.spec
    say(spec.description, style="bold")
    say()
    incidents = [(i["state"].replace("_", " "), i["playbook"] or "none", i["id"]) for i in result["incidents"]]
    show_table(("incident", "playbook", "id"), incidents, nothing="There was no incident.")
    say()
    actions = [(a["after"], a["action"], a["outcome"], _asked(a), _place(a["target"])) for a in result["actions"]]
    show_table(("after", "action", "outcome", "approved by", "on"), actions, nothing="Nothing was done.")
    say()
    for refused in result["proposed"]:
        say(f"not done: {refused['action']} {_place(refused['target'])}: {', '.join(sorted(set(refused['reasons'])))}")
    wrong = len(result["wrong_actions"])
    say(f"wrong actions  {wrong}", style="bold red" if wrong else "bold green")
    for action in result["wrong_actions"]:
        say(f"  {action['why']}")
    say(f"people called  {result['escalations']} times")
    compared = _compared(performance, alone)
    if compared:
        _losses(compared)
    else:
        say(f"GPU-hours      {won} won back (GPUs of each action that helped, until the end)")
    say(f"time           {seconds:.1f} s for {spec.duration} of simulated time, seed {performance.seed}")
    _log(result["log"], performance)


def _compared(performance: Performance, alone: float | None) -> dict[str, float] | None:
    """The day's own meter beside that of a run in which the agent only observed."""
    if performance.meter is None or alone is None:
        return None
    lost = performance.meter.gpu_hours
    return {"lost": round(lost, 1), "lost_without_agent": round(alone, 1), "won_back": round(alone - lost, 1)}


def _losses(compared: dict[str, float]) -> None:
    say(f"GPU-hours      {compared['won_back']} won back of {compared['lost_without_agent']} that the day loses alone")
    say("               lost: GPUs held at utilisation 0, of gangs that stand still,")
    say("               and of nodes with a GPU off the bus; once a simulated minute")


def _log(log: dict[str, Any], performance: Performance) -> None:
    """The command stands alone on its line, so that it can be copied."""
    say(f"log            {log['records']} records, {'intact' if log['intact'] else 'NOT INTACT'}")
    say(f"root           {log['root']}")
    say("check it with")
    command = f"watchkeeper audit fsck --db {performance.database} --size {log['records']} --root {log['root']}"
    console().print(f"  {command}", soft_wrap=True)


def _told(performance: Performance) -> tuple[dict[str, Any], float]:
    from agent.scenarios.judging import judge_run
    from agent.scenarios.report import Result, result_json
    from agent.scenarios.runner import what_happened
    from agent.scenarios.winnings import gpu_hours_won_back

    run = what_happened(performance, 0.0)
    judgement = judge_run(performance.scenario.spec.expect, run)
    result = result_json(Result(performance.scenario.metadata.name, "", judgement, run))
    return result, gpu_hours_won_back(performance.agent.log.query(), performance.end)


def _asked(action: dict[str, Any]) -> str:
    return ", ".join(answer["by"] for answer in action["approvals"] if answer["decision"] == "approve")


def _place(target: dict[str, str]) -> str:
    return "/".join(target[part] for part in ("namespace", "name") if target.get(part))
