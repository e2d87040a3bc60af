from __future__ import annotations

import pytest

from millrace.local.batch_answers import failed

BATCH = ["one", "two", "three"]


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": None}, {"batchItemFailures": []}, {"status": 200}])
def test_an_answer_that_names_no_failure_is_a_success(answer):
    assert list(failed(answer, BATCH)) == []


def test_the_named_messages_failed():
    answer = {"batchItemFailures": [{"itemIdentifier": "two"}, {"itemIdentifier": "three"}]}
    assert list(failed(answer, BATCH)) == ["two", "three"]


@pytest.mark.parametrize(
    "answer",
    [
        {"batchItemFailures": [{"itemIdentifier": "two"}, {"itemIdentifier": "unknown"}]},
        {"batchItemFailures": [{"itemIdentifier": ""}]},
        {"batchItemFailures": [{"itemIdentifier": None}]},
        {"batchItemFailures": [{"itemIdentifier": ["one"]}]},
        {"batchItemFailures": [{"id": "one"}]},
        {"batchItemFailures": ["one"]},
        {"batchItemFailures": "one"},
        {"batchItemFailures": False},
        [],
        "fine",
        200,
    ],
)
def test_an_answer_that_makes_no_sense_fails_the_batch(answer):
    assert list(failed(answer, BATCH)) == BATCH
