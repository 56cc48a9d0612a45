"""`watchkeeper approvals link`: which accounts are whose, and what the settings need so that another one is.

Who somebody is stands in the settings and nowhere else, so nothing is linked here: a chat account that could link
itself would be nobody's word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.house import ConfigOption, DbOption, opened, settings
from agent.cli.output import EXIT_USAGE, JsonOption, fail, say, show_json, show_table

if TYPE_CHECKING:
    from agent.cli.house import House
    from agent.domain.approval import Person

DOORS = ("terminal", "slack", "oidc")
STRANGERS_SHOWN = 20
"""The newest; more are somebody's script."""


def link(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A person; without it, everybody.")] = None,
    door: Annotated[str | None, typer.Argument(metavar="DOOR", help="terminal, slack or oidc.")] = None,
    account: Annotated[
        str | None, typer.Argument(metavar="ACCOUNT", help="A login, TEAM/USER, or ISSUER#SUBJECT.")
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Shows whose accounts are whose, and who pressed without being linked; or what the settings need for a link."""
    people = settings(config).identities
    if name is not None:
        return _lines_for(people, name, door, account)
    with opened(config, db) as house:
        strangers = _strangers(house)
    if json:
        return show_json({"identities": [person.json_object() for person in people], "unlinked": strangers})
    rows = [(p.name, ", ".join(p.groups), ", ".join(_accounts(p)) or "-") for p in people]
    show_table(("person", "groups", "accounts"), rows, nothing="The settings know nobody: see `identities`.")
    if strangers:
        say()
        say("Linked to nobody, so their answers did not count:")
        told = [(s["door"], s["account"], s["at"], s["request"]) for s in strangers]
        show_table(("door", "account", "last", "request"), told, nothing="")


def _lines_for(people: tuple[Person, ...], name: str, door: str | None, account: str | None) -> None:
    import yaml

    if door not in DOORS or not account:
        fail("A link needs a person, a door and an account.", f"Doors: {', '.join(DOORS)}.", status=EXIT_USAGE)
    person = next((each for each in people if each.name == name), None)
    if person is None:
        fail(f"The settings know nobody named {name}.", "Name the person and their groups under `identities` first.")
    holder = next((each for each in people if account in each.links.get(door, ())), None)
    if holder is not None:
        fail(f"{account} is linked to {holder.name} already.", "One account is one person.")
    links = {**person.links, door: (*person.links.get(door, ()), account)}
    entry = {"name": name, "groups": list(person.groups), "links": {d: list(each) for d, each in links.items()}}
    say("Let the entry of this person under `identities` in the settings be this, and start the agent again:")
    typer.echo(yaml.safe_dump([entry], sort_keys=False).rstrip())


def _accounts(person: Person) -> list[str]:
    return [f"{door}:{account}" for door, accounts in sorted(person.links.items()) for account in accounts]


def _strangers(house: House) -> list[dict[str, str]]:
    """The last that each unlinked account tried, newest first."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for record in house.log.query(kind="approval"):
        said: Any = record.payload
        if said.get("code") in ("unlinked", "not_their_login"):
            about = {key: str(said.get(key, "")) for key in ("door", "account", "by", "at", "request")}
            found[about["door"], about["account"]] = about
    return sorted(found.values(), key=lambda each: each["at"], reverse=True)[:STRANGERS_SHOWN]
