from datetime import timedelta

import pytest

from agent.domain.duration import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0),
        ("15s", 15),
        ("-2h", -7200),
        ("1h10m", 4200),
        ("26h20s", 93620),
        ("1h30m20s", 5420),
        ("-3d", -259200),
        ("1d12h", 129600),
        ("250ms", 0.25),
        ("1m500ms", 60.5),
        ("1.5h", 5400),
        ("-1h30m", -5400),
        (42, 42),
        ("42", 42),
        (0.5, 0.5),
        (-7, -7),
    ],
)
def test_durations_as_people_write_them(text: object, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "1x",
        "h",
        "10m1h",
        "1h 10m",
        "1h-10m",
        "+2h",
        True,
        None,
        [],
        "4000d",
        "9" * 400,
        float("inf"),
        float("nan"),
    ],
)
def test_anything_else_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"duration|longer"):
        parse_duration(text)
