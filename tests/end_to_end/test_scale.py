"""Large jobs stay inside the limits of Step Functions and Lambda: a plan over a made-up listing, and real runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks import generated
from benchmarks.corpus import document_ids
from benchmarks.corpus import write as write_corpus
from kendra_ingestion.chunking import MAX_CHUNKS, documents_in
from kendra_ingestion.folder import Folder
from kendra_ingestion.list_batches import Job, Means, plan
from kendra_ingestion.packing import KENDRA_LIMITS
from kendra_ingestion.workspace import Workspace
from millrace.executions.adapter import Executions
from millrace.local.instance import Options
from tests.end_to_end.stack import Stack, pair
from tests.fakes.clock import FakeClock
from tests.fakes.pool import InlinePool

MOST_STATE_BYTES = 64 * 1024
"""A quarter of what a state may have as input or output (262,144 bytes)."""
MOST_EVENTS = 10_000
"""Of the 25,000 of a standard execution."""

MILLION = 1_000_000
EVENTS_OF_A_TURN = 9
USUAL_TURNS = 110
OTHER_EVENTS = 100
"""Of a job's history beside its chunks: docs/state_machine.md, "History and size"."""

CORPUS, WHOLE_CORPUS = 1_200, 5_000
DRY_DOCUMENTS = 50_000
PASSES = 5

UPLOADS_AT_ONCE = 16
FAST = Options(kendra_requests_per_second=1_000, kendra_indexing_seconds=0.05)
SECONDS_A_THOUSAND = 60.0
"""How long a run may take at most, on a machine that does much else."""


class ReadingClock(FakeClock):
    """A clock on which only reading takes time: a second an object."""

    def __init__(self, s3: generated.GeneratedS3) -> None:
        super().__init__()
        self._s3 = s3

    def monotonic(self) -> float:
        return super().monotonic() + self._s3.reads


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, list[dict[str, Any]]]:
    """A plan of `DRY_DOCUMENTS` that was made in several passes, and the answer of each."""
    s3 = generated.GeneratedS3(DRY_DOCUMENTS, tmp_path_factory.mktemp("work"))
    workspace = Workspace(s3, "reports", job_id="large", run="0123456789abcdef", attempt="attempt")
    workspace.save_manifest(json.dumps({"jobId": "large", "prefix": generated.PREFIX}).encode())
    clock = ReadingClock(s3)
    means = Means(Folder(s3, "ingestion"), workspace, lambda _: {}, KENDRA_LIMITS, InlinePool(), clock)
    answers: list[dict[str, Any]] = []
    cursor: int | None = 0
    while cursor is not None:
        job = Job("ingestion", generated.PREFIX, "attempt", cursor)
        answers.append(plan(job, means, stop_at=clock.monotonic() + DRY_DOCUMENTS / PASSES))
        cursor = answers[-1]["cursor"]
    return workspace, answers


def test_a_large_folder_is_planned_in_passes_that_answer_little(
    planned: tuple[Workspace, list[dict[str, Any]]],
) -> None:
    _, answers = planned
    assert len(answers) == PASSES
    assert max(len(json.dumps(answer)) for answer in answers) < MOST_STATE_BYTES
    assert [answer["chunks"] for answer in answers[:-1]] == [[]] * (len(answers) - 1)


def test_each_document_of_a_large_folder_is_in_one_chunk_or_failed(
    planned: tuple[Workspace, list[dict[str, Any]]],
) -> None:
    workspace, answers = planned
    last = answers[-1]
    sent = [
        document["documentId"]
        for number in last["chunks"]
        for request in workspace.chunk(number)["requests"]
        for document in request
    ]
    failed = [outcome for number in range(len(answers)) for outcome in workspace.planned_outcomes(number)]
    assert len(last["chunks"]) == len(workspace.plan()["chunks"]) <= MAX_CHUNKS
    assert len(set(sent)) == len(sent)
    assert len(failed) == last["failed"] == generated.unpaired(DRY_DOCUMENTS)
    assert len(sent) + len(failed) == last["planned"] == DRY_DOCUMENTS


@contextmanager
def running(folder: Path, option: str) -> Iterator[Stack]:
    stack = Stack.up(folder, FAST, deploy_option=option, sink_requests_per_second=1_000)
    try:
        yield stack
    finally:
        stack.instance.stop()


def ingest(stack: Stack, files: Iterable[tuple[str, bytes]], ids: Sequence[str]) -> None:
    """Upload the files of so many good documents and run their job: each document is indexed, by the report and by the
    index, and the execution stays inside the limits."""
    with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
        list(pool.map(lambda file: stack.upload("large", dict([file])), files))
    key = stack.submit("large", {"jobId": "large", "prefix": "large"})
    execution = stack.wait_for_job(key, seconds=SECONDS_A_THOUSAND * len(ids) / 1_000)
    assert execution.status == "SUCCEEDED", execution
    assert stack.counts("large") == {"planned": len(ids), "indexed": len(ids)}
    assert stack.failures("large") == {}
    assert set(stack.statuses(*ids).values()) == {"INDEXED"}
    history = (
        Executions(stack.client("stepfunctions"), stack.outputs["state_machine_arn"]).history(execution.arn).read()
    )
    assert len(history) < MOST_EVENTS
    assert {name: size for name, size in sizes(history).items() if size >= MOST_STATE_BYTES} == {}
    if stack.option == "sfn":
        chunks = chunks_of(len(ids))
        assert sum(event["type"] == "MapIterationSucceeded" for event in history) == chunks <= MAX_CHUNKS
        assert events_of_a_million(history, chunks) < MOST_EVENTS


@pytest.mark.parametrize("documents", [CORPUS, pytest.param(WHOLE_CORPUS, marks=pytest.mark.soak)])
def test_the_python_corpus_is_accounted_for_document_by_document_inside_the_limits(
    tmp_path: Path, documents: int
) -> None:
    """The whole corpus is for the soak run and the benchmark; its first documents fill 12 chunks."""
    corpus = write_corpus(tmp_path / "corpus", documents)
    ids = document_ids(corpus)
    assert len(set(ids)) == documents
    with running(tmp_path / "aws", "sfn") as stack:
        ingest(stack, ((file.name, file.path.read_bytes()) for file in corpus.files), ids)


@pytest.mark.soak
@pytest.mark.parametrize("option", ["sfn", "sqs"])
def test_a_larger_job_is_done_inside_the_limits(tmp_path: Path, option: str) -> None:
    ids = [f"large-{number:05}" for number in range(20_000)]
    with running(tmp_path / "aws", option) as stack:
        ingest(stack, (file for name in ids for file in pair(name).items()), ids)


def chunks_of(documents: int) -> int:
    """How many chunks so many documents fill."""
    return next(chunks for chunks in range(MAX_CHUNKS) if documents_in(chunks) >= documents)


def events_of_a_million(history: list[Mapping[str, Any]], chunks: int) -> float:
    """How long the history of a million documents gets where a chunk takes as many events as here."""
    types = [event["type"] for event in history]
    of_chunks = types.index("MapStateSucceeded") - types.index("MapStateStarted") - 1
    return chunks_of(MILLION) * of_chunks / chunks + USUAL_TURNS * EVENTS_OF_A_TURN + OTHER_EVENTS


def sizes(history: list[Mapping[str, Any]]) -> dict[str, int]:
    """The bytes of each event's input, output and parameters, by event and kind."""
    return {
        f"{event['id']} {event['type']} {kind}": len(details[kind].encode())
        for event in history
        for name, details in event.items()
        if name.endswith("EventDetails")
        for kind in ("input", "output", "parameters")
        if kind in details
    }
