"""The story of kendra_ingestion: deploy to the embedded AWS, ingest the sample, read the report, ask a question.

It is the same story whichever option drives the pipeline and whichever sink takes the documents. It ends well only
when it came out as the sample means it: the three faulty documents failed, each for its own reason, and every other
document answers a question about it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.padding import Padding
from rich.text import Text

from millrace import submission
from millrace.cli import pipeline
from millrace.cli.context import Context
from millrace.cli.printing import equation, plain, say_failures
from millrace.cli.watching import conclude
from millrace.deployment import Workflow
from millrace.errors import ExitCode
from millrace.executions.drawing import draw
from millrace.executions.outcome import outcome_of
from millrace.executions.view import RunView
from millrace.executions.watching import Pace, await_execution, follow
from millrace.local.demos.steps import INDENT, Ending, Steps
from millrace.search import Answer, shortened
from millrace.submission import METADATA_SUFFIX, Submission, Survey

SAMPLE = Path(__file__).resolve().parents[3] / "sample" / "kendra_ingestion"
QUESTION = "How many turns does the crank of the race gate take?"
ANSWER = "handbook-sluice-gates"
FAULTS: Mapping[str, str] = {
    "faulty/valve-tags.json": "MissingMetadata",
    "handbook-night-rounds": "UnknownAttribute",
    "handbook-summer-readings": "InvalidRequest",
}
"""Which documents of the sample fail, by id (by place where they have none), and the code of each."""

SECONDS_TO_BEGIN = 30.0
SECONDS_TO_END = 120.0


@dataclass(frozen=True)
class Story:
    """What came out: the failed documents by id or place with their codes, and who does not answer."""

    failed: Mapping[str, str]
    silent: Sequence[str]
    answer: str | None


def flaws(story: Story) -> list[str]:
    """What is not as the sample means it, in words."""
    found = [f"{name} failed with {code}" for name, code in story.failed.items() if name not in FAULTS]
    for name, code in FAULTS.items():
        said = story.failed.get(name)
        if said is None:
            found.append(f"{name} did not fail; it should, with {code}")
        elif said != code:
            found.append(f"{name} failed with {said}, not with {code}")
    found += [f"{name} does not answer for its own title" for name in story.silent]
    if story.answer != ANSWER:
        found.append(f"the question was answered by {story.answer or 'nothing'}, not by {ANSWER}")
    return found


def tell(context: Context, command: str, *, option: str = "sfn", sink: str = "kendra") -> ExitCode:
    """Tell the story with this `deploy_option` and this sink, and return its exit code. `command` is how a person calls
    millrace for this folder."""
    steps = Steps(context)
    steps.up()
    steps.apply(Workflow.KENDRA_INGESTION, {"deploy_option": option, "sink": sink})
    with steps.next("The sample goes to S3, its manifest last"):
        job, found, uploaded = _upload(context, steps)
    with steps.next("The state machine runs"):
        view = _run(context, job, uploaded)
    outcome = outcome_of(view)
    if outcome.exit_code not in (ExitCode.OK, ExitCode.FAILED_DOCUMENTS):
        return conclude(context, view, job.job_id).exit_code
    with steps.next(f"The report: {equation(outcome.counts)}"):
        failures = list(context.reports.failures(job.job_id))
        say_failures(context.console, failures, indent=INDENT)
    with steps.next(f"A question to {context.search.name}: {QUESTION}"):
        answers = context.search.ask(QUESTION)
        if answers:
            said = Text.assemble((f"{answers[0].title}: ", "bold"), plain(shortened(answers[0].excerpt, QUESTION)))
            context.console.print(Padding.indent(said, INDENT))
        silent = silent_documents(found, [failure.document_id for failure in failures], context.search.ask)
    story = Story(
        failed={place_of(failure.document_id, job.prefix): failure.error_code for failure in failures},
        silent=silent,
        answer=answers[0].document_id if answers else None,
    )
    return steps.end(_ending(context, job.job_id, flaws(story)), command)


def _upload(context: Context, steps: Steps) -> tuple[Submission, Survey, datetime]:
    """Hand in the sample under a job id of its own; returns also S3's time of the manifest."""
    found = submission.survey(SAMPLE / "documents")
    now = datetime.now(UTC)
    job = submission.plan(
        found,
        context.deployment.ingestion.ingestion_bucket,
        now,
        job_id=submission.job_id_of("handbook", now),
        manifest=submission.read_manifest(SAMPLE / "manifest.json"),
    )
    uploaded = pipeline.send(context, job, found)
    lonely = len(found.without_metadata)
    steps.say(f"{found.pairs} pairs and {lonely} document without metadata, as job {job.job_id}")
    return job, found, uploaded


def _run(context: Context, job: Submission, uploaded: datetime) -> RunView:
    every = context.seconds_between_looks
    executions = context.executions
    execution = await_execution(executions, job.bucket, job.manifest_key, uploaded, Pace(every, SECONDS_TO_BEGIN))
    pace = Pace(every, SECONDS_TO_END)
    views = follow(executions.history(execution.arn), pace, count=context.counting())
    return draw(context.console, views, indent=INDENT)


def place_of(document_id: str, prefix: str) -> str:
    """An id that stands for a key (`s3://bucket/prefix/batches/x.json`) as the file's place in the folder."""
    if not document_id.startswith("s3://"):
        return document_id
    return document_id.partition(f"/{prefix}/batches/")[2] or document_id


def silent_documents(found: Survey, failed: Sequence[str], ask: Callable[[str], list[Answer]]) -> list[str]:
    """The documents that did not fail and yet are not among the answers to their own title."""
    silent = []
    for file in found.files:
        if file.name.endswith(METADATA_SUFFIX):
            metadata = json.loads(file.path.read_bytes())
            document_id = metadata["DocumentId"]
            if document_id not in failed and document_id not in [
                answer.document_id for answer in ask(metadata["Title"])
            ]:
                silent.append(document_id)
    return silent


def _ending(context: Context, job_id: str, wrong: list[str]) -> Ending:
    return Ending(
        facts={"jobId": job_id},
        wrong=wrong,
        verdict="three documents failed, each for its own reason; all others answer",
        hints=(
            ("runs --workflow kendra_ingestion", "every execution"),
            (f"watch {job_id}", "its states again"),
            (f"report {job_id}", "its failed documents"),
            (f"retry {job_id}", "try again those that can succeed"),
            ('query "when is a filter bed washed?"', f"ask {context.search.name}"),
        ),
    )
