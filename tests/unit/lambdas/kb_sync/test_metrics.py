"""The handler as EventBridge calls it, and what it writes for CloudWatch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from kb_sync import metrics
from kb_sync.executions import Executions
from kb_sync.table import RequestTable
from tests.fakes.lambda_context import FakeLambdaContext

KEY, OTHER_KEY = "KBASE12345/DSRCE12345", "KBASE12345/DSRCE67890"
ARN = "arn:aws:states:eu-west-1:123456789012:execution:millrace-kb-sync:one"
REQUEST = json.dumps({"knowledgeBaseId": "KBASE12345", "dataSourceId": "DSRCE12345"})
EVENT_VALUES = 100
"""Values that a metric may have in one record (CloudWatch user guide, "Embedded metric format specification")."""


class ExecutionDoesNotExist(Exception):
    pass


class InvalidArn(Exception):
    pass


@dataclass
class FakeStepFunctions:
    """Knows the executions that it is told of."""

    exceptions = SimpleNamespace(ExecutionDoesNotExist=ExecutionDoesNotExist, InvalidArn=InvalidArn)
    known: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    asked: int = 0

    def describe_execution(self, *, executionArn: str) -> Mapping[str, Any]:  # noqa: N803
        self.asked += 1
        if executionArn not in self.known:
            raise ExecutionDoesNotExist(executionArn)
        return self.known[executionArn]


@pytest.fixture
def step_functions(monkeypatch: pytest.MonkeyPatch) -> FakeStepFunctions:
    fake = FakeStepFunctions()
    monkeypatch.setattr(metrics, "_executions", lambda: Executions(fake))
    return fake


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[tuple[Any, Any]]:
    """The plain client, which the function uses, and a resource, which writes items as Python has them."""
    with mock_aws():
        yield boto3.client("dynamodb", region_name="eu-west-1"), boto3.resource("dynamodb", region_name="eu-west-1")


@pytest.fixture
def table(dynamodb: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    client, resource = dynamodb
    made = resource.create_table(
        TableName="millrace-sync",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
    )
    monkeypatch.setattr(metrics, "_table", lambda: RequestTable(client, made.name))
    yield made
    made.delete()


@dataclass
class Written:
    """What the handler wrote for CloudWatch, and what it logged."""

    records: list[dict[str, Any]]
    logged: list[dict[str, Any]]

    def values(self, name: str, **dimensions: str) -> list[float]:
        """The values of a metric that has exactly these dimensions, beside the service."""
        found: list[float] = []
        for record in self.records:
            (directive,) = record["_aws"]["CloudWatchMetrics"]
            assert directive["Namespace"] == "Millrace"
            assert record["service"] == "kb_sync"
            names = {metric["Name"] for metric in directive["Metrics"]}
            wanted = {"service", *dimensions}
            written = any(set(of_set) == wanted for of_set in directive["Dimensions"])
            if name in names and written and dimensions.items() <= record.items():
                found += record[name]
        return found


Call = Callable[[dict[str, Any]], Written]


@pytest.fixture
def call(
    step_functions: FakeStepFunctions,  # noqa: ARG001
    table: Any,  # noqa: ARG001
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Call:
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")

    def call(event: dict[str, Any]) -> Written:
        capsys.readouterr()
        caplog.clear()
        metrics.handler(event, FakeLambdaContext())
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return Written([line for line in lines if "_aws" in line], [vars(record) for record in caplog.records])

    return call


def output(spans: str = "", jobs: int = 1) -> str:
    counts = {"jobs": jobs, "conflicts": 0, "takeovers": 0}
    return json.dumps({"status": "covered", "key": KEY, "ticket": 1, "counts": counts, "spans": spans})


def ended(status: str = "SUCCEEDED", **detail: Any) -> dict[str, Any]:
    told = {"executionArn": ARN, "status": status, "input": REQUEST, "output": None} | detail
    return {"id": "event-1", "source": "aws.states", "resources": [ARN], "detail": told}


def test_a_metric_is_written_with_its_data_source_and_for_the_sum(call: Call) -> None:
    written = call(ended(output=output(jobs=2)))
    assert written.values("JobsStarted", key=KEY) == [2]
    assert written.values("JobsStarted") == [2]


def test_a_failure_of_nobodys_counts_in_the_sum_alone(call: Call) -> None:
    written = call(ended("FAILED", input='"nonsense"'))
    assert written.values("SyncsFailed") == [1]
    (record,) = written.records
    assert "key" not in record


def test_more_spans_than_a_record_holds_are_all_written(call: Call) -> None:
    asked = datetime(2025, 10, 5, 12, tzinfo=UTC)
    spans = "".join(f"{asked.isoformat()} {(asked + timedelta(seconds=n)).isoformat()};" for n in range(250))
    written = call(ended(output=output(spans)))
    assert written.values("SecondsToCovered", key=KEY) == list(range(250))
    assert written.values("SecondsToCovered") == list(range(250))
    assert max(len(record.get("SecondsToCovered", ())) for record in written.records) <= EVENT_VALUES


def test_data_that_the_event_leaves_out_is_asked_for(call: Call, step_functions: FakeStepFunctions) -> None:
    step_functions.known[ARN] = {"status": "SUCCEEDED", "input": REQUEST, "output": output(jobs=3)}
    assert call(ended(input=None, output=None)).values("JobsStarted", key=KEY) == [3]
    step_functions.known[ARN] = {"status": "ABORTED", "input": REQUEST}
    assert call(ended("ABORTED", input=None)).values("SyncsFailed", key=KEY) == [1]


def test_what_the_event_says_is_not_asked_for(call: Call, step_functions: FakeStepFunctions) -> None:
    call(ended(output=output()))
    call(ended("FAILED"))
    assert step_functions.asked == 0


def test_a_tick_tells_the_age_of_each_data_sources_oldest_request(call: Call, table: Any) -> None:
    since = (datetime.now(UTC) - timedelta(minutes=10)).isoformat()
    table.put_item(Item={"key": KEY, "requested": 5, "completed": 3, "pendingSince": since})
    table.put_item(Item={"key": OTHER_KEY, "requested": 2, "completed": 2})
    written = call({"tick": True})
    (age,) = written.values("OldestPendingSeconds", key=KEY)
    assert 600 <= age < 660
    assert written.values("OldestPendingSeconds", key=OTHER_KEY) == [0]
    assert sorted(written.values("OldestPendingSeconds")) == [0, age]


def test_a_tick_before_the_first_request_says_that_nothing_is_pending(call: Call) -> None:
    assert call({"tick": True}).values("OldestPendingSeconds") == [0]


def test_an_item_without_sense_is_logged_and_hides_no_other(call: Call, table: Any) -> None:
    table.put_item(Item={"key": KEY, "requested": 5, "completed": 3})
    table.put_item(Item={"key": OTHER_KEY, "requested": 2, "completed": 2})
    written = call({"tick": True})
    assert written.values("OldestPendingSeconds", key=OTHER_KEY) == [0]
    (logged,) = written.logged
    assert KEY in logged["reason"]


def test_a_table_of_many_pages_is_read_to_its_end(call: Call, table: Any) -> None:
    with table.batch_writer() as batch:
        for number in range(230):
            batch.put_item(
                Item={"key": f"KBASE12345/D{number:09}", "requested": 1, "completed": 1, "filler": "x" * 9_000}
            )
    assert len(call({"tick": True}).values("OldestPendingSeconds")) == 230


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"tick": "yes"},
        {"detail": None},
        {"detail": {"status": "FAILED"}},
        ended(output="[]"),
        ended(input=None),
    ],
)
def test_what_makes_no_sense_is_logged_by_its_ids_and_never_tried_again(call: Call, event: dict[str, Any]) -> None:
    written = call(event)
    assert written.records == []
    (logged,) = written.logged
    assert logged["message"] == "event not measured"
    assert (logged["event_id"], logged["resources"]) == (event.get("id"), event.get("resources"))


def test_an_outage_is_left_to_the_next_try(call: Call, step_functions: FakeStepFunctions) -> None:
    def refuse(**_: Any) -> Mapping[str, Any]:
        raise TimeoutError

    step_functions.describe_execution = refuse  # type: ignore[method-assign]
    with pytest.raises(TimeoutError):
        call(ended(input=None))
