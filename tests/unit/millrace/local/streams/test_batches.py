from __future__ import annotations

from typing import Any

import pytest

from millrace.local.streams.batches import (
    BATCH_BYTES,
    Batch,
    Record,
    after_failure,
    failed_at,
    fitting,
    pause,
    too_old,
)
from millrace.local.streams.mappings import Settings


def record(number: int, *, at: float = 0.0, size: int = 10) -> Record:
    change = {"SequenceNumber": f"{number:021d}", "ApproximateCreationDateTime": at, "SizeBytes": size}
    return {"dynamodb": change, "filler": "x" * size}


def records(number: int) -> tuple[Record, ...]:
    return tuple(map(record, range(number)))


def cut(batches: list[Batch]) -> list[tuple[list[int], int]]:
    """The numbers and the tries of each batch."""
    return [([int(each["dynamodb"]["SequenceNumber"]) for each in batch.records], batch.tries) for batch in batches]


REPORTS = Settings(reports=True)


def answer(*numbers: Any) -> dict[str, Any]:
    return {"body": {"batchItemFailures": [{"itemIdentifier": number} for number in numbers]}}


def test_a_function_that_answers_has_done_its_batch() -> None:
    assert failed_at({"body": answer("anything")["body"]}, records(2), Settings()) is None
    assert failed_at(answer(), records(2), REPORTS) is None


def test_a_function_that_fails_has_done_nothing() -> None:
    assert failed_at({"error": True, "body": answer()["body"]}, records(2), REPORTS) == 0


def test_of_the_records_that_are_reported_the_lowest_counts() -> None:
    assert failed_at(answer(f"{4:021d}", f"{2:021d}"), records(5), REPORTS) == 2


@pytest.mark.parametrize("said", [answer("unknown"), answer(""), answer(None), {"body": "fine"}])
def test_an_answer_that_makes_no_sense_says_that_nothing_is_done(said: dict[str, Any]) -> None:
    assert failed_at(said, records(3), REPORTS) == 0


def test_what_was_done_in_front_of_the_failure_is_left_out_and_the_rest_is_another_batch() -> None:
    assert cut(after_failure(Batch(records(4), tries=3), 1, Settings(retries=3))) == [([1, 2, 3], 0)]


def test_a_batch_that_fails_is_tried_again_as_often_as_the_mapping_says() -> None:
    settings = Settings(retries=2)
    batch, tries = Batch(records(2)), 1
    while following := after_failure(batch, 0, settings):
        (batch,) = following
        tries += 1
    assert tries == 3


def test_a_mapping_that_bisects_cuts_what_fails_and_counts_no_retry() -> None:
    settings = Settings(bisects=True, retries=0)
    assert cut(after_failure(Batch(records(5)), 0, settings)) == [([0, 1, 2], 0), ([3, 4], 0)]
    assert after_failure(Batch(records(1)), 0, settings) == []


def test_without_a_limit_a_batch_is_never_given_up() -> None:
    assert cut(after_failure(Batch(records(1), tries=10_000), 0, Settings())) == [([0], 10_001)]


def test_what_is_older_than_the_mapping_allows_is_at_the_front() -> None:
    batch = Batch((record(0, at=10), record(1, at=39.9), record(2, at=40), record(3, at=99)))
    assert too_old(batch, 100, Settings(age=60)) == 2
    assert too_old(batch, 100, Settings()) == 0


def test_a_batch_is_as_large_as_an_event_may_be_and_never_empty() -> None:
    third = BATCH_BYTES // 3
    assert fitting([record(number, size=third) for number in range(4)]) == 2
    assert fitting([record(0, size=2 * BATCH_BYTES)]) == 1
    assert fitting(records(10)) == 10


def test_pauses_double_up_to_the_longest() -> None:
    assert [pause(Batch((), tries), 0.1, 0.5) for tries in range(5)] == pytest.approx([0, 0.1, 0.2, 0.4, 0.5])
    assert pause(Batch((), 10_000), 0.1, 0.5) == 0.5
