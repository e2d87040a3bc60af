"""The embedding worker: the NDJSON of one receipt becomes vectors of its lines and words.

It writes parts of 500 records of a collection, then says in each collection that all are there, then writes the
CompactionRun: what is seen is durable. After a death at any of these steps the next try goes on behind the last whole
part, and writes the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from shared.clock import Clock, stamp, utc_now
from vector_store.embed_files import Exports, Folder, Part, written
from vector_store.embed_records import BadRow, Record, read_records
from vector_store.embed_request import Request
from vector_store.embed_runs import Runs
from vector_store.embed_watch import Watch
from vector_store.errors import EmbeddingRefused
from vector_store.measures import COUNT, publish
from vector_store.places import COLLECTIONS, LINES, WORDS
from vector_store.telemetry import logger
from vector_store.titan import MODEL, Titan

PART_RECORDS = 500
"""A part's most records: at 512 dimensions its vectors are 1 MB, and at 20 calls a second it takes 25 s to embed."""

FolderOf = Callable[[str, str], Folder]
"""The folder of a collection and a run."""


class Means(NamedTuple):
    """What a run is made with."""

    exports: Exports
    folder_of: FolderOf
    runs: Runs
    titan: Titan
    clock: Clock


class Worker:
    """Works one request after the other."""

    def __init__(self, means: Means, *, part_records: int = PART_RECORDS) -> None:
        self._means = means
        self._part_records = part_records

    def work(self, request: Request, watch: Watch) -> None:
        """Embed an export, or the rest of one that was begun before.

        Each try is measured; a bad record counts in the one that writes the run. Raises MessageInvalid where there is
        no export, StoreUnavailable, and what the watch raises; each leaves whole parts, and no part that is not."""
        if self._means.runs.is_written(request):
            logger.info("the run is written already", receipt_id=request.receipt_id, run_id=request.run_id)
            return
        results = {name: self._result(name, request, watch) for name in COLLECTIONS}
        throttled, written = self._means.titan.throttled, False
        try:
            self._embed(request, results, watch)
            written = True
        finally:
            publish(
                [
                    ("TextsEmbedded", COUNT, sum(result.embedded for result in results.values())),
                    ("BadRecords", COUNT, sum(len(result.bad) for result in results.values()) if written else 0),
                    ("EmbeddingThrottled", COUNT, self._means.titan.throttled - throttled),
                    ("RunsEmbedded", COUNT, int(written)),
                ]
            )

    def _embed(self, request: Request, results: Mapping[str, _Result], watch: Watch) -> None:
        with self._means.exports.open(request) as export:
            for found in read_records(export, request.receipt_id):
                results[found.collection].take(found)
        for result in results.values():
            result.end()
        watch.beat()
        lines, words = results[LINES], results[WORDS]
        now = stamp(utc_now(self._means.clock))
        self._means.runs.write(request, lines=lines.records, words=words.records, created_at=now)
        logger.info(
            "run written",
            receipt_id=request.receipt_id,
            run_id=request.run_id,
            lines=lines.records,
            words=words.records,
            embedded=lines.embedded + words.embedded,
            bad=len(lines.bad) + len(words.bad),
        )

    def _result(self, collection: str, request: Request, watch: Watch) -> _Result:
        folder = self._means.folder_of(collection, request.run_id)
        return _Result(folder, self._means.titan, watch, self._part_records)


class _Result:
    """What a run brings to one collection: its parts so far, and the records of the next one."""

    def __init__(self, folder: Folder, titan: Titan, watch: Watch, part_records: int) -> None:
        self._folder = folder
        self._titan = titan
        self._watch = watch
        self._part_records = part_records
        self._next: list[Record] = []
        self._parts = 0
        self._refused_before: dict[int, str] | None = None
        self.records = 0
        self.embedded = 0
        """Of the records, those that were embedded by this try."""
        self.bad: list[BadRow] = []

    def take(self, found: Record | BadRow) -> None:
        if isinstance(found, BadRow):
            self.bad.append(found)
            return
        self._next.append(found)
        if len(self._next) == self._part_records:
            self._end_part()

    def end(self) -> None:
        """Write what is left, and that all is there."""
        if self._next:
            self._end_part()
        self._watch.beat()
        self._folder.put_bad(self.bad)
        self._folder.end(parts=self._parts, records=self.records, model=MODEL)

    def _end_part(self) -> None:
        kept = self._kept()
        if kept is None:
            kept = self._embed()
        self.records += kept
        self._parts += 1
        self._next = []

    def _kept(self) -> int | None:
        """How many records the part has, if an earlier try wrote it whole."""
        if self._refused_before is None:
            self._refused_before = self._folder.refused()
        known = self._refused_before
        good = [record for record in self._next if record.line not in known]
        if not self._folder.holds(self._parts, written(good), len(good)):
            return None
        self.bad += [_bad(record, known[record.line]) for record in self._next if record.line in known]
        return len(good)

    def _embed(self) -> int:
        self._watch.begin()
        answers = self._titan.embed([record.text for record in self._next], self._watch.beat)
        both = list(zip(self._next, answers, strict=True))
        good = [(record, answer) for record, answer in both if isinstance(answer, bytes)]
        refused = [_bad(record, str(answer)) for record, answer in both if isinstance(answer, EmbeddingRefused)]
        if refused:
            self.bad += refused
            # Before the part: of one that is whole, every text that it lacks must be known.
            self._folder.put_bad(self.bad)
        self._watch.beat()
        vectors = b"".join(vector for _, vector in good)
        self._folder.put(Part(self._parts, written(record for record, _ in good), vectors))
        self.embedded += len(good)
        return len(good)


def _bad(record: Record, reason: str) -> BadRow:
    return BadRow(record.line, record.collection, record.id, reason)
