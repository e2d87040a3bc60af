from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from kendra_ingestion.errors import SinkThrottled, SinkUnavailable
from kendra_ingestion.process_batch import PART_REQUESTS
from tests.fakes.crash import Crash, Fuse
from tests.fakes.pipeline import REPORTS, Pipeline
from tests.fakes.quota import TokenBucket


def planned(pipeline: Pipeline, number: int = 0, *, deletes: list[str] | None = None) -> list[str]:
    """Upload, load and plan; returns the documents' ids."""
    ids = pipeline.add_many(number)
    pipeline.upload_manifest(deletes=deletes or [])
    pipeline.load_manifest()
    pipeline.plan_all()
    return ids


def outcomes(pipeline: Pipeline, chunk: int = 0) -> dict[str, str]:
    """What sending said, as the outcome or the error's code, by document id. Nothing may be said twice."""
    found: dict[str, str] = {}
    for key in pipeline.store.keys(REPORTS, f"_work/job-1/{pipeline.run}/outcomes/{chunk:05}/send-"):
        for line in pipeline.store[f"{REPORTS}/{key}"].splitlines():
            outcome = json.loads(line)
            assert outcome["documentId"] not in found
            found[outcome["documentId"]] = outcome.get("errorCode", outcome["outcome"])
    return found


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


def test_every_document_of_the_chunk_is_sent_once_and_has_an_outcome(pipeline: Pipeline) -> None:
    ids = planned(pipeline, 95)
    assert pipeline.process_batch(0) == {"chunk": 0, "cursor": None, "done": True}
    assert pipeline.index.sent() == ids
    assert outcomes(pipeline) == dict.fromkeys(ids, "sent")


def test_deletes_are_sent_in_tens(pipeline: Pipeline) -> None:
    ids = [f"old-{number}" for number in range(25)]
    planned(pipeline, deletes=ids)
    pipeline.process_batch(0)
    assert pipeline.index.sent("BatchDeleteDocument") == ids
    assert outcomes(pipeline) == dict.fromkeys(ids, "sent")


def test_a_rejected_document_is_a_row_and_the_others_go_on(pipeline: Pipeline) -> None:
    ids = planned(pipeline, 20)
    pipeline.index.rejections[ids[3]] = [("InvalidRequest", "empty document")]
    pipeline.process_batch(0)
    assert outcomes(pipeline) == dict.fromkeys(ids, "sent") | {ids[3]: "InvalidRequest"}


def test_a_fault_of_kendras_own_is_tried_again_for_that_document_alone(pipeline: Pipeline) -> None:
    ids = planned(pipeline, 10)
    pipeline.index.rejections[ids[3]] = [("InternalError", "oops")] * 3
    pipeline.process_batch(0)
    assert outcomes(pipeline)[ids[3]] == "sent"
    assert pipeline.index.sent() == [*ids, ids[3], ids[3], ids[3]]


def test_a_fault_of_kendras_own_that_stays_is_a_row(pipeline: Pipeline) -> None:
    ids = planned(pipeline, 10)
    pipeline.index.rejections[ids[3]] = [("InternalError", "oops")] * 100
    pipeline.process_batch(0)
    assert outcomes(pipeline)[ids[3]] == "InternalError"
    assert len(pipeline.index.sent()) == 14


def test_one_document_that_spoils_its_request_fails_alone(pipeline: Pipeline) -> None:
    ids = planned(pipeline, 30)
    pipeline.index.poison = {ids[4], ids[25]}
    pipeline.process_batch(0)
    assert outcomes(pipeline) == dict.fromkeys(ids, "sent") | {ids[4]: "Refused", ids[25]: "Refused"}


def test_a_full_index_is_told_apart(pipeline: Pipeline) -> None:
    ids = planned(pipeline, 1)
    pipeline.index.errors["BatchPutDocument"] = ["ServiceQuotaExceededException"]
    pipeline.process_batch(0)
    assert outcomes(pipeline) == {ids[0]: "QuotaExceeded"}


def test_a_document_with_an_unknown_attribute_is_never_sent(pipeline: Pipeline) -> None:
    pipeline.add("good.json", "good", Attributes={"department": "x"})
    pipeline.add("bad.json", "bad", Attributes={"dept": "x"})
    pipeline.add("wrong.json", "wrong", Attributes={"_created_at": "soon"})
    planned(pipeline)
    pipeline.process_batch(0)
    assert pipeline.index.sent() == ["good"]
    assert outcomes(pipeline) == {
        "good": "sent",
        "bad": "UnknownAttribute",
        "wrong": "AttributeTypeMismatch",
    }


def test_throttled_calls_lose_nothing(pipeline: Pipeline) -> None:
    ids = planned(pipeline, 300)
    pipeline.index.quota = TokenBucket(2.0, burst=2.0)
    for chunk in range(3):
        pipeline.process_batch(chunk, rate=8.0)
    assert {i for chunk in range(3) for i in outcomes(pipeline, chunk)} == set(ids)
    assert pipeline.index.throttled > 0


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ThrottlingException", SinkThrottled),
        ("InternalServerException", SinkUnavailable),
    ],
)
def test_when_sending_must_give_up_what_is_done_is_written_and_not_sent_again(
    pipeline: Pipeline, code: str, error: type[Exception]
) -> None:
    ids = planned(pipeline, 100)
    pipeline.index.errors["BatchPutDocument"] = [None, None, None, *[code] * 200]
    with pytest.raises(error):
        pipeline.process_batch(0)
    assert set(ids[:30]) <= set(outcomes(pipeline))
    pipeline.index.errors.clear()
    already = len(pipeline.index.sent())
    assert pipeline.process_batch(0)["done"]
    assert outcomes(pipeline) == dict.fromkeys(ids, "sent")
    assert len(pipeline.index.sent()[already:]) == 100 - already
    assert sorted(pipeline.index.sent()) == ids


def test_a_low_time_returns_a_cursor_and_the_next_call_goes_on_there(pipeline: Pipeline) -> None:
    ids = planned(pipeline, 100)
    answer = pipeline.process_batch(0, rate=1.0, stop_at=pipeline.clock.now + 4)
    assert not answer["done"]
    assert 0 < answer["cursor"] < 10
    calls = 1
    while not answer["done"]:
        answer = pipeline.process_batch(0, answer["cursor"], rate=1.0, stop_at=pipeline.clock.now + 4)
        calls += 1
    assert calls < 6
    assert pipeline.index.sent() == ids
    assert outcomes(pipeline) == dict.fromkeys(ids, "sent")


def test_a_request_that_still_waits_when_time_runs_low_is_where_the_cursor_stands(pipeline: Pipeline) -> None:
    ids = planned(pipeline, 100)
    pipeline.index.errors["BatchPutDocument"] = [None, *["InternalServerException"] * 3]
    answer = pipeline.process_batch(0, rate=1.0, stop_at=pipeline.clock.now + 3)
    assert answer["cursor"] == 1
    while not answer["done"]:
        answer = pipeline.process_batch(0, answer["cursor"])
    assert set(outcomes(pipeline)) == set(ids)


@pytest.mark.parametrize("done", [False, True])
def test_an_invocation_that_dies_at_any_call_loses_nothing_and_sends_little_again(done: bool) -> None:
    def fresh(fuse: Fuse) -> tuple[Pipeline, list[str]]:
        pipeline = Pipeline()
        ids = pipeline.add_many(100)
        pipeline.add("bad.json", "bad", Attributes={"dept": "x"})
        pipeline.upload_manifest()
        pipeline.load_manifest()
        pipeline.plan_all()
        pipeline.index.rejections[ids[7]] = [("InternalError", "oops")]
        pipeline.index.errors["BatchPutDocument"] = [None, "ThrottlingException"]
        pipeline.s3, pipeline.kendra = fuse.guard(pipeline.store), fuse.guard(pipeline.index)
        return pipeline, ids

    counting = Fuse()
    pipeline, _ = fresh(counting)
    pipeline.process_batch(0)
    for at in range(1, counting.calls + 1):
        pipeline, _ = fresh(Fuse(at, done=done))
        with pytest.raises(Crash):
            pipeline.process_batch(0)
        pipeline.s3, pipeline.kendra = pipeline.store, pipeline.index
        pipeline.process_all(0)
        pipeline.process_all(1)
        found = outcomes(pipeline) | outcomes(pipeline, 1)
        assert len(found) == 101
        assert found.pop("bad") == "UnknownAttribute"
        assert set(found.values()) == {"sent"}
        assert len(pipeline.index.sent()) <= 101 + 10 * PART_REQUESTS


def test_parts_are_written_as_they_fill_so_that_little_is_lost() -> None:
    """60 requests make parts of 25, 25 and 10; the second one dies, and only what was not written goes again."""
    pipeline = Pipeline()
    requests = [[{"documentId": f"d{r:02}-{i}"} for i in range(10)] for r in range(60)]
    pipeline.workspace().publish_plan({"attempt": pipeline.attempt})
    pipeline.workspace().save_chunk({"chunk": 0, "action": "delete", "requests": requests})  # type: ignore[typeddict-item]
    fuse = Fuse(50)
    pipeline.s3, pipeline.kendra = fuse.guard(pipeline.store), fuse.guard(pipeline.index)
    with pytest.raises(Crash):
        pipeline.process_batch(0)
    pipeline.s3, pipeline.kendra = pipeline.store, pipeline.index
    before = len(pipeline.index.sent("BatchDeleteDocument"))
    assert before > 400
    pipeline.process_batch(0)
    assert len(pipeline.index.sent("BatchDeleteDocument")) - before == 350
    assert len(outcomes(pipeline)) == 600


def test_a_sink_that_is_misconfigured_is_a_row_for_each_document_with_the_reason(pipeline: Pipeline) -> None:
    ids = planned(pipeline, 40)
    pipeline.index.errors["BatchPutDocument"] = [None, *["AccessDeniedException"] * 10]
    assert pipeline.process_batch(0) == {"chunk": 0, "cursor": None, "done": True}
    assert outcomes(pipeline) == dict.fromkeys(ids[:10], "sent") | dict.fromkeys(ids[10:], "SinkMisconfigured")
    pipeline.verify_all()
    pipeline.aggregate_failures()
    assert "AccessDeniedException" in pipeline.rows()[0]["errorMessage"]


def test_nothing_is_sent_that_was_not_marked_before(pipeline: Pipeline) -> None:
    pipeline.add("bad.json", "bad", Attributes={"dept": "x"})
    ids = planned(pipeline, 30)
    pipeline.index.errors["BatchPutDocument"] = ["ThrottlingException"]
    pipeline.process_batch(0)
    assert set(pipeline.marked) == set(ids)
    assert pipeline.marked[:10] == ids[:10]


def test_a_stopped_job_sends_nothing_more(pipeline: Pipeline) -> None:
    planned(pipeline, 20)
    pipeline.stop()
    assert pipeline.process_batch(0) == {"chunk": 0, "cursor": None, "done": True}
    assert pipeline.index.sent() == []


def test_a_job_that_is_stopped_while_it_sends_ends_soon_and_keeps_what_is_done(pipeline: Pipeline) -> None:
    ids = planned(pipeline, 100)
    sent = pipeline.index.sent
    pipeline.s3 = StopAfter(pipeline, lambda: len(sent()) >= 30)
    answer = pipeline.process_batch(0, rate=1.0)
    assert answer == {"chunk": 0, "cursor": None, "done": True}
    assert 30 <= len(sent()) < 100
    assert outcomes(pipeline) == dict.fromkeys(ids[: len(sent())], "sent")


class StopAfter:
    """S3 in which the mark to stop appears once `when` holds."""

    def __init__(self, pipeline: Pipeline, when: Callable[[], bool]) -> None:
        self._pipeline, self._when = pipeline, when

    def __getattr__(self, name: str) -> Any:
        if name == "head_object" and self._when():
            self._pipeline.stop()
        return getattr(self._pipeline.store, name)


def test_another_attempt_at_the_same_upload_sends_only_what_is_left(pipeline: Pipeline) -> None:
    ids = planned(pipeline, 250)
    pipeline.process_batch(0)
    pipeline.attempt = "attempt-2"
    assert pipeline.load_manifest()["run"] == pipeline.run
    assert pipeline.plan_all()["chunks"] == [0, 1, 2]
    for chunk in range(3):
        pipeline.process_batch(chunk)
    assert pipeline.index.sent() == ids
    pipeline.verify_all()
    assert pipeline.aggregate_failures()["counts"]["indexed"] == 250


def test_a_new_upload_is_new_work(pipeline: Pipeline) -> None:
    ids = planned(pipeline, 10)
    pipeline.process_batch(0)
    before = pipeline.run
    pipeline.upload_manifest()
    pipeline.load_manifest()
    assert pipeline.run != before
    pipeline.plan_all()
    pipeline.process_batch(0)
    assert pipeline.index.sent() == ids * 2
