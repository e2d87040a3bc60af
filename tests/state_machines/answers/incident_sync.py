"""What the Tasks of incident_sync answer in the test cases, and parts of the ways through."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.state_machines.answers.kb_sync import KEY, RESULT, WAITING
from tests.state_machines.answers.single_flight import TICKET
from tests.state_machines.machines import INCIDENT_SYNC, KB_SYNC
from tests.state_machines.mocks import Answers, Return, Throw, function_answer

CHILD = KB_SYNC.execution("child")
JOB = {"id": "JOB1", "covers": TICKET, "result": RESULT}
"""The job of kb_sync's output, as it is told, confirmed and measured."""
SECONDS = 42
PASSES = int(INCIDENT_SYNC.values["passes"])
"""Passes that a run has at most, in the cases."""

WRITTEN = {"synced": 50, "removed": 2, "failed": 1, "setAside": 1, "overtaken": 3}
"""The counts of each pass that has work."""
IDLE = dict.fromkeys(WRITTEN, 0)
CONFIRMED = {"searchable": 49, "removed": 2, "failed": 1, "setAside": 0}
"""The counts of each page of confirmation."""
NONE_CONFIRMED = dict.fromkeys(CONFIRMED, 0)


def batch(counts: Mapping[str, int] = WRITTEN, *, more: bool = False, uncovered: bool = True) -> Return:
    return function_answer({**counts, "more": more, "uncovered": uncovered})


def times(counts: Mapping[str, int], number: int) -> dict[str, int]:
    return {name: number * count for name, count in counts.items()}


def synced(passes: int = 1, *, more: bool = False) -> dict[str, Any]:
    """The run's counts after so many passes."""
    return {**times(WRITTEN, passes), "passes": passes, "more": more}


def ingested(status: str = "covered", **fields: Any) -> Return:
    """What kb_sync's execution says when it has ended well, in the form of `startExecution.sync:2`."""
    output = {"status": status, "key": KEY, "ticket": TICKET, "counts": {"jobs": 1}, "spans": "", **fields}
    return Return({"ExecutionArn": CHILD, "Status": "SUCCEEDED", "Input": WAITING, "Output": output})


def child_failed(error: str, cause: str) -> Throw:
    """A kb_sync that has failed: the cause is the whole description of its execution."""
    told = {"ExecutionArn": CHILD, "Status": "FAILED", "Input": json.dumps(WAITING), "Error": error, "Cause": cause}
    return Throw("States.TaskFailed", json.dumps(told))


def confirmed(*, cursor: Any = None) -> Return:
    return function_answer({**CONFIRMED, "cursor": cursor})


NOTHING_WAITS = batch(IDLE, uncovered=False)
COVERED = ingested(job=JOB)
MEASURED = function_answer({"seconds": SECONDS})
DENIED = Throw("AccessDenied", "not allowed")

WELL: dict[str, list[Return | Throw]] = {
    "SyncBatch": [batch()],
    "Ingest": [COVERED],
    "Confirm": [confirmed()],
    "Measure": [MEASURED],
}
"""A run of one pass whose incidents become searchable."""
FAILURE_MEASURED: Answers = {"MeasureFailure": [MEASURED]}

PASS = ("SyncBatch", "CountPass", "MoreWaiting")
DONE = ("SyncDone", "NeedsIngestion")
SYNC = ("Initialize", *PASS, *DONE)
ASK = ("RequestIngestion", "Ingest")
INGEST = (*ASK, "CheckCovered", "KeepJob", "BeginConfirm")
PAGE = ("Confirm", "CountConfirmed", "MoreToConfirm")
END = ("Measure", "Tell")
FAIL = ("MeasureFailure", "CheckCause", "RunFailed")
SYNC_FAILS = ("DescribeSyncFailure", *FAIL)
INGESTION_FAILS = ("DescribeIngestionFailure", *FAIL)
CONFIRM_FAILS = ("DescribeConfirmFailure", *FAIL)
