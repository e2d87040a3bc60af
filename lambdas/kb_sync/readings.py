"""What an ended execution, and an item of the table, say in numbers. docs/kb_sync.md has the shapes of both."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from aws_lambda_powertools.metrics import MetricUnit

from kb_sync.errors import EventInvalid, ItemInvalid

KEY = re.compile(r"[0-9A-Za-z]{10}/[0-9A-Za-z]{10}")
"""Ids of a knowledge base and its data source (Bedrock API reference). Nothing else becomes a dimension, whatever an
execution was given: every value of a dimension is a metric of its own."""

UNSUCCESSFUL = ("FAILED", "TIMED_OUT", "ABORTED")
COUNTED = {"jobs": "JobsStarted", "conflicts": "Conflicts", "takeovers": "Takeovers"}
"""Metrics by the names of the output's counts."""


class Reading(NamedTuple):
    """Some values of one metric, for one data source or, where nobody knows which, for none."""

    name: str
    unit: MetricUnit
    values: tuple[float, ...]
    key: str | None


class Ended(NamedTuple):
    """An execution that has ended. Input and output are JSON text; `output` is only there where it succeeded."""

    status: str
    input: str
    output: str | None


def of_execution(ended: Ended) -> list[Reading]:
    """What an execution says of itself: its counts where it has an output, and else that it failed.

    Raises EventInvalid."""
    if ended.status in UNSUCCESSFUL:
        return [_count("SyncsFailed", 1, _requested_key(ended.input))]
    if ended.output is None:
        raise EventInvalid(f"an execution that is {ended.status} has no output")
    return list(_of_output(ended.output))


def of_item(item: Mapping[str, Any], now: datetime) -> Reading:
    """How long the oldest request of a data source that is not covered has been waiting; 0 where all are covered.

    `item` is as DynamoDB gives it. Raises ItemInvalid."""
    key = item.get("key", {}).get("S")
    try:
        pending = int(item["requested"]["N"]) > int(item["completed"]["N"])
        age = (now - _moment(item["pendingSince"]["S"])).total_seconds() if pending else 0.0
    except (KeyError, TypeError, ValueError) as error:
        raise ItemInvalid(f"item {key} says no age of its requests: {error!r}") from error
    return Reading("OldestPendingSeconds", MetricUnit.Seconds, (max(age, 0.0),), known(key))


def nothing_pending() -> Reading:
    """What is said where there is no item: the alarm must tell this from a clock that has stopped."""
    return Reading("OldestPendingSeconds", MetricUnit.Seconds, (0.0,), None)


def known(key: object) -> str | None:
    """The key, if it is a data source's."""
    return key if isinstance(key, str) and KEY.fullmatch(key) else None


def _of_output(text: str) -> Iterator[Reading]:
    try:
        output = json.loads(text)
        key = known(output["key"])
        for count, name in COUNTED.items():
            if number := int(output["counts"][count]):
                yield _count(name, number, key)
        if output["status"] == "coalesced" and output["ticket"]:
            yield _count("RequestsCoalesced", 1, key)
        if waits := tuple(_waits(output["spans"])):
            yield Reading("SecondsToCovered", MetricUnit.Seconds, waits, key)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise EventInvalid(f"the output is not one of kb_sync: {error!r}") from error


def _waits(spans: str) -> Iterator[float]:
    """Seconds from the oldest request to its coverage, of `"<oldest request> <covered>;"` each."""
    for span in filter(None, spans.split(";")):
        asked, covered = span.split(" ")
        yield max((_moment(covered) - _moment(asked)).total_seconds(), 0.0)


def _requested_key(text: str) -> str | None:
    """The key that an execution was asked for, as kb_sync understands its input; None where it understands none."""
    try:
        asked = json.loads(text)
    except (RecursionError, ValueError):
        return None
    if isinstance(asked, list):
        asked = asked[0] if asked else None
    match asked:
        case {"flight": {"key": str(key)}}:
            return known(key)
        case {"knowledgeBaseId": str(knowledge_base), "dataSourceId": str(data_source)}:
            return known(f"{knowledge_base}/{data_source}")
    return None


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment


def _count(name: str, number: int, key: str | None) -> Reading:
    return Reading(name, MetricUnit.Count, (number,), key)
