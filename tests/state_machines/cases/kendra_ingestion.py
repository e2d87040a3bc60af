"""The test cases of kendra_ingestion, of both its deploy options."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.state_machines.answers.kendra_ingestion import (
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
from tests.state_machines.cases.case import Case, Road, Suite, without
from tests.state_machines.machines import KENDRA_INGESTION, KENDRA_INGESTION_SQS, Machine
from tests.state_machines.mocks import Answers, Return, Throw


def case(name: str, promise: str, answers: Answers, path: tuple[str, ...], **more: Any) -> Case:
    return Case(name, promise, answers, path, **{"input": INPUT, **more})


def shared_cases(sending: Sending, machine: Machine) -> list[Case]:
    """The cases that do not depend on how a plan is sent, on the machine that sends it this way."""
    well, send = sending.all_well, sending.send
    return [
        case(
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
        case(
            "ChangedOnly",
            "the planner learns the manifest's mode and the job that it retries",
            {**well, "LoadManifest": [manifest(mode="changed", retryOf="an-earlier-job")]},
            (*ACQUIRE, *send, *FINISH),
            sends={"ListBatches": {"mode": "changed", "retryOf": "an-earlier-job"}},
        ),
        case(
            "NothingToSend",
            "an empty plan still gives a report",
            {
                **without(well, sending.task),
                **sending.nothing,
                "ListBatches": [plan([])],
            },
            (*ACQUIRE, *PLAN, "ProcessBatches", *VERIFY, *FINISH),
        ),
        case(
            "ListingGoesOn",
            "a listing that returns a cursor is called again with it",
            {**well, "ListBatches": [plan([], cursor={"pass": 1}), plan([0])]},
            (*ACQUIRE, *PLAN, "CountListing", *send, *FINISH),
            sends={"ListBatches": {"cursor": {"pass": 1}}},
        ),
        case(
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
        case(
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
        case(
            "IndexTakesTime",
            "verification waits and asks again with the next turn",
            {**well, "Verify": [pending(1), pending(2), VERIFIED]},
            (*ACQUIRE, *PLAN, *sending.path, *(*VERIFY, "WaitForIndex") * 2, *VERIFY, *FINISH),
            sends={"Verify": {"turn": 2}},
        ),
        case(
            "VerificationEndless",
            "verification ends at the turn that the history can bear",
            {**well, "Verify": [pending(800)]},
            (*ACQUIRE, *send, *FINISH),
        ),
        case(
            "VerificationFails",
            "a verification that fails does not lose the report",
            {**well, "Verify": [Throw("WorkMissing")]},
            (*ACQUIRE, *PLAN, *sending.path, "Verify", *FINISH),
        ),
        case(
            "ReportFails",
            "a report that cannot be made releases the lock and is told",
            {**well, "AggregateFailures": [Throw("LawBroken", "one outcome is missing")], **FAILURE_TOLD},
            (*ACQUIRE, *send, "ConfirmLock", "AggregateFailures", *FAIL),
            error="LawBroken",
            cause="one outcome is missing",
        ),
        case(
            "Stopped",
            "a job that was stopped is reported and told, and its manifest stays for the next execution",
            {
                **without(well, "ArchiveManifest", "ReleaseLock"),
                "AggregateFailures": [report(stopped=True)],
                "ReleaseStopped": [DONE],
            },
            (*ACQUIRE, *send, *REPORTED, "ReleaseStopped", "Notify"),
        ),
        case(
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
        case(
            "StoppedAndSuperseded",
            "a stopped job whose lock was taken over leaves it to its new owner",
            {
                **without(well, "ArchiveManifest", "ReleaseLock"),
                "AggregateFailures": [report(stopped=True)],
                "ReleaseStopped": [REFUSED],
            },
            (*ACQUIRE, *send, *REPORTED, "ReleaseStopped", "Notify"),
        ),
        case(
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
        case(
            "ManifestGone",
            "an event for a manifest that is gone ends quietly",
            {"LoadManifest": [Throw("ManifestGone")]},
            (*LOAD, "ManifestGone"),
        ),
        case(
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
                    f"{machine.execution('ManifestInvalid')}.",
                }
            },
            input="no object",
        ),
        case(
            "ManifestUnreadable",
            "any other error of LoadManifest is told, too",
            {"LoadManifest": [Throw("ConfigurationInvalid")], "NotifyFailure": [DONE]},
            (*LOAD, *TELL),
            error="ConfigurationInvalid",
        ),
        case(
            "SameUploadFinished",
            "a second event for a finished upload ends quietly",
            {
                "LoadManifest": [MANIFEST],
                "AcquireLock": [REFUSED],
                "ReadLock": [locked(owner=None, finished=UPLOAD)],
            },
            (*ACQUIRE, *LOOK, "AlreadyFinished"),
        ),
        case(
            "SameUploadFinishedUnderAnotherOwner",
            "a late event for a finished upload does not ask about the owner of a newer one",
            {
                "LoadManifest": [MANIFEST],
                "AcquireLock": [REFUSED],
                "ReadLock": [locked(upload="upload-3", finished=UPLOAD)],
            },
            (*ACQUIRE, *LOOK, "AlreadyFinished"),
        ),
        case(
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
        case(
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
        case(
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
        case(
            "OwnerEnded",
            "the lock of an execution that has ended is taken over",
            sending.taken_over,
            (*ACQUIRE, *LOOK, "DescribeOwner", "CheckOwner", "TakeOverLock", *send, *FINISH),
        ),
        case(
            "OwnerUnknown",
            "the lock of an execution that nobody knows any more is taken over",
            {**sending.taken_over, "DescribeOwner": [Throw("Sfn.ExecutionDoesNotExistException")]},
            (*ACQUIRE, *LOOK, "DescribeOwner", "TakeOverLock", *send, *FINISH),
        ),
        case(
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
        case(
            "LockFreedMeanwhile",
            "a lock that was released between the refusal and the look is acquired",
            {**well, "AcquireLock": [REFUSED, DONE], "ReadLock": [locked(owner=None, finished="upload-1")]},
            (*ACQUIRE, *LOOK, "AcquireLock", *send, *FINISH),
        ),
        case(
            "LockItemGoneMeanwhile",
            "a lock whose item is gone is acquired",
            {**well, "AcquireLock": [REFUSED, DONE], "ReadLock": [Return({})]},
            (*ACQUIRE, *LOOK, "AcquireLock", *send, *FINISH),
        ),
        case(
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
        case(
            "ManifestReplaced",
            "a newer manifest in its place stays there, and the job has finished all the same",
            {**well, "ArchiveManifest": [archived("replaced")]},
            (*ACQUIRE, *send, *FINISH),
        ),
        case(
            "ArchivingFails",
            "a manifest that cannot be archived fails the job, without marking its upload finished",
            {**well, **FAILURE_TOLD, "ArchiveManifest": [Throw("ClientError", "AccessDenied")]},
            (*ACQUIRE, *send, *ARCHIVED, *FAIL),
            error="ClientError",
            cause="AccessDenied",
        ),
        case(
            "Superseded",
            "an execution whose lock was taken over after its report leaves it to its new owner",
            {**well, "ReleaseLock": [REFUSED]},
            (*ACQUIRE, *send, *FINISH),
        ),
        case(
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


def work(attempt: str) -> dict[str, str]:
    """What every function after LoadManifest learns of the work that it is to take part in."""
    return {"jobId": JOB, "run": RUN, "attempt": attempt}


MAP_CASES = [
    case(
        "ChunkIsSent",
        "a chunk is sent for its run and attempt",
        BY_MAP.all_well,
        (*ACQUIRE, *BY_MAP.send, *FINISH),
        sends={"ProcessBatch": {**work("ChunkIsSent"), "bucket": "ingestion", "chunk": 0, "cursor": None}},
    ),
    case(
        "ChunkGoesOn",
        "a chunk that returns a cursor is called again with it",
        {**BY_MAP.all_well, "ProcessBatch": [sent(0, cursor=40), sent(0)]},
        (
            *(*ACQUIRE, *PLAN, "ProcessBatches", "ProcessBatch", "CheckChunk", "ContinueChunk"),
            *(*CHUNK, *VERIFY, *FINISH),
        ),
        sends={"ProcessBatch": {**work("ChunkGoesOn"), "bucket": "ingestion", "chunk": 0, "cursor": 40}},
    ),
    case(
        "ChunkEndless",
        "a chunk that never ends is given up and the report is still made",
        {**BY_MAP.all_well, "ProcessBatch": [sent(0, cursor=40)] * 51},
        (
            *(*ACQUIRE, *PLAN, "ProcessBatches", *("ProcessBatch", "CheckChunk", "ContinueChunk") * 50),
            *("ProcessBatch", "CheckChunk", "ChunkNotProcessed", *VERIFY, *FINISH),
        ),
    ),
    case(
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
        case(
            f"Enqueueing{error}",
            f"messages that nobody sends do not lose the report, and {error} is not tried again",
            {**BY_QUEUE.all_well, "ProcessBatches": [Throw(error)]},
            (*ACQUIRE, *BY_QUEUE.send, *FINISH),
            sends={"Verify": {**work(f"Enqueueing{error}"), "turn": 0}},
        )
        for error in ("ConfigurationInvalid", "MessageRefused", "WorkMissing")
    ),
    case(
        "WaitingEnds",
        "a wait that reached its end is not begun again",
        {**BY_QUEUE.all_well, "ProcessBatches": [Throw("States.Timeout")]},
        (*ACQUIRE, *BY_QUEUE.send, *FINISH),
    ),
]


def road_to(task: str, sending: Sending) -> Road:
    return Road(answers_on_the_way_to(task, sending), INPUT)


def answers_on_the_way_to(task: str, sending: Sending) -> Answers:
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

SUITES = [
    Suite(machine, [*shared_cases(sending, machine), *own], partial(road_to, sending=sending))
    for machine, sending, own in (
        (KENDRA_INGESTION, BY_MAP, MAP_CASES),
        (KENDRA_INGESTION_SQS, BY_QUEUE, QUEUE_CASES),
    )
]
