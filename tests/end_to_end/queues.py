"""The queues of the queue option, held still to look into them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tests.end_to_end.stack import Stack

PREFIX = "millrace"
WORKERS = ("put-worker", "del-worker")


@dataclass(frozen=True)
class Message:
    """A message as it lies in a queue."""

    body: dict[str, Any]
    group: str
    deduplication_id: str
    receipt: str

    @property
    def text(self) -> str:
        return json.dumps(self.body, separators=(",", ":"))


@dataclass(frozen=True)
class Queues:
    stack: Stack

    @contextmanager
    def held(self) -> Iterator[None]:
        """While this lasts no worker is given a message."""
        self._switch(on=False)
        try:
            yield
        finally:
            self._switch(on=True)

    def _switch(self, *, on: bool) -> None:
        functions = self.stack.client("lambda")
        for worker in WORKERS:
            found = functions.list_event_source_mappings(FunctionName=f"{PREFIX}-{worker}")["EventSourceMappings"]
            for mapping in found:
                functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=on)

    @contextmanager
    def receives(self, most: int) -> Iterator[None]:
        """While this lasts a message that was received so often is one that cannot be handled."""
        before = {queue: self._receive_at_most(queue, most) for queue in ("kendra-put", "kendra-del")}
        try:
            yield
        finally:
            for queue, usual in before.items():
                self._receive_at_most(queue, usual)

    def _receive_at_most(self, queue: str, most: int) -> int:
        """Returns how often it was before."""
        sqs, url = self.stack.client("sqs"), self.url(queue)
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
        policy = json.loads(attributes["RedrivePolicy"])
        changed = json.dumps(policy | {"maxReceiveCount": most})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": changed})
        return int(policy["maxReceiveCount"])

    def url(self, queue: str) -> str:
        """`queue` is the end of a name, such as "kendra-put"."""
        return self.stack.client("sqs").get_queue_url(QueueName=f"{PREFIX}-{queue}.fifo")["QueueUrl"]

    def take(self, queue: str, number: int) -> list[Message]:
        """Receive so many messages; they stay hidden until they are given back or removed."""
        taken: list[Message] = []

        def receive() -> bool:
            answer = self.stack.client("sqs").receive_message(
                QueueUrl=self.url(queue), MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
            )
            taken.extend(_message(message) for message in answer.get("Messages", []))
            return len(taken) >= number

        self.stack.wait_until(receive, f"{number} messages in {queue}")
        assert len(taken) == number
        return taken

    def give_back(self, queue: str, messages: list[Message]) -> None:
        for message in messages:
            self.stack.client("sqs").change_message_visibility(
                QueueUrl=self.url(queue), ReceiptHandle=message.receipt, VisibilityTimeout=0
            )

    def send(self, queue: str, text: str, group: str = "somebody") -> None:
        self.stack.client("sqs").send_message(
            QueueUrl=self.url(queue), MessageBody=text, MessageGroupId=group, MessageDeduplicationId=uuid4().hex
        )

    def is_empty(self, *queues: str) -> bool:
        """Whether no message lies in any of these queues, hidden or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        sqs = self.stack.client("sqs")
        found = [sqs.get_queue_attributes(QueueUrl=self.url(each), AttributeNames=names) for each in queues]
        return not any(int(number) for each in found for number in each["Attributes"].values())

    def move(self, messages: list[Message], queue: str, to: str) -> None:
        """Take messages that were received out of one queue, and put them into another."""
        sqs = self.stack.client("sqs")
        for message in messages:
            sqs.send_message(
                QueueUrl=self.url(to),
                MessageBody=message.text,
                MessageGroupId=message.group,
                MessageDeduplicationId=message.deduplication_id,
            )
            sqs.delete_message(QueueUrl=self.url(queue), ReceiptHandle=message.receipt)


def _message(received: dict[str, Any]) -> Message:
    attributes = received["Attributes"]
    return Message(
        json.loads(received["Body"]),
        attributes["MessageGroupId"],
        attributes["MessageDeduplicationId"],
        received["ReceiptHandle"],
    )
