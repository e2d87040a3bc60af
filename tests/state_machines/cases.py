"""The test cases of kendra_ingestion: what each Task answers, and the way that the execution then goes.

Together the cases of a deploy option take every edge of its definition; test_kendra_ingestion.py counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.state_machines.answers import (
    ACQUIRE,
    ARCHIVED,
    BY_MAP,
    BY_QUEUE,
    CHUNK,
    DONE,
    FAIL,
    FAILURE_TOLD,
    FINISH,
    INPUT,
    JOB,
    LOAD,
    LOOK,
    MANIFEST,
    OWNER,
    PLAN,
    REFUSED,
    REPORTED,
    RUN,
    SENDING,
    TELL,
    UPLOAD,
    VERIFIED,
    VERIFY,
    Sending,
    archived,
    locked,
    manifest,
    owner_is,
    pending,
    plan,
    report,
    sent,
)
from tests.state_machines.edges import WILDCARDS, all_states
from tests.state_machines.mocks import Answer, Answers, Return, Throw
from tests.state_machines.rendering import kendra_ingestion

MACHINES = {"sfn": "kendra-ingestion", "sqs": "kendra-ingestion-sqs"}
"""The state machine of each deploy option, on the engine that runs the cases."""


@dataclass(frozen=True)
class Case:
    """One execution. `path` is every state that it enters, in order; `error` is None where it succeeds.

    `sends` gives, for some Tasks, what parts of their last request must be.
    """

    name: str
    promise: str
    answers: Answers
    path: tuple[str, ...]
    error: str | None = None
    cause: str | None = None
    sends: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    input: Any = field(default_factory=lambda: INPUT)

    def __str__(self) -> str:
        return self.name


def cases_of(option: str) -> list[Case]:
    return [*shared_cases(SENDING[option], MACHINES[option]), *(MAP_CASES if option == "sfn" else QUEUE_CASES)]


def shared_cases(sending: Sending, machine: str) -> list[Case]:
    """The cases that do not depend on how a plan is sent, on the machine that sends it this way."""
    well, send = sending.all_well, sending.send
    return [
        Case(
            "AllWell",
            "a job is planned, sent, verified, reported, archived and told",
            well,
            (*ACQUIRE, *send, *FINISH),
            sends={
                "LoadManifest": {"input": INPUT, "attempt": "AllWell"},
                "ListBatches": {
                    **work("AllWell"),
                    "bucket": "ingestion",
                    "prefix": "phonebook",
                    "mode": "full",
                    "retryOf": None,
                    "cursor": None,
                },
                "Verify": {**work("AllWell"), "turn": 0},
                "AggregateFailures": work("AllWell"),
                "ArchiveManifest": {
                    **work("AllWell"),
                    "bucket": "ingestion",
                    "key": "phonebook/_control/manifest.json",
                    "etag": "6805f2cfc46c0f04559748bb039d69ae",
                },
                "Notify": {
                    "Subject": "Millrace: 3 of 12 documents failed",
                    "Message": "9 of 12 documents are searchable.",
                },
            },
        ),
        Case(
            "ChangedOnly",
            "the planner learns the manifest's mode and the job that it retries",
            {**well, "LoadManifest": [manifest(mode="changed", retryOf="an-earlier-job")]},
            (*ACQUIRE, *send, *FINISH),
            sends={"ListBatches": {"mode": "changed", "retryOf": "an-earlier-job"}},
        ),
        Case(
            "NothingToSend",
            "an empty plan still gives a report",
            {
                **without(well, sending.task),
                **sending.nothing,
                "ListBatches": [plan([])],
            },
            (*ACQUIRE, *PLAN, "ProcessBatches", *VERIFY, *FINISH),
        ),
        Case(
            "ListingGoesOn",
            "a listing that returns a cursor is called again with it",
            {**well, "ListBatches": [plan([], cursor={"pass": 1}), plan([0])]},
            (*ACQUIRE, *PLAN, "CountListing", *send, *FINISH),
            sends={"ListBatches": {"cursor": {"pass": 1}}},
        ),
        Case(
            "ListingEndless",
            "a listing that never ends fails with a name before anything is sent",
            {
                "LoadManifest": [MANIFEST],
                "AcquireLock": [DONE],
                "ListBatches": [plan([], cursor={"pass": 1})] * 201,
                **FAILURE_TOLD,
            },
            (*ACQUIRE, *(*PLAN, "CountListing") * 200, *PLAN, "GiveUpOnListing", *FAIL),
            error="ListingEndless",
        ),
        Case(
            "ListingFails",
            "a plan that cannot be made releases the lock and is told",
            {
                "LoadManifest": [MANIFEST],
                "AcquireLock": [DONE],
                "ListBatches": [Throw("PlanTooLarge", "too many documents")],
                **FAILURE_TOLD,
            },
            (*ACQUIRE, "ListBatches", *FAIL),
            error="PlanTooLarge",
            cause="too many documents",
            sends={"NotifyFailure": {"Subject": "Kendra ingestion failed"}},
        ),
        Case(
            "IndexTakesTime",
            "verification waits and asks again with the next turn",
            {**well, "Verify": [pending(1), pending(2), VERIFIED]},
            (*ACQUIRE, *PLAN, *sending.path, *(*VERIFY, "WaitForIndex") * 2, *VERIFY, *FINISH),
            sends={"Verify": {"turn": 2}},
        ),
        Case(
            "VerificationEndless",
            "verification ends at the turn that the history can bear",
            {**well, "Verify": [pending(800)]},
            (*ACQUIRE, *send, *FINISH),
        ),
        Case(
            "VerificationFails",
            "a verification that fails does not lose the report",
            {**well, "Verify": [Throw("WorkMissing")]},
            (*ACQUIRE, *PLAN, *sending.path, "Verify", *FINISH),
        ),
        Case(
            "ReportFails",
            "a report that cannot be made releases the lock and is told",
            {**well, "AggregateFailures": [Throw("LawBroken", "one outcome is missing")], **FAILURE_TOLD},
            (*ACQUIRE, *send, "ConfirmLock", "AggregateFailures", *FAIL),
            error="LawBroken",
            cause="one outcome is missing",
        ),
        Case(
            "Stopped",
            "a job that was stopped is reported and told, and its manifest stays for the next execution",
            {
                **without(well, "ArchiveManifest", "ReleaseLock"),
                "AggregateFailures": [report(stopped=True)],
                "ReleaseStopped": [DONE],
            },
            (*ACQUIRE, *send, *REPORTED, "ReleaseStopped", "Notify"),
        ),
        Case(
            "StoppedWhilePlanning",
            "a job that was stopped before its plan was whole sends nothing and ends as any stopped one",
            {
                **without(well, sending.task, "ArchiveManifest", "ReleaseLock"),
                **sending.nothing,
                "ListBatches": [plan([])],
                "AggregateFailures": [report(stopped=True)],
                "ReleaseStopped": [DONE],
            },
            (*ACQUIRE, *PLAN, "ProcessBatches", *VERIFY, *REPORTED, "ReleaseStopped", "Notify"),
        ),
        Case(
            "StoppedAndSuperseded",
            "a stopped job whose lock was taken over leaves it to its new owner",
            {
                **without(well, "ArchiveManifest", "ReleaseLock"),
                "AggregateFailures": [report(stopped=True)],
                "ReleaseStopped": [REFUSED],
            },
            (*ACQUIRE, *send, *REPORTED, "ReleaseStopped", "Notify"),
        ),
        Case(
            "SupersededBeforeReport",
            "an execution whose lock was taken over does not replace the new owner's report",
            {
                **without(well, "AggregateFailures", "ArchiveManifest", "ReleaseLock", "Notify"),
                "ConfirmLock": [REFUSED],
                "NotifyFailure": [DONE],
            },
            (*ACQUIRE, *send, "ConfirmLock", "ReportTakeover", *TELL),
            error="JobTakenOver",
        ),
        Case(
            "ManifestGone",
            "an event for a manifest that is gone ends quietly",
            {"LoadManifest": [Throw("ManifestGone")]},
            (*LOAD, "ManifestGone"),
        ),
        Case(
            "ManifestInvalid",
            "a bad manifest is told with its cause and touches no lock",
            {"LoadManifest": [Throw("ManifestInvalid", "prefix: is missing")], "NotifyFailure": [DONE]},
            (*LOAD, *TELL),
            error="ManifestInvalid",
            cause="prefix: is missing",
            sends={
                "NotifyFailure": {
                    "Subject": "Kendra ingestion failed",
                    "Message": "Job unknown failed with ManifestInvalid: prefix: is missing "
                    'The input was "no object" and the execution '
                    f"arn:aws:states:us-east-1:123456789012:execution:{machine}:ManifestInvalid.",
                }
            },
            input="no object",
        ),
        Case(
            "ManifestUnreadable",
            "any other error of LoadManifest is told, too",
            {"LoadManifest": [Throw("ConfigurationInvalid")], "NotifyFailure": [DONE]},
            (*LOAD, *TELL),
            error="ConfigurationInvalid",
        ),
        Case(
            "SameUploadFinished",
            "a second event for a finished upload ends quietly",
            {
                "LoadManifest": [MANIFEST],
                "AcquireLock": [REFUSED],
                "ReadLock": [locked(owner=None, finished=UPLOAD)],
            },
            (*ACQUIRE, *LOOK, "AlreadyFinished"),
        ),
        Case(
            "SameUploadFinishedUnderAnotherOwner",
            "a late event for a finished upload does not ask about the owner of a newer one",
            {
                "LoadManifest": [MANIFEST],
                "AcquireLock": [REFUSED],
                "ReadLock": [locked(upload="upload-3", finished=UPLOAD)],
            },
            (*ACQUIRE, *LOOK, "AlreadyFinished"),
        ),
        Case(
            "SameUploadRunning",
            "a second event for a running upload ends quietly",
            {
                "LoadManifest": [MANIFEST],
                "AcquireLock": [REFUSED],
                "ReadLock": [locked()],
                "DescribeOwner": [owner_is("RUNNING")],
            },
            (*ACQUIRE, *LOOK, "DescribeOwner", "CheckOwner", "AlreadyRunning"),
            sends={"DescribeOwner": {"ExecutionArn": OWNER}},
        ),
        Case(
            "SameUploadAwaitsRedrive",
            "an owner that is about to be redriven keeps its lock",
            {
                "LoadManifest": [MANIFEST],
                "AcquireLock": [REFUSED],
                "ReadLock": [locked(finished="upload-1")],
                "DescribeOwner": [owner_is("PENDING_REDRIVE")],
            },
            (*ACQUIRE, *LOOK, "DescribeOwner", "CheckOwner", "AlreadyRunning"),
        ),
        Case(
            "AnotherUploadRunning",
            "an upload that cannot be done now is told instead of lost",
            {
                "LoadManifest": [MANIFEST],
                "AcquireLock": [REFUSED],
                "ReadLock": [locked(upload="upload-1")],
                "DescribeOwner": [owner_is("RUNNING")],
                "NotifyFailure": [DONE],
            },
            (*ACQUIRE, *LOOK, "DescribeOwner", "CheckOwner", "ReportBusyJob", *TELL),
            error="JobBusy",
            cause=f"Another upload of this job is still being ingested by {OWNER}. "
            "Upload the manifest again when it has ended, or give it a jobId of its own.",
        ),
        Case(
            "OwnerEnded",
            "the lock of an execution that has ended is taken over",
            sending.taken_over,
            (*ACQUIRE, *LOOK, "DescribeOwner", "CheckOwner", "TakeOverLock", *send, *FINISH),
        ),
        Case(
            "OwnerUnknown",
            "the lock of an execution that nobody knows any more is taken over",
            {**sending.taken_over, "DescribeOwner": [Throw("Sfn.ExecutionDoesNotExistException")]},
            (*ACQUIRE, *LOOK, "DescribeOwner", "TakeOverLock", *send, *FINISH),
        ),
        Case(
            "OwnerEndedForTwo",
            "of two heirs one wins, and the other finds it running",
            {
                "LoadManifest": [MANIFEST],
                "AcquireLock": [REFUSED],
                "ReadLock": [locked(), locked(owner=OWNER + "-heir")],
                "DescribeOwner": [owner_is("FAILED"), owner_is("RUNNING")],
                "TakeOverLock": [REFUSED],
            },
            (
                *(*ACQUIRE, *LOOK, "DescribeOwner", "CheckOwner", "TakeOverLock"),
                *(*LOOK, "DescribeOwner", "CheckOwner", "AlreadyRunning"),
            ),
            sends={"DescribeOwner": {"ExecutionArn": OWNER + "-heir"}},
        ),
        Case(
            "LockFreedMeanwhile",
            "a lock that was released between the refusal and the look is acquired",
            {**well, "AcquireLock": [REFUSED, DONE], "ReadLock": [locked(owner=None, finished="upload-1")]},
            (*ACQUIRE, *LOOK, "AcquireLock", *send, *FINISH),
        ),
        Case(
            "LockItemGoneMeanwhile",
            "a lock whose item is gone is acquired",
            {**well, "AcquireLock": [REFUSED, DONE], "ReadLock": [Return({})]},
            (*ACQUIRE, *LOOK, "AcquireLock", *send, *FINISH),
        ),
        Case(
            "LockNeverSettles",
            "a lock that changes hands at every look is given up after seven",
            {
                "LoadManifest": [MANIFEST],
                "AcquireLock": [REFUSED] * 7,
                "ReadLock": [locked(owner=None)] * 7,
                "NotifyFailure": [DONE],
            },
            (*ACQUIRE, *(*LOOK, "AcquireLock") * 6, *LOOK, "GiveUpOnLock", *TELL),
            error="LockUnsettled",
        ),
        Case(
            "ManifestReplaced",
            "a newer manifest in its place stays there, and the job has finished all the same",
            {**well, "ArchiveManifest": [archived("replaced")]},
            (*ACQUIRE, *send, *FINISH),
        ),
        Case(
            "ArchivingFails",
            "a manifest that cannot be archived fails the job, without marking its upload finished",
            {**well, **FAILURE_TOLD, "ArchiveManifest": [Throw("ClientError", "AccessDenied")]},
            (*ACQUIRE, *send, *ARCHIVED, *FAIL),
            error="ClientError",
            cause="AccessDenied",
        ),
        Case(
            "Superseded",
            "an execution whose lock was taken over after its report leaves it to its new owner",
            {**well, "ReleaseLock": [REFUSED]},
            (*ACQUIRE, *send, *FINISH),
        ),
        Case(
            "FailureWithoutLock",
            "a failure after losing the lock leaves it to its new owner",
            {
                **well,
                "AggregateFailures": [Throw("LawBroken")],
                "ReleaseAfterFailure": [REFUSED],
                "NotifyFailure": [DONE],
            },
            (*ACQUIRE, *send, "ConfirmLock", "AggregateFailures", *FAIL),
            error="LawBroken",
        ),
    ]


def without(answers: Answers, *tasks: str) -> Answers:
    return {task: given for task, given in answers.items() if task not in tasks}


def work(attempt: str) -> dict[str, str]:
    """What every function after LoadManifest learns of the work that it is to take part in."""
    return {"jobId": JOB, "run": RUN, "attempt": attempt}


MAP_CASES = [
    Case(
        "ChunkIsSent",
        "a chunk is sent for its run and attempt",
        BY_MAP.all_well,
        (*ACQUIRE, *BY_MAP.send, *FINISH),
        sends={"ProcessBatch": {**work("ChunkIsSent"), "bucket": "ingestion", "chunk": 0, "cursor": None}},
    ),
    Case(
        "ChunkGoesOn",
        "a chunk that returns a cursor is called again with it",
        {**BY_MAP.all_well, "ProcessBatch": [sent(0, cursor=40), sent(0)]},
        (
            *(*ACQUIRE, *PLAN, "ProcessBatches", "ProcessBatch", "CheckChunk", "ContinueChunk"),
            *(*CHUNK, *VERIFY, *FINISH),
        ),
        sends={"ProcessBatch": {**work("ChunkGoesOn"), "bucket": "ingestion", "chunk": 0, "cursor": 40}},
    ),
    Case(
        "ChunkEndless",
        "a chunk that never ends is given up and the report is still made",
        {**BY_MAP.all_well, "ProcessBatch": [sent(0, cursor=40)] * 51},
        (
            *(*ACQUIRE, *PLAN, "ProcessBatches", *("ProcessBatch", "CheckChunk", "ContinueChunk") * 50),
            *("ProcessBatch", "CheckChunk", "ChunkNotProcessed", *VERIFY, *FINISH),
        ),
    ),
    Case(
        "ChunkFails",
        "a chunk that fails does not stop the others",
        {**BY_MAP.all_well, "ListBatches": [plan([0, 1])], "ProcessBatch": [Throw("WorkMissing"), sent(1)]},
        (
            *(*ACQUIRE, *PLAN, "ProcessBatches", "ProcessBatch", "ChunkNotProcessed"),
            *(*CHUNK, *VERIFY, *FINISH),
        ),
        sends={"ProcessBatch": {"chunk": 1}},
    ),
]

QUEUE_CASES = [
    *(
        Case(
            f"Enqueueing{error}",
            f"messages that nobody sends do not lose the report, and {error} is not tried again",
            {**BY_QUEUE.all_well, "ProcessBatches": [Throw(error)]},
            (*ACQUIRE, *BY_QUEUE.send, *FINISH),
            sends={"Verify": {**work(f"Enqueueing{error}"), "turn": 0}},
        )
        for error in ("ConfigurationInvalid", "MessageRefused", "WorkMissing")
    ),
    Case(
        "WaitingEnds",
        "a wait that reached its end is not begun again",
        {**BY_QUEUE.all_well, "ProcessBatches": [Throw("States.Timeout")]},
        (*ACQUIRE, *BY_QUEUE.send, *FINISH),
    ),
]


def retry_cases(definition: Mapping[str, Any], sending: Sending) -> Iterator[Case]:
    """For each retrier: an execution that meets each of its errors once, and one whose error outlasts it."""
    for task, state in all_states(definition).items():
        for number, retrier in enumerate(state.get("Retry", [])):
            if retrier["MaxAttempts"] == 0:
                continue
            errors = [thrown_for(name) for name in retrier["ErrorEquals"]]
            answers = road_to(task, sending)
            yield Case(
                f"{task}Retried{number}",
                f"{task} is tried again after each of {', '.join(retrier['ErrorEquals'])}",
                {**answers, task: [*map(Throw, errors), *answers[task]]},
                path=(),
            )
            lasting: list[Answer] = [Throw(errors[0])] * (1 + retrier["MaxAttempts"])
            yield Case(
                f"{task}GivenUp{number}",
                f"{task} is given up when {errors[0]} outlasts {retrier['MaxAttempts']} retries",
                {**answers, task: [*lasting, *answers[task][1:]]},
                path=(),
            )


def thrown_for(listed: str) -> str:
    """An error that a name in ErrorEquals matches."""
    return "Service.Unavailable" if listed in WILDCARDS else listed


def road_to(task: str, sending: Sending) -> Answers:
    """Answers of an execution that comes by the task, and of what may follow if the task fails."""
    if task in sending.all_well:
        return {**sending.all_well, **FAILURE_TOLD}
    if task == "ReleaseStopped":
        return {
            **sending.all_well,
            **FAILURE_TOLD,
            "AggregateFailures": [report(stopped=True)],
            "ReleaseStopped": [DONE],
        }
    if task in sending.taken_over:
        return {**sending.taken_over, **FAILURE_TOLD, **(LOOKED_AGAIN if task == "DescribeOwner" else {})}
    return {**sending.all_well, "AggregateFailures": [Throw("LawBroken")], **FAILURE_TOLD}


# After an owner whose state stayed unknown the lock is looked at again.
LOOKED_AGAIN: Answers = {"ReadLock": [locked(), locked(owner=None, finished=UPLOAD)]}

CASES = [(option, case) for option in MACHINES for case in cases_of(option)]
RETRY_CASES = [(option, case) for option in MACHINES for case in retry_cases(kendra_ingestion(option), SENDING[option])]


def named(part: str | Case) -> str:
    """The name of a test's parameter: the option, or what the case promises."""
    return part.promise if isinstance(part, Case) else part
