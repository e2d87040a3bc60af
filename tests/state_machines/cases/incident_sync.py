"""The test cases of incident_sync."""

from __future__ import annotations

from typing import Any

from tests.state_machines.answers.incident_sync import (
    ASK,
    CONFIRM_FAILS,
    CONFIRMED,
    DENIED,
    DONE,
    END,
    FAILURE_MEASURED,
    IDLE,
    INGEST,
    INGESTION_FAILS,
    JOB,
    MEASURED,
    NONE_CONFIRMED,
    NOTHING_WAITS,
    PAGE,
    PASS,
    PASSES,
    SECONDS,
    SYNC,
    SYNC_FAILS,
    WELL,
    batch,
    child_failed,
    confirmed,
    ingested,
    synced,
    times,
)
from tests.state_machines.answers.kb_sync import DATA_SOURCE, KNOWLEDGE_BASE
from tests.state_machines.cases.case import Case, Road, Suite, without
from tests.state_machines.machines import INCIDENT_SYNC, KB_SYNC
from tests.state_machines.mocks import Answers, Return, Throw

BOUNDS = {200: 4, 1_300: 5}
"""Pages of confirmation, and waits for another's pass, that end a run, and what they are in the cases."""
PAGES, WAITS = BOUNDS.values()
BUSY = Throw("PassBusy", "another pass works until 13:05:10")
CURSOR = {"id": "incident/INC-7"}
BY_SCHEDULE: dict[str, Any] = {}
NOT_ASKED = {"requested": False, "job": None, **NONE_CONFIRMED}


def case(name: str, promise: str, answers: Answers, path: tuple[str, ...], **more: Any) -> Case:
    return Case(name, promise, answers, path, **{"input": BY_SCHEDULE, **more})


def told(
    ingestion: dict[str, Any], *, name: str, sync: dict[str, Any], seconds: int | None = SECONDS
) -> dict[str, Any]:
    """A run's output."""
    return {"status": "completed", "run": name, "seconds": seconds, "sync": sync, "ingestion": ingestion}


def searchable(pages: int = 1) -> dict[str, Any]:
    return {"requested": True, "job": JOB, **times(CONFIRMED, pages)}


def failing(**answers: list[Return | Throw]) -> Answers:
    """A run like any other until one of these answers ends it."""
    return {**without(WELL, "Measure"), **FAILURE_MEASURED, **answers}


SYNCED = [
    case(
        "AllWell",
        "what waits is written, ingested, marked, measured and told",
        WELL,
        (*SYNC, *INGEST, *PAGE, *END),
        output=told(searchable(), name="AllWell", sync=synced()),
        sends={
            "SyncBatch": {"run": "AllWell", "pass": 1},
            "Ingest": {
                "StateMachineArn": KB_SYNC.arn,
                "Input": {
                    "knowledgeBaseId": KNOWLEDGE_BASE,
                    "dataSourceId": DATA_SOURCE,
                    "wait": True,
                    "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": INCIDENT_SYNC.execution("AllWell"),
                },
            },
            "Confirm": {"run": "AllWell", "job": JOB, "cursor": None},
            "Measure": {"run": "AllWell", "status": "completed", "sync": synced()},
        },
    ),
    case(
        "NothingWaits",
        "a run that finds nothing asks for no job and is measured all the same",
        {"SyncBatch": [NOTHING_WAITS], "Measure": [MEASURED]},
        (*SYNC, *END),
        output=told(NOT_ASKED, name="NothingWaits", sync={**IDLE, "passes": 1, "more": False}),
        sends={"Measure": {"status": "completed", "ingestion": NOT_ASKED}},
    ),
    case(
        "WhateverIsAsked",
        "a run does what waits, whatever its input says",
        WELL,
        (*SYNC, *INGEST, *PAGE, *END),
        input=[{"run": "another", "passes": 0}],
        output=told(searchable(), name="WhateverIsAsked", sync=synced()),
    ),
    case(
        "LeftByAnEarlierRun",
        "what an earlier run wrote and nobody covered is ingested by a run that writes nothing",
        {**WELL, "SyncBatch": [batch(IDLE)]},
        (*SYNC, *INGEST, *PAGE, *END),
        output=told(searchable(), name="LeftByAnEarlierRun", sync={**IDLE, "passes": 1, "more": False}),
    ),
    case(
        "MorePasses",
        "while more waits a run makes further passes, each with its number, and tells the sums",
        {**WELL, "SyncBatch": [batch(more=True), batch()]},
        ("Initialize", *PASS, "NextPass", *PASS, *DONE, *INGEST, *PAGE, *END),
        output=told(searchable(), name="MorePasses", sync=synced(2)),
        sends={"SyncBatch": {"run": "MorePasses", "pass": 2}},
    ),
    case(
        "BacklogRemains",
        "after as many passes as a run may make what is written goes to its job, and the rest waits for the next run",
        {**WELL, "SyncBatch": [batch(more=True)] * PASSES},
        ("Initialize", *(*PASS, "NextPass") * (PASSES - 1), *PASS, *DONE, *INGEST, *PAGE, *END),
        output=told(searchable(), name="BacklogRemains", sync=synced(PASSES, more=True)),
        sends={"SyncBatch": {"pass": PASSES}},
    ),
    case(
        "AnotherRunsPass",
        "a run waits while another one's pass works, and for a pass of its own that died",
        {**WELL, "SyncBatch": [BUSY, BUSY, Throw("Sandbox.Timedout"), BUSY, batch()]},
        (*SYNC, *INGEST, *PAGE, *END),
        output=told(searchable(), name="AnotherRunsPass", sync=synced()),
    ),
    case(
        "PassFails",
        "a pass that cannot be done fails the run, which keeps what earlier passes counted and is measured",
        {"SyncBatch": [batch(more=True), DENIED], **FAILURE_MEASURED},
        ("Initialize", *PASS, "NextPass", "SyncBatch", *SYNC_FAILS),
        error="SyncFailed",
        cause="not allowed",
        sends={
            "MeasureFailure": {
                "run": "PassFails",
                "status": "failed",
                "sync": synced(more=True),
                "ingestion": NOT_ASKED,
            }
        },
    ),
]

INGESTED = [
    case(
        "SyncFails",
        "a run whose ingestion fails says why kb_sync failed, and confirms nothing",
        without(failing(Ingest=[child_failed("JobFailed", "3 jobs failed")]), "Confirm"),
        (*SYNC, *ASK, *INGESTION_FAILS),
        error="IngestionFailed",
        cause=child_failed("JobFailed", "3 jobs failed").cause,
    ),
    case(
        "SyncTakesTooLong",
        "an error that comes without a cause, as that of a time limit does, is told by its name",
        without(failing(Ingest=[Throw("States.Timeout", "")]), "Confirm"),
        (*SYNC, *ASK, *INGESTION_FAILS[:-1], "NameFailure", "RunFailed"),
        error="IngestionFailed",
        cause="States.Timeout, without a cause; the history of this execution shows the state that failed.",
    ),
    case(
        "SyncIsTooLong",
        "an answer of kb_sync that is longer than a state may be fails the run by its name",
        without(failing(Ingest=[Throw("States.DataLimitExceeded", "too long")]), "Confirm"),
        (*SYNC, *ASK, *INGESTION_FAILS),
        error="IngestionFailed",
        cause="too long",
    ),
    *(
        case(
            f"Sync{name}",
            f"a kb_sync that ends well without a job that covers the request ({status}) makes nothing searchable",
            without(failing(Ingest=[ingested(status, **fields)]), "Confirm"),
            (*SYNC, *ASK, "CheckCovered", "TellNotCovered", *INGESTION_FAILS),
            error="IngestionFailed",
            cause=f"The knowledge base sync ended as {status}, without a job that covers this request.",
        )
        for name, status, fields in (
            ("Superseded", "superseded", {}),
            ("HandedOver", "handed over", {"job": JOB}),
            ("WithoutItsJob", "covered", {}),
        )
    ),
]

MARKED = [
    case(
        "MorePages",
        "a confirmation that runs out of time goes on where it stopped",
        {**WELL, "Confirm": [confirmed(cursor=CURSOR), confirmed()]},
        (*SYNC, *INGEST, *PAGE, *PAGE, *END),
        output=told(searchable(2), name="MorePages", sync=synced()),
        sends={"Confirm": {"job": JOB, "cursor": CURSOR}},
    ),
    case(
        "ConfirmEndless",
        "a confirmation that never ends fails with a name, and what it marked is measured",
        failing(Confirm=[confirmed(cursor=CURSOR)] * PAGES),
        (*SYNC, *INGEST, *PAGE * PAGES, "TellEndless", *CONFIRM_FAILS),
        error="ConfirmFailed",
        cause=(
            "What the ingestion job covered was not marked within 200 pages. What is left waits for the next run's job."
        ),
    ),
    case(
        "ConfirmFails",
        "a confirmation that cannot be made fails the run, which says that its job was complete",
        failing(Confirm=[confirmed(cursor=CURSOR), DENIED]),
        (*SYNC, *INGEST, *PAGE, "Confirm", *CONFIRM_FAILS),
        error="ConfirmFailed",
        cause="not allowed",
        sends={"MeasureFailure": {"status": "failed", "sync": synced()}},
    ),
    case(
        "NotMeasured",
        "a run that cannot be measured has done its work and says so",
        {**WELL, "Measure": [DENIED]},
        (*SYNC, *INGEST, *PAGE, "Measure", "TellUnmeasured", "Tell"),
        output=told(searchable(), name="NotMeasured", sync=synced(), seconds=None),
    ),
    case(
        "FailureNotMeasured",
        "a failed run that cannot be measured fails with its own error",
        {"SyncBatch": [DENIED], "MeasureFailure": [Throw("ConfigurationInvalid", "no namespace")]},
        ("Initialize", "SyncBatch", *SYNC_FAILS),
        error="SyncFailed",
        cause="not allowed",
    ),
]


def road_to(task: str) -> Road:
    if task == "MeasureFailure":
        return Road({"SyncBatch": [DENIED], **FAILURE_MEASURED}, BY_SCHEDULE)
    return Road({**WELL, **FAILURE_MEASURED}, BY_SCHEDULE)


SUITE = Suite(INCIDENT_SYNC, [*SYNCED, *INGESTED, *MARKED], road_to, bounds=BOUNDS)
