"""What the handlers put together of the settings, each in one way."""

from __future__ import annotations

import random
from typing import Any

from kendra_ingestion import aws, task_token
from kendra_ingestion.account import Account
from kendra_ingestion.documents import JobKey
from kendra_ingestion.ledger import Ledger
from kendra_ingestion.progress import Progress
from kendra_ingestion.settings import QueueSettings, Settings
from kendra_ingestion.sinks import name_of
from kendra_ingestion.telemetry import logger
from kendra_ingestion.workspace import Workspace
from shared.clock import Clock


def job_of(event: dict[str, Any]) -> JobKey:
    """The job that an event of the machine is about; from here on every line of the log names it."""
    job = JobKey(event["jobId"], event["run"], event["attempt"])
    logger.append_keys(jobId=job.job_id, run=job.run)
    return job


def workspace_of(settings: Settings, job: JobKey) -> Workspace:
    """The job's work area."""
    return Workspace(aws.s3(), settings.reports_bucket, **job._asdict())


def ledger_of(settings: Settings, job: JobKey) -> Ledger:
    """The sink's ledger, as the job's run sees it."""
    return Ledger(aws.dynamodb(), settings.ledger_table, sink=name_of(settings), job_id=job.job_id, run=job.run)


def account_of(settings: Settings, queues: QueueSettings, job: JobKey, clock: Clock) -> Account:
    """The account of the job's messages."""
    progress = Progress(aws.dynamodb(), queues.progress_table, **job._asdict(), clock=clock, random=random.random)
    return Account(workspace_of(settings, job), progress, lambda token: task_token.answer(aws.stepfunctions(), token))
