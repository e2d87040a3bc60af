"""Shortcuts, each made on purpose in a copy of the definition, and the schedule in which it shows.

The right definition passes every one of these schedules.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

from tests.single_flight.calls import How
from tests.single_flight.definitions import Change, Definition, as_it_is, hands_over_early
from tests.single_flight.invariants import L1, S1, S2, S4
from tests.single_flight.play import Play
from tests.single_flight.scenarios import burst, failing_job, foreign_job


@dataclass(frozen=True)
class WrongCopy:
    """`breaks` is the invariant that the schedule breaks. `limits` are those of the right definition, too."""

    change: Change
    breaks: str
    schedule: Callable[[Play], None]
    limits: Change = as_it_is

    @property
    def name(self) -> str:
        return self.change.__name__.replace("_", " ")

    def apply(self, definition: Definition) -> None:
        self.limits(definition)
        self.change(definition)
        forget_what_nothing_leads_to(definition)

    def __str__(self) -> str:
        return self.name


def forget_what_nothing_leads_to(definition: Definition) -> None:
    """Step Functions refuses such states."""
    states, led_to, left = definition["States"], set(), [definition["StartAt"]]
    while left:
        name = left.pop()
        if name not in led_to:
            led_to.add(name)
            state = states[name]
            ways = [state, *state.get("Choices", []), *state.get("Catch", [])]
            left += [way[to] for way in ways for to in ("Next", "Default") if to in way]
    for name in states.keys() - led_to:
        del states[name]


def looks_first_and_registers_only_if_nobody_runs(definition: Definition) -> None:
    states = definition["States"]
    states["LookFirst"] = {**copy.deepcopy(states["ReadItem"]), "Next": "CheckFirst"}
    states["CheckFirst"] = {
        "Type": "Choice",
        "Choices": [{"Variable": "$.found.Item.owner.S", "IsPresent": True, "Next": "Coalesced"}],
        "Default": "Register",
    }
    states["CheckSource"]["Next"] = "LookFirst"


def reads_the_tickets_after_the_start(definition: Definition) -> None:
    states = definition["States"]
    states["SnapshotAgain"] = {**copy.deepcopy(states["Snapshot"]), "Next": "CountJob"}
    states["StartJob"]["Next"] = "SnapshotAgain"


def marks_whatever_is_requested(definition: Definition) -> None:
    parameters = definition["States"]["Mark"]["Parameters"]
    parameters["ExpressionAttributeNames"]["#requested"] = "requested"
    parameters["UpdateExpression"] = parameters["UpdateExpression"].replace(
        "#completed = :covers", "#completed = #requested"
    )


def adopts_the_running_job_on_conflict(definition: Definition) -> None:
    states = definition["States"]
    start = states["StartJob"]
    states["FindJob"] = {
        "Type": "Task",
        "Resource": start["Resource"].replace("startIngestionJob", "listIngestionJobs"),
        "Parameters": {
            "KnowledgeBaseId.$": start["Parameters"]["KnowledgeBaseId.$"],
            "DataSourceId.$": start["Parameters"]["DataSourceId.$"],
            "MaxResults": 1,
        },
        "ResultSelector": {"id.$": "$.IngestionJobSummaries[0].IngestionJobId"},
        "ResultPath": "$.job",
        "Next": "CountJob",
    }
    _catcher(start, "BedrockAgent.ConflictException")["Next"] = "FindJob"


def leaves_on_conflict(definition: Definition) -> None:
    definition["States"]["JobConflicted"]["Next"] = "LetGo"


def takes_a_failed_job_for_the_end(definition: Definition) -> None:
    for choice in definition["States"]["CheckJob"]["Choices"]:
        if choice["Next"] == "JobFailed":
            choice["Next"] = "Mark"


def makes_the_token_of_the_target_only(definition: Definition) -> None:
    definition["States"]["BeginRound"]["Parameters"]["token.$"] = "States.Hash($.request.key, 'SHA-256')"


def makes_the_token_of_the_execution_only(definition: Definition) -> None:
    definition["States"]["BeginRound"]["Parameters"]["token.$"] = "States.Hash($$.Execution.Id, 'SHA-256')"


def never_takes_over(definition: Definition) -> None:
    states = definition["States"]
    for choice in states["CheckOwner"]["Choices"]:
        if choice["Next"] == "TakeOver":
            choice["Next"] = "Coalesced"
    _catcher(states["DescribeOwner"], "Sfn.ExecutionDoesNotExistException")["Next"] = "Coalesced"


def takes_over_when_it_does_not_know(definition: Definition) -> None:
    _catcher(definition["States"]["DescribeOwner"], "States.ALL")["Next"] = "TakeOver"


def releases_without_looking_for_new_requests(definition: Definition) -> None:
    _without(definition, "Release", " AND #requested = #completed", "#requested", "#completed")


def takes_over_without_the_fence(definition: Definition) -> None:
    _without(definition, "TakeOver", " AND #fence = :seenFence", ":seenFence")


def takes_over_without_a_condition(definition: Definition) -> None:
    _without_condition(definition, "TakeOver", ":seen", ":seenFence")


def marks_without_a_condition(definition: Definition) -> None:
    _without_condition(definition, "Mark", ":me", ":fence", "#owner", "#fence")


def releases_without_a_condition(definition: Definition) -> None:
    _without_condition(definition, "Release", ":me", ":fence", "#fence", "#requested", "#completed")


def lets_go_before_the_successor_is_started(definition: Definition) -> None:
    states = definition["States"]
    for name in ("CheckSnapshot", "CheckJob"):
        for choice in states[name]["Choices"]:
            if choice["Next"] == "HandOver":
                choice["Next"] = "LetGo"
    if states["KeepAnswer"]["Next"] == "HandOver":
        states["KeepAnswer"]["Next"] = "LetGo"
    for ways in (states["LetGo"], *states["LetGo"]["Catch"]):
        if ways["Next"] == "CheckHandOver":
            ways["Next"] = "HandOver"
    for ways in (states["HandOver"], *states["HandOver"]["Catch"]):
        if ways["Next"] == "LetGo":
            ways["Next"] = "CheckHandOver"


def records_and_follows_whatever_comes(definition: Definition) -> None:
    _without(definition, "RecordJob", " AND #completed < :covers", "#completed")
    definition["States"]["ResumeJob"]["Next"] = "GetJob"


def _catcher(state: Definition, error: str) -> Definition:
    return next(catcher for catcher in state["Catch"] if error in catcher["ErrorEquals"])


def _without(definition: Definition, state: str, condition: str, *names: str) -> None:
    """Take a part of a state's condition away, and what only that part names."""
    parameters = definition["States"][state]["Parameters"]
    parameters["ConditionExpression"] = parameters["ConditionExpression"].replace(condition, "")
    _forget(parameters, names)


def _without_condition(definition: Definition, state: str, *names: str) -> None:
    parameters = definition["States"][state]["Parameters"]
    del parameters["ConditionExpression"]
    _forget(parameters, names)


def _forget(parameters: Definition, names: tuple[str, ...]) -> None:
    for name in names:
        kind = "ExpressionAttributeNames" if name.startswith("#") else "ExpressionAttributeValues"
        del parameters[kind][name]
        if not parameters[kind]:
            del parameters[kind]


def one_arrives_after_the_start(play: Play) -> None:
    first = play.request()
    play.run_to(first, "SnapshotAgain", "RecordJob")
    play.run(play.request())


def one_arrives_before_the_release(play: Play) -> None:
    first = play.request()
    play.run_to(first, "Release")
    play.run(play.request())


def the_owner_dies(play: Play) -> None:
    play.run_to_and(play.request(), "Snapshot", how=How.DIES_BEFORE)


def an_owner_cannot_be_described(play: Play) -> None:
    """As often as it is asked for until the retries are used up."""
    play.run_to(play.request(), "StartJob")
    second = play.request()
    for _ in range(3):
        play.run_to_and(second, "DescribeOwner", how=How.FAILS)
    play.run(second)


def the_owner_comes_back_during_the_takeover(play: Play) -> None:
    """It is redriven where it acquired, so it acquires again: the same owner with another fence."""
    first = play.request()
    play.run_to_and(first, "Acquire", how=How.DIES_AFTER)
    second = play.request()
    play.run_to(second, "TakeOver")
    play.redrive(first.execution)
    play.run_to(first, "StartJob")
    play.run(second)


def two_take_over(play: Play) -> None:
    play.run_to_and(play.request(), "Snapshot", how=How.DIES_BEFORE)
    second, third = play.request(), play.request()
    play.run_to(second, "TakeOver")
    play.run_to(third, "TakeOver")
    play.run_to(second, "StartJob")
    play.run(third)


def a_mark_lands_late(play: Play) -> None:
    """When somebody else has marked more, and the next job is on record."""
    play.run_to_and(play.request(), "Mark", how=How.LANDS_LATE)
    play.run(play.request())
    play.run_to(play.request(), "GetJob")
    play.land()


def a_release_lands_late(play: Play) -> None:
    play.run_to_and(play.request(), "Release", how=How.LANDS_LATE)
    play.run_to(play.request(), "StartJob")
    play.land()


def a_record_lands_late(play: Play) -> None:
    """The owner is redriven and has done its job when the record that it was writing lands."""
    first = play.request()
    play.run_to_and(first, "RecordJob", how=How.LANDS_LATE)
    play.redrive(first.execution)
    play.run_to(first, "Release")
    play.land()
    play.run(first)
    play.run(play.request())


def the_owner_dies_between_the_two_steps_of_a_handover(play: Play) -> None:
    first = play.request()
    play.run_to(first, "GetJob")
    play.run(play.request())
    steps = "HandOver", "LetGo"
    play.run_to_and(first, *steps, how=How.WELL)
    play.run_to_and(first, *steps, how=How.DIES_BEFORE)


WRONG_COPIES = (
    WrongCopy(looks_first_and_registers_only_if_nobody_runs, L1, burst),
    WrongCopy(reads_the_tickets_after_the_start, S1, one_arrives_after_the_start),
    WrongCopy(marks_whatever_is_requested, S1, burst),
    WrongCopy(adopts_the_running_job_on_conflict, S1, foreign_job),
    WrongCopy(leaves_on_conflict, L1, foreign_job),
    WrongCopy(takes_a_failed_job_for_the_end, S1, failing_job),
    WrongCopy(makes_the_token_of_the_target_only, L1, failing_job),
    WrongCopy(makes_the_token_of_the_execution_only, S1, burst),
    WrongCopy(never_takes_over, L1, the_owner_dies),
    WrongCopy(takes_over_when_it_does_not_know, S4, an_owner_cannot_be_described),
    WrongCopy(releases_without_looking_for_new_requests, L1, one_arrives_before_the_release),
    WrongCopy(takes_over_without_the_fence, S4, the_owner_comes_back_during_the_takeover),
    WrongCopy(takes_over_without_a_condition, S4, two_take_over),
    WrongCopy(marks_without_a_condition, S2, a_mark_lands_late),
    WrongCopy(releases_without_a_condition, S4, a_release_lands_late),
    WrongCopy(
        lets_go_before_the_successor_is_started,
        L1,
        the_owner_dies_between_the_two_steps_of_a_handover,
        hands_over_early,
    ),
    WrongCopy(records_and_follows_whatever_comes, L1, a_record_lands_late),
)
