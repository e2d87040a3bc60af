"""What goes wrong on the way loses no document and gives none two outcomes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.stack import Stack, pair

DOCUMENTS = 60


@pytest.fixture
def faulty(stack: Stack) -> Iterator[Stack]:
    stack.instance.forget_faults()
    yield stack
    stack.instance.forget_faults()


def expect_all(stack: Stack, prefix: str, job_id: str) -> None:
    """Upload, run, and expect that every document is in the index and in the counts once."""
    ids = [f"{job_id}-{n}" for n in range(DOCUMENTS)]
    for name in ids:
        stack.upload(prefix, pair(name))
    execution = stack.run(prefix, job_id)
    assert execution.status == "SUCCEEDED", execution
    assert any(fault["applied"] for fault in stack.instance.faults()), "no fault was met"
    stack.instance.forget_faults()
    counts = stack.summary(job_id)["counts"]
    assert counts["planned"] == DOCUMENTS
    assert counts["indexed"] + counts["updated"] == DOCUMENTS, counts
    assert stack.failures(job_id) == {}
    assert set(stack.statuses(*ids).values()) <= {"INDEXED", "UPDATED"}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("nth", [1, 3])
def test_a_function_that_dies_while_it_sends_loses_nothing(faulty: Stack, prefix: str, when: str, nth: int) -> None:
    faulty.instance.order_fault("kendra:BatchPutDocument", nth=[nth], when=when, kill=True)
    expect_all(faulty, prefix, f"killed-{when}-{nth}")


@pytest.mark.parametrize(
    ("action", "nth"),
    [
        ("s3:GetObject", [2, 9]),
        ("s3:PutObject", [DOCUMENTS * 2 + 2, DOCUMENTS * 2 + 4, DOCUMENTS * 2 + 5]),
        ("s3:ListBucket", [1]),
        ("kendra:BatchGetDocumentStatus", [1, 2]),
        ("kendra:DescribeIndex", [1]),
    ],
)
def test_a_function_that_dies_at_any_call_is_called_again(
    faulty: Stack, prefix: str, action: str, nth: list[int]
) -> None:
    faulty.instance.order_fault(action, nth=nth, kill=True)
    expect_all(faulty, prefix, f"died-{action.rpartition(':')[2]}")


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServerException"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_every_third_answer_of_the_sink_may_be_an_error(faulty: Stack, prefix: str, code: str, when: str) -> None:
    status = 400 if code == "ThrottlingException" else 500
    faulty.instance.order_fault("kendra:Batch*", every=3, when=when, code=code, status=status)
    expect_all(faulty, prefix, f"errors-{code}-{when}")


@pytest.mark.parametrize("action", ["dynamodb:UpdateItem", "sns:Publish"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_to_the_state_machine_is_asked_again(faulty: Stack, prefix: str, action: str, when: str) -> None:
    faulty.instance.order_fault(action, nth=[1], when=when, code="InternalServerError", status=500)
    expect_all(faulty, prefix, f"lost-{action.partition(':')[0]}-{when}")


def test_a_chunk_that_cannot_be_sent_is_reported_and_the_others_go_on(faulty: Stack, prefix: str) -> None:
    """150 documents are two chunks; every call for documents of the second one is refused for want of a permission."""
    ids = [f"chunk-{n:03}" for n in range(150)]
    for name in ids:
        faulty.upload(prefix, pair(name))
    faulty.instance.order_fault(
        "kendra:BatchPutDocument", nth=list(range(11, 400)), code="AccessDeniedException", status=400
    )
    execution = faulty.run(prefix, "one-chunk")
    assert execution.status == "SUCCEEDED", execution
    counts = faulty.summary("one-chunk")["counts"]
    assert counts["planned"] == 150 == counts["indexed"] + counts["failed"]
    failures = faulty.failures("one-chunk")
    assert set(failures.values()) == {"NotProcessed"}
    assert len(failures) == counts["failed"] > 0
    assert set(faulty.statuses(*(name for name in ids if name not in failures)).values()) == {"INDEXED"}
