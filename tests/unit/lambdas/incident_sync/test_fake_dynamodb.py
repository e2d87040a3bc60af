"""The fake tables are held against moto's: the same calls must have the same answers and leave the same items."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from benchmarks.tables import create_table
from tests.fakes.incidents import INCIDENTS, ITEMS, Workflow, closed
from tests.fakes.s3 import client_error

MENTIONED = ("Item", "Items", "Count", "LastEvaluatedKey", "Responses", "UnprocessedKeys")


class Recorder:
    """Notes each call of a client, with its answer or its error."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls: list[tuple[str, dict[str, Any], Any]] = []

    @property
    def tables(self) -> Any:
        return self._client.tables

    @property
    def exceptions(self) -> Any:
        return self._client.exceptions

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            try:
                answer = getattr(self._client, name)(**arguments)
            except ClientError as error:
                self.calls.append((name, arguments, essence(error)))
                raise
            self.calls.append((name, arguments, essence(answer)))
            return answer

        return call


def essence(answer: Any) -> Any:
    """What the functions read of an answer."""
    if isinstance(answer, ClientError):
        reasons = [reason.get("Code", "None") for reason in answer.response.get("CancellationReasons", [])]
        return answer.response["Error"]["Code"], reasons
    told = {name: answer[name] for name in MENTIONED if answer.get(name)}
    if "Responses" in told:
        told["Responses"] = {
            table: sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
            for table, items in told["Responses"].items()
        }
    return told


@pytest.fixture(scope="module")
def moto_client() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client(
            "dynamodb", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing"
        )
        make_tables(client)
        yield client


def make_tables(client: Any) -> None:
    """Both tables, keyed as Terraform keys them."""
    create_table(client, INCIDENTS, "incident_id")
    create_table(client, ITEMS, "id", {"waits-for-index": ("waits_for", "since")})


def test_whole_runs_have_the_same_answers_from_moto(moto_client: Any) -> None:
    workflow = Workflow()
    recorder = workflow.dynamodb = Recorder(workflow.dynamodb)
    for number in range(3):
        workflow.put(closed(f"INC-{number}", tags={"SS": ["disk"]}, priority={"N": "3"}))
    workflow.put(closed("INC-BAD", title=" "))
    workflow.settle()
    workflow.reopen("INC-0")
    workflow.change("INC-1", title={"S": "Changed"})
    workflow.bedrock.failing["s3://knowledge/incidents/closed/INC-1.json.md"] = ("FAILED", "no")
    workflow.put(closed("INC-3"))
    workflow.deliver()
    edits = iter(["INC-3"])

    def guard(function: Any, arguments: dict[str, Any]) -> Any:
        """The application edits an incident just before it is marked."""
        items = str(arguments.get("TransactItems", ""))
        if "INC-3" in items and (incident_id := next(edits, None)):
            workflow.change(incident_id, title={"S": "Edited"})
        return function(**arguments)

    workflow.guard = guard
    workflow.settle()
    workflow.check()
    assert ("TransactionCanceledException", ["ConditionalCheckFailed", "None"]) in [call[2] for call in recorder.calls]
    for name, arguments, answer in recorder.calls:
        assert (name, arguments, answered(moto_client, name, arguments)) == (name, arguments, answer)
    for table in (INCIDENTS, ITEMS):
        (key,) = workflow.dynamodb.tables[table].keys
        items = {item[key]["S"]: item for item in moto_client.scan(TableName=table)["Items"]}
        assert items == workflow.dynamodb.tables[table].items


def answered(client: Any, name: str, arguments: dict[str, Any]) -> Any:
    try:
        return essence(getattr(client, name)(**arguments))
    except ClientError as error:
        return essence(error)


def test_a_table_that_is_not_there_is_not_found() -> None:
    with pytest.raises(ClientError) as caught:
        Workflow().dynamodb.put_item(TableName="other", Item={})
    wanted = client_error("PutItem", "ResourceNotFoundException")
    assert caught.value.response["Error"]["Code"] == wanted.response["Error"]["Code"]
