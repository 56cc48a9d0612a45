"""Writes RFC 8785, for the log alone: an auditor reads it with `audit.canonical` and needs none of this.

Python's own encoder is written in C and has RFC 8785's form for nearly everything that a log holds: all but numbers
that need care, and the order of keys outside the Basic Multilingual Plane. So a record is written by it first, and read
back by the auditor's reader as every record is before it is stored. What that reader refuses, the `rfc8785` library
writes, which knows the form in full and is twenty times slower.
"""

from __future__ import annotations

import rfc8785

from audit.canonical import STRICT, JsonValue
from audit.errors import RecordRefused
from audit.record import Record, parse, payload_bytes, with_payload


def quickly(value: JsonValue) -> bytes:
    """The canonical form of most values that have passed `plain`: what it gives is to be read back."""
    return STRICT.encode(value).encode()


def exactly(value: JsonValue) -> bytes:
    """The canonical form of every such value."""
    return rfc8785.dumps(value)


def written(record: Record, payload: bytes) -> tuple[Record, bytes]:
    """What is stored of the record, and what an auditor reads in it. `payload` is that of `quickly`.

    The record must be `hidden`. It is parsed back, so that no body is stored that an auditor would refuse.
    """
    try:
        body = with_payload(record, payload, quickly)
        return parse(body), body
    except RecordRefused:
        body = with_payload(record, payload_bytes(record, exactly), exactly)
        return parse(body), body
