"""What goes wrong on the way loses no document and gives none two outcomes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.end_to_end.campaign import (
    SILENCE,
    WEATHER,
    Campaign,
    every,
    first_of_each_kind,
    shared_out,
    states_entered,
)
from tests.end_to_end.stack import Stack, StackOf, pair

DOCUMENTS = 60
CHUNK = 100
"""Documents that a chunk of a small plan has."""


@pytest.fixture
def faulty(stack: Stack) -> Iterator[Stack]:
    stack.instance.forget_faults()
    yield stack
    stack.instance.forget_faults()


def upload(stack: Stack, prefix: str, name: str, documents: int = DOCUMENTS) -> list[str]:
    ids = [f"{name}-{number:03}" for number in range(documents)]
    for document_id in ids:
        stack.upload(prefix, pair(document_id))
    return ids


def expect_all(stack: Stack, name: str, ids: list[str]) -> None:
    """Every document is in the index and in the counts once."""
    counts = stack.counts(name)
    assert counts["planned"] == len(ids) == counts.get("indexed", 0) + counts.get("updated", 0)
    assert stack.failures(name) == {}
    assert set(stack.statuses(*ids).values()) <= {"INDEXED", "UPDATED"}


def test_wherever_a_process_that_sends_dies_the_report_is_the_same(faulty: Stack) -> None:
    """What both options have in common dies in test_queue_faults.py."""
    campaign = Campaign(faulty, "deaths")
    calls = [call for call in campaign.rehearse() if call["function"] == "millrace-process-batch"]
    points = first_of_each_kind(calls, campaign.calm)
    shares = shared_out(points, defaultdict(lambda: 3))
    assert campaign.suffer(shares) == []
    print(f"{len(points)} crash points in {len(shares)} jobs")


@pytest.mark.soak
def test_wherever_a_process_dies_at_any_of_its_calls_the_report_is_the_same(faulty: Stack) -> None:
    campaign = Campaign(faulty, "soak")
    points = every(campaign.rehearse())
    shares = shared_out(points, defaultdict(lambda: 1))
    missed = campaign.suffer(shares)
    print(f"{len(points) - len(missed)} crash points in {len(shares)} jobs; not reached:", *missed, sep="\n")
    assert len(missed) < len(points) / 10


def test_wherever_a_process_dies_that_calls_a_knowledge_base_the_report_is_the_same(stack_of: StackOf) -> None:
    stack = stack_of("sfn", "bedrock")
    campaign = Campaign(stack, "deaths")
    calls = [call for call in campaign.rehearse() if call["action"].startswith("bedrock")]
    points = first_of_each_kind(calls, campaign.calm)
    assert len(points) >= 5, "to ingest and to delete, before and after, and to ask"
    assert campaign.suffer(shared_out(points, defaultdict(lambda: 4))) == []
    stack.instance.forget_faults()


def test_whatever_the_services_do_the_report_is_the_same(faulty: Stack) -> None:
    campaign = Campaign(faulty, "weather")
    campaign.rehearse()
    assert campaign.suffer([*WEATHER.values(), SILENCE]) == []


@pytest.mark.parametrize("action", ["dynamodb:UpdateItem", "sns:Publish"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_to_the_state_machine_is_asked_again(faulty: Stack, prefix: str, action: str, when: str) -> None:
    name = f"lost-{action.partition(':')[0]}-{when}"
    ids = upload(faulty, prefix, name)
    faulty.instance.order_fault(action, nth=[1], when=when, code="InternalServerError", status=500)
    execution = faulty.run(prefix, name)
    assert execution.status == "SUCCEEDED", execution
    assert [told["applied"] for told in faulty.instance.faults()] == [1]
    expect_all(faulty, name, ids)


def test_a_chunk_that_kills_every_process_is_reported_and_the_others_go_on(faulty: Stack, prefix: str) -> None:
    """The second of two chunks has a document that no process survives."""
    ids = upload(faulty, prefix, "poison", documents=CHUNK + 50)
    faulty.instance.order_fault("kendra:BatchPutDocument", body=f'"{ids[CHUNK + 5]}"', kill=True)
    execution = faulty.run(prefix, "poison")
    assert execution.status == "SUCCEEDED", execution
    assert faulty.failures("poison") == dict.fromkeys(ids[CHUNK:], "NotProcessed")
    assert faulty.counts("poison") == {"planned": CHUNK + 50, "indexed": CHUNK, "failed": 50}
    assert set(faulty.statuses(*ids[:CHUNK]).values()) == {"INDEXED"}


def test_a_sink_that_somebody_has_locked_is_a_row_for_each_document(faulty: Stack, prefix: str) -> None:
    ids = upload(faulty, prefix, "locked", documents=CHUNK + 50)
    faulty.instance.order_fault(
        "kendra:BatchPutDocument", nth=list(range(11, 400)), code="AccessDeniedException", status=400
    )
    execution = faulty.run(prefix, "locked")
    assert execution.status == "SUCCEEDED", execution
    counts, failures = faulty.counts("locked"), faulty.failures("locked")
    assert counts["planned"] == len(ids) == counts["indexed"] + counts["failed"]
    assert set(failures.values()) == {"SinkMisconfigured"}
    assert len(failures) == counts["failed"] > 0
    assert set(faulty.statuses(*(name for name in ids if name not in failures)).values()) == {"INDEXED"}


def test_a_job_that_is_aborted_and_resubmitted_at_once_has_one_report(faulty: Stack, prefix: str) -> None:
    ids = upload(faulty, prefix, "aborted")
    rule = faulty.instance.order_fault("kendra:BatchPutDocument", delay_seconds=1.5)
    states = faulty.client("stepfunctions")
    first = faulty.started(faulty.submit(prefix, {"jobId": "aborted", "prefix": prefix}))
    faulty.wait_until(
        lambda: any(told["seen"] for told in faulty.instance.faults() if told["id"] == rule), "documents are sent"
    )
    states.stop_execution(executionArn=first)
    second = faulty.start(json.loads(states.describe_execution(executionArn=first)["input"]))
    assert faulty.wait(second).status == "SUCCEEDED"
    assert faulty.wait(first).status == "ABORTED"
    expect_all(faulty, "aborted", ids)
    assert "AggregateFailures" not in states_entered(faulty, first)
    assert states_entered(faulty, second).count("AggregateFailures") == 1
