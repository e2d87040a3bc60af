"""An SQS client in memory: FIFO queues with groups, deduplication, visibility and dead-letter queues, standard queues
as far as sending goes, and the event source mapping that hands messages to a function."""

# ruff: noqa: N803 - the arguments are boto3's, by its names

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

from tests.fakes.clock import FakeClock
from tests.fakes.crash import Crash
from tests.fakes.s3 import client_error

DEDUPLICATION_SECONDS = 300
BATCH = 10
MAX_BYTES = 1024 * 1024
LONGEST_WAIT_SECONDS = 20


@dataclass
class Stored:
    message_id: str
    body: str
    group: str
    attributes: dict[str, Any] = field(default_factory=dict)
    receives: int = 0
    visible_at: float = 0.0
    receipt: str = ""


@dataclass
class FakeQueue:
    """`max_receives` as in a redrive policy: a message received more often goes to `dead_letters`."""

    visibility_seconds: float = 360.0
    dead_letters: FakeQueue | None = None
    max_receives: int = 5
    messages: list[Stored] = field(default_factory=list)
    seen: dict[str, float] = field(default_factory=dict)


class FakeSqs:
    """Queues by URL, each made when it is first named. `throttled` entries, by their number of all that were ever sent,
    are answered as failed; `trouble` is raised where a single message is sent."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.queues: dict[str, FakeQueue] = {}
        self.calls: list[int] = []
        self.throttled: set[int] = set()
        self.refused: set[int] = set()
        self.trouble: Exception | None = None
        self.out_of_order = False
        self._numbers = 0
        self._entries = 0

    def queue(self, url: str) -> FakeQueue:
        return self.queues.setdefault(url, FakeQueue())

    def bodies(self, url: str) -> list[str]:
        return [message.body for message in self.queue(url).messages]

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:
        assert 1 <= len(Entries) <= BATCH
        assert sum(len(entry["MessageBody"].encode()) for entry in Entries) <= MAX_BYTES
        assert len({entry["Id"] for entry in Entries}) == len(Entries)
        self.calls.append(len(Entries))
        taken: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        for entry in Entries:
            self._entries += 1
            if self._entries in self.throttled or self._entries in self.refused:
                failed.append(
                    {"Id": entry["Id"], "Code": "Nope", "Message": "no", "SenderFault": self._entries in self.refused}
                )
                continue
            assert ("MessageGroupId" in entry) == ("MessageDeduplicationId" in entry) == QueueUrl.endswith(".fifo")
            self._store(
                QueueUrl, entry["MessageBody"], entry.get("MessageGroupId", ""), entry.get("MessageDeduplicationId", "")
            )
            taken.append({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "-"})
        return {"Successful": taken} | ({"Failed": failed} if failed else {})

    def send_message(
        self,
        *,
        QueueUrl: str,
        MessageBody: str,
        MessageAttributes: dict[str, Any] | None = None,
        MessageGroupId: str = "",
        MessageDeduplicationId: str = "",
    ) -> dict[str, Any]:
        if self.trouble:
            raise self.trouble
        size = len(MessageBody.encode()) + sum(len(str(value)) for value in (MessageAttributes or {}).values())
        if size > MAX_BYTES or not MessageBody:
            raise client_error("SendMessage", "InvalidParameterValue")
        assert bool(MessageGroupId) == bool(MessageDeduplicationId) == QueueUrl.endswith(".fifo")
        self._store(QueueUrl, MessageBody, MessageGroupId, MessageDeduplicationId, MessageAttributes)
        return {"MessageId": f"m-{self._numbers}"}

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        assert 1 <= len(Entries) <= BATCH
        failed = []
        for entry in Entries:
            assert 0 <= entry["VisibilityTimeout"] <= 43_200
            found = [item for item in self.queue(QueueUrl).messages if item.receipt == entry["ReceiptHandle"]]
            if found:
                found[0].visible_at = self.clock.now + entry["VisibilityTimeout"]
            else:
                failed.append({"Id": entry["Id"], "Code": "ReceiptHandleIsInvalid", "SenderFault": True})
        return {"Failed": failed} if failed else {}

    def repeat(self, url: str) -> None:
        """Deliver everything in the queue twice from now on: what a producer that is called again later does."""
        for message in list(self.queue(url).messages):
            self._store(url, message.body, message.group, f"again-{message.message_id}")

    def receive_message(
        self,
        *,
        QueueUrl: str,
        MaxNumberOfMessages: int,
        WaitTimeSeconds: int,
        VisibilityTimeout: int,
        MessageSystemAttributeNames: list[str],
    ) -> dict[str, Any]:
        assert 1 <= MaxNumberOfMessages <= BATCH
        assert 0 <= WaitTimeSeconds <= LONGEST_WAIT_SECONDS
        batch = self.receive(QueueUrl, MaxNumberOfMessages)
        if not batch:
            self.clock.sleep(WaitTimeSeconds)
            return {}
        for message in batch:
            message.visible_at = self.clock.now + VisibilityTimeout
        return {
            "Messages": [
                {
                    "MessageId": record["messageId"],
                    "ReceiptHandle": record["receiptHandle"],
                    "Body": record["body"],
                    "Attributes": {name: record["attributes"][name] for name in MessageSystemAttributeNames},
                }
                for record in event_of(batch)["Records"]
            ]
        }

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> dict[str, Any]:
        queue = self.queue(QueueUrl)
        queue.messages = [item for item in queue.messages if item.receipt != ReceiptHandle]
        return {}

    def receive(self, url: str, most: int = BATCH) -> list[Stored]:
        """What the event source mapping takes at once: messages of one group, in order, unless one of them is in
        flight."""
        queue = self.queue(url)
        for group in dict.fromkeys(message.group for message in queue.messages):
            batch: list[Stored] = []
            for message in [item for item in queue.messages if item.group == group]:
                if message.visible_at > self.clock.now or len(batch) == most:
                    break
                if queue.dead_letters is not None and message.receives >= queue.max_receives:
                    queue.messages.remove(message)
                    message.receives, message.visible_at = 0, 0.0
                    queue.dead_letters.messages.append(message)
                    continue
                batch.append(message)
            for message in batch:
                self._numbers += 1
                message.receives += 1
                message.receipt = f"r-{self._numbers}"
                message.visible_at = self.clock.now + queue.visibility_seconds
            if batch:
                return batch
        return []

    def deliver(self, url: str, function: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any] | None:
        """Receive a batch, call the function with it, and delete what it finished; None when nothing is visible. A
        function that dies or raises has finished nothing."""
        batch = self.receive(url)
        if not batch:
            return None
        try:
            answer = function(event_of(batch))
        except (Crash, Exception):
            return {"died": True}
        failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
        assert failed <= {message.message_id for message in batch}
        queue = self.queue(url)
        queue.messages = [item for item in queue.messages if item not in batch or item.message_id in failed]
        return answer

    def drain(self, url: str, function: Callable[[dict[str, Any]], dict[str, Any]], *, limit: int = 300) -> int:
        """Deliver until the queue is empty, letting time pass where nothing is visible; returns how often."""
        for turn in range(limit):
            if self.deliver(url, function) is None:
                if not self.queue(url).messages:
                    return turn
                self.clock.now = max(self.clock.now, min(item.visible_at for item in self.queue(url).messages))
        raise AssertionError(f"{url} was not empty after {limit} deliveries: {self.bodies(url)[:2]}")

    def _store(
        self, url: str, body: str, group: str, deduplication_id: str, attributes: dict[str, Any] | None = None
    ) -> None:
        queue = self.queue(url)
        if deduplication_id and self.clock.now - queue.seen.get(deduplication_id, -inf) < DEDUPLICATION_SECONDS:
            return
        queue.seen[deduplication_id] = self.clock.now
        self._numbers += 1
        queue.messages.append(Stored(f"m-{self._numbers}", body, group, attributes or {}))


def event_of(messages: list[Stored]) -> dict[str, Any]:
    """The event that Lambda gives a function."""
    return {
        "Records": [
            {
                "messageId": message.message_id,
                "receiptHandle": message.receipt,
                "body": message.body,
                "attributes": {
                    "ApproximateReceiveCount": str(message.receives),
                    "MessageGroupId": message.group,
                    "SentTimestamp": "1760000000000",
                },
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:millrace-kendra-put.fifo",
                "awsRegion": "eu-west-1",
            }
            for message in messages
        ]
    }
