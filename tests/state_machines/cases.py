"""The test cases of kendra_ingestion: what each Task answers, and the way that the execution then goes.

Together they take every edge of the definition; test_kendra_ingestion.py counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.state_machines.edges import ANY_ERROR, all_states
from tests.state_machines.mocks import Answer, Answers, Return, Throw, function_answer

MACHINE = "kendra-ingestion"
INPUT = {"bucket": "ingestion", "key": "phonebook/_control/manifest.json", "sequencer": "0055AED6DCD90281E5"}
UPLOAD = "upload-2"
EXPIRES_AT = "1780000000"
OWNER = "arn:aws:states:us-east-1:123456789012:execution:kendra-ingestion:an-earlier-one"

MANIFEST = function_answer(
    {
        "jobId": "phonebook-2025-10-05T12-00Z",
        "prefix": "phonebook/",
        "mode": "full",
        "bucket": "ingestion",
        "key": "phonebook/_control/manifest.json",
        "etag": "6805f2cfc46c0f04559748bb039d69ae",
        "upload": UPLOAD,
        "expiresAt": EXPIRES_AT,
    }
)
REPORT = function_answer(
    {
        "counts": {"planned": 12, "indexed": 9, "failed": 3},
        "report": "s3://reports/_reports/phonebook-2025-10-05T12-00Z/failures.csv",
        "summary": "s3://reports/_reports/phonebook-2025-10-05T12-00Z/summary.json",
        "subject": "Kendra ingestion finished: 3 of 12 documents failed",
        "message": "9 of 12 documents are searchable.",
    }
)
DONE = Return({})
VERIFIED = function_answer({"turn": 1, "done": True, "pending": 0, "waitSeconds": 0})
REFUSED = Throw("DynamoDB.ConditionalCheckFailedException", "The conditional request failed")


def plan(chunks: Sequence[int], *, cursor: Any = None) -> Return:
    return function_answer(
        {"cursor": cursor, "done": cursor is None, "chunks": list(chunks), "planned": 12, "failed": 3}
    )


def sent(chunk: int, *, cursor: Any = None) -> Return:
    return function_answer({"chunk": chunk, "cursor": cursor, "done": cursor is None})


def pending(turn: int) -> Return:
    return function_answer({"turn": turn, "done": False, "pending": 4, "waitSeconds": 1})


def archived(manifest: str) -> Return:
    return function_answer(
        {"archive": "s3://reports/_archive/phonebook-2025-10-05T12-00Z/manifest.json", "manifest": manifest}
    )


def locked(*, owner: str | None = OWNER, upload: str = UPLOAD, finished: str | None = None) -> Return:
    item = {"jobId": {"S": "phonebook-2025-10-05T12-00Z"}, "upload": {"S": upload}}
    if owner:
        item["owner"] = {"S": owner}
    if finished:
        item["finishedUpload"] = {"S": finished}
    return Return({"Item": item})


def owner_is(status: str) -> Return:
    return Return({"ExecutionArn": OWNER, "Name": "an-earlier-one", "Status": status})


ALL_WELL: Answers = {
    "LoadManifest": [MANIFEST],
    "AcquireLock": [DONE],
    "ListBatches": [plan([0])],
    "ProcessBatch": [sent(0)],
    "Verify": [VERIFIED],
    "AggregateFailures": [REPORT],
    "ArchiveManifest": [archived("deleted")],
    "ReleaseLock": [DONE],
    "Notify": [DONE],
}
FAILURE_TOLD: Answers = {"ReleaseAfterFailure": [DONE], "NotifyFailure": [DONE]}
TAKEN_OVER: Answers = {
    **ALL_WELL,
    "AcquireLock": [REFUSED],
    "ReadLock": [locked()],
    "DescribeOwner": [owner_is("ABORTED")],
    "TakeOverLock": [DONE],
}

LOAD = ("Initialize", "LoadManifest")
ACQUIRE = (*LOAD, "AcquireLock")
LOOK = ("CountLook", "ReadLock", "CheckLock")
PLAN = ("ListBatches", "CheckListing")
CHUNK = ("ProcessBatch", "CheckChunk", "ChunkProcessed")
MAP = ("ProcessBatches", *CHUNK)
VERIFY = ("Verify", "CheckVerification")
SEND = (*PLAN, *MAP, *VERIFY)
REPORTED = ("AggregateFailures", "ArchiveManifest")
FINISH = (*REPORTED, "ReleaseLock", "Notify")
TELL = ("DescribeFailure", "NotifyFailure", "Failed")
FAIL = ("ReleaseAfterFailure", *TELL)


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


CASES = [
    Case(
        "AllWell",
        "a job is planned, sent, verified, reported, archived and told",
        ALL_WELL,
        (*ACQUIRE, *SEND, *FINISH),
        sends={
            "LoadManifest": {"input": INPUT, "run": "AllWell"},
            "ListBatches": {"prefix": "phonebook/", "bucket": "ingestion", "cursor": None},
            "ProcessBatch": {
                "jobId": "phonebook-2025-10-05T12-00Z",
                "bucket": "ingestion",
                "chunk": 0,
                "cursor": None,
            },
            "Verify": {"jobId": "phonebook-2025-10-05T12-00Z", "run": "AllWell", "turn": 0},
            "ArchiveManifest": {
                "jobId": "phonebook-2025-10-05T12-00Z",
                "run": "AllWell",
                "bucket": "ingestion",
                "key": "phonebook/_control/manifest.json",
                "etag": "6805f2cfc46c0f04559748bb039d69ae",
            },
            "Notify": {
                "Subject": "Kendra ingestion finished: 3 of 12 documents failed",
                "Message": "9 of 12 documents are searchable.",
            },
        },
    ),
    Case(
        "NothingToSend",
        "an empty plan still gives a report",
        {
            **{task: answers for task, answers in ALL_WELL.items() if task != "ProcessBatch"},
            "ListBatches": [plan([])],
        },
        (*ACQUIRE, *PLAN, "ProcessBatches", *VERIFY, *FINISH),
    ),
    Case(
        "ListingGoesOn",
        "a listing that returns a cursor is called again with it",
        {**ALL_WELL, "ListBatches": [plan([], cursor={"pass": 1}), plan([0])]},
        (*ACQUIRE, *PLAN, "CountListing", *SEND, *FINISH),
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
        "ChunkGoesOn",
        "a chunk that returns a cursor is called again with it",
        {**ALL_WELL, "ProcessBatch": [sent(0, cursor=40), sent(0)]},
        (
            *(*ACQUIRE, *PLAN, "ProcessBatches", "ProcessBatch", "CheckChunk", "ContinueChunk"),
            *(*CHUNK, *VERIFY, *FINISH),
        ),
        sends={"ProcessBatch": {"chunk": 0, "cursor": 40, "bucket": "ingestion", "run": "ChunkGoesOn"}},
    ),
    Case(
        "ChunkEndless",
        "a chunk that never ends is given up and the report is still made",
        {**ALL_WELL, "ProcessBatch": [sent(0, cursor=40)] * 51},
        (
            *(*ACQUIRE, *PLAN, "ProcessBatches", *("ProcessBatch", "CheckChunk", "ContinueChunk") * 50),
            *("ProcessBatch", "CheckChunk", "ChunkNotProcessed", *VERIFY, *FINISH),
        ),
    ),
    Case(
        "ChunkFails",
        "a chunk that fails does not stop the others",
        {**ALL_WELL, "ListBatches": [plan([0, 1])], "ProcessBatch": [Throw("SinkMisconfigured"), sent(1)]},
        (
            *(*ACQUIRE, *PLAN, "ProcessBatches", "ProcessBatch", "ChunkNotProcessed"),
            *(*CHUNK, *VERIFY, *FINISH),
        ),
        sends={"ProcessBatch": {"chunk": 1}},
    ),
    Case(
        "IndexTakesTime",
        "verification waits and asks again with the next turn",
        {**ALL_WELL, "Verify": [pending(1), pending(2), VERIFIED]},
        (*ACQUIRE, *PLAN, *MAP, *(*VERIFY, "WaitForIndex") * 2, *VERIFY, *FINISH),
        sends={"Verify": {"turn": 2}},
    ),
    Case(
        "VerificationEndless",
        "verification ends at the turn that the history can bear",
        {**ALL_WELL, "Verify": [pending(800)]},
        (*ACQUIRE, *SEND, *FINISH),
    ),
    Case(
        "VerificationFails",
        "a verification that fails does not lose the report",
        {**ALL_WELL, "Verify": [Throw("WorkMissing")]},
        (*ACQUIRE, *PLAN, *MAP, "Verify", *FINISH),
    ),
    Case(
        "ReportFails",
        "a report that cannot be made releases the lock and is told",
        {**ALL_WELL, "AggregateFailures": [Throw("LawBroken", "one outcome is missing")], **FAILURE_TOLD},
        (*ACQUIRE, *SEND, "AggregateFailures", *FAIL),
        error="LawBroken",
        cause="one outcome is missing",
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
                "arn:aws:states:us-east-1:123456789012:execution:kendra-ingestion:ManifestInvalid.",
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
        TAKEN_OVER,
        (*ACQUIRE, *LOOK, "DescribeOwner", "CheckOwner", "TakeOverLock", *SEND, *FINISH),
    ),
    Case(
        "OwnerUnknown",
        "the lock of an execution that nobody knows any more is taken over",
        {**TAKEN_OVER, "DescribeOwner": [Throw("Sfn.ExecutionDoesNotExistException")]},
        (*ACQUIRE, *LOOK, "DescribeOwner", "TakeOverLock", *SEND, *FINISH),
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
        {**ALL_WELL, "AcquireLock": [REFUSED, DONE], "ReadLock": [locked(owner=None, finished="upload-1")]},
        (*ACQUIRE, *LOOK, "AcquireLock", *SEND, *FINISH),
    ),
    Case(
        "LockItemGoneMeanwhile",
        "a lock whose item is gone is acquired",
        {**ALL_WELL, "AcquireLock": [REFUSED, DONE], "ReadLock": [Return({})]},
        (*ACQUIRE, *LOOK, "AcquireLock", *SEND, *FINISH),
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
        {**ALL_WELL, "ArchiveManifest": [archived("replaced")]},
        (*ACQUIRE, *SEND, *FINISH),
    ),
    Case(
        "ArchivingFails",
        "a manifest that cannot be archived fails the job, without marking its upload finished",
        {**ALL_WELL, **FAILURE_TOLD, "ArchiveManifest": [Throw("ClientError", "AccessDenied")]},
        (*ACQUIRE, *SEND, *REPORTED, *FAIL),
        error="ClientError",
        cause="AccessDenied",
    ),
    Case(
        "Superseded",
        "an execution whose lock was taken over still reports what it did",
        {**ALL_WELL, "ReleaseLock": [REFUSED]},
        (*ACQUIRE, *SEND, *FINISH),
    ),
    Case(
        "FailureWithoutLock",
        "a failure after losing the lock leaves it to its new owner",
        {
            **ALL_WELL,
            "AggregateFailures": [Throw("LawBroken")],
            "ReleaseAfterFailure": [REFUSED],
            "NotifyFailure": [DONE],
        },
        (*ACQUIRE, *SEND, "AggregateFailures", *FAIL),
        error="LawBroken",
    ),
]


def retry_cases(definition: Mapping[str, Any]) -> Iterator[Case]:
    """For each retrier: an execution that meets each of its errors once, and one whose error outlasts it."""
    for task, state in all_states(definition).items():
        for number, retrier in enumerate(state.get("Retry", [])):
            if retrier["MaxAttempts"] == 0:
                continue
            errors = [thrown_for(name) for name in retrier["ErrorEquals"]]
            answers = road_to(task)
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
    return "Service.Unavailable" if listed == ANY_ERROR else listed


def road_to(task: str) -> Answers:
    """Answers of an execution that comes by the task, and of what may follow if the task fails."""
    for road in (ALL_WELL, TAKEN_OVER):
        if task in road:
            return {**road, **FAILURE_TOLD, **LOOKED_AGAIN} if task == "DescribeOwner" else {**road, **FAILURE_TOLD}
    return {**ALL_WELL, "AggregateFailures": [Throw("LawBroken")], **FAILURE_TOLD}


# After an owner whose state stayed unknown the lock is looked at again.
LOOKED_AGAIN: Answers = {"ReadLock": [locked(), locked(owner=None, finished=UPLOAD)]}
