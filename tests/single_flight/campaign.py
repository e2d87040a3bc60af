"""Every scenario with one trouble at every point: each call, and each event that an execution's history gets.

A rehearsal without troubles tells which points there are. Whatever happens there, the invariants hold all the time and
the key comes to rest: by itself where nobody died, otherwise with the sweeper, and after a redrive.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.single_flight.calls import Call, How
from tests.single_flight.invariants import short
from tests.single_flight.play import Play, played
from tests.single_flight.scenarios import Scenario
from tests.single_flight.stage import Stage
from tests.state_machines.running import history

MOST_TRIES = 24
"""More than any call is tried before the execution does something else."""
EFFECTIVE = (How.LOST, How.DIES_AFTER, How.LANDS_LATE, How.SILENT)
"""What differs from a failure only where the call has an effect."""
LATER = (1, 2, 3, 5, 8)
SHORT = 8
"""Calls in which who waits has seen that another one works."""


@dataclass(frozen=True)
class Trouble:
    """What goes wrong in a play.

    `call` counts the play's calls; with `always` the same happens to that execution's next calls in that state, so
    often that its retries are used up. Or it is `event` of the history of the execution `of`, after which that one is
    stopped. `redriven`: who was stopped is redriven as soon as all others are at rest. What lands late does so `lands`
    calls later, or when all are at rest.
    """

    how: How = How.DIES_AFTER
    call: int | None = None
    always: bool = False
    of: str = ""
    event: int | None = None
    redriven: bool = False
    lands: int | None = None

    @property
    def deadly(self) -> bool:
        return self.event is not None or self.how.kills

    def __str__(self) -> str:
        where = f"call {self.call} {self.how.value}" if self.call else f"{self.of} dies after event {self.event}"
        more = (" always" if self.always else "") + (", and is redriven" if self.redriven else "")
        return where + more + (f", {self.lands} calls later" if self.lands else "")


@dataclass(frozen=True)
class Rehearsal:
    """`calls` in their order; `transitions` are the numbers of the events of each history after which something else
    would be redriven, or would have happened, by the execution's name in its play: the number of its request, or the
    beginning of the name that a state gave it."""

    calls: list[Call]
    transitions: dict[str, list[int]]

    def troubles(self) -> Iterator[Trouble]:
        for number, call in enumerate(self.calls, start=1):
            for how in How:
                if how is How.WELL or (not call.changes and how in EFFECTIVE):
                    continue
                yield Trouble(how, number)
                if how is How.SILENT:
                    yield from (Trouble(how, number, lands=later) for later in LATER)
                    continue
                if how.kills:
                    yield Trouble(how, number, redriven=True)
                elif how is not How.THROTTLED:
                    yield Trouble(how, number, always=True)
        for of, events in self.transitions.items():
            for event in events:
                yield Trouble(of=of, event=event)
                yield Trouble(of=of, event=event, redriven=True)


def rehearse(stage: Stage, scenario: Scenario) -> Rehearsal:
    with played(stage) as play:
        scenario.script(play)
        play.run()
        made = list(play.made)
        play.settle()
        return Rehearsal(
            made,
            {name_in(play, execution): transitions(stage, execution) for execution in play.executions},
        )


def transitions(stage: Stage, execution: str) -> list[int]:
    """The numbers of the events, counted after the first one, that end a state, begin a call or tell its answer."""
    events = list(history(stage.states, execution))[1:-1]
    return [
        number
        for number, event in enumerate(events, start=1)
        if event["type"].endswith("StateExited") or event["type"] in ("TaskStarted", "TaskSucceeded", "TaskFailed")
    ]


def suffer(stage: Stage, scenario: Scenario, trouble: Trouble) -> Play:
    """Play the scenario with the trouble. Raises invariants.Broken."""
    met: list[Call] = []

    def troubled(number: int, call: Call) -> How:
        if trouble.lands and trouble.call and number == trouble.call + trouble.lands:
            play.land()
        if number == trouble.call:
            met.append(call)
            return trouble.how
        if trouble.always and met and (call.execution, call.state) == (met[0].execution, met[0].state):
            met.append(call)
            return trouble.how if len(met) <= MOST_TRIES else How.WELL
        return How.WELL

    with played(stage, troubled) as play:
        if trouble.event:
            play.die_at(f"{play.name}-{trouble.of}" if trouble.of.isdigit() else f"{trouble.of}-*", trouble.event)
        scenario.script(play)
        play.run()
        if trouble.redriven:
            for execution in [stopped for stopped, status in play.statuses.items() if status == "ABORTED"]:
                play.redrive(execution)
            play.run()
        play.settle()
    return play


def arrive(stage: Stage, after: int, *, wait: bool) -> Play | None:
    """A request comes after so many calls of another one, and goes on alone; None if that one makes fewer calls."""
    with played(stage) as play:
        first = play.request()
        for _ in range(after):
            if not play.held():
                return None
            play.let_go(play.held()[0])
        second = play.request(wait=wait)
        for _ in range(SHORT if wait else MOST_TRIES):
            if own := [call for call in play.held() if call.execution == second.execution]:
                play.let_go(own[0])
        play.run(first)
        play.run()
        play.settle()
    return play


def name_in(play: Play, execution: str) -> str:
    return short(execution).removeprefix(f"{play.name}-").partition("-")[0]
