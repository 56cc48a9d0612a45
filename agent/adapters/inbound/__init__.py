"""What comes in: one file per format, each a pure function from what was sent to signals, and the HTTP door.

Nothing here decides. Text that a signal carries is data from strangers and is passed on as that.
"""
