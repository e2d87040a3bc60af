"""A pipeline of its own for a benchmark: deployed to an embedded AWS in a new folder, and gone when it is done."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from benchmarks.figure import BenchmarkFailed
from millrace import deployment, submission
from millrace.deployment import Deployment
from millrace.executions.adapter import Executions
from millrace.executions.view import RunView, Status
from millrace.executions.watching import Pace, await_execution, follow
from millrace.local import deploy, laptop
from millrace.local.calls import ROOT
from millrace.local.instance import Instance, Options
from millrace.reports import Reports, counts_of
from millrace.submission import Mode, Submission, Survey

SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_TO_BEGIN = 30.0
SECONDS_TO_END = 900.0
SECONDS_TO_HOLD = 600.0


@dataclass(frozen=True)
class Run:
    """One job. `seconds` is from the moment before its manifest was written to the execution's end."""

    seconds: float
    view: RunView
    counts: dict[str, int]


@dataclass(frozen=True)
class Stack:
    """What is deployed to an embedded AWS."""

    instance: Instance
    deployment: Deployment

    @classmethod
    def applied(cls, instance: Instance, variables: Mapping[str, Any]) -> Self:
        """`terraform/` applied to it with these variables."""
        laptop.apply(instance.folder, variables, lambda _line: None)
        return cls(instance, deployment.find(instance.folder))


class Pipeline(Stack):
    """Kendra ingestion."""

    def upload(self, found: Survey) -> None:
        """Put a folder's files where its jobs find them; once is enough for several jobs."""
        submission.upload_files(self.deployment.client("s3"), self._job(found, "upload", Mode.FULL), found.files)

    def run(self, found: Survey, job_id: str, mode: Mode = Mode.FULL) -> Run:
        """Write the manifest of a folder that was uploaded, and wait for the execution that it starts to end.

        Raises BenchmarkFailed when it ends otherwise than well, or breaks the law of docs/architecture.md.
        """
        s3, job = self.deployment.client("s3"), self._job(found, job_id, mode)
        began = time.time()
        uploaded = submission.write_manifest(s3, job)
        view = self._watch(job.bucket, job.manifest_key, uploaded)
        if view.status is not Status.SUCCEEDED or view.ended is None:
            raise BenchmarkFailed(f"job {job_id} ended as {view.status}: {view.error}: {view.cause}")
        counts = counts_of(Reports(s3, self.deployment.ingestion.reports_bucket).summary(job_id))
        if not lawful(counts, found.pairs):
            raise BenchmarkFailed(f"job {job_id} had {found.pairs} documents, and its report says {counts}")
        return Run(view.ended.timestamp() - began, view, counts)

    def with_new_index(self, **variables: Any) -> Pipeline:
        """The same buckets and documents, deployed with these variables and an index that knows nothing yet.

        Every function starts anew, so nothing that it learnt is left.
        """
        kendra = self.instance.client("kendra")
        role = f"arn:aws:iam::{self.instance.account}:role/kendra-index"
        index = kendra.create_index(Name="benchmark", RoleArn=role, Edition="DEVELOPER_EDITION")["Id"]
        for _ in Pace(0.05, SECONDS_TO_BEGIN).ticks():
            if kendra.describe_index(Id=index)["Status"] == "ACTIVE":
                break
        attributes = json.loads(deploy.INDEX_ATTRIBUTES.read_text("utf-8"))
        kendra.update_index(Id=index, DocumentMetadataConfigurationUpdates=attributes)
        return self.applied(self.instance, {**variables, "kendra_index_id": index})

    def statistics(self) -> dict[str, dict[str, Any]]:
        """What the index counted of each batch operation: `{"calls", "throttled", "perSecond"}`."""
        return self.instance.kendra_statistics()["indices"][self.deployment.ingestion.kendra_index_id]

    def calls(self) -> list[dict[str, Any]]:
        """What the pipeline itself asked of AWS since `forget_calls`, as `Instance.calls` has it."""
        return [call for call in self.instance.calls() if call["principal"] != ROOT]

    def sink_calls(self) -> int:
        """How many of them the index was asked."""
        return sum(call["count"] for call in self.calls() if call["action"].startswith("kendra:"))

    def statuses(self, document_ids: Sequence[str]) -> dict[str, str]:
        """What the index itself says of each document."""
        kendra = self.instance.client("kendra", retries={"mode": "adaptive", "total_max_attempts": 20})
        index = self.deployment.ingestion.kendra_index_id

        def ask(first: int) -> list[tuple[str, str]]:
            asked = [{"DocumentId": name} for name in document_ids[first : first + 10]]
            said = kendra.batch_get_document_status(IndexId=index, DocumentInfoList=asked)
            return [(row["DocumentId"], row["DocumentStatus"]) for row in said["DocumentStatusList"]]

        return dict(pair for first in range(0, len(document_ids), 10) for pair in ask(first))

    def _job(self, found: Survey, job_id: str, mode: Mode) -> Submission:
        now, bucket = datetime.now(UTC), self.deployment.ingestion.ingestion_bucket
        return submission.plan(found, bucket, now, prefix="benchmark", job_id=job_id, mode=mode)

    def _watch(self, bucket: str, key: str, uploaded: datetime) -> RunView:
        executions = Executions(self.deployment.client("stepfunctions"), self.deployment.ingestion.state_machine_arn)
        looks = Pace(SECONDS_BETWEEN_LOOKS, SECONDS_TO_BEGIN)
        execution = await_execution(executions, bucket, key, uploaded, looks)
        *_, view = follow(executions.history(execution.arn), Pace(SECONDS_BETWEEN_LOOKS, SECONDS_TO_END))
        return view


def wait_until(holds: Callable[[], object], what: str) -> None:
    """Look until it does. Raises BenchmarkFailed where it takes too long."""
    for _ in Pace(SECONDS_BETWEEN_LOOKS, SECONDS_TO_HOLD).ticks():
        if holds():
            return
    raise BenchmarkFailed(f"not within {SECONDS_TO_HOLD:.0f} s: {what}")


@contextmanager
def running(options: Options) -> Iterator[Instance]:
    """An embedded AWS with these settings."""
    with tempfile.TemporaryDirectory(prefix="millrace-benchmark-") as place:
        folder = Path(place) / "aws"
        try:
            instance, _ = laptop.up(folder, options)
            yield instance
        finally:
            laptop.down(folder)


@contextmanager
def deployed(options: Options, **variables: Any) -> Iterator[Pipeline]:
    """A pipeline with these settings of the embedded AWS and these variables of `terraform/`."""
    with running(options) as instance:
        yield Pipeline.applied(instance, variables)


def lawful(counts: Mapping[str, int], documents: int) -> bool:
    """Whether every document was planned, and each has one outcome."""
    return counts["planned"] == documents == sum(counts.values()) - counts["planned"]
