"""Kubernetes quantities, exactly: "500m" CPU, "4Gi", "1e3" become the core's integers.

CPU is counted in thousandths, everything else whole (bytes, devices, pods), as Kueue counts. The grammar is that of
apimachinery's `resource.Quantity`. The kubernetes client has a parser too, but the core stands without clients.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from math import ceil, floor

from scheduler_core.cases.fields import BadCase
from scheduler_core.model import PODS, is_gpu
from scheduler_core.units import BINARY, CPU, IN_BYTES, MILLI

_FORM = re.compile(r"([+-]?)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]{1,3}))?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
MOST = 2**63 - 1  # of Kubernetes' int64


def parse(value: object, where: str) -> Fraction:
    """A string, or the whole number that Kubernetes takes for one."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise BadCase(where, f"{value!r} is not a Kubernetes quantity such as 4, 500m, 2Gi or 1e3")
    sign, digits, suffix, exponent = found.groups()
    number = Fraction(f"{digits}0" if digits.endswith(".") else digits) * (-1 if sign == "-" else 1)
    if suffix in BINARY:
        return number * int(1024 ** BINARY[suffix])
    power = _DECIMAL[suffix] if suffix else int(exponent or 0)
    return number * int(10**power) if power >= 0 else number / int(10**-power)


def counted(resource: str, value: object, where: str, *, up: bool, negative: bool = False) -> int:
    """As the core counts: rounded up for what is asked for, down for what there is."""
    number = parse(value, where)
    _require_unit(resource, value, where)
    if number < 0 and not negative:
        raise BadCase(where, f"{value!r} is negative")
    if number.denominator != 1 and resource != CPU and resource not in IN_BYTES:
        raise BadCase(where, f"{value!r} is not a whole number, and {resource} cannot be divided")
    number *= MILLI if resource == CPU else 1
    if abs(number) > MOST:
        raise BadCase(where, f"{value!r} is more than Kubernetes can count")
    return ceil(number) if up else floor(number)


def _require_unit(resource: str, value: object, where: str) -> None:
    """A unit that the resource is not counted in is a slip, although Kubernetes would take it: 8Gi GPUs, a milli-byte.

    A bare number says nothing of its unit, and 4000 CPUs are as likely to be meant as 4: texts alone are taken.
    """
    if not isinstance(value, str):
        raise BadCase(where, f"{value!r} is a bare number: write {resource} as a text, such as '{value}' or '{value}m'")
    in_bytes, divided = value.endswith(tuple(BINARY)), value.endswith(("n", "u", "m"))
    if in_bytes and (resource in (CPU, PODS) or is_gpu(resource)):
        raise BadCase(where, f"{value!r} is an amount of bytes, and {resource} is not counted in bytes")
    if divided and resource in IN_BYTES:
        raise BadCase(where, f"{value!r} is a part of a byte: {resource} is counted in whole bytes")


def counted_all(entries: Mapping[str, tuple[object, str]], *, up: bool) -> dict[str, int]:
    return {resource: counted(resource, value, where, up=up) for resource, (value, where) in entries.items()}
