"""A memory error that was not contained on one GPU of a gang: the GPU is reset once the gang is gone."""

from functools import partial

from agent.scenarios.generate.site import Touches, Trouble
from agent.scenarios.generate.troubles.reset_under_gang import reset_under_gang

LINE = "95, Uncontained: LTC TAG (0x2,0x0). RST: Yes, D-RST: No"

TROUBLE = Trouble(
    "xid-95-under-gang",
    nodes=4,
    inject=partial(reset_under_gang, job="pretrain", code=95, lines=(LINE,)),
    touches=Touches(nodes=1, gangs=1, repairs=1),
)
