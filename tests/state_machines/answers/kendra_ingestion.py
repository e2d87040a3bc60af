"""What the Tasks of kendra_ingestion answer in the test cases, and whole ways through the machine.

The deploy options differ in how they send, and in nothing else: `Sending` holds the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.state_machines.mocks import Answers, Return, Throw, function_answer

INPUT = {"bucket": "ingestion", "key": "phonebook/_control/manifest.json", "sequencer": "0055AED6DCD90281E5"}
JOB = "phonebook-2025-10-05T12-00Z"
RUN = "5c1f0a7be2d94836"
UPLOAD = "upload-2"
EXPIRES_AT = "1780000000"
OWNER = "arn:aws:states:us-east-1:123456789012:execution:kendra-ingestion:an-earlier-one"


def manifest(**fields: Any) -> Return:
    return function_answer(
        {
            "jobId": JOB,
            "run": RUN,
            "prefix": "phonebook",
            "mode": "full",
            "retryOf": None,
            "bucket": "ingestion",
            "key": "phonebook/_control/manifest.json",
            "etag": "6805f2cfc46c0f04559748bb039d69ae",
            "upload": UPLOAD,
            "expiresAt": EXPIRES_AT,
            **fields,
        }
    )


def report(*, stopped: bool = False) -> Return:
    return function_answer(
        {
            "counts": {
                "planned": 12,
                "indexed": 9,
                "updated": 0,
                "deleted": 0,
                "unchanged": 0,
                "failed": 3,
                "unverified": 0,
            },
            "stopped": stopped,
            "report": f"s3://reports/_reports/{JOB}/failures.csv",
            "summary": f"s3://reports/_reports/{JOB}/summary.json",
            "subject": "Millrace: 3 of 12 documents failed",
            "message": "9 of 12 documents are searchable.",
        }
    )


def plan(chunks: Sequence[int], *, cursor: Any = None) -> Return:
    return function_answer(
        {
            "cursor": cursor,
            "done": cursor is None,
            "chunks": list(chunks),
            "planned": 12,
            "failed": 3,
            "unchanged": 0,
        }
    )


def sent(chunk: int, *, cursor: Any = None) -> Return:
    return function_answer({"chunk": chunk, "cursor": cursor, "done": cursor is None})


def pending(turn: int, *, wait_seconds: int = 1) -> Return:
    return function_answer({"turn": turn, "done": False, "pending": 4, "waitSeconds": wait_seconds})


def archived(manifest: str) -> Return:
    return function_answer({"archive": f"s3://reports/_archive/{JOB}/manifest.json", "manifest": manifest})


def locked(*, owner: str | None = OWNER, upload: str = UPLOAD, finished: str | None = None) -> Return:
    item = {"jobId": {"S": JOB}, "run": {"S": RUN}, "upload": {"S": upload}}
    if owner:
        item["owner"] = {"S": owner}
    if finished:
        item["finishedUpload"] = {"S": finished}
    return Return({"Item": item})


def owner_is(status: str) -> Return:
    return Return({"ExecutionArn": OWNER, "Name": "an-earlier-one", "Status": status})


DONE = Return({})
MANIFEST = manifest()
REPORT = report()
VERIFIED = function_answer({"turn": 1, "done": True, "pending": 0, "waitSeconds": 0})
REFUSED = Throw("DynamoDB.ConditionalCheckFailedException", "The conditional request failed")

LOAD = ("Initialize", "LoadManifest")
ACQUIRE = (*LOAD, "AcquireLock")
LOOK = ("CountLook", "ReadLock", "CheckLock")
PLAN = ("ListBatches", "CheckListing")
CHUNK = ("ProcessBatch", "CheckChunk", "ChunkProcessed")
VERIFY = ("Verify", "CheckVerification")
REPORTED = ("ConfirmLock", "AggregateFailures", "CheckStop")
ARCHIVED = (*REPORTED, "ArchiveManifest")
FINISH = (*ARCHIVED, "ReleaseLock", "Notify")
TELL = ("DescribeFailure", "NotifyFailure", "Failed")
FAIL = ("ReleaseAfterFailure", *TELL)

FAILURE_TOLD: Answers = {"ReleaseAfterFailure": [DONE], "NotifyFailure": [DONE]}


@dataclass(frozen=True)
class Sending:
    """How one deploy option sends a plan of one chunk: what its Task answers, and the states on the way.

    `nothing` is what remains of the answers when the plan is empty.
    """

    task: str
    answers: Answers
    path: tuple[str, ...]
    nothing: Answers

    @property
    def send(self) -> tuple[str, ...]:
        """From planning to the end of verification."""
        return (*PLAN, *self.path, *VERIFY)

    @property
    def all_well(self) -> dict[str, Sequence[Return | Throw]]:
        return {
            "LoadManifest": [MANIFEST],
            "AcquireLock": [DONE],
            "ListBatches": [plan([0])],
            **self.answers,
            "Verify": [VERIFIED],
            "ConfirmLock": [DONE],
            "AggregateFailures": [REPORT],
            "ArchiveManifest": [archived("deleted")],
            "ReleaseLock": [DONE],
            "Notify": [DONE],
        }

    @property
    def taken_over(self) -> dict[str, Sequence[Return | Throw]]:
        return {
            **self.all_well,
            "AcquireLock": [REFUSED],
            "ReadLock": [locked()],
            "DescribeOwner": [owner_is("ABORTED")],
            "TakeOverLock": [DONE],
        }


BY_MAP = Sending(
    task="ProcessBatch",
    answers={"ProcessBatch": [sent(0)]},
    path=("ProcessBatches", *CHUNK),
    nothing={},
)
BY_QUEUE = Sending(
    task="ProcessBatches",
    answers={"ProcessBatches": [DONE]},
    path=("ProcessBatches",),
    nothing={"ProcessBatches": [DONE]},
)
