from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from aws_lambda_powertools.metrics import MetricUnit

from kb_sync.errors import EventInvalid, ItemInvalid
from kb_sync.readings import Ended, Reading, of_execution, of_item

KEY = "KBASE12345/DSRCE12345"
NOW = datetime(2025, 10, 5, 12, 30, tzinfo=UTC)
REQUEST = json.dumps({"knowledgeBaseId": "KBASE12345", "dataSourceId": "DSRCE12345"})


def output(status: str = "covered", *, ticket: int = 3, spans: str = "", **counted: int) -> str:
    counts = {"jobs": 0, "conflicts": 0, "takeovers": 0, **counted}
    return json.dumps({"status": status, "key": KEY, "ticket": ticket, "counts": counts, "spans": spans})


def succeeded(output: str | None) -> Ended:
    return Ended("SUCCEEDED", REQUEST, output)


def count(name: str, number: int, key: str | None = KEY) -> Reading:
    return Reading(name, MetricUnit.Count, (number,), key)


def item(requested: int = 3, completed: int = 3, pending_since: str | None = None, key: str = KEY) -> dict[str, Any]:
    made = {"key": {"S": key}, "requested": {"N": str(requested)}, "completed": {"N": str(completed)}}
    return made | ({"pendingSince": {"S": pending_since}} if pending_since else {})


def test_jobs_conflicts_and_takeovers_are_counted() -> None:
    assert of_execution(succeeded(output(jobs=2, conflicts=5, takeovers=1))) == [
        count("JobsStarted", 2),
        count("Conflicts", 5),
        count("Takeovers", 1),
    ]


def test_what_did_not_happen_is_not_counted() -> None:
    assert of_execution(succeeded(output("nothing pending"))) == []


def test_a_request_that_leaves_is_counted_as_coalesced() -> None:
    assert of_execution(succeeded(output("coalesced"))) == [count("RequestsCoalesced", 1)]


def test_a_sweep_that_leaves_is_no_request() -> None:
    assert of_execution(succeeded(output("coalesced", ticket=0))) == []


@pytest.mark.parametrize("status", ["covered", "superseded", "handed over"])
def test_jobs_count_however_an_execution_ends_well(status: str) -> None:
    assert of_execution(succeeded(output(status, jobs=1))) == [count("JobsStarted", 1)]


def test_each_job_tells_how_long_its_oldest_request_waited() -> None:
    spans = "2025-10-05T12:00:00.250Z 2025-10-05T12:01:30.750Z;2025-10-05T12:01:00Z 2025-10-05T12:02:00+00:00;"
    assert of_execution(succeeded(output(spans=spans))) == [
        Reading("SecondsToCovered", MetricUnit.Seconds, (90.5, 60.0), KEY)
    ]


def test_nobody_is_covered_before_he_asks() -> None:
    (reading,) = of_execution(succeeded(output(spans="2025-10-05T12:00:01Z 2025-10-05T12:00:00Z;")))
    assert reading.values == (0.0,)


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_an_execution_that_does_not_succeed_is_a_failure(status: str) -> None:
    assert of_execution(Ended(status, REQUEST, None)) == [count("SyncsFailed", 1)]


@pytest.mark.parametrize(
    "given",
    [
        {"knowledgeBaseId": "KBASE12345", "dataSourceId": "DSRCE12345", "wait": True},
        [{"knowledgeBaseId": "KBASE12345", "dataSourceId": "DSRCE12345"}] * 2,
        {"flight": {"key": KEY, "mode": "sweep"}},
    ],
)
def test_a_failure_is_its_data_sources_whoever_asked(given: Any) -> None:
    assert of_execution(Ended("FAILED", json.dumps(given), None)) == [count("SyncsFailed", 1, KEY)]


@pytest.mark.parametrize(
    "given",
    [
        "",
        "{",
        "null",
        "[]",
        "[[]]",
        '"KBASE12345/DSRCE12345"',
        "[" * 100_000,
        "9" * 5_000,
        '{"flight": {"key": 7}}',
        '{"flight": {"key": "../../etc"}}',
        '{"knowledgeBaseId": "KBASE12345"}',
        '{"knowledgeBaseId": ["KBASE12345"], "dataSourceId": "DSRCE12345"}',
        '{"knowledgeBaseId": "KBASE12345", "dataSourceId": "DSRCE12345\\n"}',
    ],
)
def test_nonsense_is_a_failure_of_no_data_source(given: str) -> None:
    assert of_execution(Ended("FAILED", given, None)) == [count("SyncsFailed", 1, None)]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[]",
        "{}",
        '"covered"',
        json.dumps({"status": "covered", "key": KEY, "counts": {"jobs": 1}, "spans": ""}),
        json.dumps({"status": "covered", "key": KEY, "counts": {"jobs": "many", "conflicts": 0, "takeovers": 0}}),
        output(spans="2025-10-05T12:00:00Z;"),
        output(spans="yesterday today;"),
        output(spans="2025-10-05T12:00:00 2025-10-05T12:00:01Z;"),
    ],
)
def test_an_output_of_another_shape_is_refused(text: str | None) -> None:
    with pytest.raises(EventInvalid):
        of_execution(succeeded(text))


def test_the_oldest_request_tells_how_long_it_has_been_waiting() -> None:
    pending = item(requested=4, completed=3, pending_since="2025-10-05T12:15:00.000Z")
    assert of_item(pending, NOW) == Reading("OldestPendingSeconds", MetricUnit.Seconds, (900.0,), KEY)


@pytest.mark.parametrize("since", [None, "2025-10-05T12:15:00.000Z"])
def test_where_all_requests_are_covered_nothing_waits(since: str | None) -> None:
    """Between Mark and Release the item still says since when the last ones were pending."""
    assert of_item(item(pending_since=since), NOW).values == (0.0,)


def test_a_clock_that_is_behind_makes_no_age_below_0() -> None:
    assert of_item(item(4, 3, "2025-10-05T12:30:05Z"), NOW).values == (0.0,)


def test_an_item_of_a_strange_key_is_measured_without_it() -> None:
    assert of_item(item(4, 3, "2025-10-05T12:15:00Z", key="strange"), NOW).key is None


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"key": {"S": KEY}},
        item(requested=4),
        item(4, 3, "soon"),
        item(4, 3, "2025-10-05T12:15:00"),
        item() | {"requested": {"S": "three"}},
        item() | {"completed": {"N": "some"}},
    ],
)
def test_an_item_that_says_no_age_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ItemInvalid):
        of_item(broken, NOW)
