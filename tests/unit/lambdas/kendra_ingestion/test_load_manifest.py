from __future__ import annotations

import re

import pytest

from kendra_ingestion import load_manifest
from kendra_ingestion.errors import ManifestGone, ManifestInvalid
from tests.fakes.pipeline import INGESTION, REPORTS, Pipeline


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


def test_a_manifest_becomes_a_job_and_its_bytes_are_kept(pipeline: Pipeline) -> None:
    body = b'{ "jobId": "job-1",\n "prefix": "team/day" }'
    pipeline.store[f"{INGESTION}/team/day/_control/manifest.json"] = body
    answer = pipeline.load_manifest()
    assert answer.pop("etag")
    assert answer.pop("upload")
    assert answer.pop("expiresAt")
    assert answer == {
        "jobId": "job-1",
        "prefix": "team/day",
        "mode": "full",
        "retryOf": None,
        "run": pipeline.run,
        "bucket": INGESTION,
        "key": "team/day/_control/manifest.json",
    }
    assert pipeline.store[f"{REPORTS}/_work/job-1/{pipeline.run}/manifest.json"] == body


def test_the_same_upload_has_one_identity_and_a_new_one_another(pipeline: Pipeline) -> None:
    pipeline.upload_manifest()
    first = pipeline.load_manifest()
    assert pipeline.load_manifest() == first
    pipeline.upload_manifest()
    second = pipeline.load_manifest()
    assert second["upload"] != first["upload"]
    assert second["run"] != first["run"]


@pytest.mark.parametrize("versioned", [True, False])
def test_a_run_is_named_by_something_that_any_key_can_hold(versioned: bool) -> None:
    pipeline = Pipeline()
    pipeline.store.versioned = versioned
    pipeline.upload_manifest()
    assert re.fullmatch("[0-9a-f]{16}", pipeline.load_manifest()["run"])


def test_a_retry_names_a_job_that_has_a_report(pipeline: Pipeline) -> None:
    pipeline.upload_manifest(retryOf="job-0")
    with pytest.raises(ManifestInvalid, match='/retryOf is "job-0", a job without a report'):
        pipeline.load_manifest()
    pipeline.store[f"{REPORTS}/_reports/job-0/summary.json"] = b"{}"
    assert pipeline.load_manifest()["retryOf"] == "job-0"


def test_a_manifest_that_an_earlier_event_archived_ends_quietly(pipeline: Pipeline) -> None:
    with pytest.raises(ManifestGone):
        pipeline.load_manifest()


def test_a_manifest_that_a_person_names_and_that_is_not_there_is_refused(pipeline: Pipeline) -> None:
    with pytest.raises(ManifestInvalid, match=r"no manifest at s3://ingestion/team/day/_control/manifest.json; upload"):
        load_manifest.load(
            {"bucket": INGESTION, "key": "team/day/_control/manifest.json"},
            "attempt-1",
            ingestion_bucket=INGESTION,
            reports_bucket=REPORTS,
            s3=pipeline.s3,
            now=0,
        )


def test_a_job_is_remembered_for_180_days_from_now(pipeline: Pipeline) -> None:
    pipeline.upload_manifest()
    pipeline.clock.now = 0.75
    expires = pipeline.load_manifest()["expiresAt"]
    assert isinstance(expires, str)
    assert int(expires) - int(pipeline.clock.wall()) == 180 * 24 * 60 * 60


def test_a_huge_manifest_is_refused_without_reading_it(pipeline: Pipeline) -> None:
    pipeline.store[f"{INGESTION}/team/day/_control/manifest.json"] = b" " * 20_000_000
    with pytest.raises(ManifestInvalid, match="has 20,000,000 bytes"):
        pipeline.load_manifest()
    assert pipeline.store.keys(REPORTS) == []


def test_a_bad_manifest_leaves_nothing_behind(pipeline: Pipeline) -> None:
    pipeline.upload_manifest(prefix="../elsewhere")
    with pytest.raises(ManifestInvalid, match="/prefix"):
        pipeline.load_manifest()
    assert pipeline.store.keys(REPORTS) == []


def test_a_foreign_bucket_is_refused_before_it_is_touched(pipeline: Pipeline) -> None:
    with pytest.raises(ManifestInvalid, match="/bucket"):
        load_manifest.load(
            {"bucket": "foreign", "key": "a/_control/manifest.json"},
            "attempt-1",
            ingestion_bucket=INGESTION,
            reports_bucket=REPORTS,
            s3=pipeline.s3,
            now=0,
        )
    assert pipeline.store.reads == []
