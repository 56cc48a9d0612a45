"""Who speaks: from what a door knows of an account to a linked person, by the configuration alone.

An account is whatever the door has checked: a login, a chat id, a token's subject. It never decides; the person that
the settings link it to does, with the groups that the settings give, or that an issuer tells which they trust for it.
"""

import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from agent.domain.approval import REQUESTER, STRICT, Person, Rules
from agent.domain.base import Noun
from agent.domain.proposal import Refusal

TERMINAL = "terminal"
OIDC = "oidc"
_JWKS_URI = r"^(https://[^\s?#@]+|http://(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?/[^\s?#@]*)$"
"""Keys that came in the clear over a network could be anybody's; on this machine there is no network between."""

_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")
"""Letters and symbols by their category that are drawn as nothing: the fillers of Hangul, and Braille without a dot."""


class Issuer(Noun):
    """An OpenID provider whose tokens are believed, at the doors that speak HTTP."""

    issuer: str = Field(pattern=r"^https://[^\s?#]+$")  # exactly as it stands in `iss`
    audience: str = Field(min_length=1)  # a token for another service is none for this one
    keys_file: Path | None = None  # its JWK Set (RFC 7517): whoever can write this file can be anybody
    jwks_uri: str | None = Field(default=None, pattern=_JWKS_URI)  # or where it is: fetched, and again when keys rotate
    algorithms: tuple[Literal["RS256", "PS256", "ES256"], ...] = ("RS256", "ES256")  # none of a shared secret
    leeway_s: int = Field(default=60, ge=0, le=300)  # clocks of two machines; more would lengthen every token's life
    groups_claim: str | None = None  # where it is trusted to tell groups; without it what a token says of them is air
    groups: dict[str, str] = {}  # our group by the issuer's; what is not here is none of ours

    @model_validator(mode="after")
    def _its_keys_come_from_one_place(self) -> Self:
        if (self.keys_file is None) == (self.jwks_uri is None):
            raise ValueError("an issuer has either keys_file or jwks_uri")
        return self


class Claims(Noun):
    """What a door says about whoever is at it, after its own checks (signature, token, login)."""

    door: str  # terminal | slack | oidc | scenario
    account: str  # login, <team>/<user>, <issuer>#<subject>
    named: str = ""  # at a terminal: as whom they want to answer
    groups: tuple[str, ...] = ()  # by an issuer that the settings trust for groups; of any other, none


class Directory(Noun):
    """Everybody whose word may count, and the house's own rules."""

    people: tuple[Person, ...] = ()
    rules: Rules = STRICT

    @model_validator(mode="after")
    def _one_name_and_one_link_each(self) -> Self:
        _all_different(("name", same_name(person.name)) for person in self.people)
        _all_different(
            (door, account) for p in self.people for door, accounts in p.links.items() for account in accounts
        )
        names = {person.name for person in self.people}
        if any(same_name(name) == REQUESTER for name in names):
            raise ValueError(f"{REQUESTER} is the agent's own name: it asks, and never approves")
        sole = self.rules.single_operator
        if sole is not None and names != {sole}:
            raise ValueError(f"single_operator is {sole!r}, so identities names {sole!r} and nobody else")
        return self

    def person_of(self, claims: Claims) -> Person | Refusal:
        """The linked person, with the groups that a trusted issuer added."""
        found = self._at_terminal(claims) if claims.door == TERMINAL else self._linked(claims)
        if isinstance(found, Refusal) or not claims.groups or claims.door != OIDC:
            return found  # no other door has anybody who could be trusted to tell of groups
        return found.model_copy(update={"groups": tuple(sorted({*found.groups, *claims.groups}))})

    def members(self, group: str) -> tuple[str, ...]:
        return tuple(person.name for person in self.people if group in person.groups)

    def _linked(self, claims: Claims) -> Person | Refusal:
        for person in self.people:
            if claims.account in person.links.get(claims.door, ()):
                return person
        return _unlinked(claims)

    def _at_terminal(self, claims: Claims) -> Person | Refusal:
        """A login that is somebody's is theirs alone. With another, whoever may write the database is trusted with a
        name, unless that person's own logins are said; and it stays one name (`agent.domain.counting`)."""
        own = self._owner_of(claims.account)
        if own is not None and claims.named in ("", own.name):
            return own
        if own is not None or not claims.account:
            return _not_their_login(claims.named, claims.account)
        name = claims.named or claims.account
        person = next((each for each in self.people if each.name == name), None)
        if person is None:
            return Refusal(
                code="unlinked",
                message=f"{name} is no person that the settings know, so this answer does not count.",
                remedy="Name the person and their groups under `identities` in the settings, or answer by --as NAME.",
            )
        logins = person.links.get(TERMINAL, ())
        if logins and claims.account not in logins:
            return _not_their_login(name, claims.account)
        return person

    def _owner_of(self, login: str) -> Person | None:
        """Whose it is: by link, or by its name, where that person links no other."""
        linked = next((p for p in self.people if login in p.links.get(TERMINAL, ())), None)
        return linked or next((p for p in self.people if p.name == login and not p.links.get(TERMINAL)), None)


def _not_their_login(name: str, login: str) -> Refusal:
    return Refusal(
        code="not_their_login",
        message=f"{login or 'nobody'} is no login of {name or 'anybody'}, so this answer does not count.",
        remedy=f"Answer as yourself, or link the login to {name or 'the person'} in the settings.",
    )


def same_name(name: str) -> str:
    """Two spellings of one name are one person: Alice, alice, ALICE in another width, and a letter more that shows
    nothing."""
    return seen(unicodedata.normalize("NFKC", name)).casefold().strip()


def seen(text: str) -> str:
    """The text without what nobody sees: controls, joiners and marks of direction (category C), and blank letters."""
    return "".join(c for c in text if c.isspace() or (unicodedata.category(c)[0] != "C" and c not in _BLANK_LETTERS))


def _unlinked(claims: Claims) -> Refusal:
    return Refusal(
        code="unlinked",
        message=f"The {claims.door} account {claims.account} is linked to nobody, so this answer does not count.",
        remedy=f"`watchkeeper approvals link NAME {claims.door} {claims.account}` says what the settings need.",
    )


def _all_different(pairs: Iterable[tuple[str, str]]) -> None:
    seen: set[tuple[str, str]] = set()
    for kind, value in pairs:
        if (kind, value) in seen:
            raise ValueError(f"{kind} {value!r} belongs to two people; each person counts once, so it must be one")
        seen.add((kind, value))


NOBODY = Directory()
