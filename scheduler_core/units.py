"""Amounts as people write them. The core counts CPU in thousandths and everything else whole, as Kueue does."""

CPU = "cpu"
MILLI = 1000
BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
IN_BYTES = ("memory", "ephemeral-storage", "storage")


def told(resource: str, amount: int) -> str:
    """The shortest way to write it."""
    if resource == CPU:
        return str(amount // MILLI) if amount % MILLI == 0 else f"{amount}m"
    for suffix, power in reversed(BINARY.items()):
        if resource in IN_BYTES and amount and amount % 1024**power == 0:
            return f"{amount // 1024**power}{suffix}"
    return str(amount)
