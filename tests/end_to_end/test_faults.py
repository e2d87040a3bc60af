"""What goes wrong on the way loses no document and gives none two outcomes."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest

from tests.conftest import Tell
from tests.end_to_end.campaign import (
    SILENCE,
    TRIES,
    WEATHER,
    Campaign,
    every,
    expect_all,
    first_of_each_kind,
    shared_out,
    upload,
)
from tests.end_to_end.stack import Stack, StackOf

DOCUMENTS = 60
CHUNK = 100
"""Documents that a chunk of a small plan has."""


@pytest.fixture(scope="module")
def campaign(stack: Stack) -> Campaign:
    stack.instance.forget_faults()
    return Campaign(stack, "faults")


@pytest.mark.usefixtures("healthy")
def test_whatever_fails_and_wherever_a_process_that_sends_dies_the_report_is_the_same(
    campaign: Campaign, tell: Tell
) -> None:
    """All side by side, because the sink's silence takes long. What both options have in common dies in
    test_queue_faults.py."""
    calls = [call for call in campaign.calls if call["function"] == "millrace-process-batch"]
    points = first_of_each_kind(calls, campaign.calm)
    deaths = shared_out(points, defaultdict(lambda: TRIES - 1))
    assert campaign.suffer([SILENCE, *WEATHER.values(), *deaths]) == []
    tell(campaign.told(points, len(deaths)))


@pytest.mark.soak
@pytest.mark.usefixtures("healthy")
def test_wherever_a_process_dies_at_any_of_its_calls_the_report_is_the_same(campaign: Campaign, tell: Tell) -> None:
    points = every(campaign.calls)
    shares = shared_out(points, defaultdict(lambda: 1))
    missed = campaign.suffer(shares)
    tell(f"{campaign.told(points, len(shares))}; of them not reached: {missed}")
    assert len(missed) < len(points) / 10


def test_wherever_a_process_dies_that_calls_a_knowledge_base_the_report_is_the_same(
    stack_of: StackOf, tell: Tell
) -> None:
    stack = stack_of("sfn", "bedrock")
    stack.instance.forget_faults()
    campaign = Campaign(stack, "deaths")
    calls = [call for call in campaign.calls if call["action"].startswith("bedrock")]
    points = first_of_each_kind(calls, campaign.calm)
    assert len(points) >= 3, "to ingest, to delete and to ask"
    deaths = shared_out(points, defaultdict(lambda: TRIES - 1))
    assert campaign.suffer(deaths) == []
    stack.instance.forget_faults()
    tell(campaign.told(points, len(deaths)))


@pytest.mark.parametrize("action", ["dynamodb:UpdateItem", "sns:Publish"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_to_the_state_machine_is_asked_again(healthy: Stack, prefix: str, action: str, when: str) -> None:
    name = f"lost-{action.partition(':')[0]}-{when}"
    ids = upload(healthy, prefix, name, DOCUMENTS)
    healthy.instance.order_fault(action, nth=[1], when=when, code="InternalServerError", status=500)
    execution = healthy.run(prefix, name)
    assert execution.status == "SUCCEEDED", execution
    assert [told["applied"] for told in healthy.instance.faults()] == [1]
    expect_all(healthy, name, ids)


def test_a_chunk_that_kills_every_process_is_reported_and_the_others_go_on(healthy: Stack, prefix: str) -> None:
    """The second of two chunks has a document that no process survives."""
    ids = upload(healthy, prefix, "poison", CHUNK + 50)
    healthy.instance.order_fault("kendra:BatchPutDocument", body=f'"{ids[CHUNK + 5]}"', kill=True)
    execution = healthy.run(prefix, "poison")
    assert execution.status == "SUCCEEDED", execution
    assert healthy.failures("poison") == dict.fromkeys(ids[CHUNK:], "NotProcessed")
    assert healthy.counts("poison") == {"planned": CHUNK + 50, "indexed": CHUNK, "failed": 50}
    assert set(healthy.statuses(*ids[:CHUNK]).values()) == {"INDEXED"}


def test_a_sink_that_somebody_has_locked_is_a_row_for_each_document(healthy: Stack, prefix: str) -> None:
    ids = upload(healthy, prefix, "locked", CHUNK + 50)
    healthy.instance.order_fault(
        "kendra:BatchPutDocument", nth=list(range(11, 400)), code="AccessDeniedException", status=400
    )
    execution = healthy.run(prefix, "locked")
    assert execution.status == "SUCCEEDED", execution
    counts, failures = healthy.counts("locked"), healthy.failures("locked")
    assert counts["planned"] == len(ids) == counts["indexed"] + counts["failed"]
    assert set(failures.values()) == {"SinkMisconfigured"}
    assert len(failures) == counts["failed"] > 0
    assert set(healthy.statuses(*(name for name in ids if name not in failures)).values()) == {"INDEXED"}


def test_a_job_that_is_aborted_and_resubmitted_at_once_has_one_report(healthy: Stack, prefix: str) -> None:
    ids = upload(healthy, prefix, "abandoned", DOCUMENTS)
    rule = healthy.hold(after=1)
    states = healthy.client("stepfunctions")
    first = healthy.started(healthy.submit(prefix, {"jobId": "abandoned", "prefix": prefix}))
    healthy.wait_until(
        lambda: any(told["seen"] for told in healthy.instance.faults() if told["id"] == rule), "documents are sent"
    )
    states.stop_execution(executionArn=first)
    healthy.instance.forget_faults()
    second = healthy.start(json.loads(states.describe_execution(executionArn=first)["input"]))
    assert healthy.wait(second).status == "SUCCEEDED"
    assert healthy.wait(first).status == "ABORTED"
    expect_all(healthy, "abandoned", ids)
    assert "AggregateFailures" not in healthy.entered(first)
    assert healthy.entered(second).count("AggregateFailures") == 1
