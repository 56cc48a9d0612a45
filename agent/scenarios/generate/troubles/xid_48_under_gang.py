"""A double-bit memory error ends a gang's programs, and a row waits to be remapped: that GPU is reset, the gang gone.

Tempting but wrong besides: to do nothing because a remap alone can wait.
"""

from functools import partial

from agent.scenarios.generate.site import Touches, Trouble
from agent.scenarios.generate.troubles.reset_under_gang import reset_under_gang

LINES = (
    "48, pid=4321, name=python3, DBE (double bit error)",
    "63, Row Remapper: New row marked for remapping, reset gpu to activate.",
)

TROUBLE = Trouble(
    "xid-48-under-gang",
    nodes=4,
    inject=partial(reset_under_gang, job="dpo", code=48, lines=LINES),
    touches=Touches(nodes=1, gangs=1, repairs=1),
)
