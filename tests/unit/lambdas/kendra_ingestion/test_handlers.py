"""The handlers as Lambda calls them: configured by the environment, given an event and a context."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from kendra_ingestion import (
    aggregate_failures,
    archive_manifest,
    aws,
    errors,
    list_batches,
    load_manifest,
    process_batch,
    verify,
)
from kendra_ingestion.errors import ManifestInvalid
from tests.fakes.lambda_context import FakeLambdaContext
from tests.fakes.pipeline import INDEX_ID, INGESTION, REPORTS, ROLE_ARN, Pipeline

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")

FUNCTIONS = ("load_manifest", "list_batches", "process_batch", "verify", "aggregate_failures", "archive_manifest")
LAMBDAS = Path(load_manifest.__file__).parents[1]


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    environment = {
        "REPORTS_BUCKET": REPORTS,
        "INGESTION_BUCKET": INGESTION,
        "KENDRA_INDEX_ID": INDEX_ID,
        "KENDRA_ROLE_ARN": ROLE_ARN,
        "SINK": "kendra",
        "LEDGER_TABLE": "ledger",
        "SINK_REQUESTS_PER_SECOND": "1000",
        "MAX_CONCURRENCY": "2",
        "VERIFICATION_DEADLINE_SECONDS": "60",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    pipeline = Pipeline()
    monkeypatch.setattr(aws, "s3", lambda: pipeline.store)
    monkeypatch.setattr(aws, "kendra", lambda: pipeline.index)
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        dynamodb.create_table(
            TableName="ledger",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        monkeypatch.setattr(aws, "dynamodb", lambda: dynamodb)
        yield pipeline


def call(handler: Callable[..., Any], event: dict[str, Any]) -> Any:
    """Events and answers are JSON on the way."""
    return json.loads(json.dumps(handler(json.loads(json.dumps(event)), FakeLambdaContext())))


def test_the_six_handlers_run_a_job(pipeline: Pipeline) -> None:
    ids = pipeline.add_many(33)
    pipeline.upload_manifest(deletes=["old"])
    given = {"bucket": INGESTION, "key": "team/day/_control/manifest.json", "sequencer": "00"}
    manifest = call(load_manifest.handler, {"input": given, "attempt": "attempt-1"})
    job = {"jobId": manifest["jobId"], "run": manifest["run"], "attempt": "attempt-1"}
    bucket = {"bucket": manifest["bucket"]}
    plan = call(
        list_batches.handler,
        job | bucket | {name: manifest[name] for name in ("prefix", "mode", "retryOf")} | {"cursor": None},
    )
    for chunk in plan["chunks"]:
        assert call(process_batch.handler, job | bucket | {"chunk": chunk, "cursor": None})["done"]
    assert call(verify.handler, job | {"turn": 0})["done"]
    report = call(aggregate_failures.handler, job | {"startedAt": "2025-10-05T12:00:00Z"})
    assert report["counts"]["indexed"] == len(ids)
    assert report["counts"]["deleted"] == 1
    where = {name: manifest[name] for name in ("bucket", "key", "etag")}
    archived = call(archive_manifest.handler, job | where)
    assert archived == {"archive": f"s3://{REPORTS}/_archive/job-1/manifest.json", "manifest": "deleted"}


@pytest.mark.usefixtures("pipeline")
def test_a_bad_input_reaches_the_machine_as_the_error_it_matches_on() -> None:
    with pytest.raises(ManifestInvalid):
        load_manifest.handler({"input": ["nonsense"], "attempt": "attempt-1"}, FakeLambdaContext())
    assert ManifestInvalid.__name__ == "ManifestInvalid"


def test_logs_and_metrics_carry_ids_and_counts_and_no_text(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.add("a.json", "doc-1", Title="a secret title", body=b'{"text": "a secret text"}')
    pipeline.upload_manifest()
    pipeline.load_manifest()
    job = {"jobId": "job-1", "run": pipeline.run, "attempt": pipeline.attempt, "bucket": INGESTION}
    planned = {"prefix": pipeline.prefix, "mode": "full", "retryOf": None, "cursor": None}
    list_batches.handler(job | planned, FakeLambdaContext())
    process_batch.handler(job | {"chunk": 0, "cursor": None}, FakeLambdaContext())
    out = capsys.readouterr().out
    assert "secret" not in out
    metrics = [json.loads(line) for line in out.splitlines() if "_aws" in line]
    (sent,) = [line for line in metrics if "DocumentsSent" in line]
    assert sent["DocumentsSent"] == [1.0]
    assert sent["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Millrace"
    assert len(sent["SendDuration"]) == 1


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_is_imported_without_boto3_and_without_a_configuration(function: str) -> None:
    """Clients are made at the first call: a cold start pays only for what its function uses."""
    code = f"import sys, kendra_ingestion.{function} as f; assert f.handler; assert 'boto3' not in sys.modules"
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(LAMBDAS)}
    )


def test_only_load_manifest_pays_for_json_schema() -> None:
    imports = ", ".join(f"kendra_ingestion.{name}" for name in FUNCTIONS if name != "load_manifest")
    code = f"import sys, {imports}; assert 'jsonschema' not in sys.modules"
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(LAMBDAS)}
    )


def test_the_error_tree_at_the_top_of_the_module_names_every_error() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    for error in classes:
        assert f" {error.__name__} " in (errors.__doc__ or "").replace("\n", " \n"), error
