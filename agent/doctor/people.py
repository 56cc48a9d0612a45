"""Who can answer, and where they are asked."""

from collections.abc import Iterator

from agent.config import Settings
from agent.doctor.finding import Finding, fail, ok, warn


def identities(settings: Settings) -> Iterator[Finding]:
    people = settings.identities
    if people:
        yield ok("people", f"{len(people)} are known: {', '.join(person.name for person in people[:5])}")
    else:
        yield warn("people", "nobody is known: no request can be approved", "name them under `identities`")


def slack(settings: Settings) -> Iterator[Finding]:
    chosen = settings.slack
    if chosen is None:
        return
    from agent.adapters.slack.client import SlackAway, identity

    try:
        token = chosen.bot_token_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        yield fail("Slack", f"{chosen.bot_token_file}: {error}", "write the bot token (xoxb-…) there")
        return
    try:
        yield ok("Slack", f"as {identity(token, chosen.api_url)}; requests go to {chosen.channel}")
    except SlackAway as away:
        yield fail("Slack", str(away), "check the token, its scope chat:write, and the way out of here")
