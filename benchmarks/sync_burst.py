"""A burst of uploads into a data source's bucket: what kb_sync makes of it, beside two plain ways on the same embedded
AWS.

* single flight: only the uploads; the bucket's events do the rest.
* one start an upload: whoever has uploaded starts an ingestion job, and tries twice more where Bedrock refuses.
* a FIFO queue: whoever has uploaded sends a message, always the same; the queue drops repetitions for five minutes, and
  one consumer takes a message, waits until no job runs, and starts one.

Each burst has a knowledge base of its own. An upload is covered when a job that is COMPLETE has scanned the bucket
after it: by the keys and ETags that each scan saw, which the embedded AWS tells, and not by what anybody believes. A
job takes longer than the burst, and an account starts one in ten seconds, as on AWS.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from benchmarks.figure import Figure
from benchmarks.pipeline import Stack, running, wait_until
from millrace.deployment import SyncSource
from millrace.executions.adapter import Executions
from millrace.local.instance import Instance, Options
from millrace.local.sync_sources import made, variables_of
from millrace.syncs import Syncs

JOB_SECONDS: Mapping[int, float] = {5: 10.0, 100: 10.0, 10_000: 60.0}
"""How long a job takes, for each size of a burst."""
STARTS_PER_SECOND = 0.1
WINDOW_SECONDS = 10
POLL_SECONDS = 2
BUCKET = "burst-data"
UPLOADERS = 16
STARTERS = 128
ATTEMPTS = 3
PAUSE_SECONDS = 0.5

MOST_JOBS = 2
MOST_EXECUTIONS = 50
SLACK_SECONDS = 10.0


class Upload(NamedTuple):
    """`at` is when S3 had answered, in seconds since 1970."""

    key: str
    etag: str
    at: float


@dataclass
class Measured:
    """One burst, one way. `lateness` is from each upload to the end of the job that covered it, None for those that no
    job did. `refusals` are starts that Bedrock refused."""

    job_seconds: float
    lateness: Sequence[float | None]
    jobs: int
    burst_seconds: float
    executions: int = 0
    refusals: int = 0

    @property
    def uncovered(self) -> int:
        return sum(late is None for late in self.lateness)

    @property
    def percentile_95(self) -> float:
        """In job durations; infinite where more than 5% are not covered."""
        found = sorted(math.inf if late is None else late for late in self.lateness)
        return found[math.ceil(0.95 * len(found)) - 1] / self.job_seconds

    @property
    def most_late(self) -> float:
        """In job durations: the job that runs when an upload comes, and the one after it; the pipe's window; slack."""
        return 2 + (WINDOW_SECONDS + SLACK_SECONDS) / self.job_seconds


@dataclass(frozen=True)
class Source:
    """A data source on a folder of the bucket."""

    instance: Instance
    place: SyncSource

    def jobs(self) -> list[dict[str, Any]]:
        return self.instance.jobs(self.place.data_source_id)

    def lateness(self, uploads: Sequence[Upload]) -> list[float | None]:
        return lateness(uploads, self.instance.jobs(self.place.data_source_id, covered=True))


def run() -> list[Figure]:
    """Every burst in every way."""
    options = Options(
        bedrock_ingestion_starts_per_second=STARTS_PER_SECOND,
        bedrock_ingestion_reads_per_second=10.0,
    )
    figures: list[Figure] = []
    with running(options) as instance:
        instance.client("s3").create_bucket(Bucket=BUCKET)
        synced = {size: _source(instance, f"single-flight-{size}") for size in JOB_SECONDS}
        stack = Stack.applied(instance, _variables(synced.values()))
        for size, seconds in JOB_SECONDS.items():
            instance.set_bedrock_pace(ingestion_seconds=seconds)
            ours = single_flight(stack, synced[size], size)
            figures += figures_of("single flight", size, ours, bars=True)
            plain = one_start_an_upload(_source(instance, f"one-start-{size}"), size)
            figures += figures_of("one start an upload", size, plain)
            queued = fifo_queue(_source(instance, f"fifo-{size}"), size)
            figures += figures_of("FIFO queue", size, queued)
    return figures


def figures_of(way: str, size: int, measured: Measured, *, bars: bool = False) -> Iterator[Figure]:
    """What a way made of a burst. The bars are those of a burst that is shorter than a job."""
    name = f"burst of {size:,}, {way}"

    def figure(what: str, value: float, unit: str, bar: float) -> Figure:
        return Figure(f"{name}: {what}", value, unit, bar if bars else None)

    yield figure("uploading", measured.burst_seconds / measured.job_seconds, "job durations", 1)
    yield figure("not covered", measured.uncovered, "uploads", 0)
    yield figure("jobs", measured.jobs, "jobs", MOST_JOBS)
    yield figure("upload to covered, 95%", measured.percentile_95, "job durations", measured.most_late)
    yield Figure(f"{name}: starts refused", measured.refusals, "calls")
    if bars:
        yield figure("executions", measured.executions, "executions", MOST_EXECUTIONS)


def lateness(uploads: Sequence[Upload], jobs: Sequence[Mapping[str, Any]]) -> list[float | None]:
    """For each upload the seconds to the end of the first job that covered it; `jobs` as `Instance.jobs` has them."""
    ended: dict[tuple[str, str], float] = {}
    for job in jobs:
        if job["status"] == "COMPLETE":
            for item in job["covered"]:
                ended.setdefault((item["key"], item["etag"].strip('"')), job["ended"])
    return [_after(upload.at, ended.get((upload.key, upload.etag))) for upload in uploads]


def _after(began: float, ended: float | None) -> float | None:
    return None if ended is None else ended - began


def single_flight(stack: Stack, source: Source, size: int) -> Measured:
    """The burst, and then nothing but waiting."""
    deployment = stack.deployment
    states = deployment.client("stepfunctions")
    executions = Executions(states, deployment.sync.kb_sync_state_machine_arn)
    syncs = Syncs(deployment.client("dynamodb"), deployment.sync.sync_table)
    before = {execution.arn for execution in executions.newest(1_000)}
    uploads, seconds = burst(source, size, lambda: None)

    def quiet() -> bool:
        item = syncs.get(source.place.key)
        idle = item.requested > 0 and not item.pending and item.owner is None
        return idle and None not in source.lateness(uploads)

    wait_until(quiet, "every upload is covered, and nobody is at work")
    ended = [execution for execution in executions.newest(1_000) if execution.arn not in before]
    outputs = [states.describe_execution(executionArn=execution.arn).get("output") for execution in ended]
    conflicts = sum(json.loads(output)["counts"]["conflicts"] for output in outputs if output)
    return Measured(JOB_SECONDS[size], source.lateness(uploads), len(source.jobs()), seconds, len(ended), conflicts)


def one_start_an_upload(source: Source, size: int) -> Measured:
    """Each uploader starts a job of its own. What it is refused three times it gives up."""
    client = source.instance.client("bedrock-agent", retries={"total_max_attempts": 1}, max_pool_connections=STARTERS)
    refused: list[str] = []

    def start() -> None:
        for attempt in range(ATTEMPTS):
            if _started(client, source):
                return
            refused.append("")
            if attempt + 1 < ATTEMPTS:
                time.sleep(PAUSE_SECONDS * 2**attempt)

    with ThreadPoolExecutor(STARTERS) as starters:
        uploads, seconds = burst(source, size, lambda: starters.submit(start))
    wait_until(lambda: all(job["ended"] for job in source.jobs()), "every job has ended")
    return Measured(JOB_SECONDS[size], source.lateness(uploads), len(source.jobs()), seconds, refusals=len(refused))


def fifo_queue(source: Source, size: int) -> Measured:
    """Each uploader sends a message, and one consumer starts the jobs."""
    sqs = source.instance.client("sqs", max_pool_connections=UPLOADERS)
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true", "VisibilityTimeout": "300"}
    url = sqs.create_queue(QueueName=f"{source.place.prefix.strip('/')}.fifo", Attributes=attributes)["QueueUrl"]
    consumer = Consumer(source, sqs, url)
    consumer.start()
    try:
        uploads, seconds = burst(
            source, size, lambda: sqs.send_message(QueueUrl=url, MessageBody="sync", MessageGroupId="sync")
        )
        wait_until(
            lambda: consumer.idle and bool(source.jobs()) and all(job["ended"] for job in source.jobs()),
            "the queue is empty, and every job has ended",
        )
    finally:
        consumer.stop()
    return Measured(JOB_SECONDS[size], source.lateness(uploads), len(source.jobs()), seconds, refusals=consumer.refused)


@dataclass
class Consumer:
    """Takes one message after the other: waits until no job runs, starts one, and deletes the message."""

    source: Source
    sqs: Any
    url: str
    refused: int = 0
    idle: bool = False
    _ended: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        bedrock = self.source.instance.client("bedrock-agent", retries={"total_max_attempts": 1})
        while not self._ended.is_set():
            received = self.sqs.receive_message(QueueUrl=self.url, WaitTimeSeconds=1).get("Messages", [])
            self.idle = not received
            for message in received:
                while not self._ended.is_set() and not self._start(bedrock):
                    self._ended.wait(POLL_SECONDS)
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def _start(self, bedrock: Any) -> bool:
        listed = bedrock.list_ingestion_jobs(**self.source.place.ids)["ingestionJobSummaries"]
        if any(job["status"] in ("STARTING", "IN_PROGRESS", "STOPPING") for job in listed):
            return False
        if not _started(bedrock, self.source):
            self.refused += 1
            return False
        return True


def burst(source: Source, size: int, after: Callable[[], Any]) -> tuple[list[Upload], float]:
    """Upload that many objects at once and call `after` each; the uploads, and the seconds that they took together."""
    s3 = source.instance.client("s3", max_pool_connections=UPLOADERS)

    def upload(number: int) -> Upload:
        key = f"{source.place.prefix}{number:05}.txt"
        body = f"Text {number} of {source.place.prefix}: weir, sluice and mill pond."
        etag = s3.put_object(Bucket=BUCKET, Key=key, Body=body.encode())["ETag"].strip('"')
        uploaded = Upload(key, etag, time.time())
        after()
        return uploaded

    began = time.monotonic()
    with ThreadPoolExecutor(UPLOADERS) as pool:
        uploads = list(pool.map(upload, range(size)))
    return uploads, time.monotonic() - began


def _started(client: Any, source: Source) -> bool:
    """Whether Bedrock took it; it refuses while another job runs, and more starts than the quota allows."""
    try:
        client.start_ingestion_job(**source.place.ids)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ConflictException", "ThrottlingException"):
            return False
        raise
    return True


def _source(instance: Instance, name: str) -> Source:
    return Source(instance, made(instance, name, BUCKET, base=name))


def _variables(sources: Iterable[Source]) -> dict[str, Any]:
    return {
        "workflows": ["kb_sync"],
        **variables_of(source.place for source in sources),
        "sync_batching_window_seconds": WINDOW_SECONDS,
        "sync_poll_seconds": POLL_SECONDS,
        "sync_seconds_between_starts": 10,
    }
