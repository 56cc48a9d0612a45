"""How often a property is tried: a quarter of its number in the quick suite, all of it in `make check`.

`--hypothesis-profile=whole` asks for all of it; tests/conftest.py says what holds where nothing is asked. No property
has a deadline: a busy machine is no fault of the code.
"""

from typing import Any

from hypothesis import settings

QUICK, WHOLE = "quick", "whole"
PERCENT = {QUICK: 25, WHOLE: 100}  # of the number that a test names
LEAST = 20  # fewer find little, and cost little

for _profile, _percent in PERCENT.items():
    settings.register_profile(_profile, max_examples=_percent, deadline=None)


def tried(times: int, **more: Any) -> settings:
    """In place of `settings(max_examples=times)`; a property that says nothing is tried 100 times."""
    percent = PERCENT[settings.get_current_profile_name()]
    return settings(max_examples=max(min(times, LEAST), times * percent // 100), **more)
