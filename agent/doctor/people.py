"""Who can answer, and where they are asked."""

from collections.abc import Iterator
from pathlib import Path

from agent.config import Settings
from agent.doctor.finding import Finding, fail, ok, warn
from agent.domain.slack import SlackSettings

NEEDED = "chat:write"  # the only scope of the bot token


def identities(settings: Settings) -> Iterator[Finding]:
    people = settings.identities
    if people:
        yield ok("people", f"{len(people)} are known: {', '.join(person.name for person in people[:5])}")
    else:
        yield warn("people", "nobody is known: no request can be approved", "name them under `identities`")


def slack(settings: Settings) -> Iterator[Finding]:
    """Who the bot is there, and the way in for answers."""
    if settings.slack is not None:
        yield _bot(settings.slack)
        yield _way_in(settings.slack)


def _bot(chosen: SlackSettings) -> Finding:
    from agent.adapters.slack.client import SlackAway, identity

    token = _secret(chosen.bot_token_file)
    if not token:
        return fail("Slack", f"{chosen.bot_token_file} has no token", "write the bot token (xoxb-…) there")
    try:
        known = identity(token, chosen.api_url)
    except SlackAway as away:
        return fail("Slack", str(away), "check the token, its scope chat:write, and the way out of here")
    if known.scopes is not None and NEEDED not in known.scopes:
        said = f"as {known.name}, whose token may not post: it lacks {NEEDED}"
        return fail("Slack", said, f"add {NEEDED} to the app's bot token scopes, install it anew, write the new token")
    return ok("Slack", f"as {known.name}; requests go to {chosen.channel}")


def _way_in(chosen: SlackSettings) -> Finding:
    from agent.adapters.slack.client import SlackAway, opens_a_socket

    what, file = "Slack's answers", chosen.app_token_file or chosen.signing_secret_file
    secret = _secret(file) if file else ""
    if not secret:
        kind = "app-level token (xapp-…)" if chosen.app_token_file else "signing secret"
        return fail(what, f"{file} has no {kind}", "copy it from the app's Basic Information page")
    if chosen.app_token_file is None:
        return ok(what, "come signed to POST /slack/events; whether Slack reaches it only a press can tell")
    try:
        opens_a_socket(secret, chosen.api_url)
    except SlackAway as away:
        return fail(what, str(away), "check the app-level token and its scope connections:write")
    return ok(what, "come by Socket Mode")


def _secret(file: Path) -> str:
    """Empty where it cannot be read."""
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
