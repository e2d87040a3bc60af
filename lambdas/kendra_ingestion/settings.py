"""What Terraform tells the functions, read from the environment and checked once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from kendra_ingestion.errors import ConfigurationInvalid
from kendra_ingestion.metadata import AttributeType
from kendra_ingestion.strict_json import NotJson, parse, shown

T = TypeVar("T")

KENDRA, BEDROCK = "kendra", "bedrock"
SINKS = (KENDRA, BEDROCK)


class Settings(NamedTuple):
    """One field an environment variable of the same name, in capitals. Those of the other sink are empty."""

    reports_bucket: str
    ingestion_bucket: str
    sink: str
    kendra_index_id: str
    kendra_role_arn: str
    knowledge_base_id: str
    data_source_id: str
    attribute_types: Mapping[str, AttributeType]
    """The attributes that the knowledge base's users filter by; empty where any attribute is taken."""
    sink_requests_per_second: float
    """For each of the sink's operations, and the whole pipeline."""
    max_concurrency: int
    verification_deadline_seconds: int
    ledger_table: str

    @property
    def share(self) -> float:
        """The rate, in requests per second, that one of the concurrent workers begins with."""
        return self.sink_requests_per_second / self.max_concurrency


class QueueSettings(NamedTuple):
    """What the queue option's functions are told beside Settings."""

    progress_table: str
    put_queue_url: str
    delete_queue_url: str
    dead_letter_queue_url: str
    """Where a message goes that nobody understands."""
    shards_put: int
    shards_delete: int


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the environment. Raises ConfigurationInvalid, which names the variable."""
    sink = _read(environment, "SINK", str, f"one of {', '.join(SINKS)}", SINKS.__contains__)

    def of(owner: str, name: str, allowed: str) -> str:
        return _read(environment, name, str, allowed) if sink == owner else ""

    return Settings(
        reports_bucket=_read(environment, "REPORTS_BUCKET", str, "a bucket's name"),
        ingestion_bucket=_read(environment, "INGESTION_BUCKET", str, "a bucket's name"),
        sink=sink,
        kendra_index_id=of(KENDRA, "KENDRA_INDEX_ID", "an index's id"),
        kendra_role_arn=of(KENDRA, "KENDRA_ROLE_ARN", "a role's ARN"),
        knowledge_base_id=of(BEDROCK, "KNOWLEDGE_BASE_ID", "a knowledge base's id"),
        data_source_id=of(BEDROCK, "DATA_SOURCE_ID", "a data source's id"),
        attribute_types=_attribute_types(environment) if sink == BEDROCK else {},
        sink_requests_per_second=_read(
            environment, "SINK_REQUESTS_PER_SECOND", float, "a number above 0", lambda n: 0 < n < float("inf")
        ),
        max_concurrency=_from_one(environment, "MAX_CONCURRENCY"),
        verification_deadline_seconds=_read(
            environment, "VERIFICATION_DEADLINE_SECONDS", int, "a whole number from 0", lambda n: n >= 0
        ),
        ledger_table=_read(environment, "LEDGER_TABLE", str, "a table's name"),
    )


def read_queue_settings(environment: Mapping[str, str]) -> QueueSettings:
    """Read the queue option's part of the environment. Raises ConfigurationInvalid, which names the variable."""
    return QueueSettings(
        progress_table=_read(environment, "PROGRESS_TABLE", str, "a table's name"),
        put_queue_url=_read(environment, "PUT_QUEUE_URL", str, "a queue's URL"),
        delete_queue_url=_read(environment, "DELETE_QUEUE_URL", str, "a queue's URL"),
        dead_letter_queue_url=_read(environment, "DEAD_LETTER_QUEUE_URL", str, "a queue's URL"),
        shards_put=_from_one(environment, "SHARDS_PUT"),
        shards_delete=_from_one(environment, "SHARDS_DELETE"),
    )


def _attribute_types(environment: Mapping[str, str]) -> dict[str, AttributeType]:
    name, allowed = "ATTRIBUTE_TYPES", f"a JSON object of names to one of {', '.join(AttributeType)}"
    text = environment.get(name, "")
    try:
        types = parse(text.encode("utf-8"))
    except NotJson as error:
        raise ConfigurationInvalid(f"environment variable {name} {error}; allowed: {allowed}") from None
    if not isinstance(types, dict):
        raise ConfigurationInvalid(f"environment variable {name} is {shown(types)}; allowed: {allowed}")
    for attribute, kind in types.items():
        if kind not in tuple(AttributeType):
            raise ConfigurationInvalid(
                f"environment variable {name} gives {shown(attribute)} the type {shown(kind)}; allowed: {allowed}"
            )
    return {attribute: AttributeType(kind) for attribute, kind in types.items()}


def _from_one(environment: Mapping[str, str], name: str) -> int:
    return _read(environment, name, int, "a whole number from 1", lambda n: n >= 1)


def _read(
    environment: Mapping[str, str],
    name: str,
    convert: Callable[[str], T],
    allowed: str,
    holds: Callable[[T], bool] = bool,
) -> T:
    text = environment.get(name, "")
    try:
        value = convert(text)
    except ValueError:
        value = None
    if value is None or not holds(value):
        raise ConfigurationInvalid(f"environment variable {name} is {text!r}; allowed: {allowed}")
    return value
