from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from incident_sync import assembly, measure
from incident_sync.errors import EventInvalid
from incident_sync.queue import Queue
from tests.fakes.dynamodb import FakeDynamoDB
from tests.fakes.incidents import ITEMS, tables
from tests.fakes.lambda_context import FakeLambdaContext
from tests.fakes.s3 import client_error

SYNC = {"synced": 40, "removed": 3, "failed": 2, "setAside": 1, "overtaken": 1, "passes": 1, "more": False}
INGESTION = {"requested": True, "job": {"id": "JOB1"}, "searchable": 38, "removed": 3, "failed": 2, "setAside": 0}
NEVER = {"requested": False, "job": None, "searchable": 0, "removed": 0, "failed": 0, "setAside": 0}

Call = Callable[..., dict[str, Any]]


def run(**changed: Any) -> dict[str, Any]:
    began = "2025-10-05T12:00:00.000Z"
    return {"run": "run", "status": "completed", "startedAt": began, "sync": SYNC, "ingestion": INGESTION} | changed


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeDynamoDB:
    client = tables()
    monkeypatch.setattr(assembly, "queue", lambda: Queue(client, ITEMS))
    return client


@pytest.fixture
def call(client: FakeDynamoDB, capsys: pytest.CaptureFixture[str]) -> Call:  # noqa: ARG001
    """The handler, as Step Functions calls it: the metrics that it writes, and its answer as `answer`."""

    def call(event: dict[str, Any]) -> dict[str, Any]:
        answer = measure.handler(event, FakeLambdaContext())
        (record,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in line]
        (directive,) = record["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "IncidentKBSync"
        assert directive["Dimensions"] == [["service"]]
        assert record["service"] == "incident_sync"
        names = [metric["Name"] for metric in directive["Metrics"]]
        return {name: sum(record[name]) for name in names} | {"answer": answer}

    return call


def test_a_run_is_told_by_its_own_counts(call: Call) -> None:
    written = call(run())
    seconds = written.pop("SyncDuration")
    assert written.pop("answer") == {"seconds": seconds}
    assert seconds > 0
    assert written == {
        "IncidentsSynced": 43,
        "SyncErrors": 4,
        "IngestionJobsStarted": 1,
        "IngestionJobsCompleted": 1,
        "IncidentsSetAside": 0,
    }


def test_a_failed_run_is_an_error_more(call: Call) -> None:
    assert call(run(status="failed"))["SyncErrors"] == 5


def test_a_job_that_was_asked_for_and_never_complete_is_not_completed(call: Call) -> None:
    written = call(run(status="failed", ingestion=INGESTION | {"job": None}))
    assert (written["IngestionJobsStarted"], written["IngestionJobsCompleted"]) == (1, 0)


def test_a_run_without_a_job_tells_zeros_and_not_nothing(call: Call) -> None:
    written = call(run(ingestion=NEVER))
    assert (written["IngestionJobsStarted"], written["IngestionJobsCompleted"]) == (0, 0)


def test_all_that_wait_for_a_person_are_counted_whoever_set_them_aside(call: Call, client: FakeDynamoDB) -> None:
    for number in range(3):
        item = {"id": f"incident/INC-{number}", "waits_for": "person", "since": "2025-10-05T12:00:00.000Z"}
        client.put_item(TableName=ITEMS, Item={name: {"S": text} for name, text in item.items()})
    assert call(run())["IncidentsSetAside"] == 3


def test_a_table_that_does_not_answer_costs_only_that_one_number(call: Call, client: FakeDynamoDB) -> None:
    def refuse(**_: Any) -> Any:
        raise client_error("Query", "ThrottlingException")

    client.query = refuse  # type: ignore[method-assign]
    written = call(run())
    assert written["IncidentsSynced"] == 43
    assert "IncidentsSetAside" not in written


def test_a_clock_that_is_behind_makes_no_time_below_0(call: Call) -> None:
    assert call(run(startedAt="2125-10-05T12:00:00.000Z"))["answer"] == {"seconds": 0.0}


@pytest.mark.parametrize("event", [{}, run(sync=None), run(ingestion={}), run(startedAt="soon"), run(startedAt=None)])
def test_what_is_no_run_is_refused(event: dict[str, Any], client: FakeDynamoDB) -> None:  # noqa: ARG001
    with pytest.raises(EventInvalid):
        measure.handler(event, FakeLambdaContext())
