"""The whole job, killed at each of its calls to AWS in turn: each step is retried, and nothing is lost."""

from __future__ import annotations

import pytest

from kendra_ingestion.outcomes import FINAL
from tests.fakes.crash import Crash, Fuse
from tests.fakes.pipeline import INGESTION, REPORTS, Pipeline


def job(fuse: Fuse) -> tuple[Pipeline, list[str]]:
    pipeline = Pipeline()
    ids = pipeline.add_many(24)
    pipeline.add("bad.json", "bad", Attributes={"dept": "x"})
    pipeline.add("twin.json", ids[3])
    pipeline.upload_manifest(deletes=["old", ids[2]])
    pipeline.index.rejections = {ids[0]: [("InvalidRequest", "no")], ids[1]: [("InternalError", "oops")]}
    pipeline.index.asynchronous = {ids[5]: ("X", "y")}
    pipeline.s3, pipeline.kendra = fuse.guard(pipeline.store), fuse.guard(pipeline.index)
    return pipeline, ids


def run_with_retries(pipeline: Pipeline, fuse: Fuse) -> dict[str, int]:
    """Each step as the machine runs it: a step that dies is called again with the same input."""

    def retried(step: object, *arguments: object) -> dict:  # type: ignore[type-arg]
        try:
            return step(*arguments)  # type: ignore[operator]
        except Crash:
            fuse.dead = False
            return step(*arguments)  # type: ignore[operator]

    manifest = retried(pipeline.load_manifest)
    plan = retried(pipeline.list_batches)
    for chunk in plan["chunks"]:
        assert retried(pipeline.process_batch, chunk)["done"]
    answer = {"turn": 0, "done": False, "waitSeconds": 0}
    while not answer["done"]:
        answer = retried(pipeline.verify, answer["turn"])
        pipeline.clock.now += answer["waitSeconds"]
    counts = retried(pipeline.aggregate_failures)["counts"]
    assert retried(pipeline.archive_manifest, manifest)["manifest"] in ("deleted", "gone")
    return counts


@pytest.mark.parametrize("done", [False, True], ids=["before the call", "after the call"])
def test_a_job_that_is_killed_at_any_call_ends_as_if_nothing_had_happened(done: bool) -> None:
    counting = Fuse()
    pipeline, ids = job(counting)
    expected = run_with_retries(pipeline, counting)
    assert expected["planned"] == 28 == sum(expected[name] for name in FINAL)
    failures = pipeline.failures()
    assert failures == {
        ids[0]: "InvalidRequest",
        ids[2]: "ConflictingDelete",
        ids[3]: "DuplicateDocumentId",
        ids[5]: "X",
        "bad": "UnknownAttribute",
    }
    for at in range(1, counting.calls + 1):
        fuse = Fuse(at, done=done)
        pipeline, ids = job(fuse)
        counts = run_with_retries(pipeline, fuse)
        assert counts["planned"] == 28 == sum(counts[name] for name in FINAL)
        assert counts["indexed"] + counts["updated"] + counts["failed"] == 27
        assert set(failures) - {ids[0]} <= set(pipeline.failures())
        assert pipeline.store.open_uploads == 0
        assert pipeline.store.keys(INGESTION, f"{pipeline.prefix}/_control/") == []
        assert pipeline.store[f"{REPORTS}/_archive/job-1/manifest.json"]
