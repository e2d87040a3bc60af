from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.s3 import FakeS3
from vector_store.errors import StoreUnavailable
from vector_store.run_records import CONFLICTS, RunRecords

PLACE = "store/runs/lines/job.json"


@pytest.fixture
def s3() -> FakeS3:
    return FakeS3("store")


def outcomes(s3: FakeS3) -> list[tuple[str, str]]:
    return [(call["call"], call["outcome"]) for call in json.loads(s3[PLACE])["calls"]]


def say(s3: Any, call: str, outcome: str) -> None:
    RunRecords(s3, "store").write("lines", "job", {"call": call, "outcome": outcome})


def test_each_call_has_one_part_which_it_may_write_again(s3: FakeS3) -> None:
    say(s3, "one", "publishing")
    say(s3, "two", "discarded")
    say(s3, "one", "published")
    assert outcomes(s3) == [("two", "discarded"), ("one", "published")]
    assert json.loads(s3[PLACE])["job"] == "job"


@pytest.mark.parametrize("already", [False, True])
def test_two_calls_that_write_at_once_both_stand_there(s3: FakeS3, already: bool) -> None:
    if already:
        say(s3, "zero", "published")
    put = s3.put_object

    def slow(**asked: Any) -> Any:
        s3.put_object = put  # type: ignore[method-assign]
        say(s3, "other", "published")
        return put(**asked)

    s3.put_object = slow  # type: ignore[method-assign]
    say(s3, "one", "published")
    assert {call for call, _ in outcomes(s3)} == {"one", "other"} | ({"zero"} if already else set())


def test_a_record_that_others_write_all_the_time_is_given_up(s3: FakeS3) -> None:
    say(s3, "zero", "published")
    get, tries = s3.get_object, []

    def late(**asked: Any) -> Any:
        reply = get(**asked)
        tries.append(reply)
        s3[PLACE] = json.dumps({"calls": [], "tries": len(tries)}).encode()
        return reply

    s3.get_object = late  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable, match="PreconditionFailed"):
        say(s3, "one", "published")
    assert len(tries) == CONFLICTS
