"""The documentation of Python's own library, its first 5,000 documents, end to end.

- documents a second, from the writing of the manifest to the end of the execution, with an index that takes requests
  as fast as they come.
- the pipeline's own time over the sink's, with an index that takes 20 requests a second. The sink's time is what no
  pipeline could save (`sink_seconds`); the own time is all the rest: planning, starting, reading and writing its work,
  polling more than once, waiting, reporting. At 1 the job takes twice as long as its sink alone.
- documents whose outcome in the report is not what the index itself says, one by one; and those that failed. Both
  runs together. Nothing is wrong with any of them.

Uploading is the team's, before the manifest, and is not counted. The index, S3 and everything else of the embedded AWS
share this machine's cores with the functions; on AWS the pipeline has its cores for itself.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Mapping
from math import ceil
from pathlib import Path
from typing import NamedTuple

from benchmarks.figure import BenchmarkFailed, Figure
from benchmarks.pipeline import Pipeline, deployed
from millrace import submission
from millrace.local.instance import Options
from millrace.reports import Reports
from millrace.submission import METADATA_SUFFIX, Survey
from sample.kendra_ingestion import corpus

DOCUMENTS = 5_000
REQUESTS_PER_SECOND = 20.0
AS_FAST_AS_THEY_COME = 1_000.0
INDEXING_SECONDS = 0.2
DOCUMENTS_A_REQUEST = 10

LEAST_PER_SECOND = 100.0
MOST_OWN_TIME = 1.0


def run() -> list[Figure]:
    """Ingest the corpus twice, each time into a new index."""
    options = Options(kendra_requests_per_second=AS_FAST_AS_THEY_COME, kendra_indexing_seconds=INDEXING_SECONDS)
    with tempfile.TemporaryDirectory(prefix="millrace-corpus-") as place, deployed(options) as pipeline:
        found = write(Path(place) / "corpus")
        pipeline.upload(found)
        unhindered = _ingested(pipeline, found, AS_FAST_AS_THEY_COME)
        limited = _ingested(pipeline, found, REQUESTS_PER_SECOND)
    sink = sink_seconds(DOCUMENTS)
    own = (limited.seconds - sink) / sink
    wrong, failed = unhindered.wrong + limited.wrong, unhindered.failed + limited.failed
    return [
        Figure("corpus, end to end", DOCUMENTS / unhindered.seconds, "documents/s", LEAST_PER_SECOND, "at least"),
        Figure("corpus, the pipeline's own time", own, "x the sink's", MOST_OWN_TIME, "at most"),
        Figure("corpus, report and index differ", wrong, "documents", 0, "at most"),
        Figure("corpus, failed", failed, "documents", 0, "at most"),
    ]


def write(folder: Path, documents: int = DOCUMENTS) -> Survey:
    """Write the corpus's first documents into a new folder. Raises BenchmarkFailed where this Python has too few."""
    if corpus.main([str(folder), "--limit", str(documents), "--minimum", str(documents)]):
        raise BenchmarkFailed(f"this Python's library documents fewer than {documents:,} things")
    return submission.survey(folder)


def sink_seconds(documents: int) -> float:
    """The least time in which the limited index can take documents and then say what became of them.

    Each document is in one put and in one status poll, ten to a request. They follow each other, because a pipeline
    that polls while it sends has no more to poll afterwards. Each of the two operations has saved up one second's
    worth of calls before the first one; the last document has to be indexed.
    """
    requests = ceil(documents / DOCUMENTS_A_REQUEST)
    one_operation = max(0.0, requests / REQUESTS_PER_SECOND - 1)
    return 2 * one_operation + INDEXING_SECONDS


def document_ids(found: Survey) -> list[str]:
    """The ids in the metadata of a folder's pairs. A document may itself be called `x.metadata.json`."""
    names = {file.name for file in found.files}
    return [
        json.loads(file.path.read_bytes())["DocumentId"]
        for file in found.files
        if file.name.endswith(METADATA_SUFFIX) and file.name.removesuffix(METADATA_SUFFIX) in names
    ]


def differences(ids: Collection[str], failed: Collection[str], statuses: Mapping[str, str]) -> int:
    """How many documents failed by the report and are indexed by the index, or the other way round."""
    return sum((document_id in failed) == (statuses.get(document_id) == "INDEXED") for document_id in ids)


class Ingested(NamedTuple):
    """One run: seconds from end to end, outcomes that are not the index's, and failed documents."""

    seconds: float
    wrong: int
    failed: int


def _ingested(pipeline: Pipeline, found: Survey, requests_per_second: float) -> Ingested:
    job_id = f"corpus-{requests_per_second:.0f}"
    pipeline.instance.set_kendra_pace(requests_per_second=requests_per_second)
    asked = pipeline.with_new_index(sink_requests_per_second=requests_per_second)
    done = asked.run(found, job_id)
    pipeline.instance.set_kendra_pace(requests_per_second=AS_FAST_AS_THEY_COME)
    reports = Reports(asked.deployment.client("s3"), asked.deployment.ingestion.reports_bucket)
    failed = {failure.document_id for failure in reports.failures(job_id)}
    ids = document_ids(found)
    return Ingested(done.seconds, differences(ids, failed, asked.statuses(ids)), len(failed))
