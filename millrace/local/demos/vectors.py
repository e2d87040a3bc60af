"""The story of vector_store: a dozen receipts come into a table and their exports to the embedding worker, and words
and lines are found; then a label is corrected and a receipt deleted, and after the compaction both are seen.

It ends well only when it came out as the sample means it: the three rows that cannot be embedded are told with their
reasons, and all others published; each question finds what it asks for; the corrected word is found by its new label
alone and what was deleted not at all; and the table and the stores agree."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeSerializer
from rich.padding import Padding
from rich.text import Text

from millrace.cli.context import Context
from millrace.cli.printing import plain
from millrace.cli.store import DIFFERENCES
from millrace.deployment import VectorStore, Workflow
from millrace.errors import ExitCode, StillRunning
from millrace.executions.watching import Pace
from millrace.functions import call
from millrace.local import laptop
from millrace.local.demos.steps import INDENT, Ending, Steps
from millrace.local.instance import Instance
from millrace.store import queues
from millrace.store.embedding import Embedded, Embedding, new_run
from millrace.store.table import Collection, StoreTable

SAMPLE = Path(__file__).resolve().parents[3] / "sample" / "vectors"
REFUSED = {"chemist-0305": "not JSON", "cobbler-0042": "another receipt", "ferry-0088": "text is missing"}
"""The receipts with a row that cannot be embedded, and words of the reason."""
LABEL, WRONG, RIGHT = "GRAND_TOTAL", "VALID", "INVALID"
CORRECTED, CORRECTED_WORD = "ironmonger-4417/00005/00002", "30.00"
DELETED, DELETED_LINE = "inn-0217", "eel pie"
SECONDS_TO_EMBED = 120.0
SECONDS_TO_PUBLISH = 120.0
WRITTEN_AT_ONCE = 25
"""BatchWriteItem's limit."""

Item = Mapping[str, Any]
"""Plain values by attribute; numbers with a point are decimals, as DynamoDB keeps them."""


@dataclass(frozen=True)
class Receipt:
    """Its items, and the file with the export of its lines and words."""

    receipt_id: str
    items: Sequence[Item]
    export: Path


@dataclass(frozen=True)
class Question:
    """`where` is the metadata that is asked for; the record `answer` is the nearest, and `says` this."""

    collection: str
    text: str
    where: Mapping[str, Any]
    answer: str
    says: str

    def __str__(self) -> str:
        wanted = ", ".join(f"{name} {value}" for name, value in self.where.items())
        return f"{self.text}{f' (only {wanted})' if wanted else ''}, among {self.collection}"


AFTERWARDS = (
    Question(Collection.WORDS, CORRECTED_WORD, {f"label:{LABEL}": WRONG}, CORRECTED, CORRECTED_WORD),
    Question(Collection.LINES, DELETED_LINE, {"receipt_id": DELETED}, f"{DELETED}/00002", DELETED_LINE),
)
"""What finds its answer no more."""
BY_NEW_LABEL = Question(Collection.WORDS, CORRECTED_WORD, {f"label:{LABEL}": RIGHT}, CORRECTED, CORRECTED_WORD)


@dataclass(frozen=True)
class Answered:
    """What was found for a question, nearest first, and what the nearest says."""

    question: Question
    records: Sequence[str]
    said: str


@dataclass(frozen=True)
class Story:
    """What came out: the reasons of refused rows by receipt; how many records of each collection were embedded, and how
    many published; the answers; the questions that are still answered by what was corrected or deleted; whether the
    corrected word is found by its new label; what the check counted."""

    refused: Mapping[str, Sequence[str]]
    embedded: Mapping[str, int]
    published: Mapping[str, int]
    answers: Sequence[Answered]
    still_found: Sequence[Question]
    found_by_new_label: bool
    check: Mapping[str, Mapping[str, int]]


def flaws(story: Story) -> list[str]:
    """What is not as the sample means it, in words."""
    found = []
    for name, words in REFUSED.items():
        reasons = story.refused.get(name, ())
        if len(reasons) != 1 or words not in reasons[0]:
            found.append(f"of {name} one row is to be refused ({words}), and not: {'; '.join(reasons) or 'none'}")
    found += [f"rows of {name} were refused" for name in sorted(story.refused.keys() - REFUSED.keys())]
    for collection, number in story.embedded.items():
        if (there := story.published.get(collection, 0)) != number:
            found.append(f"of {number} {collection} with vectors {there} were published")
    for answered in story.answers:
        wanted, best = answered.question.answer, next(iter(answered.records), "nothing")
        if best != wanted:
            found.append(f"{answered.question}: found was {best}, not {wanted}")
        elif answered.question.says != answered.said:
            found.append(f"{wanted} does not say {answered.question.says}")
    found += [f"{question}: {question.answer} is still found" for question in story.still_found]
    if not story.found_by_new_label:
        found.append(f"{BY_NEW_LABEL}: {CORRECTED} is not found")
    for collection, counts in story.check.items():
        found += [f"{counts[kind]} of {collection} are {kind}" for kind in DIFFERENCES if counts[kind]]
    return found


def tell(context: Context, command: str) -> ExitCode:
    """Tell the story, and return its exit code. `command` is how a person calls millrace for this folder."""
    steps = Steps(context)
    steps.up()
    steps.apply(Workflow.VECTOR_STORE, {})
    store, receipts = context.deployment.store, sample()
    with steps.next(f"{len(receipts)} receipts come into the table {store.receipts_table}"):
        for receipt in receipts:
            _write(context, [{"PutRequest": {"Item": typed(item)}} for item in receipt.items])
        steps.say(_contained(receipts))
    with steps.next("Their exports are embedded; a row that cannot be is told with its reason"):
        runs = embed(context, receipts)
        embedded = {str(each): sum(run.records[each] for run in runs.values()) for each in Collection}
        steps.say(f"with vectors: {_counts(embedded)}")
        refused = {name: [row.reason for row in run.bad] for name, run in runs.items() if run.bad}
        for name, reasons in refused.items():
            for reason in reasons:
                steps.say(f"{name}: {reason}", "yellow")
    with steps.next("A compaction publishes them"):
        published = _publish(context, steps)
    with steps.next("Words and lines are found"):
        answers = [_answer(context, question) for question in questions()]
    with steps.next(f"Somebody says that {CORRECTED} is no {LABEL}, and {DELETED} is deleted"):
        _correct(context)
        (gone,) = [each for each in receipts if each.receipt_id == DELETED]
        _write(context, [{"DeleteRequest": {"Key": typed(_key(item))}} for item in gone.items])
        _publish(context, steps)
    with steps.next("Asked again"):
        still_found = [each for each in AFTERWARDS if each.answer in _answer(context, each).records]
        by_new_label = _answer(context, BY_NEW_LABEL).records == [CORRECTED]
    with steps.next("The table is held against the stores"):
        check = call(context.client("lambda"), store.vector_functions.check, {}).said["collections"]
        for name, counts in check.items():
            told = ", ".join(f"{kind} {counts[kind]}" for kind in (*DIFFERENCES, "withoutVector"))
            steps.say(f"{name}: {counts['records']} records; {told}")
    story = Story(refused, embedded, published, answers, still_found, by_new_label, check)
    return steps.end(_ending(story), command)


def sample() -> list[Receipt]:
    """The sample's receipts, by their ids."""
    return [
        Receipt(file.stem, json.loads(file.read_text("utf-8"), parse_float=Decimal), file.with_suffix(".ndjson"))
        for file in sorted(SAMPLE.glob("*-*.json"))
    ]


def questions() -> list[Question]:
    return [Question(**each) for each in json.loads((SAMPLE / "questions.json").read_text("utf-8"))]


def embed(context: Context, receipts: Sequence[Receipt]) -> dict[str, Embedded]:
    """Send the receipts' exports to the worker, and wait for what it has written of each. Raises StillRunning."""
    store = context.deployment.store
    embedding = Embedding(context.client("s3"), context.client("sqs"), context.client("dynamodb"), store)
    runs = [new_run(store, each.receipt_id, datetime.now(UTC)) for each in receipts]
    for run, receipt in zip(runs, receipts, strict=True):
        embedding.send(run, receipt.export)
    pace = _pace(context, SECONDS_TO_EMBED)
    return {run.receipt_id: embedding.wait_until_embedded(run, pace) for run in runs}


def under_way(client: Callable[[str], Any], store: VectorStore, instance: Instance) -> str | None:
    """What is on its way into the stores; None where nothing moves. Asked in the order in which things come along: each
    step has handed on what it was given before it is done with it."""
    sqs, table = client("sqs"), StoreTable(client("dynamodb"), store.vector_store_table)
    if number := sum(queues.count(sqs, store.embed_queue_url).as_dict().values()):
        return f"{number} exports to embed"
    if number := sum(stream["waiting"] for stream in instance.streams() if store.receipts_table in stream["stream"]):
        return f"{number} records of the stream"
    for name, url in (("lines", store.lines_queue_url), ("words", store.words_queue_url)):
        if number := sum(queues.count(sqs, url).as_dict().values()):
            return f"{number} changes of {name}"
    for collection in Collection:
        if number := table.pending(collection).number:
            return f"{number} deltas of {collection}"
    if running := client("stepfunctions").list_executions(
        stateMachineArn=store.compaction_state_machine_arn, statusFilter="RUNNING"
    )["executions"]:
        return f"{len(running)} compactions"
    return None


def await_published(look: Callable[[], str | None], pace: Pace) -> None:
    """Look until nothing is under way. Raises StillRunning when the time is up."""
    left: str | None = None
    for _ in pace.ticks():
        left = look()
        if left is None:
            return
    raise StillRunning(f"after {pace.at_most:.0f} s there are still {left}; look: millrace store status")


def _publish(context: Context, steps: Steps) -> dict[str, int]:
    """Wait until all that was written is published; how many records each collection has."""
    store, instance = context.deployment.store, laptop.the_running(context.folder)
    await_published(lambda: under_way(context.client, store, instance), _pace(context, SECONDS_TO_PUBLISH))
    table = StoreTable(context.client("dynamodb"), store.vector_store_table)
    pointers = {str(each): table.pointer(each) for each in Collection}
    for name, pointer in pointers.items():
        steps.say(f"{name}: version {pointer.version}, {pointer.records} records" if pointer else f"{name}: nothing")
    return {name: pointer.records if pointer else 0 for name, pointer in pointers.items()}


def _pace(context: Context, at_most: float) -> Pace:
    return Pace(context.seconds_between_looks, at_most)


def _write(context: Context, requests: Sequence[Mapping[str, Any]]) -> None:
    """Put or delete items, many at once, so in no order."""
    table = context.deployment.store.receipts_table
    for first in range(0, len(requests), WRITTEN_AT_ONCE):
        left: Mapping[str, Any] = {table: list(requests[first : first + WRITTEN_AT_ONCE])}
        while left:
            left = context.client("dynamodb").batch_write_item(RequestItems=left)["UnprocessedItems"]


def _correct(context: Context) -> None:
    receipt_id, line, word = CORRECTED.split("/")
    key = {"pk": f"RECEIPT#{receipt_id}", "sk": f"LINE#{line}#WORD#{word}#LABEL#{LABEL}"}
    context.client("dynamodb").update_item(
        TableName=context.deployment.store.receipts_table,
        Key=typed(key),
        UpdateExpression="SET #status = :right",
        ConditionExpression="#status = :wrong",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues=typed({":right": RIGHT, ":wrong": WRONG}),
    )


def _key(item: Item) -> Item:
    return {name: item[name] for name in ("pk", "sk")}


def typed(item: Item) -> dict[str, Any]:
    return {name: TypeSerializer().serialize(value) for name, value in item.items()}


def _answer(context: Context, question: Question) -> Answered:
    event = {"collection": question.collection, "text": question.text, "where": question.where, "limit": 3}
    function = context.deployment.store.vector_functions.search
    hits = call(context.client("lambda"), function, event).said["hits"]
    said = plain(f"{hits[0]['id']}: {hits[0]['document']}") if hits else Text("nothing", "dim")
    context.console.print(Padding.indent(Text.assemble((str(question), "bold"), "\n", said), INDENT))
    return Answered(question, [hit["id"] for hit in hits], hits[0]["document"] if hits else "")


def _contained(receipts: Sequence[Receipt]) -> str:
    """How many items of each kind there are."""
    kinds = {"lines": 1, "words": 2, "labels": 3}
    depths = [item["sk"].count("#") // 2 + 1 for receipt in receipts for item in receipt.items if "#" in item["sk"]]
    return _counts({name: depths.count(depth) for name, depth in kinds.items()})


def _counts(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in numbers.items())


def _ending(story: Story) -> Ending:
    asked = story.answers[1].question
    where = " ".join(f"--where {name}={json.dumps(value)}" for name, value in asked.where.items())
    rows = sum(map(len, story.refused.values()))
    return Ending(
        facts={
            "embedded": dict(story.embedded),
            "published": dict(story.published),
            "refused": {name: list(reasons) for name, reasons in story.refused.items()},
            "answers": {str(each.question): list(each.records[:1]) for each in story.answers},
            "check": dict(story.check),
        },
        wrong=flaws(story),
        verdict=f"{_counts(story.published)} were published, {rows} rows refused, a correction and a deletion seen",
        hints=(
            ("store status", "what is published, what waits, who embeds"),
            (f"store search {asked.collection} {asked.text} {where}", "search among them"),
            ("store check --repair", "do the table and the stores agree? And what has no vector is embedded"),
            ("runs --workflow vector_store", "every compaction"),
        ),
    )
