"""The queue option's handlers as Lambda calls them: configured by the environment, with real threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kendra_ingestion import aws, dead_letter_worker, del_worker, producer, put_worker
from kendra_ingestion.documents import JobKey
from kendra_ingestion.errors import ConfigurationInvalid
from kendra_ingestion.ledger import Ledger
from tests.fakes.lambda_context import FakeLambdaContext
from tests.fakes.pipeline import INDEX_ID, INGESTION, REPORTS, ROLE_ARN
from tests.fakes.queue_option import ASIDE_URL, DEAD_URL, URL, QueueOption, dynamodb
from tests.fakes.s3 import FakeS3

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")

FUNCTIONS = ("producer", "put_worker", "del_worker", "dead_letter_worker")
LAMBDAS = Path(producer.__file__).parents[1]
JOB = JobKey("job-1", "run-1", "attempt-1")
EVENT = {"jobId": "job-1", "run": "run-1", "attempt": "attempt-1", "bucket": INGESTION, "token": "token"}


@pytest.fixture
def option(monkeypatch: pytest.MonkeyPatch) -> Iterator[QueueOption]:
    with dynamodb() as client:
        option = QueueOption(client, FakeS3(INGESTION, REPORTS), shards=2)
        client.create_table(
            TableName="ledger",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )
        environment = {
            "REPORTS_BUCKET": REPORTS,
            "INGESTION_BUCKET": INGESTION,
            "SINK": "kendra",
            "KENDRA_INDEX_ID": INDEX_ID,
            "KENDRA_ROLE_ARN": ROLE_ARN,
            "SINK_REQUESTS_PER_SECOND": "1000",
            "MAX_CONCURRENCY": "2",
            "VERIFICATION_DEADLINE_SECONDS": "60",
            "LEDGER_TABLE": "ledger",
            "PROGRESS_TABLE": option.table,
            "PUT_QUEUE_URL": URL["put"],
            "DELETE_QUEUE_URL": URL["delete"],
            "DEAD_LETTER_QUEUE_URL": ASIDE_URL,
            "SHARDS_PUT": "2",
            "SHARDS_DELETE": "2",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        clients = {
            "s3": option.store,
            "kendra": option.index,
            "sqs": option.queues,
            "stepfunctions": option.machine,
            "dynamodb": client,
        }
        for name, made in clients.items():
            monkeypatch.setattr(aws, name, lambda made=made: made)
        yield option


def call(function: Any, event: dict[str, Any]) -> Any:
    """Events and answers are JSON on the way."""
    return json.loads(json.dumps(function.handler(json.loads(json.dumps(event)), FakeLambdaContext())))


def test_the_four_handlers_bring_a_plan_to_its_end(option: QueueOption) -> None:
    puts = [[f"doc-{request}-{place}" for place in range(10)] for request in range(12)]
    option.plan(JOB, [("put", puts), ("delete", [["old-1"], ["old-2"]])])
    option.wait_with("token")
    assert call(producer, EVENT) is None
    option.queues.drain(URL["put"], lambda event: call(put_worker, event))
    assert option.machine.answered == []
    dead = option.queues.queue(DEAD_URL["delete"]).messages
    dead.append(option.queues.queue(URL["delete"]).messages.pop())
    option.queues.drain(URL["delete"], lambda event: call(del_worker, event))
    option.queues.drain(DEAD_URL["delete"], lambda event: call(dead_letter_worker, event))
    assert option.machine.answered == ["token"]
    assert set(option.outcomes(JOB, 0).values()) == {"sent"}
    assert len(option.outcomes(JOB, 0)) == 120
    assert option.outcomes(JOB, 1) == {"old-1": "sent", "old-2": "NotProcessed"}


def test_what_is_sent_is_marked_in_the_ledger(option: QueueOption) -> None:
    option.plan(JOB, [("put", [["doc-1"]]), ("delete", [["old"]])])
    call(producer, EVENT)
    option.queues.drain(URL["put"], lambda event: call(put_worker, event))
    option.queues.drain(URL["delete"], lambda event: call(del_worker, event))
    ledger = Ledger(aws.dynamodb(), "ledger", sink=f"kendra/{INDEX_ID}", job_id="job-1", run="run-1")
    known = ledger.known(["doc-1", "old"])
    assert {name: (entry.outcome, entry.digest) for name, entry in known.items()} == {
        "doc-1": ("sent", "digest of doc-1"),
        "old": ("sent", None),
    }


def test_logs_carry_ids_and_counts_and_no_text(
    option: QueueOption, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    option.plan(JOB, [("put", [["doc-1", "doc-2"]])])
    option.write_metadata("doc-1", Title="a secret title")
    option.index.rejections["doc-2"] = [("InvalidRequest", "no")]
    call(producer, EVENT)
    option.queues.drain(URL["put"], lambda event: call(put_worker, event))
    out = capsys.readouterr().out
    (settled,) = [vars(record) for record in caplog.records if record.msg == "accounted for"]
    wanted = {"jobId": "job-1", "attempt": "attempt-1", "chunk": 0, "request": 0, "sent": 1, "failed": 1}
    assert settled | wanted == settled
    assert "secret" not in out + caplog.text
    (sent,) = [json.loads(line) for line in out.splitlines() if "DocumentsSent" in line]
    assert (sent["DocumentsSent"], sent["DocumentsFailed"]) == ([1.0], [1.0])


@pytest.mark.usefixtures("option")
@pytest.mark.parametrize("function", [producer, put_worker, del_worker, dead_letter_worker])
def test_a_missing_setting_is_named(function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROGRESS_TABLE")
    with pytest.raises(ConfigurationInvalid, match="PROGRESS_TABLE"):
        call(function, EVENT | {"Records": []})


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_is_imported_without_boto3_and_without_a_configuration(function: str) -> None:
    """Clients are made at the first call: a cold start pays only for what its function uses."""
    code = f"import sys, kendra_ingestion.{function} as f; assert f.handler; assert 'boto3' not in sys.modules"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(LAMBDAS)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
