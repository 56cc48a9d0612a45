"""What every persisted noun shares: frozen, strict about unknown keys, and one canonical JSON form.

The canonical form is RFC 8785, because digests must not depend on the order of keys or the spelling of numbers.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any

import rfc8785
from pydantic import BaseModel, ConfigDict

Json = Any  # a JSON value: dict, list, str, int, float, bool or None


class Noun(BaseModel):
    """A frozen value object; unknown keys are refused, so a typing error in a file or a model's answer is seen."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def json_object(self) -> dict[str, Any]:
        """The noun as plain JSON, by its public names (as it is recorded and shown)."""
        return self.model_dump(mode="json", by_alias=True)


def digest_of(value: Json) -> str:
    """SHA-256 (hex) of the RFC 8785 form of `value`; raises rfc8785.CanonicalizationError for what JSON cannot say."""
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()


def rfc3339(moment: datetime) -> str:
    """UTC, whole milliseconds only where there are any: '2026-11-02T09:00:00Z' or '…00.250Z'."""
    utc = moment.astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S") + (f".{utc.microsecond // 1000:03d}Z" if utc.microsecond >= 1000 else "Z")


def parse_rfc3339(text: str) -> datetime:
    """The moment that `text` names. Raises ValueError for a time without a zone: a local time is no evidence."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.astimezone(UTC)
