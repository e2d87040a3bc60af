"""ArchiveManifest: move the manifest that a finished job obeyed out of the way, and nothing newer.

What is archived is the copy that LoadManifest kept. What is removed is the manifest in the ingestion bucket, and only
if it is still that one: a newer upload stays, because its own event answers for it.
"""

from __future__ import annotations

import os
from typing import Any

from kendra_ingestion import aws
from kendra_ingestion.assembly import job_of, workspace_of
from kendra_ingestion.folder import Folder
from kendra_ingestion.settings import read_settings
from kendra_ingestion.telemetry import logger, metrics, tracer
from kendra_ingestion.workspace import Workspace


def archive(key: str, etag: str, *, folder: Folder, workspace: Workspace) -> dict[str, str]:
    """Return where the manifest is archived, and what became of the one at `key`: `deleted`, `replaced` by a newer
    upload that stays, or `gone` already.

    Archives first, so that a death in between loses nothing; done again, it ends the same.
    """
    archived = workspace.archive_manifest()
    fate = folder.remove_manifest(key, etag)
    logger.info("manifest archived", archive=archived, manifest=fate)
    return {"archive": archived, "manifest": fate}


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    settings = read_settings(os.environ)
    return archive(
        event["key"],
        event["etag"],
        folder=Folder(aws.s3(), event["bucket"]),
        workspace=workspace_of(settings, job_of(event)),
    )
