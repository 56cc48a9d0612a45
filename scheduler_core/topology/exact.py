"""The fewest domains that hold a request can often be chosen so that nothing is left over in them.

The greedy choice takes the largest first: 20 pods on domains with room for 19, 10 and 10 become 19 + 1 and leave a 9
behind, where 10 + 10 uses as many domains and fills both. This looks for such a choice: as many domains as greed
needs, whose room adds up to the request. It starts from the k largest and swaps: `d`, what is left over in them, is
less than the k-th largest room `v` (else one fewer would do), so every domain given up exceeds v by at most d and
every domain taken for it falls short of v by at most d. That leaves a subset sum over gains of at most d in all, kept
as the bits of one integer, bit `gain * width + balance`; domains with room v itself make up the balance on either
side.
"""

from collections.abc import Sequence

SEARCH_AT_MOST_BITS = 1 << 26  # of all states of one search: 8 MB, some milliseconds; beyond, greed stays


def exact_values(rooms: Sequence[int], need: int, k: int) -> dict[int, int] | None:
    """How many domains of which room, k in all, add up to `need`; None if greed is as good or the search too long.

    `rooms` fall; the first k hold the request and the first k - 1 do not.
    """
    d, v = sum(rooms[:k]) - need, rooms[k - 1]
    if d == 0:
        return None
    given = _within([room - v for room in rooms[:k]], d)
    taken = _within([v - room for room in rooms[k:]], d)
    if (len(given) + len(taken)) * _width(d) * (d + 1) > SEARCH_AT_MOST_BITS or not _reachable([*given, *taken], d):
        return None
    spare_top = rooms[:k].count(v)
    spare_rest = rooms[k:].count(v)
    swaps = _swaps(given, taken, d, (-spare_top, spare_rest))
    if swaps is None:
        return None
    values: dict[int, int] = {}
    for room in rooms[:k]:
        values[room] = values.get(room, 0) + 1
    for gain, sign in swaps:
        room = v + gain * sign
        values[room] = values.get(room, 0) - sign
    values[v] = values.get(v, 0) + sum(sign for _, sign in swaps)
    return {room: count for room, count in values.items() if count}


def _within(gains: list[int], d: int) -> list[int]:
    """Gains that can matter: no more of each than fit into d."""
    counts: dict[int, int] = {}
    for gain in gains:
        if 0 < gain <= d:
            counts[gain] = counts.get(gain, 0) + 1
    return [gain for gain, count in sorted(counts.items()) for _ in range(min(count, d // gain))]


def _reachable(gains: list[int], d: int) -> bool:
    sums, mask = 1, (1 << (d + 1)) - 1
    for gain in gains:
        sums |= (sums << gain) & mask
    return bool(sums >> d & 1)


def _width(d: int) -> int:
    """Of the balances that gains of d in all can have: each is 1 at least."""
    return 2 * d + 3


def _swaps(given: list[int], taken: list[int], d: int, balance: tuple[int, int]) -> list[tuple[int, int]] | None:
    """(gain, +1 for a domain given up, -1 for one taken) with gains of d in all and givers less takers in bounds."""
    width, middle = _width(d), d + 1
    mask = (1 << (d + 1) * width) - 1
    items = [(gain, 1) for gain in given] + [(gain, -1) for gain in taken]
    states = [1 << middle]
    for gain, sign in items:
        states.append(states[-1] | (states[-1] << (gain * width + sign)) & mask)
    lowest, highest = max(balance[0], -d), min(balance[1], d)
    for surplus in sorted(range(lowest, highest + 1), key=lambda b: (abs(b), b)):
        at = d * width + middle + surplus
        if states[-1] >> at & 1:
            break
    else:
        return None
    chosen = []
    for (gain, sign), before in zip(reversed(items), reversed(states[:-1]), strict=True):
        if not before >> at & 1:
            chosen.append((gain, sign))
            at -= gain * width + sign
    return chosen
