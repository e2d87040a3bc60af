from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kendra_ingestion.errors import LawBroken, WorkMissing
from kendra_ingestion.outcomes import FINAL
from tests.fakes.pipeline import REPORTS, Pipeline


def work(pipeline: Pipeline) -> str:
    return f"_work/job-1/{pipeline.run}"


def finished(number: int = 250) -> tuple[Pipeline, list[str]]:
    """A job of three kinds of trouble, run up to the report."""
    pipeline = Pipeline()
    ids = pipeline.add_many(number)
    pipeline.add("zz.json", "bad", Attributes={"dept": "x"})
    pipeline.index.asynchronous = {ids[0]: ("X", "y")}
    pipeline.index.rejections = {ids[1]: [("InvalidRequest", "=cmd()")]}
    pipeline.upload_manifest(deletes=["old", ids[2]])
    pipeline.load_manifest()
    for chunk in pipeline.plan_all()["chunks"]:
        pipeline.process_all(chunk)
    pipeline.verify_all()
    return pipeline, ids


def test_the_report_has_one_row_for_each_failed_document() -> None:
    pipeline, ids = finished()
    answer = pipeline.aggregate_failures()
    assert answer["counts"] == {
        "planned": 253,
        "indexed": 248,
        "updated": 0,
        "deleted": 1,
        "unchanged": 0,
        "failed": 4,
        "unverified": 0,
    }
    assert pipeline.failures() == {
        ids[0]: "X",
        ids[1]: "InvalidRequest",
        ids[2]: "ConflictingDelete",
        "bad": "UnknownAttribute",
    }
    assert {row["jobId"] for row in pipeline.rows()} == {"job-1"}
    assert [row["errorMessage"] for row in pipeline.rows() if row["documentId"] == ids[1]] == ["'=cmd()"]


def test_the_answer_and_the_summary_say_the_same() -> None:
    pipeline, _ = finished()
    answer = pipeline.aggregate_failures()
    summary = json.loads(pipeline.store[f"{REPORTS}/_reports/job-1/summary.json"])
    assert summary["counts"] == answer["counts"]
    assert summary["report"] == answer["report"] == "s3://reports/_reports/job-1/failures.csv"
    assert answer["summary"] == "s3://reports/_reports/job-1/summary.json"
    assert summary["startedAt"] == "2025-10-05T12:00:00.000Z"
    assert summary["finishedAt"].endswith("Z")
    assert (summary["jobId"], summary["run"], summary["execution"]) == ("job-1", pipeline.run, "attempt-1")
    assert summary["prefix"] == pipeline.prefix
    assert len(json.dumps(answer)) < 4_000


def test_an_empty_job_ends_well_and_says_so() -> None:
    pipeline = Pipeline()
    pipeline.upload_manifest()
    answer = pipeline.run_all()
    assert answer["counts"] == dict.fromkeys(("planned", *FINAL), 0)
    assert "nothing to do" in answer["message"]
    assert pipeline.rows() == []


def test_what_a_dead_chunk_left_without_an_outcome_is_not_processed() -> None:
    pipeline, ids = finished()
    for key in pipeline.store.keys(REPORTS, f"{work(pipeline)}/outcomes/00001/"):
        del pipeline.store[f"{REPORTS}/{key}"]
    answer = pipeline.aggregate_failures()
    assert answer["counts"]["planned"] == 253
    lost = {document_id for document_id, code in pipeline.failures().items() if code == "NotProcessed"}
    assert lost == set(ids[100:200])


def test_without_verification_what_was_sent_is_unverified() -> None:
    pipeline = Pipeline()
    pipeline.add_many(30)
    pipeline.upload_manifest()
    assert pipeline.run_all(deadline=0)["counts"]["unverified"] == 30


@settings(max_examples=40)
@given(st.data())
def test_the_law_holds_whatever_part_files_are_lost(data: st.DataObject) -> None:
    pipeline, _ = finished(number=120)
    parts = pipeline.store.keys(REPORTS, f"{work(pipeline)}/outcomes/")
    for key in data.draw(st.sets(st.sampled_from(parts))):
        del pipeline.store[f"{REPORTS}/{key}"]
    counts = pipeline.aggregate_failures()["counts"]
    assert counts["planned"] == 123 == sum(counts[name] for name in FINAL)
    assert len(pipeline.rows()) == counts["failed"]


def test_a_plan_that_does_not_add_up_is_not_reported() -> None:
    pipeline, _ = finished()
    place = f"{REPORTS}/{work(pipeline)}/plan.json"
    plan: dict[str, Any] = json.loads(pipeline.store[place])
    pipeline.store[place] = json.dumps(plan | {"planned": 254}).encode()
    with pytest.raises(LawBroken, match="254 documents were planned and 253 have an outcome"):
        pipeline.aggregate_failures()
    assert pipeline.store.keys(REPORTS, "_reports/") == []


def test_a_chunk_that_has_expired_is_not_passed_over() -> None:
    pipeline, _ = finished()
    del pipeline.store[f"{REPORTS}/{work(pipeline)}/plans/attempt-1/chunks/00001.json"]
    with pytest.raises(WorkMissing, match=r"chunks/00001\.json"):
        pipeline.aggregate_failures()


def test_chunks_of_an_older_attempt_of_the_plan_are_not_counted() -> None:
    pipeline, _ = finished()
    stale = pipeline.store[f"{REPORTS}/{work(pipeline)}/plans/attempt-1/chunks/00000.json"].replace(b"doc-", b"ghost-")
    pipeline.store[f"{REPORTS}/{work(pipeline)}/plans/attempt-1/chunks/00099.json"] = stale
    assert pipeline.aggregate_failures()["counts"]["planned"] == 253


def test_a_long_report_goes_up_in_parts() -> None:
    pipeline = Pipeline()
    pipeline.upload_manifest()
    pipeline.load_manifest()
    line = json.dumps({"documentId": "x" * 2000, "outcome": "failed", "errorCode": "X", "errorMessage": "y" * 2000})
    number = 5_000
    workspace = pipeline.workspace()
    with workspace.planned_outcomes_writer(0) as failures:
        failures.write(f"{line}\n".encode() * number)
    workspace.publish_plan({"attempt": "attempt-1", "passes": 1, "planned": number, "chunks": []})
    assert pipeline.aggregate_failures()["counts"]["failed"] == number
    assert len(pipeline.rows()) == number


def test_the_ledger_hears_the_final_outcome_of_every_document_of_a_chunk() -> None:
    pipeline, ids = finished()
    pipeline.aggregate_failures()
    heard = {outcome.document_id: outcome.outcome for outcome in pipeline.settled}
    assert len(pipeline.settled) == len(heard) == 252
    assert heard["old"] == "deleted"
    assert heard[ids[0]] == heard[ids[1]] == heard["bad"] == "failed"
    assert heard[ids[3]] == "indexed"


def test_what_a_stopped_job_did_not_send_is_stopped_and_its_subject_says_so() -> None:
    pipeline = Pipeline()
    ids = pipeline.add_many(150)
    pipeline.upload_manifest()
    pipeline.load_manifest()
    pipeline.plan_all()
    pipeline.process_all(0)
    pipeline.stop()
    assert pipeline.process_batch(1)["done"]
    assert pipeline.verify_all() == 1
    answer = pipeline.aggregate_failures()
    assert answer["stopped"]
    assert answer["subject"] == "Millrace: stopped after 100 of 150 documents, job job-1"
    assert pipeline.failures() == dict.fromkeys(ids[100:], "Stopped")
    summary = json.loads(pipeline.store[f"{REPORTS}/_reports/job-1/summary.json"])
    assert (summary["stopped"], summary["retryable"], summary["permanent"]) == (True, 50, {})


def test_a_job_that_was_stopped_before_it_had_a_plan_reports_that_nothing_was_done() -> None:
    pipeline = Pipeline()
    pipeline.add_many(5)
    pipeline.upload_manifest()
    pipeline.load_manifest()
    pipeline.stop()
    assert pipeline.verify_all() == 1
    answer = pipeline.aggregate_failures()
    assert answer["counts"]["planned"] == 0
    assert "stopped before anything was planned" in answer["message"]
    assert pipeline.rows() == []


def test_a_job_without_a_plan_that_nobody_stopped_is_an_error() -> None:
    pipeline = Pipeline()
    pipeline.upload_manifest()
    pipeline.load_manifest()
    with pytest.raises(WorkMissing):
        pipeline.aggregate_failures()


def test_the_summary_tells_the_failures_that_a_retry_can_mend_from_those_that_it_cannot() -> None:
    pipeline, _ = finished()
    pipeline.aggregate_failures()
    summary = json.loads(pipeline.store[f"{REPORTS}/_reports/job-1/summary.json"])
    assert summary["retryable"] == 2
    assert summary["permanent"] == {"ConflictingDelete": 1, "InvalidRequest": 1}
