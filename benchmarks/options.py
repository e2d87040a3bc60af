"""Both ways of bringing documents to the sink, side by side: `deploy_option` sfn (a Map) and sqs (queues and workers).

The same 5,000 documents, index and rate as in `corpus`, one option after the other, each with a new index. For each:

- documents a second, from the writing of the manifest to the end of the execution. The sink takes each document once
  and is asked about it once, so it alone allows about 100 a second (`corpus.sink_seconds`).
- requests to the sink; state transitions; messages.
- what AWS would ask for the run, times twenty, as the price of 100,000 documents: `usage` says what is counted, at
  which prices, and what is left out. A real run of 100,000 has larger chunks, so the Map's transitions come cheaper.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks import corpus, usage
from benchmarks.corpus import INDEXING_SECONDS, REQUESTS_PER_SECOND
from benchmarks.figure import BenchmarkFailed, Figure
from benchmarks.pipeline import Pipeline, Run, deployed
from benchmarks.usage import Resource
from millrace.executions.counting import Counting, Progress
from millrace.local.instance import Options
from millrace.submission import Survey

OPTIONS = ("sfn", "sqs")
LEAST_PER_SECOND = 50.0
"""Half of what the sink alone allows."""
PRICED_DOCUMENTS = 100_000
FUNCTION_LOGS = "/aws/lambda/"


class Measured(NamedTuple):
    """What one option did with the documents; `sink` counts requests by operation."""

    run: Run
    sink: Mapping[str, int]
    messages: int
    used: Mapping[Resource, float]


def run() -> list[Figure]:
    """Ingest the corpus once with each option."""
    settings = {"sink_requests_per_second": REQUESTS_PER_SECOND}
    options = Options(kendra_requests_per_second=REQUESTS_PER_SECOND, kendra_indexing_seconds=INDEXING_SECONDS)
    measured = {}
    with tempfile.TemporaryDirectory(prefix="millrace-options-") as place, deployed(options, **settings) as pipeline:
        found = corpus.write(Path(place) / "corpus")
        pipeline.upload(found)
        for option in OPTIONS:
            measured[option] = measure(pipeline.with_new_index(deploy_option=option, **settings), found)
    return figures_of(measured)


def figures_of(measured: Mapping[str, Measured]) -> list[Figure]:
    """The options' figures. Raises BenchmarkFailed where they did not index the same number of documents."""
    if len({tuple(sorted(each.run.counts.items())) for each in measured.values()}) > 1:
        raise BenchmarkFailed(f"the options differ: { {option: each.run.counts for option, each in measured.items()} }")
    return [figure for option, each in measured.items() for figure in _figures(f"options, {option}", each)]


def _figures(name: str, measured: Measured) -> Iterator[Figure]:
    run, used = measured.run, measured.used
    documents = run.counts["planned"]
    yield Figure(f"{name}: end to end", documents / run.seconds, "documents/s", LEAST_PER_SECOND, "at least")
    for operation, calls in measured.sink.items():
        yield Figure(f"{name}: {operation}", calls, "requests")
    yield Figure(f"{name}: state transitions", used[Resource.TRANSITIONS], "transitions")
    yield Figure(f"{name}: messages", measured.messages, "messages")
    times = PRICED_DOCUMENTS / documents
    prices = usage.costs(used)
    for service, dollars in prices.items():
        yield Figure(f"{name}: modelled cost of {PRICED_DOCUMENTS:,}, {service}", dollars * times, "USD")
    yield Figure(f"{name}: modelled cost of {PRICED_DOCUMENTS:,}, all", sum(prices.values()) * times, "USD")


def measure(pipeline: Pipeline, found: Survey) -> Measured:
    """Ingest the folder with the option that is deployed."""
    job_id = f"options-{pipeline.deployment.ingestion.deploy_option}"
    pipeline.instance.forget_calls()
    began = time.time()
    run = pipeline.run(found, job_id)
    sink = {operation: counted["calls"] for operation, counted in pipeline.statistics().items() if counted["calls"]}
    return Measured(run, sink, _messages(pipeline, run), usage.used(run.view, _log(pipeline, began), pipeline.calls()))


def _messages(pipeline: Pipeline, run: Run) -> int:
    table = pipeline.deployment.ingestion.progress_table
    if table is None:
        return 0
    requests = Counting(Progress(pipeline.deployment.client("dynamodb"), table))(run.view)
    if requests is None:
        raise BenchmarkFailed("the progress table does not know the job")
    return requests.expected


def _log(pipeline: Pipeline, since: float) -> Iterator[str]:
    """Every line that the functions have logged since that time."""
    logs = pipeline.deployment.client("logs")
    groups = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=FUNCTION_LOGS)
    for name in [group["logGroupName"] for page in groups for group in page["logGroups"]]:
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name, startTime=int(since * 1_000)):
            yield from (event["message"] for event in page["events"])
