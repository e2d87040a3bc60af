"""The test cases of kb_sync, and with it of the states of single flight."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.state_machines.answers.single_flight import (
    ANOTHER,
    ASK,
    ASK_TOGETHER,
    ASK_WAITING,
    BEGIN,
    COMPLETE,
    CONFLICT,
    COVER,
    COVERED,
    DATA_SOURCE,
    DELAY,
    DENIED,
    DONE,
    FAILURE_TOLD,
    FOLLOW,
    GIVE_UP,
    HAND_OVER,
    KEY,
    KNOWLEDGE_BASE,
    LOOK,
    LOSE,
    ME,
    MINE,
    PREDECESSOR,
    RECORD,
    REFUSED,
    REQUEST,
    RESULT,
    RESUME,
    RUN,
    SEE,
    SNAPSHOT,
    START,
    STARTED,
    SUCCEED,
    SUCCESSOR,
    SWEEP,
    SWEPT,
    TELL,
    TICKET,
    WAITING,
    WELL,
    job,
    owner_is,
    read,
    summary,
    written,
)
from tests.state_machines.cases.case import Case, Road, Suite
from tests.state_machines.machines import INCIDENT_SYNC, KB_SYNC
from tests.state_machines.mocks import Answers, Return, Throw

BOUNDS = {800: 8, 900: 9, 100: 4}
"""Turns, looks and jobs that end a history, and what they are in the cases."""
TURNS, LOOKS, JOBS = BOUNDS.values()
SOURCE = {"KnowledgeBaseId": KNOWLEDGE_BASE, "DataSourceId": DATA_SOURCE}
KEYED = {"TableName": "millrace-sync", "Key": {"key": {"S": KEY}}}
ATTEMPTS = 7
"""Calls of StartJob before an error that may pass is taken to last."""

OTHER_RUNS: Answers = {"ReadItem": [read(owner=ANOTHER)], "DescribeOwner": [owner_is("RUNNING")]}
TAKEN_OVER: Answers = {
    **WELL,
    "Acquire": [REFUSED, REFUSED],
    "ReadItem": [read(owner=ANOTHER)],
    "DescribeOwner": [owner_is("ABORTED")],
    "TakeOver": [MINE],
}
# A start that was put off comes again.
TWICE: Answers = {
    **WELL,
    "Snapshot": [MINE, MINE],
    "StartJob": [STARTED, STARTED],
    "RecordJob": [WELL["RecordJob"][0]] * 2,
}
TOO_LONG = "States.DataLimitExceeded"
SUMMARIZE = ("GetJob", "SummarizeJob", "CheckSummary")
MORE = written(owner=ME, requested=TICKET + 1, completed=TICKET)
"""My ticket is covered, and another one came."""
HANDED_OVER: Answers = {
    **WELL,
    "Snapshot": [MINE, MORE],
    "Release": [REFUSED],
    "HandOver": [DONE],
    "LetGo": [DONE],
}
COUNTS = {"jobs": 1, "conflicts": 0, "takeovers": 0}
LAST = {"id": "JOB1", "covers": TICKET, "result": RESULT}
COVERED_BY_JOB = {"status": "covered", "key": KEY, "ticket": TICKET, "job": LAST}


def case(name: str, promise: str, answers: Answers, path: tuple[str, ...], **more: Any) -> Case:
    return Case(name, promise, answers, path, **{"input": REQUEST, **more})


def token(execution: str, round_number: int = 0, fence: int = 7) -> str:
    return hashlib.sha256(f"{KB_SYNC.execution(execution)} {fence} {round_number}".encode()).hexdigest()


def handover(execution: str, fence: int = 7) -> str:
    return f"handover-{hashlib.sha256(f'{KB_SYNC.execution(execution)} {fence}'.encode()).hexdigest()}"


REQUESTS = [
    case(
        "FirstRequest",
        "a request that finds nobody at work runs a job and is covered by it",
        WELL,
        (*ASK, *RUN),
        output={**COVERED_BY_JOB, "counts": COUNTS},
        sends={
            "CheckSource": SOURCE,
            "Register": KEYED,
            "StartJob": {
                **SOURCE,
                "ClientToken": token("FirstRequest"),
                "Description": "Millrace: requests up to ticket 5",
            },
            "GetJob": {**SOURCE, "IngestionJobId": "JOB1"},
        },
    ),
    case(
        "WaitingRequest",
        "a request that waits does the same if nobody else does it",
        WELL,
        (*ASK_WAITING, *RUN),
        input=WAITING,
        output=COVERED_BY_JOB,
    ),
    case(
        "RequestOfAnotherMachine",
        "a request may carry what it does not ask with, such as who started the execution",
        WELL,
        (*ASK_WAITING, *RUN),
        input={**WAITING, "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": INCIDENT_SYNC.execution("parent")},
        output=COVERED_BY_JOB,
    ),
    case(
        "RequestThatSaysItDoesNotWait",
        "a request may say that it does not wait",
        {**WELL, "Acquire": [REFUSED], **OTHER_RUNS},
        (*ASK_WAITING, *SEE, "Coalesced"),
        input={**REQUEST, "wait": False},
    ),
    case(
        "ThousandRequests",
        "a thousand requests of a pipe are one, with one ticket",
        WELL,
        (*ASK_TOGETHER, *RUN),
        input=[REQUEST] * 1_000,
        output=COVERED_BY_JOB,
    ),
    case(
        "Coalesced",
        "a request that finds an owner at work leaves it to that one",
        {**WELL, "Acquire": [REFUSED], **OTHER_RUNS},
        (*ASK, *SEE, "Coalesced"),
        output={"status": "coalesced", "key": KEY, "ticket": TICKET, "owner": ANOTHER},
        sends={"ReadItem": {**KEYED, "ConsistentRead": True}, "DescribeOwner": {"ExecutionArn": ANOTHER}},
    ),
    case(
        "OwnerAwaitsRedrive",
        "an owner that is about to be redriven keeps what it owns",
        {**WELL, "Acquire": [REFUSED], **OTHER_RUNS, "DescribeOwner": [owner_is("PENDING_REDRIVE")]},
        (*ASK, *SEE, "Coalesced"),
    ),
    case(
        "WaitsForOwner",
        "a request that waits looks until the owner's job has covered it",
        {
            **WELL,
            "Acquire": [REFUSED],
            "ReadItem": [read(owner=ANOTHER), read(owner=ANOTHER, completed=TICKET)],
            "DescribeOwner": [owner_is("RUNNING")],
        },
        (*ASK_WAITING, *SEE, "WaitForOwner", *LOOK, "Covered"),
        input=WAITING,
        output={**COVERED_BY_JOB, "counts": {"jobs": 0, "conflicts": 0, "takeovers": 0}},
    ),
    case(
        "OwnerEndsWhileWaiting",
        "a request that waits does the job itself when the owner let go without covering it",
        {
            **WELL,
            "Acquire": [REFUSED, MINE],
            "ReadItem": [read(owner=ANOTHER), read()],
            "DescribeOwner": [owner_is("RUNNING")],
        },
        (*ASK_WAITING, *SEE, "WaitForOwner", *LOOK, "Acquire", *RUN),
        input=WAITING,
    ),
    case(
        "WaitsTooLong",
        "a request that waits ends before its history is full, and stays registered",
        {
            **WELL,
            "Acquire": [REFUSED],
            "ReadItem": [read(owner=ANOTHER)] * TURNS,
            "DescribeOwner": [owner_is("RUNNING")] * TURNS,
        },
        (*ASK_WAITING, *(*SEE, "WaitForOwner") * (TURNS - 1), *LOOK, "TellStillWaiting", "Failed"),
        input=WAITING,
        error="StillWaiting",
        cause=f"Ticket 5 of {KEY} was not covered while this execution waited. It stays registered and will be served; "
        "ask again with a new execution.",
    ),
    case(
        "OwnersComeAndGo",
        "a key that is refused at every try and free at every look is given up before the history is full",
        {**WELL, "Acquire": [REFUSED] * LOOKS, "ReadItem": [read()] * LOOKS},
        (*ASK, *(*LOOK, "Acquire") * (LOOKS - 1), *LOOK, "TellStillWaiting", "Failed"),
        error="StillWaiting",
    ),
    case(
        "OwnerStaysUnknown",
        "an owner of whom nothing can be learnt is never taken over",
        {
            **WELL,
            "Acquire": [REFUSED],
            "ReadItem": [read(owner=ANOTHER)] * TURNS,
            "DescribeOwner": [Throw("Sfn.SfnException", "not allowed")] * 2 * TURNS,
        },
        (*ASK, *(*LOOK, "DescribeOwner", "WaitForOwner") * (TURNS - 1), *LOOK, "TellStillWaiting", "Failed"),
        error="StillWaiting",
    ),
    case(
        "GivenUpWhileWaiting",
        "a request that waits is told why the owner gave it up",
        {**WELL, "Acquire": [REFUSED], "ReadItem": [read(given_up=TICKET)]},
        (*ASK_WAITING, *LOOK, "TellGivenUp", "Failed"),
        input=WAITING,
        error="NotCovered",
        cause=f'Ticket 5 of {KEY} is not covered: {{"Error":"JobFailed"}}',
    ),
    case(
        "GivenUpWithoutWaiting",
        "a request that does not wait tries by itself what was given up",
        {**WELL, "Acquire": [REFUSED, MINE], "ReadItem": [read(given_up=TICKET)]},
        (*ASK, *LOOK, "Acquire", *RUN),
    ),
    case(
        "CoveredMeanwhile",
        "a request that was covered before it could look is told by what",
        {**WELL, "Acquire": [REFUSED], "ReadItem": [read(owner=ANOTHER, requested=TICKET + 1, completed=TICKET)]},
        (*ASK, *LOOK, "Covered"),
        output=COVERED_BY_JOB,
    ),
    case(
        "CoveredBeforeAcquired",
        "a request that was covered before it became the owner is told by what",
        {**WELL, "Snapshot": [COVERED]},
        (*ASK, *SNAPSHOT, "Release", "CheckRelease", "Covered"),
        output={**COVERED_BY_JOB, "counts": {"jobs": 0, "conflicts": 0, "takeovers": 0}},
    ),
    case(
        "CoveredByHand",
        "an item whose tickets somebody has set to covered is let go, with no job to tell of",
        {
            **WELL,
            "Snapshot": [written(owner=ME, requested=0, completed=0)],
            "Release": [written(requested=0, completed=0)],
        },
        (*ASK, *SNAPSHOT, "Release", "CheckRelease", "NothingPending"),
        output={"status": "nothing pending"},
    ),
]

TAKEOVERS = [
    *(
        case(
            f"Owner{status}",
            f"the key of an execution that {status.lower()} is taken over on condition of its fence",
            {**TAKEN_OVER, "DescribeOwner": [owner_is(status)]},
            (*ASK, *SEE, "TakeOver", "CountTakeover", *RUN),
            output={**COVERED_BY_JOB, "counts": {**COUNTS, "takeovers": 1}},
            sends={"TakeOver": {**KEYED, "ConditionExpression": "#owner = :seen AND #fence = :seenFence"}},
        )
        for status in ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
    ),
    case(
        "OwnerUnknown",
        "the key of an execution that nobody knows any more is taken over",
        {**TAKEN_OVER, "DescribeOwner": [Throw("Sfn.ExecutionDoesNotExistException")]},
        (*ASK, *LOOK, "DescribeOwner", "TakeOver", "CountTakeover", *RUN),
    ),
    case(
        "OwnerEndedForTwo",
        "of two heirs one wins, and the other leaves it to that one",
        {
            **TAKEN_OVER,
            "ReadItem": [read(owner=ANOTHER)] * 2,
            "DescribeOwner": [owner_is("FAILED"), owner_is("RUNNING")],
            "TakeOver": [REFUSED],
        },
        (*ASK, *SEE, "TakeOver", "Acquire", *SEE, "Coalesced"),
    ),
    case(
        "TakeoverAnswerLost",
        "a takeover whose answer was lost is found out by asking for the key",
        {**TAKEN_OVER, "Acquire": [REFUSED, MINE], "TakeOver": [REFUSED]},
        (*ASK, *SEE, "TakeOver", "Acquire", *RUN),
    ),
    case(
        "HeirToAJob",
        "who takes over follows the job that is on record instead of starting another one",
        {**TAKEN_OVER, "Snapshot": [written(owner=ME, job="JOB0")], "GetJob": [job("COMPLETE", "JOB0")]},
        (*ASK, *SEE, "TakeOver", "CountTakeover", *RESUME, *FOLLOW, *COVER),
        output={"counts": {"jobs": 0, "conflicts": 0, "takeovers": 1}},
        sends={"GetJob": {**SOURCE, "IngestionJobId": "JOB0"}},
    ),
    case(
        "RecordCoveredByHand",
        "a job on record whose tickets somebody has set to covered is not followed",
        {**WELL, "Snapshot": [written(owner=ME, job="JOB0", covers=TICKET - 1)]},
        (*ASK, *RESUME, "BeginRound", "StartJob", *RECORD, *COVER),
    ),
]

BEFORE: list[tuple[str, Answers, tuple[str, ...]]] = [
    ("Snapshot", {"Snapshot": [REFUSED]}, (*ASK, "Snapshot")),
    ("Record", {"RecordJob": [REFUSED]}, (*ASK, *BEGIN, "CountJob", "RecordJob")),
    ("Mark", {"Mark": [REFUSED], "Snapshot": [MINE, REFUSED]}, (*ASK, *BEGIN, *RECORD, "Mark", "Snapshot")),
    (
        "Release",
        {"Release": [REFUSED], "Snapshot": [MINE, REFUSED]},
        (*ASK, *BEGIN, *RECORD, "Mark", "NoteSpan", "Release", "Snapshot"),
    ),
    (
        "ForgettingItsJob",
        {"GetJob": [job("FAILED")], "ForgetJob": [REFUSED]},
        (*ASK, *BEGIN, *RECORD, "JobFailed", "ForgetJob"),
    ),
]
"""Writes before which an execution may find out that it was taken over."""
SUPERSEDED = [
    case(
        f"SupersededBefore{where}",
        "an execution that was taken over leaves the key to the new owner",
        {**WELL, **answers, **OTHER_RUNS},
        (*path, *SEE, "Superseded"),
        output={"status": "superseded", "key": KEY, "ticket": TICKET},
    )
    for where, answers, path in BEFORE
] + [
    case(
        "SupersededAndCovered",
        "an execution that was taken over is told by what its request is covered",
        {**WELL, "Snapshot": [REFUSED], "ReadItem": [read(completed=TICKET)]},
        (*ASK, "Snapshot", *LOOK, "Covered"),
        output=COVERED_BY_JOB,
    ),
    case(
        "SupersededByTheDead",
        "an execution that was taken over by one that has died goes on with the work",
        {
            **TAKEN_OVER,
            "Acquire": [MINE],
            "Snapshot": [REFUSED, MINE],
        },
        (*ASK, "Snapshot", *SEE, "TakeOver", "CountTakeover", *RUN),
    ),
    case(
        "WaitsForItsHeir",
        "a request that waits and was taken over waits for the new owner",
        {
            **WELL,
            **OTHER_RUNS,
            "Snapshot": [REFUSED],
            "ReadItem": [read(owner=ANOTHER), read(completed=TICKET)],
        },
        (*ASK_WAITING, "Snapshot", *SEE, "WaitForOwner", *LOOK, "Covered"),
        input=WAITING,
        output=COVERED_BY_JOB,
    ),
    case(
        "OwnWriteLandsLate",
        "an owner whose fence was raised by a late write of its own asks again instead of waiting for itself",
        {
            **WELL,
            "Acquire": [MINE, MINE],
            "Snapshot": [REFUSED, MINE],
            "ReadItem": [read(owner=KB_SYNC.execution("OwnWriteLandsLate"))],
        },
        (*ASK, "Snapshot", *LOOK, "Acquire", *RUN),
    ),
    case(
        "OwnGrantLandsLate",
        "a request that became the owner after it had been refused asks again instead of leaving it to itself",
        {**WELL, "Acquire": [REFUSED, MINE], "ReadItem": [read(owner=KB_SYNC.execution("OwnGrantLandsLate"))]},
        (*ASK, *LOOK, "Acquire", *RUN),
    ),
    case(
        "ReleaseAnswerLost",
        "a release whose answer was lost is found out, and the request is covered",
        {**WELL, "Snapshot": [MINE, REFUSED], "Release": [REFUSED], "ReadItem": [read(completed=TICKET)]},
        (*ASK, *BEGIN, *RECORD, "Mark", "NoteSpan", "Release", "Snapshot", *LOOK, "Covered"),
        output={**COVERED_BY_JOB, "counts": COUNTS},
    ),
    case(
        "MarkAnswerLost",
        "a mark whose answer was lost is found out, and the request is covered",
        {**WELL, "Snapshot": [MINE, COVERED], "Mark": [REFUSED]},
        (*ASK, *BEGIN, *RECORD, "Mark", *SNAPSHOT, "Release", "CheckRelease", "Covered"),
        output={**COVERED_BY_JOB, "counts": COUNTS},
    ),
]

STARTS = [
    *(
        case(
            name,
            f"{error} means that somebody else's job runs, which covers nothing: it is followed by another round",
            {**WELL, "Snapshot": [MINE, MINE], "StartJob": [Throw(error), STARTED]},
            (*ASK, *BEGIN, "JobConflicted", *DELAY, *RUN),
            output={**COVERED_BY_JOB, "counts": {**COUNTS, "conflicts": 1}},
            sends={"StartJob": {"ClientToken": token(name, 1)}},
        )
        for name, error in (
            ("Conflict", "BedrockAgent.ConflictException"),
            ("AccountIsBusy", "BedrockAgent.ServiceQuotaExceededException"),
        )
    ),
    *(
        case(
            f"StartsAgainAfter{error.rpartition('.')[2]}",
            f"a start that {error} outlasts is put off, and not given up",
            {**WELL, "Snapshot": [MINE, MINE], "StartJob": [*[Throw(error)] * ATTEMPTS, STARTED]},
            (*ASK, *BEGIN, *DELAY, *RUN),
            output={**COVERED_BY_JOB, "counts": COUNTS},
        )
        for error in (
            "BedrockAgent.ThrottlingException",
            "BedrockAgent.InternalServerException",
            "BedrockAgent.SdkClientException",
            "States.Timeout",
        )
    ),
    *(
        case(
            f"Start{error}",
            f"a start that {error} refuses is told, and the key let go",
            {**WELL, **FAILURE_TOLD, "StartJob": [Throw(f"BedrockAgent.{error}", "because")]},
            (*ASK, *BEGIN, *GIVE_UP),
            error=f"BedrockAgent.{error}",
            cause="because",
            sends={
                "NotifyFailure": {
                    "Subject": "Knowledge base sync failed",
                    "Message": f"{KEY} failed with BedrockAgent.{error}: because The input was "
                    f'{{"knowledgeBaseId":"{KNOWLEDGE_BASE}","dataSourceId":"{DATA_SOURCE}"}} and the execution '
                    f"{KB_SYNC.execution(f'Start{error}')}.",
                }
            },
        )
        for error in ("ValidationException", "AccessDeniedException", "ResourceNotFoundException")
    ),
    case(
        "GivesUpWhatIsNotItsOwn",
        "an execution that was taken over before it could give up tells its own failure all the same",
        {**WELL, **FAILURE_TOLD, "StartJob": [DENIED], "GiveUp": [REFUSED]},
        (*ASK, *BEGIN, *GIVE_UP),
        error="BedrockAgent.AccessDeniedException",
    ),
]

JOBS_TAKE = [
    case(
        "JobTakesTime",
        "a job is looked at until it has ended",
        {**WELL, "GetJob": [STARTED, job("IN_PROGRESS"), job("STOPPING"), COMPLETE]},
        (*ASK, *BEGIN, *RECORD, *("CountPoll", "WaitForAnswer", *FOLLOW) * 3, *COVER),
        output=COVERED_BY_JOB,
    ),
    *(
        case(
            f"Job{name}",
            "a job that covers nothing is tried again, in another round",
            {
                **WELL,
                "Snapshot": [MINE, MINE],
                "StartJob": [STARTED, STARTED],
                "RecordJob": [WELL["RecordJob"][0]] * 2,
                "GetJob": [answer, COMPLETE],
                "ForgetJob": [DONE],
            },
            (*ASK, *BEGIN, *("CountJob", "RecordJob", "WaitForJob"), *path, *LOSE, *DELAY, *RUN),
            output={**COVERED_BY_JOB, "counts": {**COUNTS, "jobs": 2}},
            sends={"StartJob": {"ClientToken": token(f"Job{name}", 1)}},
        )
        for name, answer, path in (
            ("Failed", job("FAILED"), FOLLOW),
            ("Stopped", job("STOPPED"), FOLLOW),
            ("Gone", Throw("BedrockAgent.ResourceNotFoundException", "no such job"), ("GetJob", "MissJob")),
        )
    ),
    case(
        "FewReasons",
        "of many reasons the first five are told",
        {**WELL, "GetJob": [job("COMPLETE", reasons=[f"reason {number}" for number in range(9)])]},
        (*ASK, *RUN),
    ),
    case(
        "LongReasons",
        "a job with more reasons than a state can hold is told without them",
        {**WELL, "GetJob": [Throw(TOO_LONG)], "SummarizeJob": [summary()]},
        (*ASK, *BEGIN, *("CountJob", "RecordJob", "WaitForJob", *SUMMARIZE, "CheckJob"), *COVER),
    ),
    case(
        "LongReasonsOfAnother",
        "a job that is too long to be told, and no longer the newest, covers nothing",
        {
            **TWICE,
            "GetJob": [Throw(TOO_LONG), COMPLETE],
            "SummarizeJob": [summary("IN_PROGRESS", "JOB9")],
            "ForgetJob": [DONE],
        },
        (*ASK, *BEGIN, *("CountJob", "RecordJob", "WaitForJob", *SUMMARIZE, "MissJob"), *LOSE, *DELAY, *RUN),
        output={**COVERED_BY_JOB, "counts": {**COUNTS, "jobs": 2}},
    ),
    case(
        "JobFailsThrice",
        "three failed jobs are told, and those who wait are told up to which ticket",
        {
            **WELL,
            **FAILURE_TOLD,
            "Snapshot": [MINE] * 3,
            "StartJob": [STARTED] * 3,
            "RecordJob": [WELL["RecordJob"][0]] * 3,
            "GetJob": [job("FAILED")] * 3,
            "ForgetJob": [DONE] * 3,
        },
        (*ASK, *(*BEGIN, *RECORD, *LOSE, *DELAY) * 2, *BEGIN, *RECORD, *LOSE, "TellFailures", *GIVE_UP),
        error="JobFailed",
        sends={"GiveUp": KEYED},
    ),
    case(
        "SweepFails",
        "a sweep tries once and tells nobody what was told before",
        {**WELL, "GetJob": [job("FAILED")], "ForgetJob": [DONE], "GiveUp": [DONE]},
        (*SWEPT, *BEGIN, *RECORD, *LOSE, "TellFailures", "GiveUp", "DescribeFailure", "CheckAudience", "Failed"),
        input=SWEEP,
        error="JobFailed",
    ),
    *(
        case(
            f"Look{error}",
            "a job that cannot be looked at stays on record for whoever comes next",
            {**WELL, **FAILURE_TOLD, "GetJob": [Throw(f"BedrockAgent.{error}")]},
            (*ASK, *BEGIN, *("CountJob", "RecordJob", "WaitForJob", "GetJob"), *GIVE_UP),
            error=f"BedrockAgent.{error}",
        )
        for error in ("ValidationException", "AccessDeniedException")
    ),
    case(
        "RequestsCome",
        "requests that came while the job ran are covered by another one",
        {
            **WELL,
            "Snapshot": [MINE, MORE],
            "StartJob": [STARTED, STARTED],
            "RecordJob": [WELL["RecordJob"][0]] * 2,
            "GetJob": [COMPLETE] * 2,
            "Mark": [DONE, DONE],
            "Release": [REFUSED, *WELL["Release"]],
        },
        (*ASK, *BEGIN, *RECORD, "Mark", "NoteSpan", "Release", *RUN),
        output={"status": "covered", "counts": {**COUNTS, "jobs": 2}},
    ),
]

HANDOVERS = [
    case(
        "CoveredAndWaitedFor",
        "a request that waits is answered when it is covered, and a successor serves those that came",
        HANDED_OVER,
        (*ASK_WAITING, *BEGIN, *RECORD, "Mark", "NoteSpan", "Release", *SNAPSHOT, *HAND_OVER, "KeepAnswer", "Covered"),
        input=WAITING,
        output=COVERED_BY_JOB,
        sends={
            "HandOver": {
                "StateMachineArn": KB_SYNC.arn,
                "Name": handover("CoveredAndWaitedFor"),
                "Input": {
                    "flight": {
                        "key": KEY,
                        "mode": "successor",
                        "wait": False,
                        "predecessor": KB_SYNC.execution("CoveredAndWaitedFor"),
                        "hop": 1,
                    }
                },
            }
        },
    ),
    case(
        "MarkAnswerLostAndWaitedFor",
        "a request that waits is told of its job although the mark's answer was lost",
        {**HANDED_OVER, "Mark": [REFUSED]},
        (*ASK_WAITING, *BEGIN, *RECORD, "Mark", *SNAPSHOT, *HAND_OVER, "KeepAnswer", "Covered"),
        input=WAITING,
        output=COVERED_BY_JOB,
    ),
    case(
        "HandedOverBefore",
        "a successor that was started before is not started again",
        {**HANDED_OVER, "HandOver": [Throw("StepFunctions.ExecutionAlreadyExistsException")]},
        (*ASK_WAITING, *BEGIN, *RECORD, "Mark", "NoteSpan", "Release", *SNAPSHOT, *HAND_OVER, "KeepAnswer", "Covered"),
        input=WAITING,
    ),
    case(
        "LetsGoWhatIsNotItsOwn",
        "an owner that was taken over while it handed over leaves the key to the new one",
        {**HANDED_OVER, "LetGo": [REFUSED]},
        (*ASK_WAITING, *BEGIN, *RECORD, "Mark", "NoteSpan", "Release", *SNAPSHOT, *HAND_OVER, "KeepAnswer", "Covered"),
        input=WAITING,
    ),
    case(
        "JobTakesTooLong",
        "an owner whose history is full of looks hands over, and its job stays on record",
        {**HANDED_OVER, "Snapshot": [MINE], "GetJob": [job("IN_PROGRESS")] * (TURNS + 1)},
        (*ASK, *BEGIN, *RECORD, *("CountPoll", "WaitForAnswer", *FOLLOW) * TURNS, *HAND_OVER, "HandedOver"),
        output={"status": "handed over", "key": KEY, "ticket": TICKET},
    ),
    case(
        "JobTakesTooLongToWaitFor",
        "a caller who waits for a job that takes too long is told so, and a successor goes on",
        {**HANDED_OVER, "Snapshot": [MINE], "GetJob": [job("IN_PROGRESS")] * (TURNS + 1)},
        (
            *(*ASK_WAITING, *BEGIN, *RECORD, *("CountPoll", "WaitForAnswer", *FOLLOW) * TURNS),
            *(*HAND_OVER, "TellStillWaiting", "Failed"),
        ),
        input=WAITING,
        error="StillWaiting",
    ),
    case(
        "ConflictsTooLong",
        "an owner whose history is full of conflicts hands over",
        {**HANDED_OVER, "Snapshot": [MINE] * (TURNS + 1), "StartJob": [CONFLICT] * TURNS},
        (*ASK, *(*BEGIN, "JobConflicted", *DELAY) * TURNS, *SNAPSHOT, *HAND_OVER, "HandedOver"),
        output={"status": "handed over", "counts": {"jobs": 0, "conflicts": TURNS, "takeovers": 0}},
    ),
    case(
        "TooManyJobs",
        "an owner whose history is full of jobs hands over",
        {
            **HANDED_OVER,
            "Snapshot": [MINE, *[MORE] * JOBS],
            "StartJob": [STARTED] * JOBS,
            "RecordJob": [WELL["RecordJob"][0]] * JOBS,
            "GetJob": [COMPLETE] * JOBS,
            "Mark": [DONE] * JOBS,
            "Release": [REFUSED] * JOBS,
        },
        (*ASK, *(*BEGIN, *RECORD, "Mark", "NoteSpan", "Release") * JOBS, *SNAPSHOT, *HAND_OVER, "HandedOver"),
        output={"status": "handed over", "counts": {**COUNTS, "jobs": JOBS}},
    ),
    case(
        "SuccessorWaitsForItsPredecessor",
        "a successor waits until its predecessor has let go, and follows its job",
        {
            **WELL,
            "Acquire": [REFUSED, MINE],
            "ReadItem": [read(owner=PREDECESSOR, job="JOB0"), read(job="JOB0")],
            "DescribeOwner": [owner_is("RUNNING")],
            "Snapshot": [written(owner=ME, job="JOB0")],
        },
        (*SUCCEED, *SEE, "WaitForOwner", *LOOK, "Acquire", *RESUME, *FOLLOW, *COVER),
        input=SUCCESSOR,
        output={"status": "covered", "ticket": 0},
    ),
    case(
        "SuccessorFindsAnother",
        "a successor that finds another owner leaves the key to it",
        {**WELL, "Acquire": [REFUSED], **OTHER_RUNS},
        (*SUCCEED, *SEE, "Coalesced"),
        input=SUCCESSOR,
    ),
    case(
        "SuccessorHandsOver",
        "a successor's successor has a name of its own",
        {**HANDED_OVER, "Snapshot": [MINE], "GetJob": [job("IN_PROGRESS")] * (TURNS + 1)},
        (*SUCCEED, *BEGIN, *RECORD, *("CountPoll", "WaitForAnswer", *FOLLOW) * TURNS, *HAND_OVER, "HandedOver"),
        input=SUCCESSOR,
        sends={"HandOver": {"Name": handover("SuccessorHandsOver")}},
    ),
]

SWEEPS = [
    case(
        "Swept",
        "a sweep serves what is pending",
        WELL,
        (*SWEPT, *RUN),
        input=SWEEP,
        output={"status": "covered", "ticket": 0, "job": LAST},
    ),
    case(
        "SweptTooLate",
        "a sweep that finds everything covered ends",
        {**WELL, "Acquire": [REFUSED], "ReadItem": [read(owner=ANOTHER, completed=TICKET)]},
        (*SWEPT, *LOOK, "NothingPending"),
        input=SWEEP,
        output={"status": "nothing pending", "key": KEY},
    ),
    case(
        "SweptAKeyOfNobody",
        "a sweep of a key that was never asked for makes no item",
        {**WELL, "Acquire": [REFUSED], "ReadItem": [Return({})]},
        (*SWEPT, "CountLook", "ReadItem", "CheckItem", "NothingPending"),
        input=SWEEP,
        sends={"Acquire": KEYED},
    ),
]

INPUT_RULE = (
    "The input must be an object with knowledgeBaseId and dataSourceId, which are texts without a slash, and perhaps "
    "wait, which is true or false; or a list of such objects for one and the same data source."
)
OTHER_SOURCE = {**REQUEST, "dataSourceId": "DS87654321"}
NONSENSE: dict[str, Any] = {
    "Nothing": None,
    "Text": "sync please",
    "Number": 7,
    "Empty": {},
    "NoRequests": [],
    "NoDataSource": {"knowledgeBaseId": KNOWLEDGE_BASE},
    "NumberForAnId": {**REQUEST, "dataSourceId": 7},
    "EmptyId": {**REQUEST, "dataSourceId": ""},
    "SlashInAnId": {**REQUEST, "knowledgeBaseId": f"{KNOWLEDGE_BASE}/{DATA_SOURCE}"},
    "SlashInARequest": [{**REQUEST, "dataSourceId": "a/b"}],
    "TextForWait": {**REQUEST, "wait": "yes"},
    "NullForWait": {**REQUEST, "wait": None},
    "UnknownMode": {"flight": {"key": KEY, "mode": "request"}},
    "NumberForAKey": {"flight": {"key": 7, "mode": "sweep"}},
    "SuccessorOfNobody": {"flight": {"key": KEY, "mode": "successor"}},
    "HopIsNoNumber": {"flight": {"key": KEY, "mode": "successor", "predecessor": PREDECESSOR, "hop": "2"}},
}
MIXED: dict[str, Any] = {
    "TwoDataSources": [REQUEST, OTHER_SOURCE],
    "TwoKnowledgeBases": [REQUEST, {**REQUEST, "knowledgeBaseId": "KB87654321"}],
    "RequestForNothing": [REQUEST, {}],
}
INPUTS = [
    case(
        f"Input{name}",
        f"an input that asks for nothing that can be done touches no item ({name})",
        {"NotifyFailure": [DONE]},
        (*path, "TellInput", *TELL),
        input=given,
        error="InputInvalid",
        cause=INPUT_RULE,
    )
    for inputs, path in ((NONSENSE, START), (MIXED, (*START, "CountRequests", "CheckRequests")))
    for name, given in inputs.items()
] + [
    case(
        f"Source{error}",
        f"a data source that {error} refuses is told before anything is registered",
        {"CheckSource": [Throw(f"BedrockAgent.{error}", "because")], "NotifyFailure": [DONE]},
        (*START, "AcceptRequest", "CheckSource", *TELL),
        error=f"BedrockAgent.{error}",
        cause="because",
    )
    for error in ("ValidationException", "AccessDeniedException", "ResourceNotFoundException")
]


def road_to(task: str) -> Road:
    if task in ("HandOver", "LetGo"):
        return Road({**HANDED_OVER, **FAILURE_TOLD}, WAITING)
    if task in ("ReadItem", "DescribeOwner", "TakeOver"):
        # After an owner whose state stayed unknown the item is looked at again.
        return Road(
            {**TAKEN_OVER, **FAILURE_TOLD, "ReadItem": [*TAKEN_OVER["ReadItem"], read(completed=TICKET)]}, REQUEST
        )
    if task == "SummarizeJob":
        return Road({**TWICE, **FAILURE_TOLD, "GetJob": [Throw(TOO_LONG)], "SummarizeJob": [summary()]}, REQUEST)
    if task == "ForgetJob":
        failing: Answers = {"GetJob": [job("FAILED"), COMPLETE], "ForgetJob": [DONE]}
        return Road({**TWICE, **FAILURE_TOLD, **failing}, REQUEST)
    if task in ("GiveUp", "NotifyFailure"):
        return Road({**WELL, **FAILURE_TOLD, "StartJob": [DENIED]}, REQUEST)
    return Road({**TWICE, **FAILURE_TOLD}, REQUEST)


SUITE = Suite(
    KB_SYNC,
    [*REQUESTS, *TAKEOVERS, *SUPERSEDED, *STARTS, *JOBS_TAKE, *HANDOVERS, *SWEEPS, *INPUTS],
    road_to,
    bounds=BOUNDS,
)
