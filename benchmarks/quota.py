"""Using what the sink gives and not more: the whole pipeline against an index that takes 20 requests a second.

4,000 small documents are 400 requests. The pipeline is told the true rate, four times that, or half of it; each time
it is deployed with a new index, and nothing is learnt from the run before. The figures of each:

- the sustained rate over the index's: calls let through between the first and the last BatchPutDocument, as the index
  counts them. What it saved up before the first call (one second's worth) is taken off, so this is at most 1, and
  every moment in which the index could have taken a call and got none lowers it.
- throttled answers over calls, for sending and, apart, for verification's polling, which has a limit of its own.
- documents lost: those that are not indexed in the end, by the report or by the index itself. Nothing is wrong with
  any of them.

Told half of the true rate, a pipeline can only find out by trying. That takes some seconds once, of the twenty that
these documents take, so the bar of its sustained rate is lower; on doing as told it would be 0.5.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.figure import Figure
from benchmarks.pipeline import deployed
from millrace import submission
from millrace.local.instance import Options

REQUESTS_PER_SECOND = 20.0
DOCUMENTS = 4_000
MOST_THROTTLED = 0.05


class Told(NamedTuple):
    """What the pipeline is told of the rate, and how much of the true rate it must use."""

    name: str
    times: float
    bar: float


TOLD = (Told("told the true rate", 1.0, 0.95), Told("told 4 times it", 4.0, 0.95), Told("told half of it", 0.5, 0.8))


def run() -> list[Figure]:
    """Ingest the same documents once for each of TOLD."""
    figures = []
    options = Options(kendra_requests_per_second=REQUESTS_PER_SECOND)
    with tempfile.TemporaryDirectory(prefix="millrace-documents-") as place, deployed(options) as pipeline:
        ids = write_documents(Path(place), DOCUMENTS)
        found = submission.survey(Path(place))
        pipeline.upload(found)
        for number, told in enumerate(TOLD):
            asked = pipeline.with_new_index(sink_requests_per_second=REQUESTS_PER_SECOND * told.times)
            done = asked.run(found, f"quota-{number}")
            statistics = asked.statistics()
            indexed = sum(status == "INDEXED" for status in asked.statuses(ids).values())
            figures += figures_of(told, statistics, len(ids) - min(indexed, done.counts["indexed"]))
    return figures


def write_documents(folder: Path, number: int) -> list[str]:
    """Write pairs of a small text and its metadata; returns their ids."""
    ids = [f"note-{place:06}" for place in range(number)]
    for place, document_id in enumerate(ids):
        text = f"Note {place}: the valve of segment {place % 97} was turned {place % 13} times.\n"
        metadata = {"DocumentId": document_id, "Title": f"Note {place}", "ContentType": "PLAIN_TEXT"}
        (folder / f"{document_id}.txt").write_text(text)
        (folder / f"{document_id}.txt.metadata.json").write_text(json.dumps(metadata))
    return ids


def figures_of(told: Told, statistics: Mapping[str, Mapping[str, Any]], lost: int) -> list[Figure]:
    """The figures of one run, out of the index's statistics by operation."""
    sending, verifying = statistics["BatchPutDocument"], statistics["BatchGetDocumentStatus"]
    name = f"quota, {told.name}"
    used = sending["perSecond"] / REQUESTS_PER_SECOND
    return [
        Figure(f"{name}: sustained", used, "of the index's rate", told.bar, "at least"),
        Figure(f"{name}: throttled", _throttled(sending), "of calls", MOST_THROTTLED, "at most"),
        Figure(f"{name}: throttled, verifying", _throttled(verifying), "of calls", MOST_THROTTLED, "at most"),
        Figure(f"{name}: lost", lost, "documents", 0, "at most"),
    ]


def _throttled(counted: Mapping[str, Any]) -> float:
    return counted["throttled"] / counted["calls"]
