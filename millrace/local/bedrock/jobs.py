"""Ingestion jobs as the API has them: started, told, listed and stopped. What they do is in `ingestion`.

What no documentation says is decided, and named as unproven, in `docs/decisions/embedded-ingestion-jobs.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from millrace.local.bedrock.bases import Bases, moment, new_id, only, page_of
from millrace.local.bedrock.ingestion import NO_STATISTICS, Ingestion
from millrace.local.bedrock.limits import JOBS
from millrace.local.bedrock.orders import Orders
from millrace.local.bedrock.pace import Pace
from millrace.local.bedrock.store import DataSource, Job, KnowledgeBase, Store
from millrace.local.emulated import ApiError, Operation
from millrace.local.pace import Gate

# The parts of a job's time in which it is STARTING, and in which it is STOPPING.
STARTING_SHARE = 0.2
STOPPING_SHARE = 0.2
SUMMARY = (
    "knowledgeBaseId",
    "dataSourceId",
    "ingestionJobId",
    "description",
    "status",
    "startedAt",
    "updatedAt",
    "statistics",
)


class Jobs:
    """`wake` tells the ingestion of a new job, or of one that changed."""

    def __init__(
        self,
        store: Store,
        bases: Bases,
        pace: Pace,
        gate: Gate,
        ingestion: Ingestion,
        orders: Orders,
        *,
        clock: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._bases = bases
        self._pace = pace
        self._gate = gate
        self._ingestion = ingestion
        self._orders = orders
        self._clock = clock
        self._wake = wake

    def operations(self) -> dict[str, Operation]:
        return {
            "StartIngestionJob": self.start,
            "GetIngestionJob": self.get,
            "ListIngestionJobs": self.list,
            "StopIngestionJob": self.stop,
        }

    def start(self, request: dict[str, Any]) -> dict[str, Any]:
        base = self._bases.active(request["knowledgeBaseId"])
        source = self._bases.available(base, request["dataSourceId"])
        self._gate.enter(base.region, "StartIngestionJob")
        if source.type != "S3":
            message = f"Data source {source.id} is of type {source.type}: it takes documents and has no ingestion jobs"
            raise ApiError("ValidationException", message)
        scope, token = f"StartIngestionJob {source.id}", request.get("clientToken")
        with self._store.transaction():
            before = self._store.answered(scope, token) if token else None
            if before is not None:
                return self._answer(self._job(base, source, before))
            check_room(self._store.running_jobs(), base, source)
            job = self._new(base, source, request)
            self._store.add_job(job)
            if token:
                self._store.remember(scope, token, job.id)
            self._ingestion.begin(job, base, source)
        self._wake()
        return self._answer(job)

    def get(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._answer(self._asked("GetIngestionJob", request))

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        base = self._bases.base(request["knowledgeBaseId"])
        source = self._bases.source(base, request["dataSourceId"])
        self._gate.enter(base.region, "ListIngestionJobs")
        told = [self._told(job) for job in self._store.jobs(source.id)]
        page, more = page_of(chosen(told, request), request)
        return {"ingestionJobSummaries": [only(SUMMARY, job) for job in page], **more}

    def stop(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._store.transaction():
            job, now = self._asked("StopIngestionJob", request), self._clock()
            if job.ended is not None:
                raise ApiError("ConflictException", f"Ingestion job {job.id} is {job.outcome} and cannot be stopped")
            if job.status(now) != "STOPPING":
                due = now + STOPPING_SHARE * (job.due - job.started)
                job = replace(job, outcome="STOPPED", held=False, stopping=now, due=due)
                self._store.change_job(job)
        self._wake()
        return self._answer(job)

    def _new(self, base: KnowledgeBase, source: DataSource, request: Mapping[str, Any]) -> Job:
        order, now = self._orders.take(source.id), self._clock()
        seconds = self._pace.ingestion_seconds if order.seconds is None else order.seconds
        return Job(
            id=new_id(),
            region=base.region,
            knowledge_base_id=base.id,
            data_source_id=source.id,
            description=request.get("description"),
            token=request.get("clientToken"),
            started=now,
            begins=now + STARTING_SHARE * seconds,
            due=now + seconds,
            outcome=order.outcome,
            held=order.hold,
            scanned=False,
            stopping=now + (1 - STOPPING_SHARE) * seconds if order.outcome == "STOPPED" else None,
            ended=None,
            statistics=NO_STATISTICS,
            reasons=[order.reason] if order.outcome == "FAILED" else [],
        )

    def _asked(self, operation: str, request: Mapping[str, Any]) -> Job:
        base = self._bases.base(request["knowledgeBaseId"])
        source = self._bases.source(base, request["dataSourceId"])
        self._gate.enter(base.region, operation)
        return self._job(base, source, request["ingestionJobId"])

    def _job(self, base: KnowledgeBase, source: DataSource, job_id: str) -> Job:
        job = self._store.job(job_id)
        if job is None or job.data_source_id != source.id:
            message = f"Ingestion job {job_id} of data source {source.id} of knowledge base {base.id} does not exist"
            raise ApiError("ResourceNotFoundException", message)
        return job

    def _answer(self, job: Job) -> dict[str, Any]:
        return {"ingestionJob": self._told(job)}

    def _told(self, job: Job) -> dict[str, Any]:
        return told(job, self._clock())


def check_room(running: Sequence[Job], base: KnowledgeBase, source: DataSource) -> None:
    """Raise ApiError when the data source, its knowledge base or the account in its region has as many jobs running as
    it may have."""
    of_base = next((job for job in running if job.knowledge_base_id == base.id), None)
    if of_base is not None and of_base.data_source_id == source.id:
        message = f"Data source {source.id} has an ongoing ingestion job, {of_base.id}; a data source has one at a time"
        raise ApiError("ConflictException", message)
    if of_base is not None:
        message = (
            f"Maximum number of concurrent ingestion jobs per knowledge base: 1. Job {of_base.id} of data source "
            f"{of_base.data_source_id} is ongoing"
        )
        raise ApiError("ConflictException", message)
    if sum(job.region == base.region for job in running) >= JOBS:
        message = f"Maximum number of concurrent ingestion jobs per account: {JOBS}"
        raise ApiError("ServiceQuotaExceededException", message)


def told(job: Job, now: float) -> dict[str, Any]:
    """The job as GetIngestionJob tells it."""
    return {
        "knowledgeBaseId": job.knowledge_base_id,
        "dataSourceId": job.data_source_id,
        "ingestionJobId": job.id,
        **({"description": job.description} if job.description else {}),
        "status": job.status(now),
        "statistics": job.statistics,
        **({"failureReasons": job.reasons} if job.reasons and job.ended is not None else {}),
        "startedAt": moment(job.started),
        "updatedAt": moment(job.updated(now)),
    }


def chosen(jobs: Sequence[dict[str, Any]], request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The jobs that pass the request's filter, as it sorts them; `jobs` begin with the oldest."""
    for condition in request.get("filters", []):
        jobs = [job for job in jobs if job["status"] in condition["values"]]
    sorting = request.get("sortBy", {"attribute": "STARTED_AT", "order": "DESCENDING"})
    name = {"STATUS": "status", "STARTED_AT": "startedAt"}[sorting["attribute"]]
    return sorted(jobs, key=lambda job: job[name], reverse=sorting["order"] == "DESCENDING")
