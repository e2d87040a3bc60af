"""What the tests of Kendra ingestion share. Property tests neither depend on the machine's speed nor on chance: the
same examples each time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from kendra_ingestion import aws
from tests.fakes.queue_option import dynamodb

settings.register_profile("gate", deadline=None, derandomize=True, database=None)
settings.load_profile("gate")

CLIENTS = (aws.s3, aws.dynamodb, aws.sqs, aws.stepfunctions, aws.kendra, aws.bedrock_agent)


@pytest.fixture(scope="module")
def dynamodb_client() -> Iterator[Any]:
    """A DynamoDB client whose expressions are really evaluated."""
    with dynamodb() as client:
        yield client


@pytest.fixture
def new_clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The functions' real clients, made anew with credentials of nobody."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for client in CLIENTS:
        client.cache_clear()
    yield
    for client in CLIENTS:
        client.cache_clear()
