"""The ledger: what was last sent of each document, and what became of it. The adapter of its DynamoDB table.

An entry is `{id, sink, documentId, run, jobId, digest?, outcome, contested?}`. It is marked `sent` before its document
goes to the sink, and settled with the final outcome by the run that marked it last. Only a settled entry says that the
index has a document as it is: one that nobody settles costs one sending more, and never hides a change.
decisions/ledger.md says why.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from kendra_ingestion.documents import Document
from kendra_ingestion.errors import SinkUnavailable
from kendra_ingestion.outcomes import DELETED, INDEXED, SENT, UNCHANGED, UPDATED, Outcome
from shared.backoff import Backoff, Patience
from shared.batching import cut
from shared.clock import Clock, SystemClock
from shared.dynamodb_errors import CONDITION_FAILED, PASSING, hindrances, reasons

T = TypeVar("T")

AT_ONCE = 100
"""BatchGetItem reads and TransactWriteItems writes at most 100 items, of 16 MB and 4 MB in all (API reference). An
entry has at most 9 KB, nearly all of it an id of 2,048 characters."""

UNKNOWN = "unknown"
"""The settled outcome of a contested entry: two runs sent the document, and which the index took last is unknown."""

BACKOFF = Backoff(first_seconds=0.05, most_seconds=1.0, attempts=12, budget_seconds=5.0)
"""Marking happens inside a call to the sink, so it gives up while there is time left to write what is known."""

OPEN_FOR_NO_OTHER = "attribute_not_exists(outcome) OR outcome <> :sent OR run = :run"
OURS = "outcome = :sent AND run = :run AND attribute_not_exists(contested)"
OURS_CONTESTED = "outcome = :sent AND run = :run AND attribute_exists(contested)"


class Entry(NamedTuple):
    """What the ledger says of one document."""

    run: str
    outcome: str
    digest: str | None = None
    contested: bool = False

    def has(self, digest: str) -> bool:
        """Whether the index has the document in the state with this digest."""
        return self.outcome in (INDEXED, UPDATED) and self.digest == digest


class Ledger:
    """The ledger as one run sees it: `sink` names the index, `run` who marks and settles. Safe to use from several
    threads.

    Raises SinkUnavailable when DynamoDB does not answer, or is busy for longer than the backoff's budget: what cannot
    be marked cannot be sent, and is tried again like a sink that failed.
    """

    def __init__(
        self,
        client: Any,
        table: str,
        *,
        sink: str,
        job_id: str,
        run: str,
        clock: Clock | None = None,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._table = table
        self._sink = sink
        self._job_id = job_id
        self._run = run
        self._clock = clock or SystemClock()
        self._random = random

    def known(self, document_ids: Iterable[str]) -> dict[str, Entry]:
        """The entries of these ids; ids that have none are left out. Sees every write that ended before."""
        ids = {self._key(document_id): document_id for document_id in document_ids}
        return {
            ids[item["id"]["S"]]: Entry(
                item["run"]["S"],
                item["outcome"]["S"],
                item["digest"]["S"] if "digest" in item else None,
                "contested" in item,
            )
            for some in cut(ids, AT_ONCE)
            for item in self._read(some)
        }

    def mark(self, documents: Sequence[Document]) -> None:
        """Note that these documents are about to reach the sink; those without a digest are about to be deleted.

        One transaction, whose condition is that no other run has a document under way. Where one has, the entry is
        taken over and contested. Marking again what this run has marked changes nothing.
        """
        for some in cut(documents, AT_ONCE):
            plain = {document["documentId"]: self._mark(document) for document in some}
            busy = set(self._write(plain))
            self._write(
                {
                    document["documentId"]: self._mark(document, contested=True)
                    for document in some
                    if document["documentId"] in busy
                }
            )

    def settle(self, outcomes: Iterable[Outcome]) -> None:
        """Note what became of the documents, where this run's mark is the last one and still open.

        Everything else is left alone: a document that was never marked, one that another run has marked since, and one
        that is settled already, so settling again changes nothing.
        """
        for some in cut((outcome for outcome in outcomes if outcome.outcome != UNCHANGED), AT_ONCE):
            left = {outcome.document_id: outcome for outcome in some}
            pauses = self._pauses()
            while left:
                entries = self.known(left)
                writes = {
                    document_id: self._settle(outcome, contested=entry.contested)
                    for document_id, outcome in left.items()
                    if (entry := entries.get(document_id)) and entry.outcome == SENT and entry.run == self._run
                }
                overtaken = self._write(writes)
                left = {document_id: left[document_id] for document_id in overtaken}
                if left:
                    next(pauses)

    def _key(self, document_id: str) -> str:
        return sha256(f"{self._sink}\0{document_id}".encode()).hexdigest()

    def _mark(self, document: Document, *, contested: bool = False) -> dict[str, Any]:
        values: dict[str, Any] = {
            ":sink": {"S": self._sink},
            ":documentId": {"S": document["documentId"]},
            ":run": {"S": self._run},
            ":jobId": {"S": self._job_id},
            ":sent": {"S": SENT},
        }
        sets = "SET sink = :sink, documentId = :documentId, run = :run, jobId = :jobId, outcome = :sent"
        if contested:
            values[":true"] = {"BOOL": True}
            sets += ", contested = :true"
        if "digest" in document:
            values[":digest"] = {"S": document["digest"]}
            expression = f"{sets}, digest = :digest"
        else:
            expression = f"{sets} REMOVE digest"
        update = {
            **self._where(document["documentId"]),
            "UpdateExpression": expression,
            "ExpressionAttributeValues": values,
        }
        return {"Update": update if contested else update | {"ConditionExpression": OPEN_FOR_NO_OTHER}}

    def _settle(self, outcome: Outcome, *, contested: bool) -> dict[str, Any]:
        write = {
            **self._where(outcome.document_id),
            "ConditionExpression": OURS_CONTESTED if contested else OURS,
            "ExpressionAttributeValues": {":sent": {"S": SENT}, ":run": {"S": self._run}},
        }
        if contested:
            final, expression = UNKNOWN, "SET outcome = :final REMOVE digest, contested"
        elif outcome.outcome == DELETED:
            return {"Delete": write}
        elif outcome.outcome in (INDEXED, UPDATED):
            final, expression = outcome.outcome, "SET outcome = :final"
        else:
            final, expression = outcome.outcome, "SET outcome = :final REMOVE digest"
        write["ExpressionAttributeValues"][":final"] = {"S": final}
        return {"Update": write | {"UpdateExpression": expression}}

    def _where(self, document_id: str) -> dict[str, Any]:
        return {"TableName": self._table, "Key": {"id": {"S": self._key(document_id)}}}

    def _read(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        pauses = self._pauses()
        asked = {
            self._table: {
                "Keys": [{"id": {"S": key}} for key in keys],
                "ConsistentRead": True,
                "ProjectionExpression": "id, run, outcome, digest, contested",
            }
        }
        while asked:
            try:
                reply = self._call(self._client.batch_get_item, RequestItems=asked)
            except _Busy:
                pass
            else:
                items += reply["Responses"].get(self._table, [])
                asked = reply.get("UnprocessedKeys", {})
            if asked:
                next(pauses)
        return items

    def _write(self, writes: Mapping[str, dict[str, Any]]) -> list[str]:
        """Write, in one transaction, all whose condition holds; return the ids of the others."""
        left = dict(writes)
        refused: list[str] = []
        pauses = self._pauses()
        while left:
            try:
                self._call(self._client.transact_write_items, TransactItems=list(left.values()))
            except _Busy as busy:
                failed = [
                    document_id for document_id, why in zip(left, busy.reasons, strict=False) if why == CONDITION_FAILED
                ]
            else:
                break
            refused += failed
            for document_id in failed:
                del left[document_id]
            if left and not failed:
                next(pauses)
        return refused

    def _call(self, operation: Callable[..., Any], **parameters: Any) -> Any:
        try:
            return operation(**parameters)
        except ClientError as error:
            if hindrances(error) <= PASSING | {CONDITION_FAILED}:
                raise _Busy(reasons(error)) from error
            raise
        except BotoCoreError as error:
            raise SinkUnavailable(f"the ledger {self._table} did not answer: {error}") from error

    def _pauses(self) -> Iterator[None]:
        """Sleep at each `next`, with full jitter. Raises SinkUnavailable when the budget is spent."""
        patience = Patience(BACKOFF, self._clock, self._random)
        while patience.wait():
            yield
        raise SinkUnavailable(f"the ledger {self._table} was busy {patience.attempts} times in a row")


class _Busy(Exception):
    """A call did nothing, and may do it when made again. `reasons` has one code an item of a transaction."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__()
        self.reasons = reasons
