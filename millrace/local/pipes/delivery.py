"""A running pipe as one who reads its queue: filter, transform, deliver, with the pipe's role."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from millrace.local import batch_answers
from millrace.local.acting import Acting, Actor, Forbidden, Refused
from millrace.local.pipes.filters import compiled
from millrace.local.pipes.paths import Path
from millrace.local.pipes.pipe import PARAMETERS_OF, Pipe
from millrace.local.pipes.template import NotFilled, Template
from millrace.local.queues.polling import Batching, Record
from millrace.local.queues.service import Queue
from millrace.local.targets import NotDelivered, service_of

SERVICE = "pipes.amazonaws.com"
READS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
"""What the role of a pipe must be allowed on its queue (EventBridge user guide, "Pipes permissions")."""
FAILURES = (NotDelivered, Forbidden, Refused)
log = logging.getLogger(__name__)


class Reached(Protocol):
    """What a pipe can do in a target. Each raises targets.NotDelivered."""

    def start_execution(self, machine: str, text: str) -> None: ...

    def run_execution(self, machine: str, text: str) -> Any: ...

    def run_function(self, function: str, event: Any) -> Any: ...

    def invoke_function(self, function: str, event: Any) -> None: ...

    def send_message(self, queue: str, message: Mapping[str, Any]) -> None: ...


def actor_of(pipe: Pipe) -> Actor:
    return Actor(SERVICE, pipe.role, pipe.arn, pipe.account, pipe.region)


@dataclass(frozen=True)
class Reader:
    """One look at a pipe: a pipe that is changed meanwhile finishes its batch as it was."""

    pipe: Pipe
    queue: Queue
    acting: Acting
    targets: Reached

    @property
    def id(self) -> str:
        return self.pipe.arn

    @property
    def actor(self) -> Actor:
        return actor_of(self.pipe)

    @property
    def batching(self) -> Batching:
        return self.pipe.batching

    def tell(self, outcome: str) -> None:
        if outcome != "OK":
            log.warning("pipe %s: %s", self.pipe.name, outcome)

    def work(self, records: list[Record]) -> Collection[str]:
        """What the filter leaves out is done with; what was not delivered comes back when its time is over."""
        is_taken = compiled(self.pipe.patterns)
        taken = [record for record in records if is_taken(record)]
        failed = {record["messageId"] for record in taken}
        if taken:
            try:
                failed -= set(self._deliver(taken, self._events(taken)))
            except (NotFilled, *FAILURES) as error:
                self.tell(f"{len(taken)} messages were not delivered to {self.pipe.target}: {error}")
        return [record["messageId"] for record in records if record["messageId"] not in failed]

    def _events(self, records: list[Record]) -> list[Any]:
        pipe = self.pipe
        if not pipe.input_template:
            return list(records)
        template = Template.of(pipe.input_template)
        reserved = {
            "aws.pipes.pipe-arn": pipe.arn,
            "aws.pipes.pipe-name": pipe.name,
            "aws.pipes.source-arn": pipe.source,
            "aws.pipes.target-arn": pipe.target,
            "aws.pipes.event.ingestion-time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return [template.fill(record, reserved) for record in records]

    def _deliver(self, records: list[Record], events: list[Any]) -> list[str]:
        """The ids of the messages that reached the target."""
        pipe, targets = self.pipe, self.targets
        match service_of(pipe.target), pipe.waits_for_the_target:
            case "states", True:
                text = json.dumps(events)
                answer = self._act("states:StartSyncExecution", lambda: targets.run_execution(pipe.target, text))
                return reached(answer, records)
            case "states", False:
                text = json.dumps(events)
                self._act("states:StartExecution", lambda: targets.start_execution(pipe.target, text))
            case "lambda", True:
                answer = self._act("lambda:InvokeFunction", lambda: targets.run_function(pipe.target, events))
                return reached(answer, records)
            case "lambda", False:
                self._act("lambda:InvokeFunction", lambda: targets.invoke_function(pipe.target, events))
            case _:
                return self._send(records, events)
        return [record["messageId"] for record in records]

    def _act(self, action: str, call: Callable[[], Any]) -> Any:
        return self.acting.perform(self.actor, action, self.pipe.target, call)

    def _send(self, records: Sequence[Record], events: Sequence[Any]) -> list[str]:
        """To a queue each event is a message of its own, and one that is not taken holds up no other."""
        sent = []
        for record, event in zip(records, events, strict=True):
            message = {"MessageBody": event if isinstance(event, str) else json.dumps(event), **self._grouped(record)}
            try:
                self._act("sqs:SendMessage", functools.partial(self.targets.send_message, self.pipe.target, message))
            except FAILURES as error:
                self.tell(f"message {record['messageId']} was not delivered to {self.pipe.target}: {error}")
            else:
                sent.append(record["messageId"])
        return sent

    def _grouped(self, record: Record) -> dict[str, str]:
        """A FIFO target's group and deduplication id, as they stand in the parameters or in the message by a path."""
        parameters = self.pipe.asked.get("TargetParameters", {}).get(PARAMETERS_OF["sqs"]) or {}
        return {
            name: str(Path.of(value).find(record)) if value.startswith("$") else value
            for name, value in parameters.items()
        }


def reached(answer: Any, records: Sequence[Record]) -> list[str]:
    """The ids of the messages that a target's answer does not name as failed; an answer of another shape names none."""
    ids = [record["messageId"] for record in records]
    failed = set(batch_answers.failed(answer, ids)) if isinstance(answer, dict) else set()
    return [message for message in ids if message not in failed]
