"""LoadManifest: read the manifest that the execution's input names, check it, and keep a copy for the run."""

from __future__ import annotations

import os
from hashlib import blake2b
from typing import Any

from kendra_ingestion import aws
from kendra_ingestion.errors import ManifestGone, ManifestInvalid, WorkMissing
from kendra_ingestion.folder import Folder, Upload
from kendra_ingestion.manifest import Request, check_size, read_manifest, read_request
from kendra_ingestion.settings import read_settings
from kendra_ingestion.strict_json import shown
from kendra_ingestion.telemetry import logger, metrics, tracer
from kendra_ingestion.workspace import Workspace
from shared.clock import SystemClock

JOB_KEPT_DAYS = 180
"""How long the jobs table remembers a job that has ended: far longer than any event comes late."""

SECONDS_A_DAY = 86_400


def load(
    given: object, attempt: str, *, ingestion_bucket: str, reports_bucket: str, s3: Any, now: float
) -> dict[str, Any]:
    """Return the job that the manifest describes. Raises ManifestInvalid, which names the field, or ManifestGone.

    `now` and `expiresAt`, when the jobs table may forget the job, are seconds since 1970; the latter is a string,
    because that is how DynamoDB takes numbers.
    """
    request = read_request(given, ingestion_bucket=ingestion_bucket)
    upload = find(request, Folder(s3, ingestion_bucket))
    check_size(upload.size)
    body = upload.body.read()
    manifest = read_manifest(body, folder=request.prefix)
    run = run_of(upload.identity)
    workspace = Workspace(s3, reports_bucket, job_id=manifest.job_id, run=run, attempt=attempt)
    if manifest.retry_of is not None:
        check_origin(manifest.retry_of, workspace)
    workspace.save_manifest(body)
    logger.info(
        "manifest loaded", jobId=manifest.job_id, run=run, upload=upload.identity, deletes=len(manifest.deletes)
    )
    return {
        "jobId": manifest.job_id,
        "run": run,
        "prefix": manifest.prefix,
        "mode": manifest.mode,
        "retryOf": manifest.retry_of,
        "bucket": request.bucket,
        "key": request.key,
        "etag": upload.etag,
        "upload": upload.identity,
        "expiresAt": str(int(now) + JOB_KEPT_DAYS * SECONDS_A_DAY),
    }


def run_of(upload: str) -> str:
    """The name of the work of one upload: whoever loads the same upload again takes up the same work."""
    return blake2b(upload.encode("utf-8"), digest_size=8).hexdigest()


def check_origin(job_id: str, workspace: Workspace) -> None:
    """Refuse to retry a job that has no report. Raises ManifestInvalid."""
    try:
        workspace.report_summary(job_id)
    except WorkMissing:
        raise ManifestInvalid(
            f"manifest /retryOf is {shown(job_id)}, a job without a report; allowed: the jobId of a job that has ended"
        ) from None


def find(request: Request, folder: Folder) -> Upload:
    """Open the manifest. One that is not there has been archived where an event asks for it (ManifestGone), and was
    named wrongly where a person does (ManifestInvalid)."""
    try:
        return folder.manifest(request.key)
    except ManifestGone:
        if request.of_event:
            raise
        raise ManifestInvalid(
            f"no manifest at s3://{request.bucket}/{request.key}; upload it there (a finished job's is moved to "
            "_archive/ in the reports bucket)"
        ) from None


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    settings = read_settings(os.environ)
    return load(
        event.get("input"),
        event["attempt"],
        ingestion_bucket=settings.ingestion_bucket,
        reports_bucket=settings.reports_bucket,
        s3=aws.s3(),
        now=SystemClock().wall(),
    )
