"""The adapter for the reports bucket: the work area of a run, and the reports. Only this module knows the
keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any

from botocore.exceptions import ClientError

from kendra_ingestion.documents import Chunk
from kendra_ingestion.errors import WorkMissing
from kendra_ingestion.outcomes import Outcome, from_lines, to_lines

PART_BYTES = 8 * 1024 * 1024
"""A part of a multipart upload; S3 asks for at least 5 MiB and takes 10,000 of them."""


READ_BYTES = 1024 * 1024
JSON_LINES = "application/jsonl"
MISSING = frozenset({"NoSuchKey", "404"})


class Workspace:
    """What one run of a job keeps in S3. Names follow from the work, so a retried invocation overwrites its
    own."""

    def __init__(self, client: Any, bucket: str, *, job_id: str, run: str) -> None:
        self._client = client
        self._bucket = bucket
        self._work = f"_work/{job_id}/{run}"
        self._reports = f"_reports/{job_id}"
        self._archive = f"_archive/{job_id}"

    @property
    def failures_uri(self) -> str:
        """Where the report is."""
        return f"s3://{self._bucket}/{self._reports}/failures.csv"

    @property
    def summary_uri(self) -> str:
        """Where the summary is."""
        return f"s3://{self._bucket}/{self._reports}/summary.json"

    def save_manifest(self, body: bytes) -> None:
        """Keep the manifest as it was read."""
        self._put("manifest.json", body)

    def archive_manifest(self) -> str:
        """Copy the manifest as it was read to where it is kept when the job has finished; return that place."""
        source = f"{self._work}/manifest.json"
        key = f"{self._archive}/manifest.json"
        try:
            self._client.copy_object(Bucket=self._bucket, Key=key, CopySource={"Bucket": self._bucket, "Key": source})
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                raise self._missing(source) from error
            raise
        return f"s3://{self._bucket}/{key}"

    def deletes(self) -> list[str]:
        """The ids that the manifest deletes."""
        return json.loads(self._get("manifest.json")).get("deletes", [])

    def save_chunk(self, chunk: Chunk) -> None:
        """Write one chunk."""
        self._put(f"chunks/{chunk['chunk']:05}.json", _json(chunk))

    def chunk(self, number: int) -> Chunk:
        """Read one chunk."""
        return json.loads(self._get(f"chunks/{number:05}.json"))

    def planned_failures_writer(self, planning_pass: int) -> ObjectWriter:
        """A writer for what one pass of planning could not send."""
        return ObjectWriter(self._client, self._bucket, self._planned_failures(planning_pass), JSON_LINES)

    def planned_failures(self, planning_pass: int) -> Iterator[Outcome]:
        """Read what one pass of planning could not send, a little at a time."""
        body = self._open(self._planned_failures(planning_pass))
        rest = b""
        while block := body.read(READ_BYTES):
            lines, newline, rest = (rest + block).rpartition(b"\n")
            yield from from_lines(lines + newline)

    def save_plan(self, planning_pass: int, state: dict[str, Any], ids: bytes = b"") -> None:
        """Write what the next pass of planning needs, or after the last one the whole plan's summary."""
        if ids:
            self._put(f"plan/state-{planning_pass:05}.ids", ids)
        self._put(f"plan/state-{planning_pass:05}.json", _json(state))

    def plan_state(self, planning_pass: int) -> tuple[dict[str, Any], bytes]:
        """Read what the pass before this one left."""
        return (
            json.loads(self._get(f"plan/state-{planning_pass:05}.json")),
            self._get(f"plan/state-{planning_pass:05}.ids"),
        )

    def plan(self) -> dict[str, Any]:
        """The summary of the whole plan: `{"passes", "planned", "failed", "chunks": [documents, ...]}`."""
        names = [name for name in self._names("plan/") if re.fullmatch(r"state-\d+\.json", name)]
        if not names:
            raise WorkMissing(
                f"s3://{self._bucket}/{self._work}/plan/ holds no plan; has its lifecycle rule expired it?"
            )
        return json.loads(self._get(f"plan/{max(names)}"))

    def save_sends(self, chunk: int, first_request: int, outcomes: Iterable[Outcome]) -> None:
        """Write the outcomes of a chunk's requests from this number on."""
        self._put(f"outcomes/{chunk:05}/send-{first_request:05}.jsonl", to_lines(outcomes))

    def save_verdicts(self, chunk: int, turn: int, outcomes: Iterable[Outcome]) -> None:
        """Write what the index said of a chunk's documents in this turn."""
        self._put(f"outcomes/{chunk:05}/verify-{turn:05}.jsonl", to_lines(outcomes))

    def outcomes(self, chunk: int) -> tuple[list[Outcome], dict[int, list[Outcome]]]:
        """All that is known of a chunk: what sending said, and what the index said by turn, oldest first."""
        sends: list[Outcome] = []
        verdicts: dict[int, list[Outcome]] = {}
        for name in sorted(self._names(f"outcomes/{chunk:05}/")):
            kind, number = name.removesuffix(".jsonl").split("-")
            found = from_lines(self._get(f"outcomes/{chunk:05}/{name}"))
            if kind == "send":
                sends.extend(found)
            else:
                verdicts[int(number)] = list(found)
        return sends, verdicts

    def save_verification(self, state: dict[str, Any]) -> None:
        """Write what is still pending."""
        self._put("verification.json", _json(state))

    def verification(self) -> dict[str, Any] | None:
        """Read what is still pending; None before the first turn."""
        try:
            return json.loads(self._get("verification.json"))
        except WorkMissing:
            return None

    def failures_writer(self) -> ObjectWriter:
        """A writer for failures.csv, of any length."""
        return ObjectWriter(self._client, self._bucket, f"{self._reports}/failures.csv", "text/csv; charset=utf-8")

    def save_summary(self, body: bytes) -> None:
        """Write summary.json."""
        self._client.put_object(
            Bucket=self._bucket,
            Key=f"{self._reports}/summary.json",
            Body=body,
            ContentType="application/json",
        )

    def _planned_failures(self, planning_pass: int) -> str:
        return f"{self._work}/plan/failures-{planning_pass:05}.jsonl"

    def _put(self, name: str, body: bytes) -> None:
        self._client.put_object(Bucket=self._bucket, Key=f"{self._work}/{name}", Body=body)

    def _get(self, name: str) -> bytes:
        return self._open(f"{self._work}/{name}").read()

    def _open(self, key: str) -> Any:
        try:
            return self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                raise self._missing(key) from error
            raise

    def _missing(self, key: str) -> WorkMissing:
        return WorkMissing(f"s3://{self._bucket}/{key} is missing; has its lifecycle rule expired it?")

    def _names(self, folder: str) -> list[str]:
        where = {"Bucket": self._bucket, "Prefix": f"{self._work}/{folder}"}
        names: list[str] = []
        while True:
            reply = self._client.list_objects_v2(**where)
            names += [item["Key"].removeprefix(where["Prefix"]) for item in reply.get("Contents", [])]
            if not reply["IsTruncated"]:
                return names
            where["ContinuationToken"] = reply["NextContinuationToken"]


class ObjectWriter:
    """Writes one object of any length in parts, holding one part at a time. Nothing is visible before the
    end, and nothing at all when the block fails."""

    def __init__(self, client: Any, bucket: str, key: str, content_type: str) -> None:
        self._client = client
        self._where = {"Bucket": bucket, "Key": key}
        self._content_type = content_type
        self._upload: str | None = None
        self._etags: list[str] = []
        self._part = bytearray()

    def write(self, data: bytes) -> None:
        """Add to the object."""
        self._part += data
        while len(self._part) >= PART_BYTES:
            self._send(bytes(self._part[:PART_BYTES]))
            del self._part[:PART_BYTES]

    def __enter__(self) -> ObjectWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            if self._upload:
                self._client.abort_multipart_upload(**self._where, UploadId=self._upload)
        elif self._upload is None:
            self._client.put_object(**self._where, Body=bytes(self._part), ContentType=self._content_type)
        else:
            if self._part:
                self._send(bytes(self._part))
            parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(self._etags, start=1)]
            self._client.complete_multipart_upload(
                **self._where, UploadId=self._upload, MultipartUpload={"Parts": parts}
            )

    def _send(self, part: bytes) -> None:
        if self._upload is None:
            reply = self._client.create_multipart_upload(**self._where, ContentType=self._content_type)
            self._upload = reply["UploadId"]
        number = len(self._etags) + 1
        reply = self._client.upload_part(**self._where, UploadId=self._upload, PartNumber=number, Body=part)
        self._etags.append(reply["ETag"])


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii")
