"""From a message to the function that its queue is mapped to, as SQS and Lambda treat it."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from millrace.local.instance import Instance
from tests.fakes.deployed import allow, eventually, function, invoke, name

pytestmark = pytest.mark.network

# Writes each invocation into a table, so that a test sees when which messages were with the function.
NOTES = """
    import boto3, json, os, time, uuid
    notes = boto3.client("dynamodb")
    def note(event, **more):
        said = {"from": time.time(), "records": event["Records"], "process": os.getpid(), **more}
        key = {"id": {"S": os.environ["NOTES"]}, "sort": {"S": f"{time.time():.6f}-{uuid.uuid4()}"}}
        notes.put_item(TableName="notes", Item={**key, "said": {"S": json.dumps(said)}})
    def handler(event, context):
        return work(event) if event["Records"] else "warm"
"""
READS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


@pytest.fixture(scope="module")
def notes(embedded_aws: Instance) -> None:
    embedded_aws.client("dynamodb").create_table(
        TableName="notes",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "sort", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "sort", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )


class Queue:
    def __init__(self, aws: Instance, *, fifo: bool = True, **attributes: str) -> None:
        self.sqs = aws.client("sqs")
        self.name = name("queue") + (".fifo" if fifo else "")
        kind = {"FifoQueue": "true"} if fifo else {}
        self.url = self.sqs.create_queue(QueueName=self.name, Attributes={**kind, **attributes})["QueueUrl"]
        self.arn = f"arn:aws:sqs:{aws.region}:{aws.account}:{self.name}"

    def send(self, *bodies: str, group: str | None = "g") -> list[str]:
        """Send messages, each with its body as deduplication id; their message ids."""
        fifo = {"MessageGroupId": group} if self.name.endswith(".fifo") else {}
        return [
            self.sqs.send_message(
                QueueUrl=self.url,
                MessageBody=body,
                **fifo,
                **({"MessageDeduplicationId": f"{group}-{body}"} if fifo else {}),
            )["MessageId"]
            for body in bodies
        ]

    def receive(self, **more: Any) -> list[dict[str, Any]]:
        request = {"MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["All"], **more}
        return list(self.sqs.receive_message(QueueUrl=self.url, **request).get("Messages", []))

    def counts(self) -> tuple[int, int]:
        """How many messages are visible, and in flight."""
        told = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]
        return int(told["ApproximateNumberOfMessages"]), int(told["ApproximateNumberOfMessagesNotVisible"])

    def empty(self) -> bool:
        return self.counts() == (0, 0)


class Mapped:
    """A function that notes what it gets, mapped to a queue."""

    def __init__(
        self,
        aws: Instance,
        queue: Queue,
        body: str,
        *,
        allowances: tuple[str, ...] = READS,
        timeout: int = 3,
        settings: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        self.aws = aws
        self.queue = queue
        self.notes = name("notes")
        lines = ["    def work(event):", *(f"        {line}" for line in body.strip("\n").splitlines())]
        self.function = function(
            aws,
            NOTES + "\n".join(lines),
            allow(*allowances, "sqs:ChangeMessageVisibility", on=queue.arn),
            allow("dynamodb:PutItem"),
            Timeout=timeout,
            Environment={"Variables": {"NOTES": self.notes, "QUEUE": queue.url}},
            **(settings or {}),
        )
        invoke(aws, self.function, {"Records": []})
        self.mapping = aws.client("lambda").create_event_source_mapping(
            EventSourceArn=queue.arn, FunctionName=self.function, **more
        )["UUID"]

    def noted(self) -> list[dict[str, Any]]:
        """What the function said, oldest first."""
        pages = self.aws.client("dynamodb").get_paginator("query")
        asked = {"TableName": "notes", "KeyConditionExpression": "id = :i", "ConsistentRead": True}
        found = pages.paginate(**asked, ExpressionAttributeValues={":i": {"S": self.notes}})
        return [json.loads(item["said"]["S"]) for page in found for item in page["Items"]]

    def bodies(self) -> list[list[str]]:
        """The bodies of each batch, oldest batch first."""
        return [[record["body"] for record in said["records"]] for said in self.noted()]

    def after(self, batches: int, within: float = 15) -> list[list[str]]:
        eventually(lambda: len(self.noted()) >= batches, within=within)
        return self.bodies()


def since_first_received(said: dict[str, Any]) -> float:
    """Seconds from a batch's first reception to the invocation that said this."""
    return float(said["from"]) - int(said["records"][0]["attributes"]["ApproximateFirstReceiveTimestamp"]) / 1000


@pytest.fixture
def short(embedded_aws: Instance) -> Queue:
    """A FIFO queue whose messages are invisible for three seconds."""
    return Queue(embedded_aws, VisibilityTimeout="3")


REPORTS: dict[str, Any] = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
usually = pytest.mark.usefixtures("notes")


@usually
def test_a_record_has_all_its_fields(embedded_aws: Instance, short: Queue):
    mapped = Mapped(embedded_aws, short, "note(event)")
    (message,) = short.send("hello", group="put-1")
    eventually(mapped.noted)
    (record,) = mapped.noted()[0]["records"]
    attributes = record.pop("attributes")
    assert record.pop("receiptHandle")
    assert record == {
        "messageId": message,
        "body": "hello",
        "messageAttributes": {},
        "md5OfBody": "5d41402abc4b2a76b9719d911017c592",
        "eventSource": "aws:sqs",
        "eventSourceARN": short.arn,
        "awsRegion": embedded_aws.region,
    }
    assert attributes["ApproximateReceiveCount"] == "1"
    assert attributes["MessageGroupId"] == "put-1"
    assert attributes["MessageDeduplicationId"] == "put-1-hello"
    assert len(attributes["SequenceNumber"]) == 20
    assert {"SenderId", "SentTimestamp", "ApproximateFirstReceiveTimestamp"} <= attributes.keys()
    eventually(short.empty)


@usually
@pytest.mark.parametrize("answer", ["None", "{'batchItemFailures': []}"], ids=str)
def test_an_answer_without_failures_is_a_success(embedded_aws: Instance, short: Queue, answer):
    mapped = Mapped(embedded_aws, short, f"note(event); return {answer}", **REPORTS)
    short.send("a", "b")
    mapped.after(1)
    eventually(short.empty)


@usually
@pytest.mark.parametrize(
    "answer",
    [
        "{'batchItemFailures': [{'itemIdentifier': 'unknown'}]}",
        "'fine'",
    ],
    ids=str,
)
def test_an_answer_that_makes_no_sense_fails_the_whole_batch(embedded_aws: Instance, short: Queue, answer):
    code = f"""
note(event)
return {answer} if event["Records"][0]["attributes"]["ApproximateReceiveCount"] == "1" else None
"""
    mapped = Mapped(embedded_aws, short, code, **REPORTS)
    short.send("a")
    assert mapped.after(2) == [["a"], ["a"]]
    eventually(short.empty)


@usually
def test_only_the_messages_that_failed_come_back_and_in_order(embedded_aws: Instance, short: Queue):
    code = """
note(event)
first = event["Records"][0]["attributes"]["ApproximateReceiveCount"] == "1"
failed = [record["messageId"] for record in event["Records"] if first and record["body"] != "a"]
return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}
"""
    stopped = Mapped(embedded_aws, short, code, Enabled=False, **REPORTS)
    short.send("a", "b", "c")
    embedded_aws.client("lambda").update_event_source_mapping(UUID=stopped.mapping, Enabled=True)
    assert stopped.after(2) == [["a", "b", "c"], ["b", "c"]]
    _, second = stopped.noted()
    assert 3 <= since_first_received(second) < 6
    assert [record["attributes"]["ApproximateReceiveCount"] for record in second["records"]] == ["2", "2"]
    eventually(short.empty)


@usually
def test_a_function_may_shorten_the_time_until_its_message_comes_back(embedded_aws: Instance):
    queue = Queue(embedded_aws, VisibilityTimeout="60")
    code = """
note(event)
record = event["Records"][0]
if record["attributes"]["ApproximateReceiveCount"] == "1":
    sqs = boto3.client("sqs")
    sqs.change_message_visibility(
        QueueUrl=os.environ["QUEUE"], ReceiptHandle=record["receiptHandle"], VisibilityTimeout=1
    )
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}
"""
    mapped = Mapped(embedded_aws, queue, code, timeout=20, **REPORTS)
    queue.send("a")
    assert mapped.after(2) == [["a"], ["a"]]
    assert 1 <= since_first_received(mapped.noted()[1]) < 10
    eventually(queue.empty)


@usually
@pytest.mark.parametrize("death", ["os._exit(1)", "time.sleep(30)", "raise ValueError"])
def test_a_function_that_fails_leaves_its_batch_invisible_until_the_time_is_over(embedded_aws: Instance, death):
    queue = Queue(embedded_aws, VisibilityTimeout="3")
    code = f"note(event)\nif event['Records'][0]['attributes']['ApproximateReceiveCount'] == '1': {death}"
    mapped = Mapped(embedded_aws, queue, code, timeout=1, **REPORTS)
    queue.send("a", "b")
    eventually(mapped.noted)
    eventually(queue.empty, within=15)
    again = [said for said in mapped.noted() if said["records"][0]["attributes"]["ApproximateReceiveCount"] == "2"]
    assert all(since_first_received(said) >= 3 for said in again)
    assert sorted({body for batch in mapped.bodies() for body in batch}) == ["a", "b"]


@usually
def test_a_group_is_delivered_in_order_and_never_twice_at_once(embedded_aws: Instance):
    queue = Queue(embedded_aws, VisibilityTimeout="30")
    code = "note(event, to=time.time()); time.sleep(0.2)"
    mapped = Mapped(embedded_aws, queue, code, BatchSize=2, ScalingConfig={"MaximumConcurrency": 4})
    queue.send(*"abcdefg")
    eventually(queue.empty, within=15)
    bodies = mapped.bodies()
    assert [body for batch in bodies for body in batch] == list("abcdefg")
    assert max(len(batch) for batch in bodies) == 2
    begun = [said["from"] for said in mapped.noted()]
    assert all(later - earlier > 0.19 for earlier, later in itertools.pairwise(begun))


@usually
def test_groups_run_side_by_side_up_to_the_maximum_concurrency(embedded_aws: Instance):
    queue = Queue(embedded_aws, VisibilityTimeout="60")
    code = "time.sleep(1); note(event)"
    mapped = Mapped(embedded_aws, queue, code, timeout=20, BatchSize=1, ScalingConfig={"MaximumConcurrency": 3})
    for group in range(6):
        queue.send("1", "2", group=f"put-{group}")
    eventually(lambda: queue.counts()[1] == 3)
    most = 0
    while not queue.empty():
        most = max(most, queue.counts()[1])
        time.sleep(0.02)
    assert most == 3
    assert len({said["process"] for said in mapped.noted()}) == 3


@usually
def test_a_message_received_too_often_goes_to_the_dead_letter_queue_as_it_is(embedded_aws: Instance):
    dead = Queue(embedded_aws)
    redrive = {"deadLetterTargetArn": dead.arn, "maxReceiveCount": 2}
    queue = Queue(embedded_aws, VisibilityTimeout="2", RedrivePolicy=json.dumps(redrive))
    code = """
note(event)
failed = [record["messageId"] for record in event["Records"] if record["body"] == "poison"]
return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}
"""
    mapped = Mapped(embedded_aws, queue, code, timeout=2, BatchSize=1, **REPORTS)
    _, poison, _ = queue.send("a", "poison", "z", group="put-3")
    (letter,) = eventually(lambda: dead.receive(), within=15)
    assert (letter["MessageId"], letter["Body"]) == (poison, "poison")
    attributes = letter["Attributes"]
    assert attributes["MessageGroupId"] == "put-3"
    assert attributes["MessageDeduplicationId"] == "put-3-poison"
    assert attributes["DeadLetterQueueSourceArn"] == queue.arn
    assert attributes["ApproximateReceiveCount"] == "3"
    eventually(queue.empty)
    assert mapped.bodies() == [["a"], ["poison"], ["poison"], ["z"]]


@usually
def test_a_dead_letter_queue_can_be_mapped_too(embedded_aws: Instance):
    dead = Queue(embedded_aws)
    queue = Queue(
        embedded_aws,
        VisibilityTimeout="1",
        RedrivePolicy=json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 1}),
    )
    Mapped(embedded_aws, queue, "raise ValueError", timeout=1)
    letters = Mapped(embedded_aws, dead, "note(event)")
    queue.send("poison")
    assert letters.after(1) == [["poison"]]
    eventually(dead.empty)


@usually
def test_a_message_sent_again_within_five_minutes_is_not_delivered_again(embedded_aws: Instance, short: Queue):
    mapped = Mapped(embedded_aws, short, "note(event)")
    (first,) = short.send("a")
    mapped.after(1)
    eventually(short.empty)
    assert short.send("a") == [first]
    short.send("b")
    assert mapped.after(2) == [["a"], ["b"]]


@usually
def test_a_message_is_delivered_within_tens_of_milliseconds(embedded_aws: Instance, short: Queue):
    mapped = Mapped(embedded_aws, short, "note(event)")
    short.send("warm")
    mapped.after(1)
    late = []
    for number in range(10):
        sent = time.time()
        short.send(str(number))
        late.append(mapped_at(mapped, number + 2) - sent)
    assert sorted(late)[5] < 0.1


def mapped_at(mapped: Mapped, count: int) -> float:
    mapped.after(count)
    return float(mapped.noted()[-1]["from"])


@usually
def test_four_idle_mappings_cost_no_processor_time(embedded_aws: Instance):
    for _ in range(4):
        Mapped(embedded_aws, Queue(embedded_aws), "note(event)")
    time.sleep(1)
    before = processor_seconds(embedded_aws.process.pid)
    time.sleep(3)
    assert processor_seconds(embedded_aws.process.pid) - before < 0.1


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@pytest.mark.parametrize("lacking", READS)
def test_a_role_that_lacks_an_action_cannot_be_mapped(embedded_aws: Instance, short: Queue, lacking):
    given = tuple(action for action in READS if action != lacking)
    with pytest.raises(ClientError) as error:
        Mapped(embedded_aws, short, "pass", allowances=given)
    assert error.value.response["Error"] == {
        "Code": "InvalidParameterValueException",
        "Message": "The provided execution role does not have permissions to call "
        f"{lacking.removeprefix('sqs:')} on SQS",
    }


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"timeout": 4}, "Queue visibility timeout: 3 seconds is less than Function timeout: 4 seconds"),
        ({"BatchSize": 11}, "Batch size must be between 1 and 10"),
        ({"MaximumBatchingWindowInSeconds": 1}, "Batching window is not supported for FIFO queues"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused(embedded_aws: Instance, short: Queue, settings, said):
    with pytest.raises(ClientError) as error:
        Mapped(embedded_aws, short, "pass", **settings)
    assert error.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert said in error.value.response["Error"]["Message"]


def test_a_change_that_cannot_work_is_refused(embedded_aws: Instance, short: Queue):
    mapped = Mapped(embedded_aws, short, "pass")
    functions = embedded_aws.client("lambda")
    with pytest.raises(functions.exceptions.InvalidParameterValueException):
        functions.update_event_source_mapping(UUID=mapped.mapping, BatchSize=11)
    functions.update_event_source_mapping(UUID=mapped.mapping, BatchSize=5)
    with pytest.raises(functions.exceptions.ResourceConflictException):
        functions.create_event_source_mapping(EventSourceArn=short.arn, FunctionName=mapped.function)


@usually
def test_each_poll_asks_what_the_role_may_do(embedded_aws: Instance, short: Queue):
    embedded_aws.forget_calls()
    mapped = Mapped(embedded_aws, short, "note(event)")
    short.send("a")
    mapped.after(1)
    eventually(short.empty)
    config = embedded_aws.client("lambda").get_function_configuration(FunctionName=mapped.function)
    role = config["Role"].rpartition("/")[2]
    asked = {
        call["action"]: (call["resource"], call["allowed"], call["count"])
        for call in embedded_aws.calls()
        if call["principal"] == role and call["action"].startswith("sqs:")
    }
    assert asked == {
        "sqs:ReceiveMessage": (short.arn, True, 2),
        "sqs:DeleteMessage": (short.arn, True, 2),
        "sqs:GetQueueAttributes": (short.arn, True, 1),
    }


@usually
def test_a_role_that_loses_its_allowance_gets_nothing_until_it_has_it_back(embedded_aws: Instance, short: Queue):
    mapped = Mapped(embedded_aws, short, "note(event)")
    iam, functions = embedded_aws.client("iam"), embedded_aws.client("lambda")
    role = functions.get_function_configuration(FunctionName=mapped.function)["Role"].rpartition("/")[2]
    document = iam.get_role_policy(RoleName=role, PolicyName="p")["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName="p")
    short.send("a")
    time.sleep(1)
    assert short.counts() == (1, 0)
    told = functions.get_event_source_mapping(UUID=mapped.mapping)["LastProcessingResult"]
    assert "sqs:ReceiveMessage" in told
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps(document))
    assert mapped.after(1) == [["a"]]


@usually
def test_a_deletion_that_is_lost_delivers_the_message_again(embedded_aws: Instance, short: Queue):
    mapped = Mapped(embedded_aws, short, "note(event)")
    embedded_aws.order_fault("sqs:DeleteMessage", code="InternalFailure", nth=[1])
    try:
        short.send("a")
        assert mapped.after(2) == [["a"], ["a"]]
    finally:
        embedded_aws.forget_faults()
    eventually(short.empty)


@usually
def test_a_throttled_function_is_offered_the_batch_again(embedded_aws: Instance, short: Queue):
    mapped = Mapped(embedded_aws, short, "note(event)")
    functions = embedded_aws.client("lambda")
    functions.put_function_concurrency(FunctionName=mapped.function, ReservedConcurrentExecutions=0)
    short.send("a")
    eventually(lambda: short.counts() == (0, 1))
    functions.delete_function_concurrency(FunctionName=mapped.function)
    mapped.after(1)
    assert mapped.noted()[0]["records"][0]["attributes"]["ApproximateReceiveCount"] == "1"


@usually
def test_a_standard_queue_fills_large_batches_while_its_window_is_open(embedded_aws: Instance):
    queue = Queue(embedded_aws, fifo=False, VisibilityTimeout="30")
    mapped = Mapped(
        embedded_aws,
        queue,
        "note({'Records': []}, count=len(event['Records']))",
        timeout=20,
        BatchSize=10_000,
        MaximumBatchingWindowInSeconds=2,
    )
    for _ in range(30):
        queue.sqs.send_message_batch(
            QueueUrl=queue.url, Entries=[{"Id": str(number), "MessageBody": "x"} for number in range(10)]
        )
    eventually(queue.empty)
    assert sum(said["count"] for said in mapped.noted()) == 300
    assert len(mapped.noted()) <= 2


@usually
def test_no_message_is_lost_while_others_are_sent_and_deleted(embedded_aws: Instance):
    queue = Queue(embedded_aws, VisibilityTimeout="60")
    code = "note({'Records': []}, bodies=[record['body'] for record in event['Records']])"
    mapped = Mapped(embedded_aws, queue, code, timeout=20, ScalingConfig={"MaximumConcurrency": 4})
    for number in range(300):
        queue.send(str(number), group=f"g-{number % 8}")
    eventually(queue.empty, within=30)
    told = [body for said in mapped.noted() for body in said["bodies"]]
    assert sorted(told, key=int) == [str(number) for number in range(300)]
    for group in range(8):
        of_group = [int(body) for body in told if int(body) % 8 == group]
        assert of_group == sorted(of_group)


@pytest.mark.parametrize(
    ("suffix", "attributes", "code"),
    [
        (".fifo", {"FifoQueue": "true", "FifoThroughputLimit": "perMessageGroupId"}, "InvalidAttributeValue"),
        ("", {"ContentBasedDeduplication": "true"}, "InvalidAttributeName"),
    ],
)
def test_attributes_that_do_not_go_together_are_refused(embedded_aws: Instance, suffix, attributes, code):
    with pytest.raises(ClientError) as error:
        embedded_aws.client("sqs").create_queue(QueueName=name("queue") + suffix, Attributes=attributes)
    assert error.value.response["Error"]["Code"] == code


def test_a_dead_letter_queue_must_be_of_the_same_kind_and_allow_the_source(embedded_aws: Instance):
    standard = Queue(embedded_aws, fifo=False)
    closed = Queue(embedded_aws, RedriveAllowPolicy=json.dumps({"redrivePermission": "denyAll"}))
    for dead in (standard, closed):
        with pytest.raises(ClientError) as error:
            Queue(embedded_aws, RedrivePolicy=json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 3}))
        assert error.value.response["Error"]["Code"] == "InvalidParameterValue"


def test_handles_are_as_good_as_their_message_is_in_flight(embedded_aws: Instance):
    queue = Queue(embedded_aws, VisibilityTimeout="1")
    queue.send("a")
    (message,) = queue.receive()
    handle = {"QueueUrl": queue.url, "ReceiptHandle": message["ReceiptHandle"]}
    (again,) = eventually(lambda: queue.receive())
    assert again["ReceiptHandle"] != message["ReceiptHandle"]
    with pytest.raises(ClientError) as error:
        queue.sqs.change_message_visibility(**handle, VisibilityTimeout=0)
    assert error.value.response["Error"]["Code"] == "InvalidParameterValue"
    mine = {**handle, "ReceiptHandle": again["ReceiptHandle"]}
    queue.sqs.delete_message(**mine)
    queue.sqs.delete_message(**mine)
    with pytest.raises(ClientError) as error:
        queue.sqs.delete_message(QueueUrl=queue.url, ReceiptHandle="junk")
    assert error.value.response["Error"]["Code"] == "ReceiptHandleIsInvalid"


@pytest.fixture(autouse=True)
def mappings_are_removed(embedded_aws: Instance) -> Iterator[None]:
    yield
    functions = embedded_aws.client("lambda")
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        functions.delete_event_source_mapping(UUID=mapping["UUID"])
