"""The messages of the queue option: one message is one request of the plan. Pure text in, text out.

A message carries references, never documents: what a document's metadata says is read when the message is worked. A
body is ASCII, because JSON's escapes are allowed where SQS refuses some characters themselves. The longest one, ten
documents with ids of 2,048 characters and two keys of 1,024 bytes each, has less than 400,000 bytes: it fits into a
message (1 MiB), and ten of them into a Lambda invocation (6 MB)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

from kendra_ingestion.documents import Action, Chunk, JobKey
from kendra_ingestion.packing import REQUEST_MAX_DOCUMENTS
from kendra_ingestion.pairing import METADATA_SUFFIX
from kendra_ingestion.strict_json import NotJson, parse, pointer, shown
from shared.outbox import Envelope

GROUP_PREFIX: Mapping[Action, str] = {"put": "put", "delete": "del"}

COMMON_FIELDS = ("action", "jobId", "run", "attempt", "chunk", "request")
REFERENCE_FIELDS = ("documentId", "s3Bucket", "s3Key", "metaKey", "size", "digest")

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
EXECUTION_NAME = re.compile(r"[^\s/\\\x00-\x1f\x7f-\x9f]{1,80}")
"""Job ids, runs and executions' names become parts of S3 keys. People may name an execution with letters of any script
(API reference, StartExecution)."""

NUMBER_MAX = 99_999
"""Chunks and requests have five digits in the names of the work area."""


class NotAMessage(ValueError):
    """A body that no worker understands. The message names the field."""


class Reference(NamedTuple):
    """Where a document of a put is, as planned: `size` is in bytes, `digest` tells versions of its files apart."""

    document_id: str
    bucket: str
    key: str
    metadata_key: str
    size: int
    digest: str


class Message(NamedTuple):
    """One request. A put has references, a delete has ids alone."""

    action: Action
    job: JobKey
    chunk: int
    request: int
    references: tuple[Reference, ...] = ()
    to_delete: tuple[str, ...] = ()

    @property
    def document_ids(self) -> tuple[str, ...]:
        """The ids of its documents, in the plan's order."""
        return self.to_delete or tuple(reference.document_id for reference in self.references)


def messages_of(chunk: Chunk, job: JobKey, bucket: str) -> Iterator[Message]:
    """The messages of a chunk, one a request. `bucket` is where its documents are."""
    for number, request in enumerate(chunk["requests"]):
        if chunk["action"] == "delete":
            ids = tuple(document["documentId"] for document in request)
            yield Message("delete", job, chunk["chunk"], number, to_delete=ids)
        else:
            references = tuple(
                Reference(
                    document["documentId"],
                    bucket,
                    document["key"],
                    document["key"] + METADATA_SUFFIX,
                    document["size"],
                    document["digest"],
                )
                for document in request
            )
            yield Message("put", job, chunk["chunk"], number, references=references)


def sealed(message: Message, shards: int) -> Envelope:
    """A message with its group and its deduplication id.

    Neighbours go to different groups: a chunk deals its requests out in turn, and each chunk begins one group further,
    so that small chunks do not all end in the first groups. SQS drops a second message with the same deduplication id
    for five minutes; the body names run and attempt, so only the same attempt's own repetition is dropped."""
    body = to_body(message)
    shard = (message.chunk + message.request) % shards
    digest = hashlib.sha256(body.encode("ascii")).hexdigest()
    deduplication_id = hashlib.sha256(f"{message.job.job_id}{digest}".encode()).hexdigest()
    return Envelope(body, f"{GROUP_PREFIX[message.action]}-{shard}", deduplication_id)


def to_body(message: Message) -> str:
    """Write a body; the same message always has the same one."""
    fields: dict[str, Any] = {
        "action": message.action,
        "jobId": message.job.job_id,
        "run": message.job.run,
        "attempt": message.job.attempt,
        "chunk": message.chunk,
        "request": message.request,
    }
    if message.action == "delete":
        fields["documentIds"] = list(message.to_delete)
    else:
        fields["docs"] = [dict(zip(REFERENCE_FIELDS, reference, strict=True)) for reference in message.references]
    return json.dumps(fields, ensure_ascii=True, separators=(",", ":"))


def read(body: str) -> Message:
    """Read a body. Raises NotAMessage."""
    try:
        fields = parse(body.encode("utf-8", "surrogatepass"))
    except NotJson as error:
        raise NotAMessage(f"the message {error}") from None
    if not isinstance(fields, dict):
        raise NotAMessage(f"the message is {shown(fields)}; it must be an object")
    action = fields.get("action")
    if action not in ("put", "delete"):
        _refuse(action, "put or delete", "action")
    items = "docs" if action == "put" else "documentIds"
    _check_names(fields, (*COMMON_FIELDS, items))
    job = JobKey(
        _name(fields["jobId"], NAME, "jobId"),
        _name(fields["run"], NAME, "run"),
        _name(fields["attempt"], EXECUTION_NAME, "attempt"),
    )
    chunk, request = (_whole(fields[name], NUMBER_MAX, name) for name in ("chunk", "request"))
    given = fields[items]
    if not isinstance(given, list):
        _refuse(given, "a list", items)
    if not 1 <= len(given) <= REQUEST_MAX_DOCUMENTS:
        raise NotAMessage(f"{pointer(items)} has {len(given):,} documents; allowed: 1 to {REQUEST_MAX_DOCUMENTS}")
    if action == "put":
        references = tuple(_reference(item, items, place) for place, item in enumerate(given))
        message = Message("put", job, chunk, request, references=references)
    else:
        ids = tuple(_text(item, items, place) for place, item in enumerate(given))
        message = Message("delete", job, chunk, request, to_delete=ids)
    if len(set(message.document_ids)) < len(given):
        raise NotAMessage(f"{pointer(items)} has a document id twice")
    return message


def _reference(item: Any, *path: str | int) -> Reference:
    if not isinstance(item, dict):
        _refuse(item, f"an object with {', '.join(REFERENCE_FIELDS)}", *path)
    _check_names(item, REFERENCE_FIELDS, *path)
    document_id, bucket, key, metadata_key = (_text(item[name], *path, name) for name in REFERENCE_FIELDS[:4])
    size = _whole(item["size"], None, *path, "size")
    return Reference(document_id, bucket, key, metadata_key, size, _text(item["digest"], *path, "digest"))


def _check_names(fields: Mapping[str, Any], allowed: tuple[str, ...], *path: str | int) -> None:
    for name in allowed:
        if name not in fields:
            raise NotAMessage(f"{pointer(*path, name)} is missing")
    for name in fields:
        if name not in allowed:
            raise NotAMessage(f"{pointer(*path, name[:200])} is not known; allowed: {', '.join(allowed)}")


def _name(value: Any, pattern: re.Pattern[str], *path: str | int) -> str:
    if not (isinstance(value, str) and pattern.fullmatch(value)):
        _refuse(value, f"a string like {pattern.pattern}", *path)
    return value


def _text(value: Any, *path: str | int) -> str:
    if not (isinstance(value, str) and value):
        _refuse(value, "a string that is not empty", *path)
    return value


def _whole(value: Any, most: int | None, *path: str | int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0 or (most is not None and value > most):
        _refuse(value, "a whole number from 0" + ("" if most is None else f" to {most:,}"), *path)
    return value


def _refuse(value: Any, allowed: str, *path: str | int) -> NoReturn:
    raise NotAMessage(f"{pointer(*path)} is {shown(value)}; allowed: {allowed}")
