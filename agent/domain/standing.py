"""What people and outcomes made of the agent's autonomy at run time: granted and lost levels, freeze, breaker.

The files say what is configured; the log's `level_changed` records say what became of it. `Standing` is what they come
to at a moment, and part of the input of each decision.
"""

from datetime import datetime
from enum import StrEnum

from agent.domain.base import Noun, rfc3339

ANY_TENANT = "*"  # also the class of what belongs to no tenant, such as a node


class Level(StrEnum):
    """In rising order."""

    OBSERVE = "observe"
    SUGGEST = "suggest"
    ACT_WITH_APPROVAL = "act_with_approval"
    ACT = "act"

    @property
    def rank(self) -> int:
        return list(Level).index(self)


class Change(StrEnum):
    """What a `level_changed` record says. What the agent does by itself only narrows."""

    GRANTED = "granted"  # by a person, on evidence
    DEMOTED = "demoted"  # on a failure, a wrong action, or by a person
    LAPSED = "lapsed"  # a grant whose files say something else by now
    WITHDRAWN = "withdrawn"  # back to what the files say, by a person
    WRONG = "wrong"  # a person says that an executed action was wrong
    FROZEN = "frozen"
    THAWED = "thawed"
    BREAKER_TRIPPED = "breaker_tripped"
    BREAKER_RESET = "breaker_reset"


class ClassLevel(Noun):
    """The level of one action class and tenant. A grant holds only while the files still say `upon`."""

    action: str
    tenant: str = ANY_TENANT
    level: Level
    change: Change
    upon: Level | None = None  # what the files said when it was granted
    at: datetime


class WrongAction(Noun):
    """An executed action that a person called wrong, and when."""

    proposal: str
    action: str
    tenant: str = ANY_TENANT
    at: datetime


class Standing(Noun):
    levels: tuple[ClassLevel, ...] = ()  # by action and tenant, each at most once
    frozen_at: datetime | None = None
    frozen_by: str = ""  # log, file, annotation, or a record that is not understood: where it stands, not who
    breaker_tripped_at: datetime | None = None
    breaker_reset_at: datetime | None = None
    wrong: tuple[WrongAction, ...] = ()
    restored: tuple[tuple[str, str, datetime], ...] = ()  # action, tenant: back to what the files say, since when

    def judged_since(self, action: str, tenant: str) -> datetime | None:
        """What failed before a person granted or restored the level was known to that person."""
        moments = [at for a, t, at in self.restored if a == action and t in (tenant, ANY_TENANT)]
        known = self.of(action, tenant) or self.of(action, ANY_TENANT)
        if known is not None and known.change is Change.GRANTED:
            moments.append(known.at)
        return max(moments, default=None)

    def changed_between(self, then: datetime, now: datetime) -> bool:
        """Has a level been granted, lost or restored, or an action called wrong, after `then`? What another clock dates
        later than `now` was there or will come, and is no change of this time."""
        moved, wrong = [each.at for each in self.levels], [each.at for each in self.wrong]
        return any(then < at <= now for at in (*moved, *wrong, *(at for _, _, at in self.restored)))

    def called_wrong(self, proposal: str) -> bool:
        return any(each.proposal == proposal for each in self.wrong)

    def of(self, action: str, tenant: str) -> ClassLevel | None:
        return next((each for each in self.levels if (each.action, each.tenant) == (action, tenant)), None)

    def for_policies(self) -> dict[str, object]:
        """As Rego sees it: no names of people and no prose."""
        return {
            "levels": [
                {
                    "action": each.action,
                    "tenant": each.tenant,
                    "level": each.level.value,
                    "change": each.change.value,
                    "upon": each.upon.value if each.upon else None,
                }
                for each in self.levels
            ],
            "frozen": {"at": rfc3339(self.frozen_at), "by": self.frozen_by} if self.frozen_at else None,
            "breaker": {
                "tripped_at": rfc3339(self.breaker_tripped_at) if self.breaker_tripped_at else None,
                "reset_at": rfc3339(self.breaker_reset_at) if self.breaker_reset_at else None,
            },
        }
