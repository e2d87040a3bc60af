from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from kendra_ingestion.errors import WorkMissing
from tests.fakes.pipeline import INGESTION, REPORTS, Pipeline

MANIFEST = f"{INGESTION}/team/day/_control/manifest.json"
ARCHIVED = f"{REPORTS}/_archive/job-1/manifest.json"


@pytest.fixture
def pipeline() -> Pipeline:
    pipeline = Pipeline()
    pipeline.upload_manifest(deletes=["a"])
    return pipeline


@pytest.fixture
def manifest(pipeline: Pipeline) -> dict[str, Any]:
    """LoadManifest's answer."""
    return pipeline.load_manifest()


def test_the_manifest_moves_to_the_archive_byte_for_byte(pipeline: Pipeline, manifest: dict[str, Any]) -> None:
    body = pipeline.store[MANIFEST]
    assert pipeline.archive_manifest(manifest) == {"archive": f"s3://{ARCHIVED}", "manifest": "deleted"}
    assert pipeline.store[ARCHIVED] == body
    assert pipeline.store.keys(INGESTION) == []


def test_a_newer_upload_stays_and_what_the_run_obeyed_is_archived(pipeline: Pipeline, manifest: dict[str, Any]) -> None:
    pipeline.upload_manifest(deletes=["b"])
    assert pipeline.archive_manifest(manifest)["manifest"] == "replaced"
    assert json.loads(pipeline.store[MANIFEST])["deletes"] == ["b"]
    assert json.loads(pipeline.store[ARCHIVED])["deletes"] == ["a"]


def test_a_manifest_that_somebody_has_removed_is_archived_all_the_same(
    pipeline: Pipeline, manifest: dict[str, Any]
) -> None:
    del pipeline.store[MANIFEST]
    assert pipeline.archive_manifest(manifest)["manifest"] == "gone"
    assert json.loads(pipeline.store[ARCHIVED])["deletes"] == ["a"]


def test_a_retry_after_a_lost_answer_ends_the_same(pipeline: Pipeline, manifest: dict[str, Any]) -> None:
    first = pipeline.archive_manifest(manifest)
    body = pipeline.store[ARCHIVED]
    second = pipeline.archive_manifest(manifest)
    assert second == first | {"manifest": "gone"}
    assert pipeline.store[ARCHIVED] == body


def test_a_later_run_of_the_job_replaces_the_archived_manifest(pipeline: Pipeline, manifest: dict[str, Any]) -> None:
    pipeline.archive_manifest(manifest)
    pipeline.upload_manifest(deletes=["b"])
    pipeline.run = "run-2"
    assert pipeline.archive_manifest(pipeline.load_manifest())["manifest"] == "deleted"
    assert json.loads(pipeline.store[ARCHIVED])["deletes"] == ["b"]


def test_without_the_runs_copy_the_manifest_stays(pipeline: Pipeline, manifest: dict[str, Any]) -> None:
    del pipeline.store[f"{REPORTS}/_work/job-1/{pipeline.run}/manifest.json"]
    with pytest.raises(WorkMissing, match=r"_work/job-1/[0-9a-f]+/manifest\.json is missing"):
        pipeline.archive_manifest(manifest)
    assert pipeline.store[MANIFEST]


def test_a_manifest_that_may_not_be_removed_is_an_error(pipeline: Pipeline, manifest: dict[str, Any]) -> None:
    pipeline.store.forbidden = {"team/day/_control/manifest.json"}
    with pytest.raises(ClientError, match="AccessDenied"):
        pipeline.archive_manifest(manifest)
