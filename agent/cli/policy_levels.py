"""`watchkeeper policy levels`: what the agent may do by itself, what its outcomes speak for, and people's word on it.

A door: each command writes one `level_changed` record, and the running agent heeds it with its next decision. To lower
a level or to freeze takes a login; to raise one takes a person of the groups that the limits name, and evidence.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.house import ConfigOption, DbOption, House, WallClock, actor_here, opened, person, settings
from agent.cli.output import EXIT_REFUSED, EXIT_USAGE, JsonOption, fail, say, short_time, show_json, show_table

if TYPE_CHECKING:
    from agent.domain.standing import Standing
    from agent.evidence.trust import Promotion

app = typer.Typer(invoke_without_command=True, add_completion=False, help="What the agent may do by itself, and why.")

ActionArgument = Annotated[str, typer.Argument(metavar="ACTION", help="For example cordon_node.")]
TenantOption = Annotated[str, typer.Option(help="One tenant; without it, all of them and what belongs to none.")]
ReasonOption = Annotated[str, typer.Option(help="Why; it is kept in the log.")]
AsOption = Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who; without it, who is logged in.")]


@app.callback(epilog="Example: watchkeeper policy levels")
def levels(context: typer.Context, json: JsonOption = False, config: ConfigOption = None, db: DbOption = None) -> None:
    """Lists each class with outcomes or a level of its own: what the files say, what counts, what speaks for more."""
    if context.invoked_subcommand is not None:
        return
    from agent.cli.policy_evidence import classes

    now = WallClock().now()
    with opened(config, db) as house:
        standing = house.ledger.standing()
        found = classes(house, limits_of(config), standing, now)
    frozen = _frozen(standing, settings(config).freeze_at)
    if json:
        show_json({"frozen": frozen, "breaker": _breaker(standing), "levels": [each.as_json() for each in found]})
        return
    rows = [(each.action, each.tenant, each.files.value, each.now.value, each.told()) for each in found]
    show_table(("action", "tenant", "files say", "now", "outcomes"), rows, nothing="No class has outcomes yet.")
    for line in filter(None, (frozen, _breaker(standing))):
        say(line)


@app.command(epilog='Example: watchkeeper policy levels grant cordon_node --as dana --reason "40 of 40 helped"')
def grant(
    action: ActionArgument,
    reason: ReasonOption,
    tenant: TenantOption = "*",
    by: AsOption = None,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Grants level act to a class whose outcomes carry it. Without the evidence it is refused.

    Without --tenant, each tenant that the action was done for is granted it, if the outcomes of each carry it.
    """
    from agent.cli.policy_evidence import proposed

    who = _may_raise(by, config)
    with opened(config, db) as house:
        found = proposed(house, limits_of(config), action, tenant, WallClock().now())
        _refuse_unless_carried(found, action, tenant)
        for each in found:
            trials = each.trials
            _record(
                house,
                change="granted",
                action=action,
                tenant=trials.tenant,
                to=each.to.value,
                by=who,
                reason=reason,
                **{"from": each.upon.value},
                evidence={"succeeded": trials.succeeded, "failed": trials.failed, "bound": round(trials.bound, 4)},
            )
    names = ", ".join(each.trials.tenant for each in found)
    say(f"{action} of tenant {names} may act by itself from now on; its first failure takes that back.")


def _refuse_unless_carried(found: list[Promotion], action: str, tenant: str) -> None:
    if not found:
        fail(
            f"{action} of tenant {tenant} is not at act_with_approval, or has no outcomes there.",
            "`watchkeeper policy levels` shows what stands where.",
            status=EXIT_REFUSED,
        )
    lacking = [each for each in found if each.lacks]
    if lacking:
        several = len(found) > 1
        told = [f"{f'{each.trials.tenant}: ' if several else ''}{'; '.join(each.lacks)}" for each in lacking]
        fail(
            f"The outcomes of {action} do not carry level act yet: {' · '.join(told)}.",
            f"{'Grant it by --tenant to whom it carries, or wait' if several else 'Wait'}, "
            "or raise the level in the settings' policy_data, which is your own decision.",
            status=EXIT_REFUSED,
        )


@app.command(epilog='Example: watchkeeper policy levels demote drain_node --to suggest --reason "too many at once"')
def demote(
    action: ActionArgument,
    reason: ReasonOption,
    to: Annotated[str, typer.Option(help="observe, suggest or act_with_approval.")] = "act_with_approval",
    tenant: TenantOption = "*",
    by: AsOption = None,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Lowers the level of a class, whatever the files say. Anybody whom the settings know may."""
    if to not in ("observe", "suggest", "act_with_approval"):
        fail(f"--to {to!r} is no level below act.", "Give observe, suggest or act_with_approval.", status=EXIT_USAGE)
    who = person(by, config).name
    with opened(config, db) as house:
        _known_tenant(tenant, house, config)
        _record(house, change="demoted", action=_known(action), tenant=tenant, to=to, by=who, reason=reason)
    say(f"{action} of tenant {tenant} is at {to} at most, until a person restores it.")


@app.command(epilog='Example: watchkeeper policy levels restore drain_node --as dana --reason "the driver is mended"')
def restore(
    action: ActionArgument,
    reason: ReasonOption,
    tenant: TenantOption = "*",
    by: AsOption = None,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Forgets grants and demotions of a class: what the files say counts again."""
    who = _may_raise(by, config)
    with opened(config, db) as house:
        _record(house, change="withdrawn", action=_known(action), tenant=tenant, by=who, reason=reason)
    say(f"{action} of tenant {tenant} is at the level that the files give.")


@app.command(epilog='Example: watchkeeper policy levels wrong inc-1f2e3d4c/0 --reason "the node was fine"')
def wrong(
    proposal: Annotated[str, typer.Argument(metavar="PROPOSAL", help="What was executed, for example inc-1f2e3d4c/0.")],
    reason: ReasonOption,
    by: AsOption = None,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Says that an executed action was wrong. Its class loses level act with the next decision."""
    who = person(by, config).name
    with opened(config, db) as house:
        all_ = house.ledger.past_actions(datetime.min.replace(tzinfo=UTC))
        done = next((past for past in all_ if past.proposal == proposal), None)
        if done is None:
            fail(f"No action of {proposal} was executed.", "`watchkeeper audit query --kind intent` shows which were.")
        about = {"action": done.action, "tenant": done.tenant or "*"}
        _record(house, change="wrong", proposal=proposal, by=who, reason=reason, **about)
    say(f"{proposal} is on the record as wrong.")


@app.command(epilog='Example: watchkeeper policy levels freeze --reason "we are moving the cluster"')
def freeze(reason: ReasonOption, config: ConfigOption = None, db: DbOption = None) -> None:
    """The kill switch: the step in hand ends, the next does not begin. Only telling people and uncordoning go on."""
    with opened(config, db) as house:
        _record(house, change="frozen", by=actor_here(), reason=reason)
    say("Frozen. `watchkeeper policy levels thaw` ends it.")


@app.command(epilog='Example: watchkeeper policy levels thaw --as dana --reason "the move is done"')
def thaw(reason: ReasonOption, by: AsOption = None, config: ConfigOption = None, db: DbOption = None) -> None:
    """Ends a freeze that was set here. A file or an annotation is taken away where it was put."""
    who = _may_raise(by, config)
    with opened(config, db) as house:
        _record(house, change="thawed", by=who, reason=reason)
    say("No longer frozen by the log; a freeze by file or annotation stands until that is gone.")


@app.command("reset-breaker", epilog='Example: watchkeeper policy levels reset-breaker --as dana --reason "a bad rack"')
def reset_breaker(reason: ReasonOption, by: AsOption = None, config: ConfigOption = None, db: DbOption = None) -> None:
    """Lets the agent act again after the breaker tripped; what it touched before counts no more."""
    who = _may_raise(by, config)
    with opened(config, db) as house:
        _record(house, change="breaker_reset", by=who, reason=reason)
    say("The breaker is reset.")


def limits_of(config: Path | None) -> dict[str, Any]:
    """The limits as the agent reads them."""
    from agent.adapters.rego.engine import EmbeddedPolicyEngine
    from agent.ports import PolicyUnavailable
    from agent.resources import bundled

    chosen = settings(config)
    try:
        return dict(EmbeddedPolicyEngine(chosen.policies or bundled("policies"), chosen.policy_data).limits)
    except PolicyUnavailable as fault:
        fail(f"The policies are refused: {fault}.", "`watchkeeper policy check` says more.")


def _may_raise(by: str | None, config: Path | None) -> str:
    who, groups = person(by, config), limits_of(config)["earned"]["granted_by"]
    if not set(who.groups) & set(groups):
        fail(
            f"{who.name} is in none of the groups that may raise a level: {', '.join(groups)}.",
            "earned.granted_by in the policies' data names them.",
            status=EXIT_REFUSED,
        )
    return who.name


def _known(action: str) -> str:
    from agent.actions.catalogue import CATALOGUE

    if action not in CATALOGUE:
        fail(f"There is no action {action!r}; there are {', '.join(sorted(CATALOGUE))}.", status=EXIT_USAGE)
    return action


def _known_tenant(tenant: str, house: House, config: Path | None) -> None:
    """A misspelt tenant would be a level that binds nobody."""
    if tenant == "*":
        return
    acted_for = {past.tenant for past in house.ledger.past_actions(datetime.min.replace(tzinfo=UTC))}
    known = sorted({*limits_of(config).get("tenants", {}), *acted_for} - {""})
    if tenant not in known:
        fail(f"There is no tenant {tenant!r}; there are {', '.join(known) or 'none'}.", status=EXIT_USAGE)


def _record(house: House, **payload: Any) -> None:
    from agent.domain.identity import seen

    if not seen(str(payload["reason"])).strip():
        fail("--reason is empty.", "Say why; it is kept in the log.", status=EXIT_USAGE)
    house.ledger.record("level_changed", payload)


def _frozen(standing: Standing, file: Path) -> str:
    from agent.adapters.switch import is_there

    if standing.frozen_at is not None:
        return f"Frozen since {short_time(standing.frozen_at)} UTC."
    return f"Frozen: {file} exists." if is_there(file) else ""


def _breaker(standing: Standing) -> str:
    at = standing.breaker_tripped_at
    return f"The breaker tripped at {short_time(at)} UTC; reset-breaker closes it." if at is not None else ""
