"""A second run over a folder in which nothing has changed, over the first one. Both have `mode: changed`.

The 5,000 documents, the index and its rate are those of `corpus`. The first run finds an empty ledger and sends every
document; the second has to find out that none is to be sent.

- calls to the index in the second run, of any operation.
- the second run's time over the first's, each from the writing of the manifest to the end of the execution.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks import corpus
from benchmarks.corpus import INDEXING_SECONDS, REQUESTS_PER_SECOND
from benchmarks.figure import BenchmarkFailed, Figure
from benchmarks.pipeline import Run, deployed
from millrace.local.instance import Options
from millrace.submission import Mode

MOST_TIME = 0.15


def run() -> list[Figure]:
    """Ingest the corpus, and look at it again."""
    options = Options(kendra_requests_per_second=REQUESTS_PER_SECOND, kendra_indexing_seconds=INDEXING_SECONDS)
    with (
        tempfile.TemporaryDirectory(prefix="millrace-changed-") as place,
        deployed(options, sink_requests_per_second=REQUESTS_PER_SECOND) as pipeline,
    ):
        found = corpus.write(Path(place) / "corpus")
        pipeline.upload(found)
        first = pipeline.run(found, "changed-first", Mode.CHANGED)
        pipeline.instance.forget_calls()
        second = pipeline.run(found, "changed-second", Mode.CHANGED)
        return figures_of(first, second, pipeline.sink_calls())


def figures_of(first: Run, second: Run, calls: int) -> list[Figure]:
    """The figures of two runs, of which the second made so many calls to the index. Raises BenchmarkFailed where the
    first did not index every document, or the second did not find each unchanged."""
    documents = first.counts["planned"]
    if (first.counts["indexed"], second.counts["unchanged"]) != (documents, documents):
        raise BenchmarkFailed(f"the first run's report says {first.counts}, the second's {second.counts}")
    return [
        Figure("changed, second run's calls to the index", calls, "calls", 0, "at most"),
        Figure("changed, first run", first.seconds, "s"),
        Figure("changed, second run", second.seconds, "s"),
        Figure("changed, second run over first", second.seconds / first.seconds, "x", MOST_TIME, "at most"),
    ]
