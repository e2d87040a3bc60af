from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kendra_ingestion.errors import SinkThrottled
from kendra_ingestion.outcomes import DELETED, INDEXED, UPDATED, Outcome, failed
from kendra_ingestion.sink import State, Status
from kendra_ingestion.verify import MAX_TURNS, verdict, wait_seconds
from tests.fakes.crash import Crash, Fuse
from tests.fakes.pipeline import REPORTS, Pipeline


def sent(number: int, *, deletes: list[str] | None = None, indexing_seconds: float = 0) -> tuple[Pipeline, list[str]]:
    """A pipeline that has sent everything."""
    pipeline = Pipeline()
    pipeline.index.indexing_seconds = indexing_seconds
    ids = pipeline.add_many(number)
    pipeline.upload_manifest(deletes=deletes or [])
    pipeline.load_manifest()
    for chunk in pipeline.plan_all()["chunks"]:
        pipeline.process_all(chunk)
    return pipeline, ids


def verdicts(pipeline: Pipeline) -> dict[str, str]:
    """What the index said, as the outcome or the error's code, by document id. Nothing may be said twice."""
    found: dict[str, str] = {}
    for key in pipeline.store.keys(REPORTS, f"_work/job-1/{pipeline.run}/outcomes/"):
        for line in pipeline.store[f"{REPORTS}/{key}"].splitlines() if "verify-" in key else ():
            outcome = json.loads(line)
            assert outcome["documentId"] not in found
            found[outcome["documentId"]] = outcome.get("errorCode", outcome["outcome"])
    return found


@pytest.mark.parametrize(
    ("action", "status", "means"),
    [
        ("put", Status(State.INDEXED), Outcome("a", INDEXED)),
        ("put", Status(State.UPDATED), Outcome("a", UPDATED)),
        ("put", Status(State.FAILED, "TooMuch", "why"), failed("a", "TooMuch", "why")),
        ("put", Status(State.PROCESSING), None),
        ("put", Status(State.ABSENT), None),
        ("put", None, None),
        ("delete", Status(State.ABSENT), Outcome("a", DELETED)),
        ("delete", Status(State.INDEXED), None),
        ("delete", Status(State.PROCESSING), None),
        ("delete", Status(State.FAILED, "x", "y"), None),
        ("delete", None, None),
    ],
)
def test_what_the_index_says_means_this(action: str, status: Status | None, means: Outcome | None) -> None:
    assert verdict("a", action, status) == means  # type: ignore[arg-type]


def test_documents_are_asked_about_until_the_index_has_answered() -> None:
    pipeline, ids = sent(25, deletes=["old"], indexing_seconds=20)
    first = pipeline.verify(0)
    assert first == {"turn": 1, "done": False, "pending": 25, "waitSeconds": 2}
    assert verdicts(pipeline) == {"old": DELETED}
    assert pipeline.verify_all() > 3
    assert verdicts(pipeline) == dict.fromkeys(ids, INDEXED) | {"old": DELETED}


def test_a_failure_of_indexing_comes_with_its_reason() -> None:
    pipeline, ids = sent(12)
    pipeline.index.asynchronous = {ids[3]: ("DocumentUnreadable", "not JSON"), ids[4]: (None, "odd")}
    pipeline.verify_all()
    found = verdicts(pipeline)
    assert (found[ids[3]], found[ids[4]], found[ids[5]]) == ("DocumentUnreadable", "IndexingFailed", INDEXED)


def test_only_what_was_sent_is_asked_about() -> None:
    pipeline, ids = sent(0)
    assert pipeline.verify(0)["done"]
    pipeline, ids = sent(12)
    pipeline.index.requests.clear()
    pipeline.verify(0)
    pipeline.verify(1)
    assert pipeline.index.sent("BatchGetDocumentStatus") == ids


def test_a_deadline_of_zero_asks_nothing() -> None:
    pipeline, _ = sent(12)
    assert pipeline.verify(0, deadline=0) == {"turn": 1, "done": True, "pending": 0, "waitSeconds": 0}
    assert pipeline.index.sent("BatchGetDocumentStatus") == []


def test_at_the_deadline_what_is_pending_stays_so() -> None:
    pipeline, ids = sent(12, indexing_seconds=1e9)
    began = pipeline.clock.now
    pipeline.verify_all(deadline=100)
    assert 100 <= pipeline.clock.now - began < 110
    assert verdicts(pipeline) == {}
    assert pipeline.aggregate_failures()["counts"]["unverified"] == len(ids)


@pytest.mark.parametrize("deadline", [1, 60, 3_600, 86_400])
def test_the_number_of_turns_is_bounded_whatever_the_deadline(deadline: int) -> None:
    pipeline, _ = sent(1, indexing_seconds=1e9)
    assert pipeline.verify_all(deadline=deadline) <= 130 < MAX_TURNS


def test_the_last_turn_ends_it_even_if_time_stands_still() -> None:
    pipeline, _ = sent(1, indexing_seconds=1e9)
    assert pipeline.verify(MAX_TURNS - 1, deadline=10**9)["done"]


@given(st.integers(0, 10_000), st.floats(0, 1e6), st.integers(1, 10**6))
def test_waits_grow_to_a_cap_and_are_never_nothing(passes: int, elapsed: float, deadline: int) -> None:
    wait = wait_seconds(passes, elapsed=elapsed, deadline=deadline)
    assert 1 <= wait <= max(30, deadline / 100 + 1)


def test_a_turn_that_runs_out_of_time_goes_on_where_it_stopped() -> None:
    pipeline, ids = sent(250)
    turns, answer = 0, {"done": False, "turn": 0}
    while not answer["done"]:
        answer = pipeline.verify(answer["turn"], stop_at=pipeline.clock.now + 0.9)
        assert answer["waitSeconds"] == 0
        turns += 1
    assert turns >= 2
    assert verdicts(pipeline) == dict.fromkeys(ids, INDEXED)
    assert pipeline.index.sent("BatchGetDocumentStatus") == ids


def test_an_id_that_the_index_refuses_to_look_up_stays_pending_alone() -> None:
    pipeline, ids = sent(10)
    pipeline.index.poison = {ids[2]}
    assert pipeline.verify(0)["pending"] == 1
    assert set(verdicts(pipeline)) == set(ids) - {ids[2]}


def test_when_asking_must_give_up_what_was_said_is_kept() -> None:
    pipeline, ids = sent(50)
    pipeline.index.errors["BatchGetDocumentStatus"] = [None, None, *["ThrottlingException"] * 200]
    with pytest.raises(SinkThrottled):
        pipeline.verify(0)
    assert set(ids[:20]) <= set(verdicts(pipeline))
    pipeline.index.errors.clear()
    assert pipeline.verify(0)["done"]
    assert verdicts(pipeline) == dict.fromkeys(ids, INDEXED)


@pytest.mark.parametrize("done", [False, True])
def test_a_turn_that_dies_at_any_call_and_is_retried_finds_the_same(done: bool) -> None:
    counting = Fuse()
    pipeline, _ = sent(130, deletes=["old"])
    pipeline.s3, pipeline.kendra = counting.guard(pipeline.store), counting.guard(pipeline.index)
    pipeline.verify_all()
    for at in range(1, counting.calls + 1):
        pipeline, ids = sent(130, deletes=["old"])
        pipeline.index.asynchronous = {ids[5]: ("X", "y")}
        fuse = Fuse(at, done=done)
        pipeline.s3, pipeline.kendra = fuse.guard(pipeline.store), fuse.guard(pipeline.index)
        with pytest.raises(Crash):
            pipeline.verify_all()
        pipeline.s3, pipeline.kendra = pipeline.store, pipeline.index
        pipeline.verify_all()
        assert verdicts(pipeline) == dict.fromkeys(ids, INDEXED) | {"old": DELETED, ids[5]: "X"}


def test_a_stopped_job_takes_one_last_turn() -> None:
    pipeline, ids = sent(20, indexing_seconds=10_000)
    pipeline.stop()
    pipeline.index.indexing_seconds = 0
    assert pipeline.verify(0)["done"]
    assert pipeline.verify(1)["done"]
    assert len(ids) == 20


def test_another_attempt_has_the_whole_deadline_for_what_is_left() -> None:
    pipeline, ids = sent(20, indexing_seconds=500)
    pipeline.verify_all(deadline=100)
    assert verdicts(pipeline) == {}
    pipeline.attempt = "attempt-2"
    pipeline.verify_all(deadline=600)
    assert verdicts(pipeline) == dict.fromkeys(ids, "indexed")
