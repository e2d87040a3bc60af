"""The adapter for the bucket: an export to read, and the files of a run in one collection.

A part is a pair: the vectors are written first, so that a part whose records are there is whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NamedTuple, cast

from shared.store_errors import Refused, ask, ask_for_all, code_of, is_missing
from vector_store.changes import FLOAT32_BYTES
from vector_store.embed_records import BadRow, Record
from vector_store.embed_request import Request
from vector_store.errors import MessageInvalid, StoreUnavailable
from vector_store.listing import listed

IN_MEMORY_BYTES = 8 * 1024 * 1024
"""A larger export is kept on disk: an export of one receipt is far smaller."""

CHUNK_BYTES = 1024 * 1024


class Part(NamedTuple):
    """A part's place among the others of its collection, from 0, and its two files' bytes."""

    number: int
    records: bytes
    vectors: bytes


def written(records: Iterable[Record]) -> bytes:
    """Records as a part's file holds them: one a line, the same bytes each time."""
    return b"".join(_line({"id": it.id, "at": it.at, "text": it.text}) for it in records)


class Exports:
    """The NDJSON files that messages name."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def open(self, request: Request) -> IO[bytes]:
        """The export, to be read from its beginning and to be closed. It is taken whole first, because S3 ends a
        connection that nobody reads from while a part is embedded. Raises MessageInvalid where it is not there, and
        StoreUnavailable."""
        where = f"s3://{request.bucket}/{request.key}"
        try:
            body = ask(where, self._client.get_object, Bucket=request.bucket, Key=request.key)["Body"]
            taken = SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 - the caller closes it
            while chunk := ask(where, partial(body.read, CHUNK_BYTES)):
                taken.write(chunk)
        except Refused as error:
            raise MessageInvalid(f"{where} cannot be asked for: {error}") from error
        except StoreUnavailable as error:
            if is_missing(error) or code_of(error) == "NoSuchBucket":
                raise MessageInvalid(f"{where} is not there; export it again") from error
            raise
        taken.seek(0)
        return cast("IO[bytes]", taken)


class Folder:
    """The files of one run in one collection. Every method raises StoreUnavailable."""

    def __init__(self, client: Any, bucket: str, prefix: str, *, dimension: int) -> None:
        self._client = client
        self._bucket = bucket
        self._place = f"the bucket {bucket}"
        self._prefix = prefix
        self._dimension = dimension
        self._sizes: dict[str, int] | None = None

    def holds(self, number: int, records: bytes, count: int) -> bool:
        """Whether the part of this number is there whole, with these records, `count` of them."""
        sizes = self._known_sizes()
        if sizes.get(f"{number:05}.ndjson") != len(records):
            return False
        if sizes.get(f"{number:05}.f32") != count * self._dimension * FLOAT32_BYTES:
            return False
        return self._get(f"{number:05}.ndjson") == records

    def put(self, part: Part) -> None:
        """Write a part."""
        self._put(f"{part.number:05}.f32", part.vectors, "application/octet-stream")
        self._put(f"{part.number:05}.ndjson", part.records, "application/x-ndjson")

    def refused(self) -> dict[int, str]:
        """What an earlier try wrote down as bad: the reasons by the lines' numbers."""
        if "bad.ndjson" not in self._known_sizes():
            return {}
        rows = (json.loads(line) for line in self._get("bad.ndjson").splitlines())
        return {row["line"]: row["reason"] for row in rows}

    def put_bad(self, rows: Sequence[BadRow]) -> None:
        """Write down the bad rows, in the order of their lines; without any, nothing but that there are no more."""
        if not rows and "bad.ndjson" not in self._known_sizes():
            return
        ordered = sorted(rows, key=lambda row: row.line)
        body = b"".join(_line({"line": row.line, "id": row.id, "reason": row.reason}) for row in ordered)
        self._put("bad.ndjson", body, "application/x-ndjson")

    def end(self, *, parts: int, records: int, model: str) -> None:
        """Say that all parts are there."""
        done = {"parts": parts, "records": records, "dimension": self._dimension, "model": model}
        self._put("done.json", _line(done), "application/json")

    def _known_sizes(self) -> dict[str, int]:
        """The files' names and sizes when the run was begun, or begun again."""
        if self._sizes is None:
            found = listed(self._client, self._bucket, self._prefix)
            self._sizes = {it["Key"].removeprefix(self._prefix): it["Size"] for it in found}
        return self._sizes

    def _get(self, name: str) -> bytes:
        body = self._ask(self._client.get_object, Key=self._prefix + name)["Body"]
        read: bytes = ask_for_all(self._place, body.read)
        return read

    def _put(self, name: str, body: bytes, kind: str) -> None:
        self._ask(self._client.put_object, Key=self._prefix + name, Body=body, ContentType=kind)

    def _ask(self, operation: Callable[..., Any], **parameters: Any) -> Any:
        return ask_for_all(self._place, operation, Bucket=self._bucket, **parameters)


def _line(row: dict[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"
