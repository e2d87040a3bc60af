"""The test cases of the states of single flight, for any machine that has them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from tests.state_machines.answers.single_flight import (
    ASK,
    BEGIN,
    COVER,
    DELAY,
    DONE,
    FAILURE_TOLD,
    FOLLOW,
    GIVE_UP,
    HAND_OVER,
    LOOK,
    RECORD,
    REFUSED,
    RESUME,
    RUN,
    SEE,
    SNAPSHOT,
    SUCCEED,
    SWEPT,
    TELL,
    TICKET,
    Flight,
)
from tests.state_machines.cases.case import Case, Road
from tests.state_machines.machines import KENDRA_INGESTION, Machine
from tests.state_machines.mocks import Answers, Return, Throw

BOUNDS = {800: 8, 900: 9, 100: 4}
"""Turns, looks and jobs that end a history, and what they are in the cases."""
TURNS, LOOKS, JOBS = BOUNDS.values()
COUNTS = {"jobs": 1, "conflicts": 0, "takeovers": 0}
POLL = ("CountPoll", "WaitForAnswer", *FOLLOW)


class Cases:
    """What the cases of one machine have in common."""

    def __init__(self, flight: Flight) -> None:
        self.flight = flight
        self.keyed = {"TableName": flight.machine.values["table"], "Key": {"key": {"S": flight.key}}}
        self.last = {"id": "JOB1", "covers": TICKET, "result": flight.result}
        self.covered = {"status": "covered", "key": flight.key, "ticket": TICKET, "job": self.last}
        self.other_runs: Answers = {
            "ReadItem": [flight.read(owner=flight.another)],
            "DescribeOwner": [flight.owner_is("RUNNING")],
        }
        self.taken_over: Answers = {
            **flight.well,
            "Acquire": [REFUSED, REFUSED],
            "ReadItem": [flight.read(owner=flight.another)],
            "DescribeOwner": [flight.owner_is("ABORTED")],
            "TakeOver": [flight.mine],
        }
        self.more = flight.written(owner=flight.me, requested=TICKET + 1, completed=TICKET)
        """My ticket is covered, and another one came."""
        self.handed_over: Answers = {
            **flight.well,
            "Snapshot": [flight.mine, self.more],
            "Release": [REFUSED],
            "HandOver": [DONE],
            "LetGo": [DONE],
        }

    def case(self, name: str, promise: str, answers: Answers, path: tuple[str, ...], **more: Any) -> Case:
        return Case(name, promise, answers, path, **{"input": self.flight.request, **more})

    def every(self) -> list[Case]:
        return [
            *self.requests(),
            *self.takeovers(),
            *self.superseded(),
            *self.jobs(),
            *self.handovers(),
            *self.sweeps(),
        ]

    def requests(self) -> Iterator[Case]:
        flight, case = self.flight, self.case
        well, ask, ask_waiting = flight.well, flight.asked, flight.asked_waiting
        yield case(
            "FirstRequest",
            "a request that finds nobody at work runs a job and is covered by it",
            well,
            (*ask, *RUN),
            output={**self.covered, "counts": COUNTS},
            sends={"Register": self.keyed},
        )
        yield case(
            "WaitingRequest",
            "a request that waits does the same if nobody else does it",
            well,
            (*ask_waiting, *RUN),
            input=flight.waiting,
            output=self.covered,
        )
        yield case(
            "RequestOfAnotherMachine",
            "a request may carry what it does not ask with, such as who started the execution",
            well,
            (*ask_waiting, *RUN),
            input={
                **flight.waiting,
                "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": KENDRA_INGESTION.execution("parent"),
            },
            output=self.covered,
        )
        yield case(
            "RequestThatSaysItDoesNotWait",
            "a request may say that it does not wait",
            {**well, "Acquire": [REFUSED], **self.other_runs},
            (*ask_waiting, *SEE, "Coalesced"),
            input={**flight.request, "wait": False},
        )
        yield case(
            "Coalesced",
            "a request that finds an owner at work leaves it to that one",
            {**well, "Acquire": [REFUSED], **self.other_runs},
            (*ask, *SEE, "Coalesced"),
            output={"status": "coalesced", "key": flight.key, "ticket": TICKET, "owner": flight.another},
            sends={
                "ReadItem": {**self.keyed, "ConsistentRead": True},
                "DescribeOwner": {"ExecutionArn": flight.another},
            },
        )
        yield case(
            "OwnerAwaitsRedrive",
            "an owner that is about to be redriven keeps what it owns",
            {
                **well,
                "Acquire": [REFUSED],
                **self.other_runs,
                "DescribeOwner": [flight.owner_is("PENDING_REDRIVE")],
            },
            (*ask, *SEE, "Coalesced"),
        )
        yield case(
            "WaitsForOwner",
            "a request that waits looks until the owner's job has covered it",
            {
                **well,
                "Acquire": [REFUSED],
                "ReadItem": [flight.read(owner=flight.another), flight.read(owner=flight.another, completed=TICKET)],
                "DescribeOwner": [flight.owner_is("RUNNING")],
            },
            (*ask_waiting, *SEE, "WaitForOwner", *LOOK, "Covered"),
            input=flight.waiting,
            output={**self.covered, "counts": {"jobs": 0, "conflicts": 0, "takeovers": 0}},
        )
        yield case(
            "OwnerEndsWhileWaiting",
            "a request that waits does the job itself when the owner let go without covering it",
            {
                **well,
                "Acquire": [REFUSED, flight.mine],
                "ReadItem": [flight.read(owner=flight.another), flight.read()],
                "DescribeOwner": [flight.owner_is("RUNNING")],
            },
            (*ask_waiting, *SEE, "WaitForOwner", *LOOK, "Acquire", *RUN),
            input=flight.waiting,
        )
        yield case(
            "WaitsTooLong",
            "a request that waits ends before its history is full, and stays registered",
            {
                **well,
                "Acquire": [REFUSED],
                "ReadItem": [flight.read(owner=flight.another)] * TURNS,
                "DescribeOwner": [flight.owner_is("RUNNING")] * TURNS,
            },
            (*ask_waiting, *(*SEE, "WaitForOwner") * (TURNS - 1), *LOOK, "TellStillWaiting", "Failed"),
            input=flight.waiting,
            error="StillWaiting",
            cause=f"Ticket 5 of {flight.key} was not covered while this execution waited. It stays registered and will "
            "be served; ask again with a new execution.",
        )
        yield case(
            "OwnersComeAndGo",
            "a key that is refused at every try and free at every look is given up before the history is full",
            {**well, "Acquire": [REFUSED] * LOOKS, "ReadItem": [flight.read()] * LOOKS},
            (*ask, *(*LOOK, "Acquire") * (LOOKS - 1), *LOOK, "TellStillWaiting", "Failed"),
            error="StillWaiting",
        )
        yield case(
            "OwnerStaysUnknown",
            "an owner of whom nothing can be learnt is never taken over",
            {
                **well,
                "Acquire": [REFUSED],
                "ReadItem": [flight.read(owner=flight.another)] * TURNS,
                "DescribeOwner": [Throw("Sfn.SfnException", "not allowed")] * 2 * TURNS,
            },
            (*ask, *(*LOOK, "DescribeOwner", "WaitForOwner") * (TURNS - 1), *LOOK, "TellStillWaiting", "Failed"),
            error="StillWaiting",
        )
        yield case(
            "GivenUpWhileWaiting",
            "a request that waits is told why the owner gave it up",
            {**well, "Acquire": [REFUSED], "ReadItem": [flight.read(given_up=TICKET)]},
            (*ask_waiting, *LOOK, "TellGivenUp", "Failed"),
            input=flight.waiting,
            error="NotCovered",
            cause=f'Ticket 5 of {flight.key} is not covered: {{"Error":"JobFailed"}}',
        )
        yield case(
            "GivenUpWithoutWaiting",
            "a request that does not wait tries by itself what was given up",
            {**well, "Acquire": [REFUSED, flight.mine], "ReadItem": [flight.read(given_up=TICKET)]},
            (*ask, *LOOK, "Acquire", *RUN),
        )
        yield case(
            "CoveredMeanwhile",
            "a request that was covered before it could look is told by what",
            {
                **well,
                "Acquire": [REFUSED],
                "ReadItem": [flight.read(owner=flight.another, requested=TICKET + 1, completed=TICKET)],
            },
            (*ask, *LOOK, "Covered"),
            output=self.covered,
        )
        yield case(
            "CoveredBeforeAcquired",
            "a request that was covered before it became the owner is told by what",
            {**well, "Snapshot": [flight.written(owner=flight.me, completed=TICKET)]},
            (*ask, *SNAPSHOT, "Release", "CheckRelease", "Covered"),
            output={**self.covered, "counts": {"jobs": 0, "conflicts": 0, "takeovers": 0}},
        )
        yield case(
            "CoveredByHand",
            "an item whose tickets somebody has set to covered is let go, with no job to tell of",
            {
                **well,
                "Snapshot": [flight.written(owner=flight.me, requested=0, completed=0)],
                "Release": [flight.written(requested=0, completed=0)],
            },
            (*ask, *SNAPSHOT, "Release", "CheckRelease", "NothingPending"),
            output={"status": "nothing pending"},
        )

    def takeovers(self) -> Iterator[Case]:
        flight, case = self.flight, self.case
        ask = flight.asked
        for status in ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"):
            yield case(
                f"Owner{status}",
                f"the key of an execution that {status.lower()} is taken over on condition of its fence",
                {**self.taken_over, "DescribeOwner": [flight.owner_is(status)]},
                (*ask, *SEE, "TakeOver", "CountTakeover", *RUN),
                output={**self.covered, "counts": {**COUNTS, "takeovers": 1}},
                sends={"TakeOver": {**self.keyed, "ConditionExpression": "#owner = :seen AND #fence = :seenFence"}},
            )
        yield case(
            "OwnerUnknown",
            "the key of an execution that nobody knows any more is taken over",
            {**self.taken_over, "DescribeOwner": [Throw("Sfn.ExecutionDoesNotExistException")]},
            (*ask, *LOOK, "DescribeOwner", "TakeOver", "CountTakeover", *RUN),
        )
        yield case(
            "OwnerEndedForTwo",
            "of two heirs one wins, and the other leaves it to that one",
            {
                **self.taken_over,
                "ReadItem": [flight.read(owner=flight.another)] * 2,
                "DescribeOwner": [flight.owner_is("FAILED"), flight.owner_is("RUNNING")],
                "TakeOver": [REFUSED],
            },
            (*ask, *SEE, "TakeOver", "Acquire", *SEE, "Coalesced"),
        )
        yield case(
            "TakeoverAnswerLost",
            "a takeover whose answer was lost is found out by asking for the key",
            {**self.taken_over, "Acquire": [REFUSED, flight.mine], "TakeOver": [REFUSED]},
            (*ask, *SEE, "TakeOver", "Acquire", *RUN),
        )
        yield case(
            "HeirToAJob",
            "who takes over follows the job that is on record instead of starting another one",
            {**self.taken_over, "Snapshot": [flight.written(owner=flight.me, job="JOB0")]},
            (*ask, *SEE, "TakeOver", "CountTakeover", *RESUME, *FOLLOW, *COVER),
            output={"counts": {"jobs": 0, "conflicts": 0, "takeovers": 1}},
            sends={"GetJob": flight.look("JOB0")},
        )
        yield case(
            "RecordCoveredByHand",
            "a job on record whose tickets somebody has set to covered is not followed",
            {**flight.well, "Snapshot": [flight.written(owner=flight.me, job="JOB0", covers=TICKET - 1)]},
            (*ask, *RESUME, "BeginRound", "StartJob", *RECORD, *COVER),
        )

    def superseded(self) -> Iterator[Case]:
        flight, case = self.flight, self.case
        well, ask = flight.well, flight.asked
        found_out: list[tuple[str, Answers, tuple[str, ...]]] = [
            ("Snapshot", {"Snapshot": [REFUSED]}, (*ask, "Snapshot")),
            ("Record", {"RecordJob": [REFUSED]}, (*ask, *BEGIN, "CountJob", "RecordJob")),
            (
                "Mark",
                {"Mark": [REFUSED], "Snapshot": [flight.mine, REFUSED]},
                (*ask, *BEGIN, *RECORD, "Mark", "Snapshot"),
            ),
            (
                "Release",
                {"Release": [REFUSED], "Snapshot": [flight.mine, REFUSED]},
                (*ask, *BEGIN, *RECORD, "Mark", "NoteSpan", "Release", "Snapshot"),
            ),
            (
                "ForgettingItsJob",
                {"GetJob": [flight.job("FAILED")], "ForgetJob": [REFUSED]},
                (*ask, *BEGIN, *flight.lose[:-1]),
            ),
        ]
        for where, answers, path in found_out:
            yield case(
                f"SupersededBefore{where}",
                "an execution that was taken over leaves the key to the new owner",
                {**well, **answers, **self.other_runs},
                (*path, *SEE, "Superseded"),
                output={"status": "superseded", "key": flight.key, "ticket": TICKET},
            )
        yield case(
            "SupersededAndCovered",
            "an execution that was taken over is told by what its request is covered",
            {**well, "Snapshot": [REFUSED], "ReadItem": [flight.read(completed=TICKET)]},
            (*ask, "Snapshot", *LOOK, "Covered"),
            output=self.covered,
        )
        yield case(
            "SupersededByTheDead",
            "an execution that was taken over by one that has died goes on with the work",
            {**self.taken_over, "Acquire": [flight.mine], "Snapshot": [REFUSED, flight.mine]},
            (*ask, "Snapshot", *SEE, "TakeOver", "CountTakeover", *RUN),
        )
        yield case(
            "WaitsForItsHeir",
            "a request that waits and was taken over waits for the new owner",
            {
                **well,
                **self.other_runs,
                "Snapshot": [REFUSED],
                "ReadItem": [flight.read(owner=flight.another), flight.read(completed=TICKET)],
            },
            (*flight.asked_waiting, "Snapshot", *SEE, "WaitForOwner", *LOOK, "Covered"),
            input=flight.waiting,
            output=self.covered,
        )
        yield case(
            "OwnWriteLandsLate",
            "an owner whose fence was raised by a late write of its own asks again instead of waiting for itself",
            {
                **well,
                "Acquire": [flight.mine, flight.mine],
                "Snapshot": [REFUSED, flight.mine],
                "ReadItem": [flight.read(owner=flight.machine.execution("OwnWriteLandsLate"))],
            },
            (*ask, "Snapshot", *LOOK, "Acquire", *RUN),
        )
        yield case(
            "OwnGrantLandsLate",
            "a request that became the owner after it had been refused asks again instead of leaving it to itself",
            {
                **well,
                "Acquire": [REFUSED, flight.mine],
                "ReadItem": [flight.read(owner=flight.machine.execution("OwnGrantLandsLate"))],
            },
            (*ask, *LOOK, "Acquire", *RUN),
        )
        yield case(
            "ReleaseAnswerLost",
            "a release whose answer was lost is found out, and the request is covered",
            {
                **well,
                "Snapshot": [flight.mine, REFUSED],
                "Release": [REFUSED],
                "ReadItem": [flight.read(completed=TICKET)],
            },
            (*ask, *BEGIN, *RECORD, "Mark", "NoteSpan", "Release", "Snapshot", *LOOK, "Covered"),
            output={**self.covered, "counts": COUNTS},
        )
        yield case(
            "MarkAnswerLost",
            "a mark whose answer was lost is found out, and the request is covered",
            {**well, "Snapshot": [flight.mine, flight.written(owner=flight.me, completed=TICKET)], "Mark": [REFUSED]},
            (*ask, *BEGIN, *RECORD, "Mark", *SNAPSHOT, "Release", "CheckRelease", "Covered"),
            output={**self.covered, "counts": COUNTS},
        )

    def jobs(self) -> Iterator[Case]:
        flight, case = self.flight, self.case
        ask = flight.asked
        yield case(
            "JobTakesTime",
            "a job is looked at until it has ended",
            {**flight.well, "GetJob": [*[flight.job("IN_PROGRESS")] * 3, flight.job("COMPLETE")]},
            (*ask, *BEGIN, *RECORD, *POLL * 3, *COVER),
            output=self.covered,
        )
        yield case(
            "JobFailed",
            "a job that covers nothing is tried again, in another round",
            {**flight.rounds(2), "GetJob": [flight.job("FAILED"), flight.job("COMPLETE")], "ForgetJob": [DONE]},
            (*ask, *BEGIN, *flight.lose, *DELAY, *RUN),
            output={**self.covered, "counts": {**COUNTS, "jobs": 2}},
        )
        thrice = (*(*BEGIN, *flight.lose, *DELAY) * 2, *BEGIN, *flight.lose, "TellFailures", *GIVE_UP)
        yield case(
            "JobFailsThrice",
            "three failed jobs are told, and those who wait are told up to which ticket",
            flight.failing,
            (*ask, *thrice),
            error="JobFailed",
            sends={
                "GiveUp": self.keyed,
                "NotifyFailure": {"Subject": flight.machine.values["failure_subject"]},
            },
        )
        yield case(
            "GivesUpWhatIsNotItsOwn",
            "an execution that was taken over before it could give up tells its own failure all the same",
            {**flight.failing, "GiveUp": [REFUSED]},
            (*ask, *thrice),
            error="JobFailed",
        )
        yield case(
            "SweepFails",
            "a sweep tries once and tells nobody what was told before",
            {**flight.well, "GetJob": [flight.job("FAILED")], "ForgetJob": [DONE], "GiveUp": [DONE]},
            (
                *(*SWEPT, *BEGIN, *flight.lose, "TellFailures", "GiveUp"),
                *("DescribeFailure", "CheckAudience", "Failed"),
            ),
            input=flight.sweep,
            error="JobFailed",
        )
        yield case(
            "RequestsCome",
            "requests that came while the job ran are covered by another one",
            {
                **flight.rounds(2),
                "Snapshot": [flight.mine, self.more],
                "GetJob": [flight.job("COMPLETE")] * 2,
                "Mark": [DONE, DONE],
                "Release": [REFUSED, *flight.well["Release"]],
            },
            (*ask, *BEGIN, *RECORD, "Mark", "NoteSpan", "Release", *RUN),
            output={"status": "covered", "counts": {**COUNTS, "jobs": 2}},
        )

    def handovers(self) -> Iterator[Case]:
        flight, case = self.flight, self.case
        ask, ask_waiting, handed_over = flight.asked, flight.asked_waiting, self.handed_over
        keeps_its_answer = (*SNAPSHOT, *HAND_OVER, "KeepAnswer", "Covered")
        marks_and_hands_over = (*BEGIN, *RECORD, "Mark", "NoteSpan", "Release", *keeps_its_answer)
        yield case(
            "CoveredAndWaitedFor",
            "a request that waits is answered when it is covered, and a successor serves those that came",
            handed_over,
            (*ask_waiting, *marks_and_hands_over),
            input=flight.waiting,
            output=self.covered,
            sends={
                "HandOver": {
                    "StateMachineArn": flight.machine.arn,
                    "Name": handover(flight.machine, "CoveredAndWaitedFor"),
                    "Input": {
                        "flight": {
                            "key": flight.key,
                            "mode": "successor",
                            "wait": False,
                            "predecessor": flight.machine.execution("CoveredAndWaitedFor"),
                            "hop": 1,
                        }
                    },
                }
            },
        )
        yield case(
            "MarkAnswerLostAndWaitedFor",
            "a request that waits is told of its job although the mark's answer was lost",
            {**handed_over, "Mark": [REFUSED]},
            (*ask_waiting, *BEGIN, *RECORD, "Mark", *keeps_its_answer),
            input=flight.waiting,
            output=self.covered,
        )
        yield case(
            "HandedOverBefore",
            "a successor that was started before is not started again",
            {**handed_over, "HandOver": [Throw("StepFunctions.ExecutionAlreadyExistsException")]},
            (*ask_waiting, *marks_and_hands_over),
            input=flight.waiting,
        )
        yield case(
            "LetsGoWhatIsNotItsOwn",
            "an owner that was taken over while it handed over leaves the key to the new one",
            {**handed_over, "LetGo": [REFUSED]},
            (*ask_waiting, *marks_and_hands_over),
            input=flight.waiting,
        )
        too_long: Answers = {
            **handed_over,
            "Snapshot": [flight.mine],
            "GetJob": [flight.job("IN_PROGRESS")] * (TURNS + 1),
        }
        yield case(
            "JobTakesTooLong",
            "an owner whose history is full of looks hands over, and its job stays on record",
            too_long,
            (*ask, *BEGIN, *RECORD, *POLL * TURNS, *HAND_OVER, "HandedOver"),
            output={"status": "handed over", "key": flight.key, "ticket": TICKET},
        )
        yield case(
            "JobTakesTooLongToWaitFor",
            "a caller who waits for a job that takes too long is told so, and a successor goes on",
            too_long,
            (*ask_waiting, *BEGIN, *RECORD, *POLL * TURNS, *HAND_OVER, "TellStillWaiting", "Failed"),
            input=flight.waiting,
            error="StillWaiting",
        )
        yield case(
            "FailsWithAFullHistory",
            "an owner whose history was filled by looks at a job that then failed hands over",
            {
                **handed_over,
                "Snapshot": [flight.mine] * 2,
                "GetJob": [*[flight.job("IN_PROGRESS")] * (TURNS - 1), flight.job("FAILED")],
                "ForgetJob": [DONE],
            },
            (
                *(*ask, *BEGIN, *RECORD, *POLL * (TURNS - 2), "CountPoll", "WaitForAnswer"),
                *(*flight.losing, "JobFailed", "ForgetJob", "CheckFailures", *DELAY, *SNAPSHOT, *HAND_OVER),
                "HandedOver",
            ),
            output={"status": "handed over"},
        )
        yield case(
            "TooManyJobs",
            "an owner whose history is full of jobs hands over",
            {
                **handed_over,
                **{task: list(answers) * JOBS for task, answers in flight.starts.items()},
                "Snapshot": [flight.mine, *[self.more] * JOBS],
                "RecordJob": [flight.recorded] * JOBS,
                "GetJob": [flight.job("COMPLETE")] * JOBS,
                "Mark": [DONE] * JOBS,
                "Release": [REFUSED] * JOBS,
            },
            (*ask, *(*BEGIN, *RECORD, "Mark", "NoteSpan", "Release") * JOBS, *SNAPSHOT, *HAND_OVER, "HandedOver"),
            output={"status": "handed over", "counts": {**COUNTS, "jobs": JOBS}},
        )
        yield case(
            "SuccessorWaitsForItsPredecessor",
            "a successor waits until its predecessor has let go, and follows its job",
            {
                **flight.well,
                "Acquire": [REFUSED, flight.mine],
                "ReadItem": [flight.read(owner=flight.predecessor, job="JOB0"), flight.read(job="JOB0")],
                "DescribeOwner": [flight.owner_is("RUNNING")],
                "Snapshot": [flight.written(owner=flight.me, job="JOB0")],
            },
            (*SUCCEED, *SEE, "WaitForOwner", *LOOK, "Acquire", *RESUME, *FOLLOW, *COVER),
            input=flight.successor,
            output={"status": "covered", "ticket": 0},
        )
        yield case(
            "SuccessorFindsAnother",
            "a successor that finds another owner leaves the key to it",
            {**flight.well, "Acquire": [REFUSED], **self.other_runs},
            (*SUCCEED, *SEE, "Coalesced"),
            input=flight.successor,
        )
        yield case(
            "SuccessorHandsOver",
            "a successor's successor has a name of its own",
            too_long,
            (*SUCCEED, *BEGIN, *RECORD, *POLL * TURNS, *HAND_OVER, "HandedOver"),
            input=flight.successor,
            sends={"HandOver": {"Name": handover(flight.machine, "SuccessorHandsOver")}},
        )

    def sweeps(self) -> Iterator[Case]:
        flight, case = self.flight, self.case
        yield case(
            "Swept",
            "a sweep serves what is pending",
            flight.well,
            (*SWEPT, *RUN),
            input=flight.sweep,
            output={"status": "covered", "ticket": 0, "job": self.last},
        )
        yield case(
            "SweptTooLate",
            "a sweep that finds everything covered ends",
            {**flight.well, "Acquire": [REFUSED], "ReadItem": [flight.read(owner=flight.another, completed=TICKET)]},
            (*SWEPT, *LOOK, "NothingPending"),
            input=flight.sweep,
            output={"status": "nothing pending", "key": flight.key},
        )
        yield case(
            "SweptAKeyOfNobody",
            "a sweep of a key that was never asked for makes no item",
            {**flight.well, "Acquire": [REFUSED], "ReadItem": [Return({})]},
            (*SWEPT, "CountLook", "ReadItem", "CheckItem", "NothingPending"),
            input=flight.sweep,
            sends={"Acquire": self.keyed},
        )

    def nonsense(self, rule: str, of_its_own: Mapping[str, Any]) -> Iterator[Case]:
        """Inputs that ask for nothing, those of this machine among them, and what they are told."""
        key = self.flight.key
        inputs = {
            "Nothing": None,
            "Text": "do something",
            "Number": 7,
            "Empty": {},
            "NoRequests": [],
            "TextForWait": {**self.flight.request, "wait": "yes"},
            "NullForWait": {**self.flight.request, "wait": None},
            "UnknownMode": {"flight": {"key": key, "mode": "request"}},
            "NumberForAKey": {"flight": {"key": 7, "mode": "sweep"}},
            "SuccessorOfNobody": {"flight": {"key": key, "mode": "successor"}},
            "HopIsNoNumber": {
                "flight": {"key": key, "mode": "successor", "predecessor": self.flight.predecessor, "hop": "2"}
            },
            **of_its_own,
        }
        for name, given in inputs.items():
            yield self.refused(name, given, (), rule)

    def refused(self, name: str, given: Any, reading: tuple[str, ...], rule: str) -> Case:
        return self.case(
            f"Input{name}",
            f"an input that asks for nothing that can be done touches no item ({name})",
            {"NotifyFailure": [DONE]},
            (*ASK, *reading, "TellInput", *TELL),
            input=given,
            error="InputInvalid",
            cause=rule,
        )

    def road_to(self, task: str) -> Road:
        flight = self.flight
        if task in ("HandOver", "LetGo"):
            return Road({**self.handed_over, **FAILURE_TOLD}, flight.waiting)
        if task in ("ReadItem", "DescribeOwner", "TakeOver"):
            # After an owner whose state stayed unknown the item is looked at again.
            items = [*self.taken_over["ReadItem"], flight.read(completed=TICKET)]
            return Road({**self.taken_over, **FAILURE_TOLD, "ReadItem": items}, flight.request)
        if task == "ForgetJob":
            looks = [flight.job("FAILED"), flight.job("COMPLETE")]
            return Road({**flight.rounds(2), **FAILURE_TOLD, "GetJob": looks, "ForgetJob": [DONE]}, flight.request)
        if task in ("GiveUp", "NotifyFailure"):
            return Road(flight.failing, flight.request)
        # A start or a job that an error outlasts comes again.
        looks = [flight.job("COMPLETE")] * 2
        return Road({**flight.rounds(2), **FAILURE_TOLD, "GetJob": looks, "ForgetJob": [DONE]}, flight.request)


def token(machine: Machine, execution: str, round_number: int = 0, fence: int = 7) -> str:
    return hashlib.sha256(f"{machine.execution(execution)} {fence} {round_number}".encode()).hexdigest()


def handover(machine: Machine, execution: str, fence: int = 7) -> str:
    return f"handover-{hashlib.sha256(f'{machine.execution(execution)} {fence}'.encode()).hexdigest()}"
