"""MiniStack's SQS with messages of our own (`messages.Messages`): the same for its API as for who polls a queue.

MiniStack replaces a queue's list while other threads append to it, looks at every message for each call, and takes a
deduplication cache apart for each message that is sent.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from millrace.local.anchors import hold, patch
from millrace.local.queues import attributes
from millrace.local.queues.messages import HANDLE_PREFIX, HandleExpired, Message, Messages, NotInFlight

Queue = dict[str, Any]
Action = Callable[[dict[str, Any], str], dict[str, Any]]

MOST_VISIBILITY_SECONDS = 43_200
FIFO_DEFAULTS = {"DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue"}
SWEEP_SECONDS = 1.0
"""How often, at most, a queue is searched for messages that it has kept too long; it keeps them for 60 s at least."""


class Queues:
    """`changed` is called whenever a queue may have something to deliver earlier than was known."""

    def __init__(self, changed: Callable[[], None]) -> None:
        from ministack.services import sqs

        self._sqs: Any = sqs
        self._changed = changed
        self._lock = threading.RLock()
        self._swept: dict[str, float] = {}

    def find(self, arn: str) -> Queue | None:
        queue: Queue | None = self._sqs._queue_by_arn(arn)
        return queue

    def messages(self, queue: Queue) -> Messages:
        """The queue's messages, also if MiniStack has just made it."""
        kept = queue["messages"]
        if isinstance(kept, Messages):
            return kept
        with self._lock:
            messages = Messages(
                self._lock,
                fifo=queue["is_fifo"],
                complete=self._sqs._ensure_msg_fields,
                changed=self._changed,
            )
            queue["messages"] = messages
        for message in kept:
            messages.append(message)
        return messages

    def receive(
        self,
        queue: Queue,
        most: int,
        *,
        visibility: float | None = None,
        most_bytes: int | None = None,
    ) -> list[Message]:
        """The next messages; what has been received too often goes to the dead-letter queue instead."""
        now = time.time()
        self.forget_old(queue, now)
        most_received, dead_letters = self._redrive(queue)
        if visibility is None:
            visibility = float(queue["attributes"]["VisibilityTimeout"])
        taken = self.messages(queue).take(most, now, visibility, most_received=most_received, most_bytes=most_bytes)
        if dead_letters is not None:
            for message in taken.dead:
                self.messages(dead_letters).append(dead_letter(message, queue, dead_letters, now))
        return taken.messages

    def record(self, queue: Queue, message: Message) -> dict[str, Any]:
        """A message as functions and targets get it (Lambda developer guide, "Using Lambda with Amazon SQS")."""
        arn: str = queue["attributes"]["QueueArn"]
        return {
            "messageId": message["id"],
            "receiptHandle": message["receipt_handle"],
            "body": message["body"],
            "attributes": self._sqs._build_sys_attrs(message, ["All"]),
            "messageAttributes": {
                name: {field[:1].lower() + field[1:]: value for field, value in told.items()}
                for name, told in message["message_attributes"].items()
            },
            "md5OfBody": message["md5_body"],
            "eventSource": "aws:sqs",
            "eventSourceARN": arn,
            "awsRegion": arn.split(":")[3],
        }

    def _redrive(self, queue: Queue) -> tuple[int | None, Queue | None]:
        """After how many receptions a message is dead, and where it goes; without a queue to go to it stays."""
        policy = queue["attributes"].get("RedrivePolicy")
        if not policy:
            return None, None
        told = json.loads(policy)
        dead_letters = self.find(told["deadLetterTargetArn"])
        return (int(told["maxReceiveCount"]), dead_letters) if dead_letters is not None else (None, None)

    def forget_old(self, queue: Queue, now: float) -> None:
        if now - self._swept.get(queue["url"], 0.0) >= SWEEP_SECONDS:
            self._swept[queue["url"]] = now
            self.messages(queue).forget_older(now - float(queue["attributes"]["MessageRetentionPeriod"]))

    def install(self) -> None:
        sqs = self._sqs
        hold(sqs, "_act_send_message", 'q["messages"].append(msg)', '"visible_at": now + delay', "_prune_dedup(q)")
        hold(sqs, "_act_receive_message", "msgs = _collect_msgs(q, max_n, vis)", "_dlq_sweep(q)")
        hold(sqs, "_act_purge_queue", 'q["messages"].clear()')
        hold(sqs, "_build_sys_attrs", 'want_all = "All" in names')
        hold(sqs, "_ensure_msg_fields", 'm.setdefault("receipt_handle", None)', 'm.setdefault("group_id", None)')
        hold(sqs, "_get_q", "_enforce_queue_policy(q, action)")
        hold(sqs, "_Err")
        patch(sqs, "_collect_msgs", lambda _: self._collect, "return _collect_fifo(q, max_n, vis_timeout, now)")
        patch(sqs, "_dlq_sweep", lambda _: lambda _queue: None, 'dlq["messages"].append(moved)')
        patch(sqs, "_expire_retained", lambda _: lambda queue: self.forget_old(queue, time.time()), 'q["messages"] = [')
        patch(sqs, "_refresh_counts", lambda _: self._count, 'q["attributes"]["ApproximateNumberOfMessagesNotVisible"]')
        patch(sqs, "_prune_dedup", lambda _: forget_deduplication, 'if v["expire"] > now')
        for action, name, make, anchor in (
            ("CreateQueue", "_act_create_queue", self._creating, "_queues[url] = q"),
            ("SetQueueAttributes", "_act_set_queue_attributes", self._setting, '_get_q(url, "sqs:SetQueueAttributes")'),
            ("DeleteMessage", "_act_delete_message", self._deleting, 'q["messages"] = kept'),
            ("DeleteMessageBatch", "_act_delete_message_batch", self._deleting_many, '"Successful": ok'),
            ("ChangeMessageVisibility", "_act_change_visibility", self._hiding, 'm["visible_at"] = time.time() + vt'),
            (
                "ChangeMessageVisibilityBatch",
                "_act_change_visibility_batch",
                self._hiding_many,
                'm["visible_at"] = time.time() + vt',
            ),
        ):
            if sqs._HANDLERS[action] is not getattr(sqs, name):
                raise RuntimeError(f"SQS's {action} is no longer answered by {name}")
            patch(sqs, name, make, anchor)
            sqs._HANDLERS[action] = getattr(sqs, name)

    def _collect(self, queue: Queue, most: int, visibility: int) -> list[Message]:
        return self.receive(queue, most, visibility=visibility)

    def _count(self, queue: Queue) -> None:
        now = time.time()
        self.forget_old(queue, now)
        counts = self.messages(queue).counts(now)
        queue["attributes"].update(
            ApproximateNumberOfMessages=str(counts.visible),
            ApproximateNumberOfMessagesNotVisible=str(counts.in_flight),
            ApproximateNumberOfMessagesDelayed=str(counts.delayed),
        )

    def _creating(self, original: Action) -> Action:
        def create(data: dict[str, Any], url: str) -> dict[str, Any]:
            given = {name: str(value) for name, value in (data.get("Attributes") or {}).items()}
            name = data.get("QueueName", "")
            self._check(f"arn:aws:sqs:{self._sqs.get_region()}:{self._sqs.get_account_id()}:{name}", given)
            answer = original(data, url)
            queue = self._sqs._queues[answer["QueueUrl"]]
            if queue["is_fifo"]:
                queue["attributes"] = {**FIFO_DEFAULTS, **queue["attributes"]}
            self.messages(queue)
            return answer

        return create

    def _setting(self, original: Action) -> Action:
        def set_attributes(data: dict[str, Any], url: str) -> dict[str, Any]:
            queue = self._sqs._get_q(data.get("QueueUrl", url), "sqs:SetQueueAttributes")
            given = {name: str(value) for name, value in (data.get("Attributes") or {}).items()}
            self._check(queue["attributes"]["QueueArn"], {**queue["attributes"], **given})
            answer = original(data, url)
            self._changed()
            return answer

        return set_attributes

    def _check(self, arn: str, given: dict[str, str]) -> None:
        dead_letters = None
        if given.get("RedrivePolicy"):
            self._sqs._validate_redrive_policy(given["RedrivePolicy"])
            dead_letters = self.find(json.loads(given["RedrivePolicy"])["deadLetterTargetArn"])
        try:
            attributes.check(arn, given, dead_letters["attributes"] if dead_letters else None)
        except attributes.InvalidAttribute as error:
            raise self._sqs._Err(error.code, str(error)) from error

    def _deleting(self, _original: Action) -> Action:
        def delete(data: dict[str, Any], url: str) -> dict[str, Any]:
            queue = self._sqs._get_q(data.get("QueueUrl", url), "sqs:DeleteMessage")
            self._delete(queue, data.get("ReceiptHandle", ""))
            return {}

        return delete

    def _deleting_many(self, _original: Action) -> Action:
        def delete_batch(data: dict[str, Any], url: str) -> dict[str, Any]:
            queue = self._sqs._get_q(data.get("QueueUrl", url), "sqs:DeleteMessage")
            entry_name = "DeleteMessageBatchRequestEntry"
            return self._each(data, entry_name, lambda entry: self._delete(queue, entry.get("ReceiptHandle", "")))

        return delete_batch

    def _hiding(self, _original: Action) -> Action:
        def change_visibility(data: dict[str, Any], url: str) -> dict[str, Any]:
            queue = self._sqs._get_q(data.get("QueueUrl", url), "sqs:ChangeMessageVisibility")
            self._hide(queue, data)
            return {}

        return change_visibility

    def _hiding_many(self, _original: Action) -> Action:
        def change_visibility_batch(data: dict[str, Any], url: str) -> dict[str, Any]:
            queue = self._sqs._get_q(data.get("QueueUrl", url), "sqs:ChangeMessageVisibility")
            entry_name = "ChangeMessageVisibilityBatchRequestEntry"
            return self._each(data, entry_name, lambda entry: self._hide(queue, entry))

        return change_visibility_batch

    def _each(self, data: dict[str, Any], entry_name: str, act: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        entries = data.get("Entries", [])
        self._sqs._validate_batch_entries(entries, entry_name)
        done, refused = [], []
        for entry in entries:
            try:
                act(entry)
                done.append({"Id": entry["Id"]})
            except self._sqs._Err as error:
                refused.append({"Id": entry["Id"], "Code": error.code, "Message": error.message, "SenderFault": True})
        return {"Successful": done, "Failed": refused}

    def _delete(self, queue: Queue, handle: str) -> None:
        """Deleting what is no longer there succeeds, as on AWS."""
        self._check_handle(handle)
        try:
            self.messages(queue).delete(handle, time.time())
        except HandleExpired:
            raise self._refused("ReceiptHandle", handle, "The receipt handle has expired.") from None

    def _hide(self, queue: Queue, entry: dict[str, Any]) -> None:
        handle = entry.get("ReceiptHandle", "")
        self._check_handle(handle)
        seconds = int(entry.get("VisibilityTimeout", -1))
        if not 0 <= seconds <= MOST_VISIBILITY_SECONDS:
            reason = f"Must be between 0 and {MOST_VISIBILITY_SECONDS}, if provided."
            raise self._refused("VisibilityTimeout", seconds, reason)
        try:
            self.messages(queue).change_visibility(handle, time.time(), seconds)
        except NotInFlight:
            reason = "Message does not exist or is not available for visibility timeout change."
            raise self._refused("ReceiptHandle", handle, reason) from None

    def _check_handle(self, handle: str) -> None:
        if not handle.startswith(HANDLE_PREFIX):
            raise self._sqs._Err("ReceiptHandleIsInvalid", f'The input receipt handle "{handle}" is not valid.')

    def _refused(self, parameter: str, value: object, reason: str) -> Exception:
        refusal: Exception = self._sqs._Err(
            "InvalidParameterValue", f"Value {value} for parameter {parameter} is invalid. Reason: {reason}"
        )
        return refusal


def dead_letter(message: Message, source: Queue, target: Queue, now: float) -> Message:
    """A message as it comes into the dead-letter queue: the same id, group, deduplication id and receive count.

    A FIFO queue keeps it from now on, a standard queue from when it was first sent (SQS developer guide).
    """
    arrival = {"moved_at": now, "received_elsewhere": message["receive_count"]}
    moved = {**message, "receipt_handle": None, "visible_at": now, **arrival}
    if target["is_fifo"]:
        moved["enqueued_at"] = now
    arn = source["attributes"]["QueueArn"]
    return {**moved, "sys": {"DeadLetterQueueSourceArn": arn, **message["sys"]}}


def forget_deduplication(queue: Queue) -> None:
    """Forget the deduplication ids that were sent more than five minutes ago: they stand in the order of their time."""
    known, now = queue["dedup_cache"], time.time()
    while known and next(iter(known.values()))["expire"] <= now:
        del known[next(iter(known))]
