"""The environment of both consumers, and the function as Lambda calls it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.clock import SystemClock
from tests.fakes.embedding import DEAD_LETTERS, QUEUE, RECEIPTS, STORE, VECTOR_STORE, World, line
from tests.fakes.lambda_context import FakeLambdaContext
from tests.fakes.sqs import event_of
from vector_store import embed_assembly as assembly
from vector_store import embed_lambda
from vector_store.errors import ConfigurationInvalid

ENVIRONMENT = {
    "EMBED_CONCURRENCY": "4",
    "EMBED_DEAD_LETTERS_URL": DEAD_LETTERS,
    "EMBED_DIMENSION": "256",
    "EMBED_NDJSON_QUEUE_URL": QUEUE,
    "EMBED_REQUESTS_PER_SECOND": "1000",
    "RECEIPTS_TABLE": RECEIPTS,
    "STORE_BUCKET": STORE,
    "VECTOR_STORE_TABLE": VECTOR_STORE,
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def test_the_function_works_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.export([line(1), line(2)])
    monkeypatch.setattr(assembly, "s3", lambda: world.s3)
    monkeypatch.setattr(assembly, "sqs", lambda: world.sqs)
    monkeypatch.setattr(assembly, "dynamodb", lambda: world.dynamodb)
    monkeypatch.setattr(assembly, "bedrock_runtime", lambda: world.bedrock)
    answer = embed_lambda.handler(event_of(world.sqs.receive(QUEUE)), FakeLambdaContext())
    assert answer == {"batchItemFailures": []}
    assert (world.run() or {})["lines"] == "2"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("EMBED_DIMENSION", "300", r"EMBED_DIMENSION is '300'; it must be one of \(256, 512, 1024\)"),
        ("EMBED_DIMENSION", "", "EMBED_DIMENSION is missing or empty"),
        ("EMBED_REQUESTS_PER_SECOND", "0.5", "EMBED_REQUESTS_PER_SECOND is '0.5'; it must be a number from 1"),
        ("EMBED_REQUESTS_PER_SECOND", "nan", "a number from 1"),
        ("EMBED_REQUESTS_PER_SECOND", "many", "a number from 1"),
        ("EMBED_CONCURRENCY", "0", "a whole number from 1 to 64"),
        ("EMBED_CONCURRENCY", "2.5", "a whole number from 1 to 64"),
        ("STORE_BUCKET", "", "STORE_BUCKET is missing or empty"),
        ("RECEIPTS_TABLE", "", "RECEIPTS_TABLE is missing or empty"),
    ],
)
def test_a_variable_that_makes_no_sense_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    for client in ("s3", "dynamodb", "bedrock_runtime"):
        monkeypatch.setattr(assembly, client, lambda: None)
    with pytest.raises(ConfigurationInvalid, match=said), ThreadPoolExecutor(assembly.concurrency()) as pool:
        assembly.worker(SystemClock(), pool)


def test_bedrock_is_not_retried_by_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    config = assembly.bedrock_runtime.__wrapped__().meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": 1}
    assert config.max_pool_connections >= assembly.CONCURRENCY_MAX
