"""Planning 1,000,000 documents: ListBatches, pass after pass, over a listing that is made up while it is read.

What is measured, in a process of its own:

- the seconds that planning computes (listing, pairing, metadata, packing, writing the plan): processor time, so that
  other work on the machine does not count. ListBatches has one core.
- the process's peak memory, with the client of AWS's SDK that the function has, and with each pass's state packed,
  written and read again by the next pass in the same container.
- chunks of the plan, and the largest answer of a pass, which is what the state machine carries.

What it leaves out is modelled, because S3 is made up: a million reads of metadata, 32 at a time, and the writing of the
chunks. A read takes at least what the SDK computes for one call, measured here on calls that end before the network;
and no less than a 32nd of that and S3's answer together. S3 answers small requests in about 100 to 200 ms (S3 user
guide, "Performance guidelines"), and the lesser is taken. The listing's 2,000 calls are hidden behind the work on the
page before each. The modelled time runs on the passes' clock, so there are as many passes as Lambda's 900 seconds would
bring about. The function's core is Lambda's own, not this machine's: trust the orders of magnitude.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks import generated
from benchmarks.figure import BenchmarkFailed, Figure
from benchmarks.process import peak_bytes
from kendra_ingestion import aws
from kendra_ingestion.chunking import MAX_CHUNKS
from kendra_ingestion.folder import Folder
from kendra_ingestion.list_batches import Job, Means, plan
from kendra_ingestion.metadata import METADATA_MAX_BYTES
from kendra_ingestion.packing import KENDRA_LIMITS
from kendra_ingestion.workspace import Workspace
from shared.clock import RESERVE_SECONDS

DOCUMENTS = 1_000_000
CALLS_MEASURED = 2_000
BEFORE_THE_NETWORK = "before-send.s3.GetObject"
"""botocore's event whose handler may answer in place of S3."""

LAMBDA_SECONDS = 900
LAMBDA_MEGABYTES = 1_769
"""What terraform/ gives ListBatches; a megabyte is 2^20 bytes."""
S3_SECONDS = 0.1
MOST_ANSWER_BYTES = 64 * 1024
"""A quarter of what a state may have as input or output."""

JOB_ID, RUN, ATTEMPT = "million", "0123456789abcdef", "attempt"


def run() -> list[Figure]:
    """Plan a million documents once."""
    found = json.loads(
        subprocess.run(
            [sys.executable, "-m", "benchmarks.plan_million", str(DOCUMENTS)],
            env={**os.environ, **ENVIRONMENT},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )
    return figures_of(found)


def figures_of(found: dict[str, Any]) -> list[Figure]:
    """The figures of what `measured` found. Raises BenchmarkFailed where the plan is not whole."""
    failed = generated.unpaired(found["documents"])
    if (found["planned"], found["failed"], found["inChunks"]) != (
        found["documents"],
        failed,
        found["documents"] - failed,
    ):
        raise BenchmarkFailed(f"of {found['documents']:,} documents {failed:,} have no metadata; the plan says {found}")
    name = f"plan {found['documents']:,}"
    passes = found["passSeconds"]
    return [
        Figure(f"{name}, computing", found["seconds"], "s", LAMBDA_SECONDS),
        Figure(f"{name}, peak memory", found["megabytes"], "MB", LAMBDA_MEGABYTES),
        Figure(f"{name}, chunks", found["chunks"], "chunks", MAX_CHUNKS),
        Figure(f"{name}, largest answer", found["answerBytes"], "bytes", MOST_ANSWER_BYTES),
        Figure(f"{name}, the SDK's own time a call", found["sdkSeconds"] * 1_000, "ms"),
        Figure(f"{name}, passes with S3's time modelled", len(passes), "passes"),
        Figure(f"{name}, all passes with S3's time modelled", sum(passes), "s"),
        Figure(f"{name}, the longest of them", max(passes), "s", LAMBDA_SECONDS),
    ]


def measured(documents: int, work: Path) -> dict[str, Any]:
    """Plan that many documents, with `work` as the work area."""
    s3 = generated.GeneratedS3(documents, work)
    answers: list[str] = []
    passes: list[float] = []
    with ThreadPoolExecutor(aws.CONNECTIONS) as pool:
        sdk_seconds = seconds_a_call(pool)
        clock = ModelledClock(s3, sdk_seconds)
        workspace = Workspace(s3, "reports", job_id=JOB_ID, run=RUN, attempt=ATTEMPT)
        workspace.save_manifest(json.dumps({"jobId": JOB_ID, "prefix": generated.PREFIX}).encode())
        means = Means(Folder(s3, "ingestion"), workspace, _nothing_known, KENDRA_LIMITS, pool, clock)
        cursor: int | None = 0
        began = time.process_time()
        while cursor is not None:
            pass_began = clock.monotonic()
            answer = plan(
                Job("ingestion", generated.PREFIX, ATTEMPT, cursor),
                means,
                stop_at=pass_began + LAMBDA_SECONDS - RESERVE_SECONDS,
            )
            passes.append(clock.monotonic() - pass_began)
            answers.append(json.dumps(answer))
            cursor = answer["cursor"]
        seconds = time.process_time() - began
    return {
        "documents": documents,
        "seconds": seconds,
        "sdkSeconds": sdk_seconds,
        "passSeconds": passes,
        "megabytes": peak_bytes() / 2**20,
        "answerBytes": max(map(len, answers)),
        "planned": answer["planned"],
        "failed": answer["failed"],
        "chunks": len(answer["chunks"]),
        "inChunks": sum(workspace.plan()["chunks"]),
    }


class ModelledClock:
    """The processor time of this process, and the time that S3 would have taken beside it."""

    def __init__(self, s3: generated.GeneratedS3, sdk_seconds: float) -> None:
        self._s3 = s3
        self._read = max(sdk_seconds, (sdk_seconds + S3_SECONDS) / aws.CONNECTIONS)
        self._write = sdk_seconds + S3_SECONDS

    def monotonic(self) -> float:
        return time.process_time() + self._s3.reads * self._read + self._s3.writes * self._write

    def wall(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        raise AssertionError("planning never sleeps")


def seconds_a_call(pool: Executor) -> float:
    """Processor time of reading one small object with the function's own client, all but the network."""
    from botocore.awsrequest import AWSResponse

    class Raw(io.BytesIO):
        def stream(self, **_: Any) -> chain[bytes]:
            return chain([self.read()])

    def answer(request: Any, **_: Any) -> AWSResponse:
        return AWSResponse(request.url, 200, {"content-length": "300", "etag": '"0"'}, Raw(b"x" * 300))

    client = aws.s3()
    folder = Folder(client, "ingestion")

    def read(number: int) -> bytes:
        return folder.read(f"{generated.PREFIX}/batches/emp-{number:09}.json.metadata.json", METADATA_MAX_BYTES)

    client.meta.events.register(BEFORE_THE_NETWORK, answer)
    try:
        read(0)
        began = time.process_time()
        for _ in pool.map(read, range(CALLS_MEASURED)):
            pass
        return (time.process_time() - began) / CALLS_MEASURED
    finally:
        client.meta.events.unregister(BEFORE_THE_NETWORK, answer)


def _nothing_known(_: Any) -> dict[str, Any]:
    return {}


ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_SESSION_TOKEN": "t" * 800,
    "AWS_DEFAULT_REGION": "us-east-1",
    "LOG_LEVEL": "CRITICAL",
}
"""For a client that calls nobody; a function's credentials have a session token of about this length."""

if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="millrace-plan-") as place:
        print(json.dumps(measured(int(sys.argv[1]), Path(place))))
