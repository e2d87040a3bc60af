from __future__ import annotations

import pytest

from kendra_ingestion.errors import ConfigurationInvalid
from kendra_ingestion.metadata import AttributeType
from kendra_ingestion.settings import SINKS, read_queue_settings, read_settings

COMMON = {
    "REPORTS_BUCKET": "reports",
    "INGESTION_BUCKET": "ingestion",
    "SINK_REQUESTS_PER_SECOND": "10",
    "MAX_CONCURRENCY": "4",
    "VERIFICATION_DEADLINE_SECONDS": "0",
    "LEDGER_TABLE": "millrace-ledger",
}
KENDRA = COMMON | {
    "SINK": "kendra",
    "KENDRA_INDEX_ID": "01234567-0123-0123-0123-0123456789ab",
    "KENDRA_ROLE_ARN": "arn:aws:iam::123456789012:role/reader",
}
BEDROCK = COMMON | {
    "SINK": "bedrock",
    "KNOWLEDGE_BASE_ID": "KB12345678",
    "DATA_SOURCE_ID": "DS12345678",
    "ATTRIBUTE_TYPES": "{}",
}
QUEUES = {
    "PROGRESS_TABLE": "millrace-progress",
    "PUT_QUEUE_URL": "https://sqs/put.fifo",
    "DELETE_QUEUE_URL": "https://sqs/del.fifo",
    "DEAD_LETTER_QUEUE_URL": "https://sqs/dead",
    "SHARDS_PUT": "4",
    "SHARDS_DELETE": "8",
}
ENVIRONMENTS = {"kendra": KENDRA, "bedrock": BEDROCK}


def test_each_worker_begins_with_its_share_of_the_rate() -> None:
    assert read_settings(KENDRA).share == 2.5


def test_the_other_sinks_fields_are_empty() -> None:
    settings = read_settings(KENDRA | {"KNOWLEDGE_BASE_ID": "left over", "ATTRIBUTE_TYPES": "left over"})
    assert (settings.knowledge_base_id, settings.data_source_id, settings.attribute_types) == ("", "", {})
    settings = read_settings(BEDROCK | {"KENDRA_INDEX_ID": "left over"})
    assert (settings.kendra_index_id, settings.kendra_role_arn) == ("", "")


@pytest.mark.parametrize(("sink", "name"), [(sink, name) for sink in SINKS for name in ENVIRONMENTS[sink]])
def test_a_missing_variable_is_named(sink: str, name: str) -> None:
    environment = ENVIRONMENTS[sink]
    with pytest.raises(ConfigurationInvalid, match=name):
        read_settings({other: value for other, value in environment.items() if other != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SINK", "opensearch"),
        ("SINK_REQUESTS_PER_SECOND", "0"),
        ("SINK_REQUESTS_PER_SECOND", "inf"),
        ("SINK_REQUESTS_PER_SECOND", "nan"),
        ("SINK_REQUESTS_PER_SECOND", "fast"),
        ("MAX_CONCURRENCY", "0"),
        ("MAX_CONCURRENCY", "2.5"),
        ("VERIFICATION_DEADLINE_SECONDS", "-1"),
    ],
)
def test_a_variable_that_makes_no_sense_is_named_with_what_is_allowed(name: str, value: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=f"{name} is '{value}'; allowed: "):
        read_settings(KENDRA | {name: value})


def test_attributes_have_the_types_that_the_variable_gives_them() -> None:
    types = '{"_created_at": "DATE_VALUE", "department": "STRING_VALUE"}'
    assert read_settings(BEDROCK | {"ATTRIBUTE_TYPES": types}).attribute_types == {
        "_created_at": AttributeType.DATE,
        "department": AttributeType.STRING,
    }


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("{", "is not JSON"),
        ("[]", "is a list"),
        ('{"a": "DATE"}', 'gives "a" the type "DATE"'),
        ('{"a": []}', 'gives "a" the type a list'),
        ('{"a": "DATE_VALUE", "a": "LONG_VALUE"}', 'gives the name "a" twice'),
    ],
)
def test_attribute_types_that_make_no_sense_are_told_with_what_is_allowed(value: str, problem: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=f"ATTRIBUTE_TYPES {problem}.*; allowed: .*DATE_VALUE"):
        read_settings(BEDROCK | {"ATTRIBUTE_TYPES": value})


def test_the_queue_options_settings_are_read() -> None:
    settings = read_queue_settings(QUEUES)
    assert settings.put_queue_url == "https://sqs/put.fifo"
    assert (settings.shards_put, settings.shards_delete) == (4, 8)


@pytest.mark.parametrize("name", QUEUES)
def test_a_missing_variable_of_the_queue_option_is_named(name: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=name):
        read_queue_settings({other: value for other, value in QUEUES.items() if other != name})


@pytest.mark.parametrize("name", ["SHARDS_PUT", "SHARDS_DELETE"])
def test_there_is_at_least_one_shard(name: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=f"{name} is '0'; allowed: a whole number from 1"):
        read_queue_settings(QUEUES | {name: "0"})
