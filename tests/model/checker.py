"""Looks at every world that a protocol can come to, breadth first, so that the trace of a mistake is a shortest one."""

from __future__ import annotations

import time
from array import array
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from tests.model.properties import broken_by, is_good
from tests.model.protocol import Move, Protocol
from tests.model.world import NOBODY, Item, World, beginning, buried, canonical

Part = TypeVar("Part")


class TooManyStatesError(Exception):
    """The scope has more worlds than the caller was ready to look at."""


@dataclass(frozen=True)
class Step:
    """A line of a trace: what happened, and the item after it."""

    what: str
    item: Item

    def __str__(self) -> str:
        item = self.item
        owner = "nobody" if item.owner == NOBODY else f"execution {item.owner}"
        job = f", job for {item.covers} on record" if item.covers else ""
        given_up = f", given up {item.given_up}" if item.given_up else ""
        return f"{self.what:<72} requested {item.requested}, completed {item.completed}{given_up}, owner {owner}{job}"


@dataclass(frozen=True)
class Violation:
    """`law` is the name of what is broken (S1 to S5, L1, L2)."""

    law: str
    explanation: str
    trace: tuple[Step, ...]

    def __str__(self) -> str:
        return "\n".join((f"{self.law}: {self.explanation}", *(f"  {step}" for step in self.trace)))


@dataclass(frozen=True)
class Result:
    protocol: str
    scope: str
    states: int
    moves: int
    depth: int
    seconds: float
    violation: Violation | None


class Exploration:
    """The worlds of a protocol by number, where each was first come from, and the moves that liveness may count on."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.classes = protocol.scope.classes()
        self.worlds: list[World] = []
        self.number_of: dict[World, int] = {}
        self.parents = array("l")
        self.from_, self.to = array("l"), array("l")
        self.moves = 0
        self._parts: dict[Any, Any] = {}
        self._add(canonical(beginning(protocol.scope), self.classes), 0)

    def run(self, limit: int) -> Violation | None:
        """The first broken law of safety, then those of liveness. Raises TooManyStatesError past `limit` worlds."""
        number = 0
        while number < len(self.worlds):
            world = self.worlds[number]
            for move in self.protocol.all_moves(world):
                self.moves += 1
                if broken := broken_by(self.protocol, world, move):
                    return Violation(*broken, self.trace(number, move.world))
                reached = self._reached(move.world, number)
                if reached != number and not move.fault:
                    self.from_.append(number)
                    self.to.append(reached)
            if len(self.worlds) > limit:
                raise TooManyStatesError(f"more than {limit} worlds: {self.protocol.scope}")
            number += 1
        return self.stuck() or self.trapped()

    def stuck(self) -> Violation | None:
        """L1: where nothing goes on once faults stop, everything is covered and nobody holds on."""
        goes_on = bytearray(len(self.worlds))
        for number in self.from_:
            goes_on[number] = 1
        for number, world in enumerate(self.worlds):
            if not goes_on[number] and not is_good(world):
                return self._unserved("L1", "nothing goes on", number)
        return None

    def trapped(self) -> Violation | None:
        """L2: from every world a good one can be reached without another fault."""
        count = len(self.worlds)
        before: list[list[int]] = [[] for _ in range(count)]
        for come_from, reached in zip(self.from_, self.to, strict=True):
            before[reached].append(come_from)
        pending = [number for number, world in enumerate(self.worlds) if is_good(world)]
        hopeful = bytearray(count)
        for number in pending:
            hopeful[number] = 1
        while pending:
            for earlier in before[pending.pop()]:
                if not hopeful[earlier]:
                    hopeful[earlier] = 1
                    pending.append(earlier)
        trapped = hopeful.find(0)
        return None if trapped < 0 else self._unserved("L2", "it goes on for ever", trapped)

    def trace(self, number: int, last: World | None = None) -> tuple[Step, ...]:
        """The moves from the beginning to a world, and to one that comes `last`.

        Executions keep their names from line to line as long as the order of those that are alike leaves no doubt.
        """
        path = [number]
        while path[-1]:
            path.append(self.parents[path[-1]])
        goals = [self.worlds[reached] for reached in reversed(path[:-1])]
        if last is not None:
            goals.append(canonical(last, self.classes))
        world, named, steps = beginning(self.protocol.scope), self.worlds[0], []
        for goal in goals:
            move = self._move_to(goal, world) or self._move_to(goal, named)
            assert move is not None, "a world's parent leads to it"
            steps.append(described(move))
            world, named = move.world._replace(executions=buried(move.world)), goal
        return tuple(steps)

    def _move_to(self, goal: World, world: World) -> Move | None:
        return next(
            (move for move in self.protocol.all_moves(world) if canonical(move.world, self.classes) == goal), None
        )

    def depth(self) -> int:
        depths = array("l", [0])
        for number in range(1, len(self.worlds)):
            depths.append(depths[self.parents[number]] + 1)
        return max(depths)

    def _reached(self, world: World, come_from: int) -> int:
        named = canonical(world, self.classes)
        number = self.number_of.get(named)
        return self._add(named, come_from) if number is None else number

    def _add(self, world: World, parent: int) -> int:
        world = world._replace(
            item=self._shared(world.item),
            executions=tuple(self._shared(execution) for execution in world.executions),
            jobs=self._shared(world.jobs),
            faults=self._shared(world.faults),
        )
        self.number_of[world] = number = len(self.worlds)
        self.worlds.append(world)
        self.parents.append(parent)
        return number

    def _shared(self, part: Part) -> Part:
        """The part that was there first of all that are equal: a million worlds have few different parts."""
        return cast(Part, self._parts.setdefault(part, part))

    def _unserved(self, law: str, how: str, number: int) -> Violation:
        world = self.worlds[number]
        explanation = (
            f"{how} with {world.asked} asked for, {world.item.completed} completed and {world.truth} really covered"
        )
        return Violation(law, explanation, self.trace(number))


def described(move: Move) -> Step:
    who = "" if move.who == NOBODY else f"execution {move.who} "
    return Step(f"{who}{move.step}: {move.outcome}", move.world.item)


def check(protocol: Protocol, *, limit: int = 2_000_000) -> Result:
    begun = time.perf_counter()
    exploration = Exploration(protocol)
    violation = exploration.run(limit)
    return Result(
        protocol=type(protocol).__name__,
        scope=str(protocol.scope),
        states=len(exploration.worlds),
        moves=exploration.moves,
        depth=exploration.depth(),
        seconds=time.perf_counter() - begun,
        violation=violation,
    )
