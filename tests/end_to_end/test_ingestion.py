"""The main job: documents and a manifest in, a report out, and nothing done twice."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.end_to_end.stack import BOTH_OPTIONS, Stack, pair


def upload_sample(stack: Stack, prefix: str, sample: Path) -> list[str]:
    """Upload the sample's folder; returns the ids that its metadata files name, faulty ones left out."""
    documents = sample / "documents"
    files = {path.relative_to(documents).as_posix(): path for path in documents.rglob("*") if path.is_file()}
    stack.upload(prefix, {name: path.read_bytes() for name, path in files.items()})
    return [
        json.loads(path.read_bytes())["DocumentId"]
        for name, path in files.items()
        if name.endswith(".metadata.json") and not name.startswith("faulty/")
    ]


def test_the_sample_ends_with_three_failed_documents_and_all_others_answer_a_query(
    stack: Stack, prefix: str, sample: Path
) -> None:
    good = upload_sample(stack, prefix, sample)
    execution = stack.run(prefix, "sample")
    assert execution.status == "SUCCEEDED", execution

    counts = stack.summary("sample")["counts"]
    assert counts["failed"] == len(stack.failures("sample")) == 3
    # Other tests ingest the sample too, and may have been first.
    assert counts["indexed"] + counts["updated"] == len(good) >= 12
    assert counts["planned"] == len(good) + 3
    assert set(stack.statuses(*good).values()) <= {"INDEXED", "UPDATED"}

    kendra = stack.client("kendra")
    for document_id in good:
        title = next(
            json.loads(path.read_bytes())["Title"]
            for path in (sample / "documents").rglob("*.metadata.json")
            if json.loads(path.read_bytes()).get("DocumentId") == document_id
        )
        found = kendra.query(IndexId=stack.outputs["kendra_index_id"], QueryText=title)["ResultItems"]
        assert document_id in [item["DocumentId"] for item in found], f"{title!r} does not find {document_id}"


def test_a_second_run_over_the_same_folder_reports_updates(stack: Stack, prefix: str) -> None:
    stack.upload(prefix, pair("again-1") | pair("again-2"))
    assert stack.run(prefix, "again-first").status == "SUCCEEDED"
    assert stack.run(prefix, "again-second").status == "SUCCEEDED"
    assert stack.summary("again-first")["counts"]["indexed"] == 2
    assert stack.summary("again-second")["counts"]["updated"] == 2


def test_the_manifest_is_archived_when_the_job_has_finished(stack: Stack, prefix: str) -> None:
    stack.upload(prefix, pair("archived"))
    manifest = {"jobId": "archived", "prefix": prefix}
    key = stack.submit(prefix, manifest)
    assert stack.wait_for_job(key).status == "SUCCEEDED"
    assert json.loads(stack.report("_archive/archived/manifest.json")) == manifest
    with pytest.raises(stack.client("s3").exceptions.ClientError, match="Not Found"):
        stack.client("s3").head_object(Bucket=stack.outputs["ingestion_bucket"], Key=key)


@BOTH_OPTIONS
def test_a_newer_manifest_stays_where_it_is(healthy: Stack, prefix: str) -> None:
    """Uploaded while its job runs it is refused, not swallowed; the next upload of it is served."""
    healthy.upload(prefix, pair("newer"))
    first = {"jobId": "newer", "prefix": prefix}
    second = {**first, "deletes": ["nobody"]}
    healthy.hold()
    key = healthy.submit(prefix, first)
    running = healthy.started(key)
    healthy.wait_for_lock("newer", running)
    healthy.submit(prefix, second)
    assert healthy.wait(healthy.started(key, number=1)).error == "JobBusy"
    healthy.instance.forget_faults()
    assert healthy.wait(running).status == "SUCCEEDED"
    assert json.loads(healthy.report("_archive/newer/manifest.json")) == first
    manifest = healthy.client("s3").get_object(Bucket=healthy.outputs["ingestion_bucket"], Key=key)["Body"].read()
    assert json.loads(manifest) == second


def test_an_ended_job_is_remembered_for_half_a_year(stack: Stack, prefix: str) -> None:
    assert stack.run(prefix, "remembered").status == "SUCCEEDED"
    assert 179 < (int(stack.job("remembered")["expiresAt"]) - time.time()) / 86_400 <= 180


def test_a_person_who_names_no_manifest_is_told(stack: Stack, prefix: str) -> None:
    bucket, key = stack.outputs["ingestion_bucket"], f"{prefix}/_control/manifest.json"
    execution = stack.wait(stack.start({"bucket": bucket, "key": key}))
    assert (execution.status, execution.error) == ("FAILED", "ManifestInvalid")
    assert f"no manifest at s3://{bucket}/{key}" in (execution.cause or "")


@BOTH_OPTIONS
def test_deletes_leave_the_index(stack: Stack, prefix: str) -> None:
    ids = [f"deleted-{n}" for n in range(12)]
    for name in ids:
        stack.upload(prefix, pair(name))
    assert stack.run(prefix, "before-deletes").status == "SUCCEEDED"
    other = f"{prefix}-deletes"
    assert stack.run(other, "deletes", deletes=[*ids, "never-was-there"]).status == "SUCCEEDED"
    counts = stack.summary("deletes")["counts"]
    assert (counts["planned"], counts["deleted"], counts["failed"]) == (13, 13, 0)
    assert set(stack.statuses(*ids).values()) == {"NOT_FOUND"}


@BOTH_OPTIONS
def test_an_empty_folder_is_a_run_that_ends_well(stack: Stack, prefix: str) -> None:
    assert stack.run(prefix, "empty-folder").status == "SUCCEEDED"
    assert stack.summary("empty-folder")["counts"]["planned"] == 0


@BOTH_OPTIONS
def test_duplicate_events_while_the_job_runs_end_quietly(healthy: Stack, prefix: str) -> None:
    healthy.upload(prefix, pair("duplicate-1") | pair("duplicate-2"))
    healthy.hold()
    key = healthy.submit(prefix, {"jobId": "duplicate", "prefix": prefix})
    event = {"bucket": healthy.outputs["ingestion_bucket"], "key": key, "sequencer": "00"}
    at_the_same_time = [healthy.start(event) for _ in range(3)]
    owner = healthy.wait_for_lock("duplicate")
    others = {healthy.started(key), *at_the_same_time, healthy.start(event)} - {owner}
    ended = [healthy.wait(arn) for arn in others]
    assert [(execution.status, execution.last_state) for execution in ended] == [("SUCCEEDED", "AlreadyRunning")] * 4
    healthy.instance.forget_faults()
    done = healthy.wait(owner)
    assert (done.status, done.last_state) == ("SUCCEEDED", "Notify")


@BOTH_OPTIONS
def test_a_duplicate_event_after_the_job_ended_does_nothing(stack: Stack, prefix: str) -> None:
    stack.upload(prefix, pair("late"))
    key = stack.submit(prefix, {"jobId": "late", "prefix": prefix})
    assert stack.wait_for_job(key).status == "SUCCEEDED"
    before = stack.report("_reports/late/summary.json")
    event = {"bucket": stack.outputs["ingestion_bucket"], "key": key, "sequencer": "00"}
    assert stack.wait(stack.start(event)).last_state == "ManifestGone"
    assert stack.report("_reports/late/summary.json") == before


@BOTH_OPTIONS
def test_an_aborted_job_is_taken_over_by_the_next_upload(stack: Stack, prefix: str) -> None:
    for n in range(30):
        stack.upload(prefix, pair(f"aborted-{n}"))
    key = stack.submit(prefix, {"jobId": "aborted", "prefix": prefix})
    first = stack.started(key)
    stack.client("stepfunctions").stop_execution(executionArn=first)
    assert stack.wait(first).status == "ABORTED"
    stack.submit(prefix, {"jobId": "aborted", "prefix": prefix})
    assert stack.wait(stack.started(key, number=1)).status == "SUCCEEDED"
    counts = stack.summary("aborted")["counts"]
    assert counts["planned"] == 30
    assert counts["indexed"] + counts["updated"] == 30
