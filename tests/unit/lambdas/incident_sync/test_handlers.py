"""The handlers as Lambda calls them, with the real clients, against moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from moto import mock_aws

from incident_sync import assembly, batch_sync, confirm
from incident_sync.errors import ConfigurationInvalid
from tests.fakes.incidents import BUCKET, INCIDENTS, ITEMS, PREFIX, closed
from tests.fakes.knowledge_base import DATA_SOURCE_ID, KNOWLEDGE_BASE_ID, FakeKnowledgeBase
from tests.fakes.lambda_context import FakeLambdaContext
from tests.unit.lambdas.incident_sync.test_fake_dynamodb import make_tables

ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "INCIDENTS_TABLE": INCIDENTS,
    "INCIDENT_SYNC_TABLE": ITEMS,
    "BUCKET": BUCKET,
    "INCIDENT_PREFIX": PREFIX,
    "KNOWLEDGE_BASE_ID": KNOWLEDGE_BASE_ID,
    "DATA_SOURCE_ID": DATA_SOURCE_ID,
    "TEXT_FIELDS": "title,description",
    "ATTRIBUTE_FIELDS": "priority,tags",
    "DATE_FIELDS": "closed_at",
}
CLIENTS = (assembly.dynamodb, assembly.s3, assembly.bedrock_agent)


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Both tables and the bucket; gives the DynamoDB client."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    for client in CLIENTS:
        client.cache_clear()
    with mock_aws():
        make_tables(assembly.dynamodb())
        assembly.s3().create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield assembly.dynamodb()
    for client in CLIENTS:
        client.cache_clear()


def wait_for_sync(client: Any, *incident_ids: str) -> None:
    since = (datetime.now(UTC) - timedelta(minutes=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    for incident_id in incident_ids:
        item = {"id": f"incident/{incident_id}", "incident_id": incident_id, "waits_for": "sync", "since": since}
        client.put_item(TableName=ITEMS, Item={name: {"S": text} for name, text in item.items()})


def test_a_run_goes_from_the_table_to_a_search(deployed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(12):
        deployed.put_item(TableName=INCIDENTS, Item=closed(f"INC-{number}", tags={"SS": ["disk", "full"]}))
    wait_for_sync(deployed, *(f"INC-{number}" for number in range(12)), "INC-GONE")
    event = {"run": "run", "pass": 1, "startedAt": datetime.now(UTC).isoformat()}
    answer = batch_sync.handler(event, FakeLambdaContext())
    assert (answer["synced"], answer["removed"], answer["uncovered"]) == (12, 1, True)
    listed = assembly.s3().list_objects_v2(Bucket=BUCKET, Prefix=PREFIX)["Contents"]
    assert len(listed) == 24
    key = f"{PREFIX}INC-0.json.md"
    stored = assembly.s3().get_object(Bucket=BUCKET, Key=key)
    assert json.loads(stored["Body"].read())["incident_id"] == "INC-0"

    bedrock = FakeKnowledgeBase()
    bedrock.failing[f"s3://{BUCKET}/{key}"] = ("FAILED", "no")
    job = bedrock.run_job(BUCKET, {item["Key"]: b"" for item in listed})
    monkeypatch.setattr(assembly, "bedrock_agent", lambda: bedrock)
    asked = {"run": "run", "requestedAt": datetime.now(UTC).isoformat(), "job": job, "cursor": None}
    told = confirm.handler(asked, FakeLambdaContext())
    assert told == {"searchable": 11, "removed": 1, "failed": 1, "setAside": 0, "cursor": None}
    marked = deployed.get_item(TableName=INCIDENTS, Key={"incident_id": {"S": "INC-1"}})["Item"]["kb_sync_status"]["M"]
    assert marked["searchable"] == {"BOOL": True}


@pytest.mark.parametrize("name", ["INCIDENTS_TABLE", "INCIDENT_SYNC_TABLE", "BUCKET", "INCIDENT_PREFIX"])
def test_a_setting_that_is_missing_is_named(deployed: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    monkeypatch.delenv(name)
    event = {"run": "run", "pass": 1, "startedAt": "2025-10-05T12:00:00Z"}
    with pytest.raises(ConfigurationInvalid, match=name):
        batch_sync.handler(event, FakeLambdaContext())


def test_the_real_client_takes_a_question_about_documents(deployed: Any) -> None:  # noqa: ARG001
    assert hasattr(assembly.bedrock_agent(), "get_knowledge_base_documents")
