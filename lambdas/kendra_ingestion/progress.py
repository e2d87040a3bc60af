"""The adapter for the progress table: which messages of a run are accounted for, how many there are in all, and who
waits for them.

A run has one item `counter` and one item a counted message. The two are written in one transaction, so a message that
is delivered again adds nothing. The counter belongs to the run and not to an attempt: what one attempt counted, a
later one need not send again. The token and the attempt that it belongs to are the latest attempt's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from kendra_ingestion.errors import QueueUnavailable
from shared.backoff import Backoff, Patience
from shared.clock import Clock
from shared.dynamodb_errors import CONDITION_FAILED, PASSING, hindrances

KEEP_SECONDS = 30 * 24 * 3600
"""Longer than any message lives (SQS: 14 days) and any execution can be redriven (Step Functions: 14 days)."""

COUNTER = "counter"
COUNTED = "request-"
TRYING = "trying-"

NAMES = {
    "#job": "job",
    "#part": "part",
    "#attempt": "attempt",
    "#done": "done",
    "#expected": "expected",
    "#token": "token",
    "#expires": "expiresAt",
}

TRIES = Backoff(first_seconds=0.05, most_seconds=2.0, attempts=15, budget_seconds=30.0)


class Progress:
    """One run's progress, as one of its attempts sees it. `random` gives numbers from 0 to 1. Every method raises
    QueueUnavailable when the table does not answer in time."""

    def __init__(
        self,
        client: Any,
        table: str,
        *,
        job_id: str,
        run: str,
        attempt: str,
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self._client = client
        self._table = table
        self._job = f"{job_id}/{run}"
        self._attempt = attempt
        self._clock = clock
        self._random = random

    def open(self, token: str) -> None:
        """Note who waits from now on: this attempt, with this token. What was counted before stays counted."""
        self._update(
            "SET #token = :token, #attempt = :attempt, #expires = :expires, #done = if_not_exists(#done, :zero)",
            {":token": {"S": token}, ":attempt": {"S": self._attempt}, ":zero": {"N": "0"}},
        )

    def expect(self, number: int) -> None:
        """Note how many messages the run has in all."""
        self._update("SET #expected = :number, #expires = :expires", {":number": {"N": str(number)}})

    def count(self, chunk: int, request: int) -> None:
        """Count a message; one that was counted before changes nothing."""
        marker = self._key(_part(COUNTED, chunk, request)) | {"expiresAt": self._expires()}
        writes = [
            {
                "Put": {
                    "TableName": self._table,
                    "Item": marker,
                    "ConditionExpression": "attribute_not_exists(#part)",
                    "ExpressionAttributeNames": _used("#part"),
                }
            },
            {
                "Update": {
                    "TableName": self._table,
                    "Key": self._key(COUNTER),
                    "UpdateExpression": "ADD #done :one SET #expires = :expires",
                    "ExpressionAttributeNames": _used("#done #expires"),
                    "ExpressionAttributeValues": {":one": {"N": "1"}, ":expires": self._expires()},
                }
            },
        ]
        try:
            self._call(self._client.transact_write_items, TransactItems=writes)
        except ClientError as error:
            if CONDITION_FAILED not in hindrances(error):
                raise

    def is_counted(self, chunk: int, request: int) -> bool:
        """Whether a message is accounted for."""
        return self._get(_part(COUNTED, chunk, request)) is not None

    def counted(self) -> set[tuple[int, int]]:
        """The (chunk, request) of every message that is accounted for."""
        found: set[tuple[int, int]] = set()
        where: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "#job = :job AND begins_with(#part, :counted)",
            "ProjectionExpression": "#part",
            "ExpressionAttributeNames": _used("#job #part"),
            "ExpressionAttributeValues": {":job": {"S": self._job}, ":counted": {"S": COUNTED}},
            "ConsistentRead": True,
        }
        while True:
            reply = self._call(self._client.query, **where)
            for item in reply["Items"]:
                chunk, request = item["part"]["S"].removeprefix(COUNTED).split("-")
                found.add((int(chunk), int(request)))
            if not reply.get("LastEvaluatedKey"):
                return found
            where["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    def complete(self) -> str | None:
        """The token that waits, when every message is accounted for; None before."""
        counter = self._get(COUNTER) or {}
        if "token" not in counter or "expected" not in counter:
            return None
        if int(counter["done"]["N"]) < int(counter["expected"]["N"]):
            return None
        return counter["token"]["S"]

    def own_token(self) -> str | None:
        """The token that waits, if it is this attempt's; None when another attempt has taken over, or none began."""
        counter = self._get(COUNTER) or {}
        own = counter.get("attempt", {}).get("S") == self._attempt
        return counter["token"]["S"] if own else None

    def begin_try(self, chunk: int, request: int) -> None:
        """Note that a message is about to be worked, in case it takes the process with it."""
        item = self._key(_part(TRYING, chunk, request)) | {"expiresAt": self._expires()}
        self._call(self._client.put_item, TableName=self._table, Item=item)

    def end_try(self, chunk: int, request: int) -> None:
        """Note that a message did not take the process with it."""
        self._call(self._client.delete_item, TableName=self._table, Key=self._key(_part(TRYING, chunk, request)))

    def was_tried(self, chunk: int, request: int) -> bool:
        """Whether a process died while it worked this message."""
        return self._get(_part(TRYING, chunk, request)) is not None

    def _update(self, expression: str, values: dict[str, Any]) -> None:
        self._call(
            self._client.update_item,
            TableName=self._table,
            Key=self._key(COUNTER),
            UpdateExpression=expression,
            ExpressionAttributeNames=_used(expression),
            ExpressionAttributeValues=values | {":expires": self._expires()},
        )

    def _get(self, part: str) -> dict[str, Any] | None:
        reply = self._call(self._client.get_item, TableName=self._table, Key=self._key(part), ConsistentRead=True)
        return reply.get("Item")

    def _call(self, operation: Callable[..., Any], **parameters: Any) -> Any:
        """Call, and again after a pause where another worker's write to the one counter came between or the table was
        busy: whatever is written here may be written twice."""
        patience = Patience(TRIES, self._clock, self._random)
        while True:
            try:
                return operation(**parameters)
            except ClientError as error:
                hindered = hindrances(error)
                if CONDITION_FAILED in hindered or PASSING.isdisjoint(hindered):
                    raise
                trouble: Exception = error
            except BotoCoreError as error:
                trouble = error
            if not patience.wait():
                raise QueueUnavailable(f"the table {self._table} did not answer: {trouble}") from trouble

    def _key(self, part: str) -> dict[str, Any]:
        return {"job": {"S": self._job}, "part": {"S": part}}

    def _expires(self) -> dict[str, str]:
        return {"N": str(int(self._clock.wall()) + KEEP_SECONDS)}


def _part(kind: str, chunk: int, request: int) -> str:
    return f"{kind}{chunk:05}-{request:05}"


def _used(expression: str) -> dict[str, str]:
    """The names that an expression uses; DynamoDB refuses those that it does not."""
    return {alias: name for alias, name in NAMES.items() if alias in expression}
