from __future__ import annotations

import pytest

from kendra_ingestion import aws
from kendra_ingestion.bedrock import BedrockSink
from kendra_ingestion.kendra import KendraSink
from kendra_ingestion.settings import Settings
from kendra_ingestion.sinks import name_of, sink_of
from shared.clock import RESERVE_SECONDS
from tests.fakes.bedrock import DATA_SOURCE_ID, KNOWLEDGE_BASE_ID, FakeBedrock
from tests.fakes.s3 import FakeS3

KENDRA = Settings(
    reports_bucket="reports",
    ingestion_bucket="ingestion",
    sink="kendra",
    kendra_index_id="01234567-0123-0123-0123-0123456789ab",
    kendra_role_arn="arn:aws:iam::123456789012:role/reader",
    knowledge_base_id="",
    data_source_id="",
    attribute_types={},
    sink_requests_per_second=5.0,
    max_concurrency=1,
    verification_deadline_seconds=0,
    ledger_table="millrace-ledger",
)
BEDROCK = KENDRA._replace(
    sink="bedrock",
    kendra_index_id="",
    kendra_role_arn="",
    knowledge_base_id=KNOWLEDGE_BASE_ID,
    data_source_id=DATA_SOURCE_ID,
)


pytestmark = pytest.mark.usefixtures("new_clients")


def test_the_settings_choose_the_sink() -> None:
    assert isinstance(sink_of(KENDRA, "ingestion"), KendraSink)
    assert isinstance(sink_of(BEDROCK, "ingestion"), BedrockSink)


def test_each_sink_has_a_name_of_its_own() -> None:
    assert name_of(KENDRA) == "kendra/01234567-0123-0123-0123-0123456789ab"
    assert name_of(BEDROCK) == "bedrock/KB12345678/DS12345678"


def test_each_invocation_makes_requests_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeBedrock()
    monkeypatch.setattr(aws, "bedrock_agent", lambda: client)
    monkeypatch.setattr(aws, "s3", lambda: FakeS3("ingestion"))
    for _ in range(2):
        sink_of(BEDROCK, "ingestion").delete(["emp-1"])
    assert client.ignored == 0


@pytest.mark.parametrize("service", ["kendra", "bedrock_agent"])
def test_the_sdk_never_retries_a_call_to_a_sink(service: str) -> None:
    assert getattr(aws, service)().meta.config.retries["total_max_attempts"] == 1


@pytest.mark.parametrize(("service", "attempts"), [("s3", 8), ("dynamodb", 3), ("sqs", 8), ("stepfunctions", 8)])
def test_the_sdk_retries_calls_to_everything_else(service: str, attempts: int) -> None:
    client = getattr(aws, service)()
    assert client.meta.config.retries["total_max_attempts"] == attempts
    assert getattr(aws, service)() is client


def test_a_ledger_that_does_not_answer_is_given_up_while_there_is_time_to_write_what_is_known() -> None:
    config = aws.dynamodb().meta.config
    assert config.retries["total_max_attempts"] * config.read_timeout < RESERVE_SECONDS
