"""What the Tasks of single flight and of kb_sync answer in the test cases, and parts of the ways through."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.state_machines.machines import KB_SYNC
from tests.state_machines.mocks import Answers, Return, Throw

KNOWLEDGE_BASE, DATA_SOURCE = "KB12345678", "DS12345678"
KEY = f"{KNOWLEDGE_BASE}/{DATA_SOURCE}"
REQUEST = {"knowledgeBaseId": KNOWLEDGE_BASE, "dataSourceId": DATA_SOURCE}
WAITING = {**REQUEST, "wait": True}
SWEEP = {"flight": {"key": KEY, "mode": "sweep"}}
ME, ANOTHER, PREDECESSOR = (KB_SYNC.execution(name) for name in ("me", "another", "predecessor"))
SUCCESSOR = {"flight": {"key": KEY, "mode": "successor", "wait": False, "predecessor": PREDECESSOR, "hop": 2}}

TICKET = 5
REGISTERED_AT = "2026-01-31T12:00:00.000Z"
SNAPSHOT_AT = "2026-01-31T12:00:01.000Z"
RESULT = {
    "IngestionJobId": "JOB1",
    "Status": "COMPLETE",
    "Statistics": {"NumberOfDocumentsScanned": 5},
    "FailureReasons": [],
}

DONE = Return({})
REFUSED = Throw("DynamoDB.ConditionalCheckFailedException", "The conditional request failed")
CONFLICT = Throw("BedrockAgent.ConflictException", "a job is running")
DENIED = Throw("BedrockAgent.AccessDeniedException", "not allowed")


def last_job(covers: int) -> dict[str, Any]:
    return {"M": {"job": {"S": "JOB1"}, "covers": {"N": str(covers)}, "result": {"S": json.dumps(RESULT)}}}


def item(
    *,
    requested: int = TICKET,
    completed: int = TICKET - 1,
    given_up: int = 0,
    owner: str | None = None,
    job: str | None = None,
    covers: int = TICKET,
) -> dict[str, Any]:
    """The item of a key as DynamoDB gives it. It has a last complete job if anything was ever covered."""
    return {
        "key": {"S": KEY},
        "requested": {"N": str(requested)},
        "completed": {"N": str(completed)},
        "givenUp": {"N": str(given_up)},
        "fence": {"N": "7"},
        "pendingSince": {"S": REGISTERED_AT},
        "snapshotAt": {"S": SNAPSHOT_AT},
        **({"owner": {"S": owner}} if owner else {}),
        **({"job": {"S": job}, "covers": {"N": str(covers)}, "startedAt": {"S": SNAPSHOT_AT}} if job else {}),
        **({"last": last_job(completed)} if completed else {}),
        **({"reason": {"S": '{"Error":"JobFailed"}'}} if given_up else {}),
    }


def written(**state: Any) -> Return:
    """The answer of an update that returns the whole item."""
    return Return({"Attributes": item(**state)})


def read(**state: Any) -> Return:
    return Return({"Item": item(**state)})


def owner_is(status: str) -> Return:
    return Return({"ExecutionArn": ANOTHER, "Name": "another", "Status": status})


def _described(status: str, name: str) -> dict[str, Any]:
    known = {**RESULT, "IngestionJobId": name, "Status": status, "DataSourceId": DATA_SOURCE}
    del known["FailureReasons"]  # Bedrock leaves out what is empty
    return known


def summary(status: str = "COMPLETE", name: str = "JOB1") -> Return:
    """The newest job, as a list of jobs has it."""
    return Return({"IngestionJobSummaries": [_described(status, name)]})


def job(status: str = "STARTING", name: str = "JOB1", reasons: Sequence[str] = ()) -> Return:
    told = {"FailureReasons": list(reasons)} if reasons else {}
    return Return({"IngestionJob": {**_described(status, name), **told}})


STARTED = job()
COMPLETE = job("COMPLETE")
MINE = written(owner=ME)
COVERED = written(owner=ME, completed=TICKET)

WELL: dict[str, list[Return | Throw]] = {
    "CheckSource": [DONE],
    "Register": [written()],
    "Acquire": [MINE],
    "Snapshot": [MINE],
    "StartJob": [STARTED],
    "RecordJob": [written(owner=ME, job="JOB1")],
    "GetJob": [COMPLETE],
    "Mark": [DONE],
    "Release": [written(completed=TICKET)],
}
"""A request that finds nobody at work."""

FAILURE_TOLD: Answers = {"GiveUp": [DONE], "NotifyFailure": [DONE]}

START = ("Initialize", "ReadInput")
ASK = (*START, "AcceptRequest", "CheckSource", "Register", "Acquire")
ASK_WAITING = (*START, "AcceptWaitingRequest", "CheckSource", "Register", "Acquire")
ASK_TOGETHER = (*START, "CountRequests", "CheckRequests", "AcceptRequests", "CheckSource", "Register", "Acquire")
SWEPT = (*START, "AcceptSweep", "Acquire")
SUCCEED = (*START, "AcceptSuccessor", "Acquire")
LOOK = ("CountLook", "ReadItem", "CheckItem", "ReadTickets", "CheckTickets")
SEE = (*LOOK, "DescribeOwner", "CheckOwner")
SNAPSHOT = ("Snapshot", "CheckSnapshot")
BEGIN = (*SNAPSHOT, "BeginRound", "StartJob")
FOLLOW = ("GetJob", "CheckJob")
RECORD = ("CountJob", "RecordJob", "WaitForJob", *FOLLOW)
COVER = ("Mark", "NoteSpan", "Release", "CheckRelease", "Covered")
RUN = (*BEGIN, *RECORD, *COVER)
RESUME = (*SNAPSHOT, "ResumeJob", "CheckResumed")
DELAY = ("DelayStart", "WaitToStart")
LOSE = ("JobFailed", "ForgetJob", "CheckFailures")
HAND_OVER = ("HandOver", "LetGo", "CheckHandOver")
TELL = ("DescribeFailure", "CheckAudience", "NotifyFailure", "Failed")
GIVE_UP = ("GiveUp", *TELL)
