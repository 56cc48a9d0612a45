"""`watchkeeper policy`: is this bundle fit to decide, does it do what its tests say, and what did it do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.output import EXIT_ERROR, JsonOption, fail, say, show_json, show_table
from agent.cli.policy_bundle import build, sign
from agent.cli.policy_levels import app as levels
from agent.cli.policy_replay import explain, replay, shadow

app = typer.Typer(help="The policies that every proposal goes through.", no_args_is_help=True, add_completion=False)
app.add_typer(levels, name="levels")
app.command(epilog="Example: watchkeeper policy explain dec-0f3a9c1be27d")(explain)
app.command(epilog="Example: watchkeeper policy shadow policies-next/ --since 7d")(shadow)
app.command(epilog="Example: watchkeeper policy replay")(replay)
app.command(epilog="Example: watchkeeper policy build bundle.tar.gz --signing-key private.pem")(build)
app.command(epilog="Example: watchkeeper policy sign policies/ --signing-key private.pem")(sign)

BundleArgument = Annotated[
    Path | None, typer.Argument(metavar="BUNDLE", help="Folder of policies; without it, those that came along.")
]


@app.command(epilog="Example: watchkeeper policy check")
def check(bundle: BundleArgument = None, as_json: JsonOption = False) -> None:
    """Loads a bundle as the agent would, and lists the reasons that it can give."""
    from agent.adapters.rego.engine import EmbeddedPolicyEngine
    from agent.ports import PolicyUnavailable

    try:
        engine = EmbeddedPolicyEngine(_folder(bundle))
    except PolicyUnavailable as fault:
        fail(f"This bundle is refused: {fault}.", "The agent would not start with it; mend it first.")
    reasons = sorted(engine.bundle.reasons.values(), key=lambda text: text.code)
    if as_json:
        listed = [{"code": r.code, "decision": r.decision, "title": r.title, "place": r.place} for r in reasons]
        show_json({"digest": engine.digest, "reasons": listed})
        return
    rows = [(r.code, r.decision, r.title) for r in reasons]
    show_table(("REASON", "DECISION", "RULE"), rows, nothing="No rule gives a reason.")
    say(f"{len(engine.bundle.policies)} policies, {len(reasons)} reasons, digest {engine.digest[:12]}")


@app.command(epilog="Example: watchkeeper policy test")
def test(bundle: BundleArgument = None, as_json: JsonOption = False) -> None:
    """Runs the policies' own tests: the rules named test_… in files named …_test.rego."""
    from agent.adapters.rego.bundle import read_bundle
    from agent.adapters.rego.unit_tests import run_tests
    from agent.ports import PolicyUnavailable

    try:
        results = list(run_tests(read_bundle(_folder(bundle))))
    except PolicyUnavailable as fault:
        fail(f"This bundle is refused: {fault}.", "Nothing was tested; mend it first.")
    failed = [result for result in results if not result.passed]
    if as_json:
        listed = [{"name": r.name, "file": r.file, "passed": r.passed, "detail": r.detail} for r in results]
        show_json({"passed": len(results) - len(failed), "failed": len(failed), "tests": listed})
    else:
        for result in failed:
            say(f"FAILED {result.file}: {result.name.rpartition('.')[2]}: {result.detail}")
        say(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    if failed or not results:
        raise typer.Exit(EXIT_ERROR)


def _folder(given: Path | None) -> Path:
    from agent.resources import bundled

    return given or bundled("policies")
