"""The story of kb_sync: the texts of five images are uploaded at once while people ask for a sync as well, and one or
two ingestion jobs cover them all.

It ends well only when it came out as it is meant: every request was covered, by one or two jobs, and each image answers
its own question.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.padding import Padding
from rich.text import Text

from millrace.cli.context import Context
from millrace.cli.printing import plain
from millrace.cli.syncing import ask
from millrace.deployment import SyncSource, Workflow
from millrace.errors import ExitCode, StillRunning
from millrace.executions.adapter import Execution, Executions
from millrace.executions.flights import in_words
from millrace.executions.sync_outcome import Statistics, SyncOutcome, statistics_of, sync_outcome_of
from millrace.executions.view import Status, view_of
from millrace.executions.watching import Pace
from millrace.local import laptop, sync_sources
from millrace.local.demos.steps import INDENT, Ending, Steps
from millrace.local.instance import Instance
from millrace.search import Answer, of_source, shortened
from millrace.syncs import SyncItem

SAMPLE = Path(__file__).resolve().parents[3] / "sample" / "kb_sync"
WAITING = (True, False, False)
"""Who asks beside the uploads: one who waits until it is covered, and two who do not."""

MOST_JOBS = 2  # single flight's promise for a burst shorter than a job
JOB_SECONDS = 3.0  # longer than a burst takes to arrive through the pipe, also on a busy machine; on AWS it is minutes
SECONDS_TO_SERVE = 120.0
MOST_LISTED = 1_000  # the largest page of ListExecutions and ListIngestionJobs


@dataclass(frozen=True)
class Request:
    """An execution that has ended; `events` is how many of the bucket's the pipe put into it (0: it is not the pipe's),
    `error` why it failed."""

    name: str
    events: int
    outcome: SyncOutcome
    error: str | None = None

    def __str__(self) -> str:
        origin = f"{self.events} events of the bucket" if self.events else self.name
        return f"{origin}: {self.error or self.outcome.sentence}"


@dataclass(frozen=True)
class Job:
    """An ingestion job; `about` is the description that kb_sync gave it."""

    job_id: str
    status: str
    about: str
    seconds: float
    statistics: Statistics

    def __str__(self) -> str:
        return f"job {self.job_id} ({self.about}): {self.status} in {self.seconds:.1f} s, {self.statistics}"


@dataclass(frozen=True)
class Story:
    """What came out. `answers` holds for each image the one that answered its question first."""

    requests: Sequence[Request]
    item: SyncItem
    jobs: Sequence[Job]
    answers: Mapping[str, str | None]


def flaws(story: Story) -> list[str]:
    """What is not as it is meant, in words."""
    found = [f"{request.name} failed: {request.error}" for request in story.requests if request.error]
    if story.item.pending:
        found.append(f"tickets {story.item.completed + 1} to {story.item.requested} are not covered")
    if not 1 <= len(story.jobs) <= MOST_JOBS:
        found.append(f"{len(story.jobs)} jobs ran, where 1 or {MOST_JOBS} are enough")
    for job in story.jobs:
        if job.status != "COMPLETE":
            found.append(f"job {job.job_id} is {job.status}")
        if job.statistics.failed:
            found.append(f"{job.statistics.failed} documents of job {job.job_id} failed")
    for image, answer in story.answers.items():
        if answer != image:
            found.append(f"the question for {image} was answered by {answer or 'nothing'}")
    return found


def settled(ended: Sequence[Request], running: bool, item: SyncItem, events: int) -> bool:
    """Whether nothing more is to come: so many events are in requests, no execution runs, and all is covered, or
    cannot be because one failed."""
    arrived = sum(request.events for request in ended) >= events
    return arrived and not running and (not item.pending or any(request.error for request in ended))


def tell(context: Context, command: str) -> ExitCode:
    """Tell the story, and return its exit code. `command` is how a person calls millrace for this folder."""
    steps = Steps(context)
    steps.up()
    steps.apply(Workflow.KB_SYNC, {})
    source = context.deployment.sync.source(sync_sources.NAME)
    texts, questions = objects(), json.loads((SAMPLE / "questions.json").read_text("utf-8"))
    executions = context.executions_of(Workflow.KB_SYNC)
    before = {execution.arn for execution in executions.newest(MOST_LISTED)}
    jobs_before = {job.job_id for job in _jobs(context, source)}
    with _job_seconds(laptop.the_running(context.folder), JOB_SECONDS):
        with steps.next(f"The texts of {len(questions)} images go to S3, and {len(WAITING)} people ask, all at once"):
            _burst(context, source, texts)
            steps.say(f"{len(texts)} objects, for each image its text and metadata, under s3://{source.bucket}/")
        with steps.next("What became of each request"):
            pace = Pace(context.seconds_between_looks, SECONDS_TO_SERVE)
            requests, item = serve(
                executions,
                before,
                lambda: context.syncs.get(source.key),
                len(texts),
                pace,
                lambda it: steps.say(str(it)),
            )
    with steps.next("The ingestion jobs"):
        jobs = [job for job in _jobs(context, source) if job.job_id not in jobs_before]
        for job in jobs:
            steps.say(str(job))
    with steps.next("A question for each image"):
        answers = {image: _answer(context, source, question) for image, question in questions.items()}
    return steps.end(_ending(source, questions, Story(requests, item, jobs, answers)), command)


def objects() -> dict[str, bytes]:
    """The sample's objects by their names: the text of each image, and beside it its metadata."""
    return {file.name: file.read_bytes() for file in sorted((SAMPLE / "images").iterdir())}


def serve(
    executions: Executions,
    before: Set[str],
    item: Callable[[], SyncItem],
    events: int,
    pace: Pace,
    tell_of: Callable[[Request], None],
) -> tuple[list[Request], SyncItem]:
    """Tell of each execution beside those from before as it ends, until that many events are served; all of them, and
    the item then. Raises StillRunning when the time is up."""
    ended: dict[str, Request] = {}
    for _ in pace.ticks():
        begun = [each for each in executions.newest(MOST_LISTED) if each.arn not in before]
        for execution in reversed(begun):
            if not execution.running and execution.arn not in ended:
                ended[execution.arn] = _read(executions, execution)
                tell_of(ended[execution.arn])
        now = item()
        if settled(list(ended.values()), len(ended) < len(begun), now, events):
            return list(ended.values()), now
    arrived = sum(request.events for request in ended.values())
    raise StillRunning(
        f"after {pace.at_most:.0f} s, {arrived} of {events} events are in requests that have ended, and {now.pending} "
        "requests are not covered; look: millrace sources, millrace runs --workflow kb_sync"
    )


def _read(executions: Executions, execution: Execution) -> Request:
    view = view_of(executions.history(execution.arn).read())
    error = None
    if view.status is not Status.SUCCEEDED:
        error = f"{view.error}: {in_words(view.cause)}" if view.error else str(view.status)
    return Request(execution.name, _events_in(view.input), sync_outcome_of(view), error)


def _events_in(execution_input: str | None) -> int:
    """The pipe's input is a list, with one element for each event."""
    said = json.loads(execution_input or "null")
    return len(said) if isinstance(said, list) else 0


@contextlib.contextmanager
def _job_seconds(instance: Instance, seconds: float) -> Iterator[None]:
    """Let ingestion jobs take so long meanwhile."""
    usual = instance.bedrock_statistics()["pace"]["ingestion_seconds"]
    instance.set_bedrock_pace(ingestion_seconds=seconds)
    try:
        yield
    finally:
        instance.set_bedrock_pace(ingestion_seconds=usual)


def _burst(context: Context, source: SyncSource, texts: Mapping[str, bytes]) -> None:
    """Upload the texts below the source's prefix, and ask as well, all at once."""
    s3 = context.client("s3")
    context.client("stepfunctions")  # made here, because a session makes one client at a time
    with ThreadPoolExecutor(max_workers=len(texts) + len(WAITING)) as pool:
        begun: list[Future[Any]] = [
            pool.submit(s3.put_object, Bucket=source.bucket, Key=f"{source.prefix}{name}", Body=text)
            for name, text in texts.items()
        ]
        begun += [pool.submit(ask, context, source, wait=wait) for wait in WAITING]
    for each in begun:
        each.result()


def _jobs(context: Context, source: SyncSource) -> list[Job]:
    """The data source's newest jobs, oldest first."""
    said = context.client("bedrock-agent").list_ingestion_jobs(
        **source.ids,
        sortBy={"attribute": "STARTED_AT", "order": "DESCENDING"},
        maxResults=MOST_LISTED,
    )
    return [_job(summary) for summary in reversed(said["ingestionJobSummaries"])]


def _job(said: Mapping[str, Any]) -> Job:
    return Job(
        job_id=said["ingestionJobId"],
        status=said["status"],
        about=said.get("description", "started by somebody else"),
        seconds=(said["updatedAt"] - said["startedAt"]).total_seconds(),
        statistics=statistics_of(said),
    )


def _answer(context: Context, source: SyncSource, question: str) -> str | None:
    """The image that answers first."""
    answers: list[Answer] = of_source(source, context.client).ask(question)
    said = plain(shortened(answers[0].excerpt, question)) if answers else Text("no answer", "red")
    context.console.print(Padding.indent(Text.assemble((question, "bold"), "\n", said), INDENT))
    return answers[0].uri.removeprefix(f"s3://{source.bucket}/{source.prefix}") if answers else None


def _ending(source: SyncSource, questions: Mapping[str, str], story: Story) -> Ending:
    jobs = f"{len(story.jobs)} {'job' if len(story.jobs) == 1 else 'jobs'}"
    tickets = sum(request.outcome.ticket is not None for request in story.requests)
    return Ending(
        facts={
            "source": source.name,
            "requests": tickets,
            "jobs": [job.job_id for job in story.jobs],
            "answers": dict(story.answers),
        },
        wrong=flaws(story),
        verdict=f"{tickets} requests, {jobs}, nobody left uncovered; each image answers its question",
        hints=(
            ("sources", "each data source: its requests, what is pending"),
            ("runs --workflow kb_sync", "every execution"),
            (f"sync {source.name} --wait", "ask for a sync, and see it through"),
            (f'query --source {source.name} "{next(iter(questions.values()))}"', "ask the knowledge base"),
        ),
    )
