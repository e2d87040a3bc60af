"""What an ingestion job does: it scans the bucket once, when it starts, and indexes what has changed since the last.

What is written to the bucket after the start is not covered. Retrieve finds what a job has indexed all at once, when
the job is COMPLETE; on AWS some of it is found sooner. A job that fails or is stopped leaves the index as it was.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from millrace.local.bedrock.indexing import Reading, Split, outcome_of, status_of
from millrace.local.bedrock.limits import FAILURE_REASONS, REASON_CHARACTERS
from millrace.local.bedrock.scan import Changes, Kind, Task, compare
from millrace.local.bedrock.store import Covered, DataSource, Job, KnowledgeBase, Store
from millrace.local.search.indexing import AT_ONCE
from millrace.local.search.reading import Bucket, Stored
from millrace.local.search.store import Status
from millrace.local.search.text import Unindexable

NO_STATISTICS = {
    "numberOfDocumentsScanned": 0,
    "numberOfMetadataDocumentsScanned": 0,
    "numberOfNewDocumentsIndexed": 0,
    "numberOfModifiedDocumentsIndexed": 0,
    "numberOfMetadataDocumentsModified": 0,
    "numberOfDocumentsDeleted": 0,
    "numberOfDocumentsFailed": 0,
    "numberOfDocumentsSkipped": 0,
}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Done:
    """A task and what became of it."""

    task: Task
    status: Status

    @property
    def indexed(self) -> bool:
        return self.status.status == "INDEXED"


@dataclass
class Run:
    """A job's work. `seen` is what its scan saw, by `s3://bucket/key`, None if nothing is to be done with it; `changes`
    are worked out and `done` grows while it runs."""

    job_id: str
    base: KnowledgeBase
    source: DataSource
    seen: Mapping[str, Stored] | None
    changes: Changes | None = None
    done: list[Done] = field(default_factory=list)

    @property
    def collection(self) -> str:
        """Where the documents are until they are published."""
        return f"{self.source.id}/{self.job_id}"

    @property
    def remaining(self) -> list[Task]:
        return self.changes.tasks[len(self.done) :] if self.changes is not None else []


class Ingestion:
    """The jobs that run. `arn` names a knowledge base for the trust policy of its role; `account` owns all buckets."""

    def __init__(self, store: Store, bucket: Bucket, arn: Callable[[KnowledgeBase], str], account: str) -> None:
        self._store = store
        self._bucket = bucket
        self._arn = arn
        self._account = account
        self._runs: dict[str, Run] = {}

    def begin(self, job: Job, base: KnowledgeBase, source: DataSource) -> None:
        """Scan the bucket for a job that is in the store, within the transaction that put it there."""
        seen = None
        try:
            seen = self._listed(base, source)
        except Unindexable as error:
            self._store.change_job(replace(job, outcome="FAILED", stopping=None, reasons=[_reason(str(error))]))
        self._runs[job.id] = Run(job.id, base, source, seen)

    def run_due(self, now: float) -> int:
        with self._store.transaction():
            running = self._store.running_jobs()
            for job_id in self._runs.keys() - {job.id for job in running}:
                self._store.remove_collection(self._runs.pop(job_id).collection)
        return sum(self._step(job, now) for job in running)

    def next_due(self) -> float | None:
        return min((job.due for job in self._store.running_jobs() if not job.held), default=None)

    def _step(self, job: Job, now: float) -> bool:
        """Go a step on with the job, if there is one to go."""
        run = self._runs[job.id]
        try:
            if run.seen is not None and run.changes is None:
                self._scan(run, run.seen)
            elif run.seen is not None and run.remaining and job.outcome == "COMPLETE":
                self._prepare(run, run.seen, now)
            elif job.due <= now and not job.held:
                self._end(run, now)
            else:
                return False
        except Exception as error:
            if run.seen is None:
                raise
            run.seen = None
            log.exception("ingestion job %s failed", job.id)
            reason = _reason(f"The embedded AWS failed to run this job: {error!r}")
            self._store.change_job(replace(job, outcome="FAILED", held=False, due=now, reasons=[reason]))
        return True

    def _listed(self, base: KnowledgeBase, source: DataSource) -> dict[str, Stored]:
        """What the data source has, by `s3://bucket/key`. Raises Unindexable."""
        configuration = source.description["dataSourceConfiguration"]["s3Configuration"]
        bucket = configuration["bucketArn"].rpartition(":")[2]
        owner = configuration.get("bucketOwnerAccountId", self._account)
        if owner != self._account:
            raise Unindexable(f"Access to s3://{bucket} is denied: {owner} does not own the bucket", "AccessDenied")
        (prefix,) = configuration.get("inclusionPrefixes", [""])
        stored = self._bucket.listing(bucket, prefix, base.role_arn, self._arn(base))
        return {f"s3://{bucket}/{one.key}": one for one in stored}

    def _scan(self, run: Run, seen: Mapping[str, Stored]) -> None:
        known = self._store.known_documents(run.source.id)
        run.changes = compare({uri: stored.etag for uri, stored in seen.items()}, known)
        covered = [Covered(stored.key, stored.etag, stored.version_id) for stored in seen.values()]
        with self._store.transaction():
            job = self._store.job(run.job_id)
            if job is not None:
                self._store.change_job(replace(job, scanned=True, statistics=scanned(run.changes)))
                self._store.keep_coverage(job, covered)

    def _prepare(self, run: Run, seen: Mapping[str, Stored], now: float) -> None:
        """Read and split some of the documents; they are indexed where nobody looks for them yet."""
        reading = Reading(_Snapshot(self._bucket, seen), run.base.role_arn, self._arn(run.base), self._account)
        tasks = run.remaining[:AT_ONCE]
        outcomes = [outcome_of(task.id, _document(task.id), run.source, reading) for task in tasks]
        with self._store.transaction():
            for outcome in outcomes:
                if isinstance(outcome, Split):
                    self._store.put_document(run.collection, outcome.document, outcome.chunks)
        run.done += [Done(task, status_of(outcome, now)) for task, outcome in zip(tasks, outcomes, strict=True)]

    def _end(self, run: Run, now: float) -> None:
        with self._store.transaction():
            job = self._store.job(run.job_id)
            if job is None or job.held or job.due > now:
                return
            if job.outcome == "COMPLETE" and run.changes is not None:
                self._publish(run, run.changes, now)
                reasons = [_reason(f"{done.task.id}: {done.status.reason}") for done in run.done if not done.indexed]
                job = replace(job, statistics=indexed(run.changes, run.done), reasons=reasons[:FAILURE_REASONS])
            else:
                self._store.remove_collection(run.collection)
            self._store.change_job(replace(job, ended=now))
        del self._runs[run.job_id]

    def _publish(self, run: Run, changes: Changes, now: float) -> None:
        source_id = run.source.id
        self._store.publish(run.collection, source_id)
        self._store.remove_documents(source_id, changes.gone)
        for done in run.done:
            self._store.put_status(source_id, done.task.id, replace(done.status, settled=now))
            if done.indexed:
                self._store.keep_object(source_id, done.task.id, done.task.etag, done.task.metadata_etag)


def scanned(changes: Changes) -> dict[str, int]:
    """The statistics of a job that has scanned and indexed nothing yet."""
    return {
        **NO_STATISTICS,
        "numberOfDocumentsScanned": changes.documents,
        "numberOfMetadataDocumentsScanned": changes.metadata_files,
    }


def indexed(changes: Changes, done: Sequence[Done]) -> dict[str, int]:
    """The statistics of a job that has done all of its work.

    A document that is not taken (its format, its size) counts as failed, not as skipped: no documentation says what AWS
    skips.
    """
    kinds = Counter(one.task.kind for one in done if one.indexed)
    modified = sum(one.task.metadata_modified for one in done if one.indexed)
    return {
        **scanned(changes),
        "numberOfNewDocumentsIndexed": kinds[Kind.NEW],
        "numberOfModifiedDocumentsIndexed": kinds[Kind.MODIFIED],
        "numberOfMetadataDocumentsModified": modified + changes.metadata_deleted,
        "numberOfDocumentsDeleted": changes.deleted,
        "numberOfDocumentsFailed": sum(not one.indexed for one in done),
    }


def _document(uri: str) -> dict[str, Any]:
    """The object as a document of direct ingestion."""
    return {"content": {"dataSourceType": "S3", "s3": {"s3Location": {"uri": uri}}}}


def _reason(text: str) -> str:
    return text[:REASON_CHARACTERS]


@dataclass(frozen=True)
class _Snapshot:
    """Reads the objects that a scan saw, whatever has become of them since."""

    bucket: Bucket
    seen: Mapping[str, Stored]

    def read(self, bucket: str, key: str, role_arn: str, source_arn: str) -> bytes:
        uri = f"s3://{bucket}/{key}"
        if uri not in self.seen:
            raise Unindexable(f"The object {uri} does not exist", "NoSuchKey")
        self.bucket.check_readable(bucket, key, role_arn, source_arn)
        return self.seen[uri].content
