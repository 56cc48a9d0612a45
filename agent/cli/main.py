"""The command `watchkeeper`. Each subcommand is imported when it is called: `--help` stays under 300 ms."""

import importlib
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

# name: (module, attribute, one line for --help). A Typer attribute is a group of commands, a function one command.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "demo": ("agent.cli.demo", "demo", "A bad day on a simulated GPU cluster: no keys, no server."),
    "run": ("agent.cli.run", "run", "The long-running agent."),
    "evaluate": ("agent.cli.evaluate", "evaluate", "Run scenarios and say what was right and what was wrong."),
    "incidents": ("agent.cli.incidents", "app", "What happened: list, show."),
    "approvals": ("agent.cli.approvals", "app", "What waits for a person: list, show, approve, reject, watch."),
    "audit": ("agent.cli.audit", "app", "The log: query, show, timeline, report, export, redact, fsck."),
    "policy": ("agent.cli.policy", "app", "The gate: check, test, levels."),
    "playbooks": ("agent.cli.playbooks", "app", "Remedies: list, show, check."),
    "bench": ("agent.cli.bench", "app", "Measure: placement, admission."),
    "doctor": ("agent.cli.doctor", "doctor", "What is reachable, what the agent may do, what is missing."),
    "config": ("agent.cli.config", "app", "Settings: show, schema."),
}


class LazyGroup(TyperGroup):
    """Lists all commands without importing any."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        found: Any = getattr(importlib.import_module(module), attribute)
        if isinstance(found, typer.Typer):
            return get_command(found)
        app = typer.Typer(add_completion=False)
        app.command(name=cmd_name)(found)
        return get_command(app)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def watchkeeper() -> None:
    """Watchkeeper keeps the watch over a GPU Kubernetes cluster: it acts inside its standing orders, calls a person
    when an order says so, and writes everything into a log that nobody can quietly change.

    Example: watchkeeper demo
    """


def main() -> None:
    """Errors that have a sentence for the operator are printed as such; anything else is a bug and shows its trace."""
    app()


if __name__ == "__main__":
    main()
