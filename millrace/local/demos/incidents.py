"""The story of incident_sync: a dozen incidents come into a table, a run writes the closed ones and a job makes them
searchable; then one is reopened and one deleted, and both leave the knowledge base.

It ends well only when it came out as the sample means it: all closed incidents are searchable by one job, but for the
faulty one, which waits for a person with its reason; each question is answered by its incident; and what was reopened
or deleted is found no more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from rich.padding import Padding
from rich.text import Text

from millrace.cli.context import Context
from millrace.cli.incidents import conclude
from millrace.cli.printing import plain
from millrace.deployment import Workflow
from millrace.errors import ExitCode, StillRunning
from millrace.executions.drawing import draw
from millrace.executions.incident_outcome import IncidentOutcome, incident_outcome_of
from millrace.executions.view import RunView
from millrace.executions.watching import Pace, follow
from millrace.incidents.checking import CLOSED, DOCUMENT
from millrace.incidents.runs import start_run
from millrace.incidents.waiting import WaitingTable, WaitsFor
from millrace.local.demos.steps import INDENT, Ending, Steps
from millrace.search import MOST_RESULTS, Answer, of_source, shortened

SAMPLE = Path(__file__).resolve().parents[3] / "sample" / "incidents"
FAULTY, BECAUSE_OF = "INC-2025-025", "closed_at"
REOPENED, DELETED = "INC-2025-014", "INC-2025-031"
SECONDS_TO_ARRIVE = 30.0
SECONDS_TO_END = 120.0

Incident = Mapping[str, Any]
"""Plain values by attribute; numbers with a point are decimals, as DynamoDB keeps them."""


@dataclass(frozen=True)
class Question:
    """`where` is the metadata that an answer must have; the incident `answer` is the best one, and `says` this."""

    question: str
    where: Mapping[str, Any]
    answer: str
    says: str

    def __str__(self) -> str:
        wanted = ", ".join(f"{name} {value}" for name, value in self.where.items())
        return f"{self.question}{f' (only {wanted})' if wanted else ''}"


@dataclass(frozen=True)
class Answered:
    """Who answered a question, best first, and what the best one said."""

    question: Question
    incidents: Sequence[str]
    said: str


@dataclass(frozen=True)
class Story:
    """What came out: the closed incidents' marks (`kb_sync_status`) after the first run, what waits for a person with
    its reason, the answers, and who was still found after the second run."""

    marks: Mapping[str, Mapping[str, Any]]
    set_aside: Mapping[str, str]
    answers: Sequence[Answered]
    still_found: Sequence[str]


def flaws(story: Story) -> list[str]:
    """What is not as the sample means it, in words."""
    good = {name: mark for name, mark in story.marks.items() if name != FAULTY}
    found = [f"{name} is not searchable" for name, mark in good.items() if not mark.get("searchable")]
    jobs = {mark["job_id"] for mark in good.values() if mark.get("job_id")}
    if len(jobs) > 1:
        found.append(f"{len(jobs)} jobs covered what one run wrote, where one is enough")
    if story.marks.get(FAULTY, {}).get("synced"):
        found.append(f"{FAULTY} was written, with a date that nobody can read")
    if BECAUSE_OF not in story.set_aside.get(FAULTY, ""):
        found.append(f"{FAULTY} does not wait for a person because of {BECAUSE_OF}")
    found += [f"{name} waits for a person: {reason}" for name, reason in story.set_aside.items() if name != FAULTY]
    for answered in story.answers:
        wanted, best = answered.question.answer, next(iter(answered.incidents), "nothing")
        if best != wanted:
            found.append(f"{answered.question} was answered by {best}, not by {wanted}")
        elif answered.question.says not in answered.said:
            found.append(f"{wanted} does not say {answered.question.says}")
    return found + [f"{name} is still found" for name in story.still_found]


def tell(context: Context, command: str) -> ExitCode:
    """Tell the story, and return its exit code. `command` is how a person calls millrace for this folder."""
    steps = Steps(context)
    steps.up()
    steps.apply(Workflow.INCIDENT_SYNC, {})
    table = context.deployment.incidents.incidents_table
    incidents = sample()
    closed = [each["incident_id"] for each in incidents if each["status"] == CLOSED]
    with steps.next(f"{len(incidents)} incidents come into the table {table}, {len(closed)} of them closed"):
        for incident in incidents:
            _put(context, table, incident)
        arrived = await_waiting(context.waiting, set(closed), _pace(context, SECONDS_TO_ARRIVE))
        steps.say(f"the stream has told of them: {len(arrived)} wait")
    with steps.next("A run writes them to S3 and lets an ingestion job cover them"):
        view, outcome = _run(context, steps)
    if outcome.exit_code is ExitCode.FAILED:
        return conclude(context, view).exit_code
    with steps.next("What cannot be written waits for a person, with its reason"):
        set_aside = {each.incident_id: each.reason or "" for each in context.waiting.waiting(WaitsFor.PERSON)}
        for name, reason in set_aside.items():
            steps.say(f"{name}: {reason}", "yellow")
    marks = {name: _mark(context, table, name) for name in closed}
    with steps.next("Questions to the knowledge base"):
        answers = [_answer(context, question) for question in questions()]
    with steps.next(f"{REOPENED} is reopened and {DELETED} deleted; a run takes them away"):
        _reopen(context, table, REOPENED)
        _delete(context, table, DELETED)
        await_waiting(context.waiting, {REOPENED, DELETED}, _pace(context, SECONDS_TO_ARRIVE))
        view, outcome = _run(context, steps)
    if outcome.exit_code is ExitCode.FAILED:
        return conclude(context, view).exit_code
    with steps.next("Asked for their own titles, others answer"):
        titles = {each["incident_id"]: each["title"] for each in incidents}
        still_found = [name for name in (REOPENED, DELETED) if name in _found(context, titles[name])]
        steps.say(f"{REOPENED} and {DELETED} are {'not ' if still_found else ''}gone")
    return steps.end(_ending(Story(marks, set_aside, answers, still_found)), command)


def sample() -> list[Incident]:
    """The sample's incidents, by their ids."""
    texts = (file.read_text("utf-8") for file in sorted(SAMPLE.glob("INC-*.json")))
    return [json.loads(text, parse_float=Decimal) for text in texts]


def questions() -> list[Question]:
    return [Question(**each) for each in json.loads((SAMPLE / "questions.json").read_text("utf-8"))]


def await_waiting(table: WaitingTable, incident_ids: Set[str], pace: Pace) -> Set[str]:
    """Wait until the stream has told of each of them, so that it waits for a sync, or still for a person; the ids.
    Raises StillRunning when the time is up."""
    seen: set[str] = set()
    for _ in pace.ticks():
        seen |= {each.incident_id for each in table.waiting(WaitsFor.SYNC, WaitsFor.PERSON)}
        if incident_ids <= seen:
            return incident_ids
    missing = ", ".join(sorted(incident_ids - seen))
    raise StillRunning(f"after {pace.at_most:.0f} s the stream has not told of {missing}; look: millrace local status")


def _pace(context: Context, at_most: float) -> Pace:
    return Pace(context.seconds_between_looks, at_most)


def _run(context: Context, steps: Steps) -> tuple[RunView, IncidentOutcome]:
    executions = context.executions_of(Workflow.INCIDENT_SYNC)
    history = executions.history(start_run(executions).arn)
    view = draw(context.console, follow(history, _pace(context, SECONDS_TO_END)), indent=INDENT)
    outcome = incident_outcome_of(view)
    steps.say(outcome.sentence)
    return view, outcome


def _put(context: Context, table: str, incident: Incident) -> None:
    item = {name: TypeSerializer().serialize(value) for name, value in incident.items()}
    context.client("dynamodb").put_item(TableName=table, Item=item)


def _reopen(context: Context, table: str, incident_id: str) -> None:
    context.client("dynamodb").update_item(
        TableName=table,
        Key={"incident_id": {"S": incident_id}},
        UpdateExpression="SET #status = :open REMOVE closed_at",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":open": {"S": "OPEN"}},
    )


def _delete(context: Context, table: str, incident_id: str) -> None:
    context.client("dynamodb").delete_item(TableName=table, Key={"incident_id": {"S": incident_id}})


def _mark(context: Context, table: str, incident_id: str) -> Mapping[str, Any]:
    """What Millrace says of the incident in its own table; {} where it says nothing."""
    key = {"incident_id": {"S": incident_id}}
    item = context.client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    return TypeDeserializer().deserialize(item["kb_sync_status"]) if "kb_sync_status" in item else {}


def _answer(context: Context, question: Question) -> Answered:
    answers = _ask(context, question.question, question.where)
    found = [_id(answer) for answer in answers]
    said = Text("no answer", "red")
    if answers:
        said = plain(f"{found[0]}: {shortened(answers[0].excerpt, question.question)}")
    context.console.print(Padding.indent(Text.assemble((str(question), "bold"), "\n", said), INDENT))
    return Answered(question, found, answers[0].excerpt if answers else "")


def _found(context: Context, question: str) -> list[str]:
    """All incidents that the knowledge base answers with."""
    return [_id(answer) for answer in _ask(context, question, {})]


def _ask(context: Context, question: str, where: Mapping[str, Any]) -> list[Answer]:
    source = context.deployment.incidents.source
    return of_source(source, context.client).ask(question, MOST_RESULTS, where)


def _id(answer: Answer) -> str:
    """The incident that a document is of."""
    return answer.uri.rpartition("/")[2].removesuffix(DOCUMENT)


def _ending(story: Story) -> Ending:
    searchable = [name for name, mark in story.marks.items() if mark.get("searchable")]
    asked = story.answers[1].question
    where = " ".join(f"--where {name}={value}" for name, value in asked.where.items())
    return Ending(
        facts={
            "searchable": searchable,
            "setAside": dict(story.set_aside),
            "answers": {str(each.question): list(each.incidents[:1]) for each in story.answers},
        },
        wrong=flaws(story),
        verdict=f"{len(searchable)} incidents became searchable by one job, one waits for a person, two are gone again",
        hints=(
            ("incidents list", "what waits, for what, and why"),
            (f"incidents retry {FAULTY}", "try again what waits for a person, mended or not"),
            ("incidents check", "do both tables and the bucket agree?"),
            ("runs --workflow incident_sync", "every run"),
            (f'query --source incidents "{asked.question}" {where}', "ask the knowledge base"),
        ),
    )
