"""What an end-to-end test of vector_store does, in the words of its users: write, change and delete receipts, export
them and have them embedded, wait until nothing moves, and hold what is published against the table."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.incident_table import plain, typed, write_items
from millrace.deployment import VectorStore, from_outputs
from millrace.local import deploy
from millrace.local.demos.vectors import under_way
from millrace.local.instance import Options
from tests.end_to_end.stack import Stack
from tests.end_to_end.sync_stack import Told
from vector_store.places import COLLECTIONS, LINES, WORDS
from vector_store.pointer import Pointer, Pointers
from vector_store.showing import Shown
from vector_store.snapshots import Snapshots
from vector_store.store import Store, contents, open_snapshot

OPTIONS = Options(bedrock_invocations_per_second=10_000)
SHORT = {
    "change_batching_window_seconds": 1,
    "compaction_poll_seconds": 1,
    "compaction_seconds_between_starts": 1,
    "embed_requests_per_second": 1_000,
}
ROUTER, WRITER, EMBED = "millrace-vector-router", "millrace-vector-delta-writer", "millrace-vector-embed"
COMPACT, COLLECT, OVERDUE = "millrace-vector-compact", "millrace-vector-collect", "millrace-vector-overdue"
FIELDS = ("confidence", "x", "y", "width", "height")
PLACE = ("merchant_name", "place_id", "address")
LEASE = "consumer/embed"
DIMENSION = 512
"""Of the vectors, as Terraform chooses it."""

Item = dict[str, Any]
"""An item of the table, as plain values."""


def receipt(receipt_id: str, *texts: str, place: Mapping[str, str] | None = None) -> list[Item]:
    """A receipt's items: itself, its lines, their words, and its place if it has one."""
    items: list[Item] = [_item(receipt_id, "RECEIPT")]
    for number, text in enumerate(texts, 1):
        items.append(line(receipt_id, number, text))
        items += [word(receipt_id, number, at, each) for at, each in enumerate(text.split(), 1)]
    if place:
        items.append(_item(receipt_id, "PLACE", **place))
    return items


def line(receipt_id: str, number: int, text: str, **more: Any) -> Item:
    return _item(receipt_id, line_key(number), text=text, **{**_box(0, number, len(text)), **more})


def word(receipt_id: str, number: int, at: int, text: str, **more: Any) -> Item:
    return _item(receipt_id, word_key(number, at), text=text, **{**_box(at, number, len(text)), **more})


def label(receipt_id: str, number: int, at: int, name: str, status: str) -> Item:
    return _item(receipt_id, label_key(number, at, name), status=status)


def line_key(number: int) -> str:
    return f"LINE#{number:05}"


def word_key(number: int, at: int) -> str:
    return f"{line_key(number)}#WORD#{at:05}"


def label_key(number: int, at: int, name: str) -> str:
    return f"{word_key(number, at)}#LABEL#{name}"


def _item(receipt_id: str, sort: str, **attributes: Any) -> Item:
    return {"pk": f"RECEIPT#{receipt_id}", "sk": sort, **attributes}


def _box(at: int, number: int, length: int) -> Item:
    """Where on the paper something stands, and how sure the reader was of it."""
    return {
        "confidence": Decimal("0.97"),
        "x": Decimal(at) / 8,
        "y": Decimal(number) / 32,
        "width": Decimal(length) / 64,
        "height": Decimal("0.02"),
    }


def _only(names: Collection[str], item: Mapping[str, Any]) -> Item:
    return {name: item[name] for name in names if name in item}


def key_of(item: Mapping[str, Any]) -> Item:
    return {"pk": item["pk"], "sk": item["sk"]}


def record_of(item: Mapping[str, Any]) -> tuple[str, str] | None:
    """The collection of a line's or a word's item, and its record's id; None for another item."""
    receipt_id, parts = item["pk"].removeprefix("RECEIPT#"), item["sk"].split("#")
    match parts:
        case ["LINE", number]:
            return LINES, f"{receipt_id}/{number}"
        case ["LINE", number, "WORD", at]:
            return WORDS, f"{receipt_id}/{number}/{at}"
    return None


def export_of(items: Iterable[Item]) -> bytes:
    """The NDJSON of these items' lines and words."""
    rows = ({"id": found[1], "text": item["text"]} for item in items if (found := record_of(item)))
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


class FunctionFailed(Exception):
    """A function ended with an error; `name` is its class."""

    def __init__(self, function: str, said: Mapping[str, Any]) -> None:
        super().__init__(f"{function}: {said.get('errorType')}: {said.get('errorMessage')}")
        self.name = said.get("errorType")


@dataclass(frozen=True)
class VectorStack(Stack):
    """vector_store alone."""

    @classmethod
    def with_vectors(cls, folder: Path, **variables: Any) -> VectorStack:
        """Deploy it, with short windows and pauses."""
        stack = cls.begun(folder, OPTIONS, lambda _: {"workflows": ["vector_store"], **SHORT, **variables})
        stack.settle_at_once()
        return stack

    def settle_at_once(self) -> None:
        """Let check take for drift what differs after a second: tests ask it when nothing is under way."""
        functions, name = self.client("lambda"), self.outputs["vector_functions"]["check"]
        known = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": {**known, "SETTLE_SECONDS": "1"}}
        )

    def applied(self, **variables: Any) -> VectorStack:
        """The same stack after another apply, with these variables changed."""
        outputs = deploy.apply(self.instance, {"workflows": ["vector_store"], **SHORT, **variables})
        return replace(self, outputs=outputs)

    def put(self, *items: Item) -> None:
        """Write items, whole, many at once: in no order."""
        write_items(self.client("dynamodb"), self.outputs["receipts_table"], items)

    def put_one(self, item: Item) -> None:
        """Write one item; one after the other they are in order."""
        self.client("dynamodb").put_item(TableName=self.outputs["receipts_table"], Item=typed(item))

    def delete(self, *items: Mapping[str, Any]) -> None:
        """Delete these items, in this order."""
        for item in items:
            self.client("dynamodb").delete_item(TableName=self.outputs["receipts_table"], Key=typed(key_of(item)))

    def delete_receipt(self, receipt_id: str) -> None:
        """Delete the item of a receipt alone, which is the death of all that is of it."""
        self.delete(_item(receipt_id, "RECEIPT"))

    def items(self) -> list[Item]:
        """The application's table."""
        pages = self.client("dynamodb").get_paginator("scan")
        found = pages.paginate(TableName=self.outputs["receipts_table"], ConsistentRead=True)
        return [plain(item) for page in found for item in page["Items"]]

    def embed(self, receipt_id: str, ndjson: bytes, run_id: str | None = None) -> str:
        """Upload an export and send it to the worker; the run's id."""
        run = run_id or f"run-{uuid.uuid4().hex[:12]}"
        key = f"exports/{receipt_id}/{run}.ndjson"
        self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=ndjson)
        request = {"receipt_id": receipt_id, "run_id": run, "bucket": self.bucket, "key": key}
        self.send_to_embed(receipt_id, json.dumps(request))
        return run

    def send_to_embed(self, receipt_id: str, body: str) -> None:
        """Send a message to the worker."""
        self.client("sqs").send_message(
            QueueUrl=self.outputs["embed_queue_url"],
            MessageBody=body,
            MessageGroupId=receipt_id,
            MessageDeduplicationId=uuid.uuid4().hex,
        )

    def bring(self, receipt_id: str, *texts: str, place: Mapping[str, str] | None = None) -> list[Item]:
        """Write a receipt and have it embedded; its items."""
        items = receipt(receipt_id, *texts, place=place)
        self.put(*items)
        self.embed(receipt_id, export_of(items))
        return items

    def compaction_run(self, receipt_id: str, run_id: str) -> Item | None:
        """The CompactionRun's item, once it is there."""
        key = typed({"pk": f"RECEIPT#{receipt_id}", "sk": f"RUN#{run_id}"})
        reply = self.client("dynamodb").get_item(TableName=self.outputs["receipts_table"], Key=key, ConsistentRead=True)
        return plain(reply["Item"]) if "Item" in reply else None

    def settled(self) -> None:
        """Wait until every change and every export is published, or set aside, and nobody works."""
        self.wait_until(lambda: not self.moving(), f"nothing moves: {self.moving()}")

    def moving(self) -> str | None:
        """What is still under way; None where nothing is."""
        return under_way(self.client, self.deployed, self.instance)

    @property
    def deployed(self) -> VectorStore:
        return from_outputs(self.outputs, "the apply").store

    def messages(self, *outputs: str) -> int:
        """How many messages lie in these queues, hidden or not."""
        return sum(self._messages(self.outputs[name]) for name in outputs)

    def dead_letters(self, which: str) -> int:
        """How many messages are dead: of `changes`, `embed` or `stream`."""
        return self._messages(self.outputs["vector_dead_letter_queue_urls"][which])

    def _messages(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(number) for number in found.values())

    def ask(self, collection: str, **more: Any) -> str:
        """Ask for a compaction; the ARN of the execution."""
        return self.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs["compaction_state_machine_arn"],
            input=json.dumps({"collection": collection, **more}),
        )["executionArn"]

    def compact(self, collection: str) -> Told:
        """Ask for a compaction and wait until its request is covered; the execution, which comes out well."""
        told = self.ended(self.ask(collection, wait=True))
        assert told.status == "SUCCEEDED", told
        return told

    def ended(self, arn: str) -> Told:
        """The execution once it has ended."""
        self.wait(arn)
        return Told.of(self.client("stepfunctions").describe_execution(executionArn=arn))

    def running(self) -> list[str]:
        """The ARNs of executions that have not ended."""
        machine = self.outputs["compaction_state_machine_arn"]
        found = self.client("stepfunctions").list_executions(stateMachineArn=machine, statusFilter="RUNNING")
        return [each["executionArn"] for each in found["executions"]]

    def compactions(self) -> list[Told]:
        """All executions, oldest first."""
        states = self.client("stepfunctions")
        pages = states.get_paginator("list_executions").paginate(
            stateMachineArn=self.outputs["compaction_state_machine_arn"]
        )
        arns = [each["executionArn"] for page in pages for each in page["executions"]]
        return [Told.of(states.describe_execution(executionArn=arn)) for arn in reversed(arns)]

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        """What a function answers. Raises FunctionFailed."""
        reply = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        said = json.loads(reply["Payload"].read())
        if "FunctionError" in reply:
            raise FunctionFailed(function, said)
        return said

    def call(self, name: str, **event: Any) -> Any:
        """What search, check, collect or overdue answers. Raises FunctionFailed."""
        return self.invoke(self.outputs["vector_functions"][name], event)

    def checked(self, **event: Any) -> dict[str, dict[str, Any]]:
        """What check says of each collection."""
        return self.call("check", **event)["collections"]

    def search(self, collection: str, text: str, **more: Any) -> list[dict[str, Any]]:
        """What is found, nearest first."""
        return self.call("search", collection=collection, text=text, **more)["hits"]

    def found(self, collection: str, text: str, **more: Any) -> list[str]:
        """The ids of what is found, nearest first."""
        return [hit["id"] for hit in self.search(collection, text, **more)]

    def consumes(self, function: str, *, on: bool) -> None:
        """Let a function be given what it is mapped to, or nothing."""
        functions = self.client("lambda")
        for mapping in functions.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]:
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=on)

    @contextlib.contextmanager
    def idle(self, *functions: str) -> Iterator[None]:
        """While this lasts these functions are given nothing; afterwards what has come meanwhile."""
        for function in functions:
            self.consumes(function, on=False)
        try:
            yield
        finally:
            for function in functions:
                self.consumes(function, on=True)

    @property
    def bucket(self) -> str:
        return self.outputs["store_bucket"]

    def deltas(self, collection: str) -> list[Item]:
        """Every delta that is remembered."""
        return [item for item in self._stored() if item["id"].startswith(f"delta/{collection}/")]

    def again(self, collection: str) -> None:
        """Let what was merged once wait as another delta, which nobody has asked a compaction for."""
        told = next(item for item in self.deltas(collection) if item["kind"] == "changes")
        name = f"delta/{collection}/again-{uuid.uuid4().hex[:12]}"
        known = {key: value for key, value in told.items() if key != "expiresAt"}
        again = {**known, "id": name, "pending": collection}
        write_items(self.client("dynamodb"), self.outputs["vector_store_table"], [again])

    def pending(self, collection: str) -> list[Item]:
        return [item for item in self.deltas(collection) if "pending" in item]

    def aside(self, collection: str) -> list[Item]:
        return [item for item in self.deltas(collection) if "aside" in item]

    def lease(self) -> Item | None:
        """Who works the embed queue; None before anybody has."""
        return next((item for item in self._stored() if item["id"] == LEASE), None)

    def set_in_item(self, item_id: str, **values: Any) -> None:
        """Set attributes of an item of the table vector-store that is there."""
        self.client("dynamodb").update_item(
            TableName=self.outputs["vector_store_table"],
            Key={"id": {"S": item_id}},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ConditionExpression="attribute_exists(id)",
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues=typed({f":{name}": value for name, value in values.items()}),
        )

    def _stored(self) -> list[Item]:
        pages = self.client("dynamodb").get_paginator("scan")
        found = pages.paginate(TableName=self.outputs["vector_store_table"], ConsistentRead=True)
        return [plain(item) for page in found for item in page["Items"]]

    def keys(self, prefix: str) -> list[str]:
        """The store's objects under a prefix."""
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Contents", [])]

    def body(self, key: str) -> bytes:
        return self.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def ndjson(self, key: str) -> list[dict[str, Any]]:
        """The lines of an object of NDJSON."""
        return [json.loads(row) for row in self.body(key).splitlines()]

    def calls(self, collection: str) -> list[dict[str, Any]]:
        """What every call of every compaction of a collection has noted down, job by job."""
        return [call for key in self.keys(f"runs/{collection}/") for call in json.loads(self.body(key))["calls"]]

    def emitted(self) -> set[tuple[Any, ...]]:
        """Name and dimensions of every metric that the functions have measured, as CloudWatch knows it."""
        logs = self.client("logs")
        groups = logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/millrace-vector-")["logGroups"]
        pages = (logs.get_paginator("filter_log_events").paginate(logGroupName=each["logGroupName"]) for each in groups)
        lines = (event["message"] for found in pages for page in found for event in page["events"])
        return {
            (metric["Name"], *((name, told[name]) for name in sorted(dimensions)))
            for told in (json.loads(line) for line in lines if line.startswith('{"_aws"'))
            for directive in told["_aws"]["CloudWatchMetrics"]
            for metric in directive["Metrics"]
            for dimensions in directive["Dimensions"]
        }

    def files(self, run_id: str) -> dict[str, bytes]:
        """What the worker has written for a run, by collection and name."""
        keys = [key for each in COLLECTIONS for key in self.keys(f"{each}/delta/{run_id}/")]
        return {key.replace(run_id, "run"): self.body(key) for key in keys}

    def stream(self) -> list[dict[str, Any]]:
        """All that the table's stream has ever told, as a function is given it."""
        streams, dynamodb = self.client("dynamodbstreams"), self.client("dynamodb")
        arn = dynamodb.describe_table(TableName=self.outputs["receipts_table"])["Table"]["LatestStreamArn"]
        records: list[dict[str, Any]] = []
        for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            place = streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while found := (said := streams.get_records(ShardIterator=place))["Records"]:
                records += found
                place = said["NextShardIterator"]
        return json.loads(json.dumps(records, default=str))

    def forget_all(self) -> None:
        """Let nothing be published and no delta known. The snapshots stay, and nobody points at them."""
        for item in self._stored():
            if item["id"] != LEASE:
                self.client("dynamodb").delete_item(
                    TableName=self.outputs["vector_store_table"], Key={"id": {"S": item["id"]}}
                )

    def pointer(self, collection: str) -> Pointer | None:
        return Pointers(self.client("dynamodb"), self.outputs["vector_store_table"]).read(collection)

    def version(self, collection: str) -> int:
        """0 where nothing is published."""
        pointer = self.pointer(collection)
        return pointer.version if pointer else 0

    @contextlib.contextmanager
    def store(self, collection: str) -> Iterator[Store]:
        """The published store, as a reader opens it."""
        pointer = self.pointer(collection)
        assert pointer, f"nothing of {collection} is published"
        with open_snapshot(Snapshots(self.client("s3"), self.bucket, collection), pointer, collection) as store:
            yield store

    def contents(self, collection: str) -> str:
        """The digest of all that the published store says."""
        with self.store(collection) as store:
            return contents(store)

    def shown(self, collection: str) -> dict[str, Shown]:
        """What the published store shows, by record."""
        with self.store(collection) as store:
            return {name: shown for name, shown, _ in store.chroma.read(store.chroma.ids())}

    def expect_published(self, without_vector: Collection[str] = ()) -> None:
        """Every line and word of the table is shown as it stands there, but those of which there is no vector, and
        nothing else is."""
        table = self.expected()
        for collection in COLLECTIONS:
            expected = {name: it for name, it in table[collection].items() if name not in without_vector}
            shown = self.shown(collection)
            absent, surplus = expected.keys() - shown.keys(), shown.keys() - expected.keys()
            assert not absent, f"{collection}: {sorted(absent)} are not shown"
            assert not surplus, f"{collection}: {sorted(surplus)} are shown and are not in the table, or had no vector"
            wrong = {name: (it, expected[name]) for name, it in shown.items() if it != expected[name]}
            assert not wrong, f"{collection}: shown, and expected: {wrong}"

    def expected(self) -> dict[str, dict[str, Shown]]:
        """What each collection's store has to show of the receipts that are in the table, if there are vectors: the
        text of each line and word, and beside it its own numbers, its labels, its receipt's place, and what its id
        says."""
        items = self.items()
        alive = {item["pk"] for item in items if item["sk"] == "RECEIPT"}
        places = {
            item["pk"]: {name: item[name] for name in PLACE if name in item} for item in items if item["sk"] == "PLACE"
        }
        labels: dict[tuple[str, str], dict[str, str]] = {}
        for item in items:
            of, found, name = item["sk"].partition("#LABEL#")
            if found:
                labels.setdefault((item["pk"], of), {})[f"label:{name}"] = item["status"]
        told: dict[str, dict[str, Shown]] = {collection: {} for collection in COLLECTIONS}
        for item in items:
            of_record = record_of(item)
            if not of_record or item["pk"] not in alive:
                continue
            collection, record = of_record
            receipt_id, *numbers = record.split("/")
            metadata = {
                **{name: float(value) for name, value in _only(FIELDS, item).items()},
                **places.get(item["pk"], {}),
                **labels.get((item["pk"], item["sk"]), {}),
                "receipt_id": receipt_id,
                **dict(zip(("line", "word"), map(int, numbers), strict=False)),
            }
            told[collection][record] = Shown(item["text"], metadata)
        return told
