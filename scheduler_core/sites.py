"""Where gangs stand that were let in by a topology, and where the next ones could: one capacity a flavor.

`topology/` knows how pods are placed; here is what the cycle needs around it: what an admitted gang holds, what is
free without it, and seats that are kept for a gang that waits for others to leave. Flavors without a topology have no
seats.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np

from scheduler_core.errors import Conflict
from scheduler_core.flavors import Chosen, on_nodes_of
from scheduler_core.model import Gang, PodSet, Requests
from scheduler_core.snapshot import Snapshot
from scheduler_core.standing_pods import standing, standing_pods
from scheduler_core.start import Counts, shape_of
from scheduler_core.state import Admission, DomainCount, Domains
from scheduler_core.topology import (
    UNCONSTRAINED,
    Ask,
    Assignment,
    Capacity,
    Failure,
    Forest,
    Part,
    TopologySettings,
    answered,
    assign,
    repair,
    spelled_out,
)
from scheduler_core.topology.capacity import Load
from scheduler_core.topology.forest import Ints, Path
from scheduler_core.topology.shared import felt, overlaps

Held = tuple[str, Assignment, Requests]  # flavor, where, what one pod takes
Seats = tuple[Held, ...]


class Sites:
    def __init__(self, snapshot: Snapshot, *, balanced: bool = False) -> None:
        self._snapshot, self._settings = snapshot, TopologySettings(balanced=balanced)
        self._capacities: dict[str, Capacity] = {}
        self._held: dict[str, Seats] = {}
        self._loads: dict[str, tuple[tuple[str, Load], ...]] = {}  # the same, as what it takes of a capacity
        self._leaving: dict[str, Ints] = {}  # flavor -> what those that are sent off will leave
        loose = [(bound.node, bound.pod.requests) for bound in snapshot.pods.values() if bound.pod.gang is None]
        for name, flavor in sorted(snapshot.flavors.items()):
            if flavor.topology is not None:
                forest = Forest.of(snapshot.topologies[flavor.topology], snapshot.nodes.values(), flavor.node_labels)
                self._capacities[name] = Capacity.of(forest)
                self._capacities[name].occupy(loose)
        self._overlaps = overlaps(self._capacities)
        if self._capacities:
            running = standing_pods(snapshot)
            for name in snapshot.gangs:
                admission = snapshot.state_of(name).admission
                seats = () if admission is None else self._seats_of(snapshot.gang(name), admission)
                if seats or name in running:
                    told = {held.pod_set for _, held, _ in seats if held.parts}
                    self.hold(name, (*seats, *standing(self._capacities, running.get(name, ()), told)))

    def __bool__(self) -> bool:
        """Some flavor has a topology."""
        return bool(self._capacities)

    def has(self, flavor: str) -> bool:
        """Has the flavor a topology?"""
        return flavor in self._capacities

    # -- what is held ----------------------------------------------------------------------------------------------

    def hold(self, name: str, seats: Seats) -> None:
        """They are this gang's from now on, whether there was room for it or not."""
        self.leave(name)
        if seats:
            loads = ((flavor, self._capacities[flavor].load(where, each)) for flavor, where, each in self._felt(seats))
            self._held[name], self._loads[name] = seats, tuple(loads)
            self._shift(self._loads[name], -1)

    def leave(self, name: str) -> None:
        self._held.pop(name, None)
        self._shift(self._loads.pop(name, ()), 1)

    @contextmanager
    def without(self, names: Iterable[str], *, leaving: bool = False) -> Iterator[None]:
        """With `leaving`, without all that were sent off, too: whatever their number, that costs the same."""
        loads = [self._loads[name] for name in names if name in self._loads]
        for each in loads:
            self._shift(each, 1)
        for flavor, left in self._leaving.items() if leaving else ():
            self._capacities[flavor].free += left
        try:
            yield
        finally:
            for each in loads:
                self._shift(each, -1)
            for flavor, left in self._leaving.items() if leaving else ():
                self._capacities[flavor].free -= left

    @contextmanager
    def freed(self, amounts: Mapping[tuple[Path, str], int]) -> Iterator[None]:
        """As though so much had come free on these leaves, in every flavor that has them."""
        shifted: list[tuple[Capacity, int, int, int]] = []
        for capacity in self._capacities.values():
            for (path, resource), amount in amounts.items():
                at = capacity.forest.domain(path) or capacity.forest.domain(path[-1:])
                if at is not None and at[0] == len(capacity.forest.levels) - 1 and resource in capacity.row_of:
                    shifted.append((capacity, capacity.row_of[resource], at[1], amount))
        for capacity, row, leaf, amount in shifted:
            capacity.free[row, leaf] += amount
        try:
            yield
        finally:
            for capacity, row, leaf, amount in shifted:
                capacity.free[row, leaf] -= amount

    def send_off(self, name: str) -> None:
        """It holds its seats until the end of the cycle; what is weighed with `leaving` has them already."""
        for flavor, (rows, leaves, amounts) in self._loads.get(name, ()):
            if flavor not in self._leaving:
                self._leaving[flavor] = np.zeros_like(self._capacities[flavor].free)
            self._leaving[flavor][rows, leaves] += amounts

    def cycle_ends(self) -> None:
        self._leaving.clear()

    def _felt(self, seats: Iterable[Held]) -> Iterator[Held]:
        """The same by every flavor whose nodes they stand on: flavors may overlap."""
        for flavor, where, each in seats:
            for name, there in felt(self._capacities, self._overlaps, flavor, where):
                yield name, there, each

    def _shift(self, loads: Iterable[tuple[str, Load]], sign: int) -> None:
        for flavor, load in loads:
            self._capacities[flavor].shift(load, sign)

    def _seats_of(self, gang: Gang, admission: Admission) -> Seats:
        """As it was let in; domains that are gone with their nodes hold nothing any more."""
        seats: list[Held] = []
        for each in gang.pod_sets:
            flavors = admission.flavors.get(each.name, {})
            flavor = self._flavor_of(flavors)
            if flavor is not None:
                parts = (Part(one.values, one.count) for one in admission.topology.get(each.name, ()))
                told = Assignment(each.name, tuple(parts))
                shape = on_nodes_of(shape_of(self._snapshot, gang, each), flavors, self._snapshot.flavors)
                seats.append((flavor, spelled_out(self._capacities[flavor], told, shape), each.requests))
        return tuple(seats)

    def _flavor_of(self, flavors: Mapping[str, str]) -> str | None:
        return next((flavor for _, flavor in sorted(flavors.items()) if flavor in self._capacities), None)

    # -- what is free ----------------------------------------------------------------------------------------------

    def find(self, gang: Gang, counts: Counts, chosen: Chosen, *, empty: bool = False) -> Seats | Failure:
        """Seats for all of its pods on flavors with a topology; with `empty`, as though nobody else were let in."""
        seats: list[Held] = []
        for flavor, wanted in self._asks(gang, counts, chosen).items():
            capacity = self._capacities[flavor].emptied() if empty else self._capacities[flavor]
            room = self._beside(seats, flavor, capacity)
            found = answered(partial(assign, room, wanted, self._settings), wanted)
            if isinstance(found, Failure):
                return found
            seats += [(flavor, found[ask.name], ask.shape.requests) for ask in wanted]
        return tuple(seats)

    def _beside(self, seats: Sequence[Held], flavor: str, capacity: Capacity) -> Capacity:
        """What is left beside seats that the same gang was given on other flavors."""
        if not seats or flavor not in self._overlaps:
            return capacity
        left = capacity.fork()
        for name, where, each in self._felt(seats):
            if name == flavor:
                left.use(where, each)
        return left

    def replace_lost(self, gang: Gang, admission: Admission, lost: Collection[str]) -> Seats | Failure:
        """Its seats with new ones for those on lost nodes; the others stay."""
        seats: list[Held] = []
        for flavor, wanted in self._asks(gang, admission.counts, admission.flavors).items():
            there = {held.pod_set: held for where, held, _ in self._held.get(gang.name, ()) if where == flavor}
            found = answered(partial(repair, self._capacities[flavor], wanted, there, lost), wanted)
            if isinstance(found, Failure):
                return found
            seats += [(flavor, found[ask.name].whole, ask.shape.requests) for ask in wanted if ask.name in found]
        return tuple(seats)

    def first_seats(self, name: str, counts: Counts) -> Seats:
        """What a gang keeps that is made smaller: the first pods of each set."""
        return tuple(
            (flavor, held.first(counts[held.pod_set]), each) for flavor, held, each in self._held.get(name, ())
        )

    def stays_behind(self, name: str, lost: Collection[str]) -> None:
        """Nobody gets its seats on lost nodes: what ran there may still run, and the node is none to go to."""
        seats = []
        for flavor, held, requests in self._held.get(name, ()):
            there = tuple(part for part in held.parts if part.domain[-1] in lost)
            seats.append((flavor, replace(held, parts=there), requests))
        self.hold(f"{name} on lost nodes", tuple(seats))

    def _asks(self, gang: Gang, counts: Counts, chosen: Chosen) -> dict[str, list[Ask]]:
        """By the flavor whose topology is asked."""
        asks: dict[str, list[Ask]] = {}
        for each in gang.pod_sets:
            flavor = self._flavor_of(chosen.get(each.name, {}))
            if flavor is not None:
                asks.setdefault(flavor, []).append(self._ask(gang, each, counts[each.name], chosen[each.name]))
        return asks

    def has_room(self, seats: Seats) -> bool:
        """Are they still free?"""
        taken: list[Held] = []
        try:
            for held in self._felt(seats):
                self._capacities[held[0]].take(held[1], held[2])
                taken.append(held)
        except Conflict:
            return False
        finally:
            for flavor, assignment, requests in taken:
                self._capacities[flavor].give(assignment, requests)
        return True

    def _ask(self, gang: Gang, each: PodSet, count: int, flavors: Mapping[str, str]) -> Ask:
        shape = on_nodes_of(shape_of(self._snapshot, gang, each), flavors, self._snapshot.flavors)
        request = each.topology or UNCONSTRAINED
        return Ask(name=each.name, count=count, shape=shape, topology=request)


def domains(seats: Seats) -> Domains:
    """As an admission keeps them."""
    return {
        assignment.pod_set: tuple(DomainCount(part.domain, part.count) for part in assignment.parts)
        for _, assignment, _ in seats
    }
