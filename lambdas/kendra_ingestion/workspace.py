"""The adapter for the reports bucket: the work area of a run, and the reports. Only this module knows the
keys.

A run is the work of one upload of the manifest. Several attempts (executions, one after the other) may work on it. What
an attempt writes bears its name wherever an invocation that outlives its execution could otherwise overwrite what the
next attempt wrote; what any attempt wrote is read."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from functools import cached_property
from hashlib import blake2b
from itertools import count
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from kendra_ingestion.documents import Action, Chunk
from kendra_ingestion.errors import WorkMissing
from kendra_ingestion.outcomes import Outcome, from_lines, to_lines
from shared.object_writer import ObjectWriter

READ_BYTES = 1024 * 1024
JSON_LINES = "application/jsonl"
CSV = "text/csv; charset=utf-8"
MISSING = frozenset({"NoSuchKey", "404"})

CONFLICTS = 10
"""How often to try while another writer of the same object is at it, which S3 answers with 409."""

PART_TAG = "millrace=part"
"""Part reports lie beside the reports that stay, so they expire by this tag and not by a prefix."""


class Outcomes(NamedTuple):
    """What is known of a chunk, by any attempt: what sending said, what the index said, and of the latter what this
    attempt heard in each of its turns."""

    sends: list[Outcome]
    verdicts: list[Outcome]
    own_turns: dict[int, list[Outcome]]


class Workspace:
    """What one attempt at a run sees and keeps in S3. Names follow from the work, so a retried invocation overwrites
    its own."""

    def __init__(self, client: Any, bucket: str, *, job_id: str, run: str, attempt: str) -> None:
        self._client = client
        self._bucket = bucket
        self._run = run
        self._attempt = attempt
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

    def manifest(self) -> dict[str, Any]:
        """The manifest as it was read."""
        return json.loads(self._get("manifest.json"))

    def deletes(self) -> list[str]:
        """The ids that the manifest deletes."""
        return self.manifest().get("deletes", [])

    def stopped(self) -> bool:
        """Whether somebody has asked this attempt to stop. S3 answers 404 only to a role that may list the bucket."""
        try:
            self._client.head_object(Bucket=self._bucket, Key=f"{self._work}/stop-{self._attempt}.json")
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                return False
            raise
        return True

    def find_plan(self) -> dict[str, Any] | None:
        """The run's whole plan, whichever attempt made it; None while there is none."""
        try:
            return json.loads(self._get("plan.json"))
        except WorkMissing:
            return None

    def plan(self) -> dict[str, Any]:
        """The run's whole plan: `{"attempt", "passes", "planned", "failed", "unchanged", "chunks": [documents, ...],
        "retry"?}`. Raises WorkMissing."""
        return self._plan

    def publish_plan(self, plan: dict[str, Any]) -> dict[str, Any]:
        """Make this attempt's plan the run's, unless the run has one; return the one that it has now.

        S3 creates the object only where there is none (user guide, "Conditional writes"), so a run has one plan however
        many attempts end planning at once.
        """
        key = f"{self._work}/plan.json"
        for look in count(1):
            try:
                self._client.put_object(Bucket=self._bucket, Key=key, Body=_json(plan), IfNoneMatch="*")
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "ConditionalRequestConflict" and look < CONFLICTS:
                    continue
                if code != "PreconditionFailed":
                    raise
            break
        return self.plan()

    def save_chunk(self, chunk: Chunk) -> None:
        """Write one chunk of this attempt's plan."""
        self._put(f"plans/{self._attempt}/chunks/{chunk['chunk']:05}.json", _json(chunk))

    def chunk(self, number: int) -> Chunk:
        """Read one chunk of the run's plan."""
        return json.loads(self._get(f"{self._planned}/chunks/{number:05}.json"))

    def planned_outcomes_writer(self, planning_pass: int) -> ObjectWriter:
        """A writer for the outcomes of what one pass of this attempt's planning puts into no chunk."""
        key = f"{self._work}/plans/{self._attempt}/outcomes-{planning_pass:05}.jsonl"
        return ObjectWriter(self._client, self._bucket, key, JSON_LINES)

    def catalogue_writer(self, planning_pass: int) -> ObjectWriter:
        """A writer for what one pass of this attempt's planning read of the folder (`catalogue.py`)."""
        key = f"{self._work}/plans/{self._attempt}/catalogue-{planning_pass:05}.jsonl"
        return ObjectWriter(self._client, self._bucket, key, JSON_LINES)

    def publish_catalogue(self, folder: str, passes: int) -> None:
        """Make what this attempt's planning read of a folder the next job's catalogue of it."""
        parts = [f"{self._work}/plans/{self._attempt}/catalogue-{number:05}.jsonl" for number in range(passes)]
        self._client.put_object(Bucket=self._bucket, Key=_catalogue(folder), Body=_json({"parts": parts}))

    def catalogue(self, folder: str) -> Iterator[bytes]:
        """The lines of a folder's catalogue, as the last job that was planned left it; none where that has expired."""
        try:
            for part in json.loads(self._open(_catalogue(folder)).read())["parts"]:
                yield from _lines(self._open(part))
        except WorkMissing:
            return

    def planned_outcomes(self, planning_pass: int) -> Iterator[Outcome]:
        """Read the outcomes of what one pass of the run's planning put into no chunk, a little at a time."""
        for line in _lines(self._open(f"{self._work}/{self._planned}/outcomes-{planning_pass:05}.jsonl")):
            yield from from_lines(line)

    def save_plan_state(self, planning_pass: int, state: dict[str, Any], ids: bytes) -> None:
        """Write what the next pass of planning needs."""
        self._put(f"plans/{self._attempt}/state-{planning_pass:05}.ids", ids)
        self._put(f"plans/{self._attempt}/state-{planning_pass:05}.json", _json(state))

    def plan_state(self, planning_pass: int) -> tuple[dict[str, Any], bytes]:
        """Read what the pass before this one left."""
        place = f"plans/{self._attempt}/state-{planning_pass:05}"
        return json.loads(self._get(f"{place}.json")), self._get(f"{place}.ids")

    def save_sends(self, chunk: int, first_request: int, outcomes: Iterable[Outcome]) -> None:
        """Write the outcomes of a chunk's requests from this number on."""
        name = f"send-{first_request:05}-{self._attempt}.jsonl"
        self._put(f"outcomes/{chunk:05}/{name}", to_lines(outcomes))

    def sends(self, chunk: int, first_request: int) -> list[Outcome]:
        """What any attempt has written with `save_sends` for exactly this place; empty if none has."""
        where = f"outcomes/{chunk:05}/send-{first_request:05}-"
        return [outcome for name in self._names(where) for outcome in from_lines(self._get(where + name))]

    def save_verdicts(self, chunk: int, turn: int, outcomes: Iterable[Outcome]) -> None:
        """Write what the index said of a chunk's documents in this turn."""
        self._put(f"outcomes/{chunk:05}/verify-{turn:05}-{self._attempt}.jsonl", to_lines(outcomes))

    def outcomes(self, chunk: int) -> Outcomes:
        """All that any attempt knows of a chunk."""
        sends: list[Outcome] = []
        verdicts: list[Outcome] = []
        own_turns: dict[int, list[Outcome]] = {}
        for name in sorted(self._names(f"outcomes/{chunk:05}/")):
            kind, number, attempt = name.removesuffix(".jsonl").split("-", 2)
            found = list(from_lines(self._get(f"outcomes/{chunk:05}/{name}")))
            if kind == "send":
                sends += found
            else:
                verdicts += found
                if attempt == self._attempt:
                    own_turns[int(number)] = found
        return Outcomes(sends, verdicts, own_turns)

    def save_verification(self, state: dict[str, Any]) -> None:
        """Write what is still pending."""
        self._put(f"verification-{self._attempt}.json", _json(state))

    def verification(self) -> dict[str, Any] | None:
        """Read what is still pending; None before this attempt's first turn."""
        try:
            return json.loads(self._get(f"verification-{self._attempt}.json"))
        except WorkMissing:
            return None

    def save_part(self, action: Action, chunk: int, request: int, body: bytes) -> None:
        """Write the rows of failures.csv that one request gave, for whoever watches the job."""
        key = f"{self._reports}/{action}/part-{self._run}-{chunk:05}-{request:05}.csv"
        self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=CSV, Tagging=PART_TAG)

    def report_lines(self, job_id: str) -> Iterator[str]:
        """The lines of another job's failures.csv, which are not its rows: a quoted cell may hold a line's end. Raises
        WorkMissing."""
        body = self._open(f"_reports/{job_id}/failures.csv")
        decode = codecs.getincrementaldecoder("utf-8")().decode
        rest = ""
        while block := body.read(READ_BYTES):
            *lines, rest = (rest + decode(block)).split("\n")
            yield from (f"{line}\n" for line in lines)
        if rest:
            yield rest

    def report_summary(self, job_id: str) -> dict[str, Any]:
        """Another job's summary.json. Raises WorkMissing."""
        return json.loads(self._open(f"_reports/{job_id}/summary.json").read())

    def failures_writer(self) -> ObjectWriter:
        """A writer for failures.csv, of any length."""
        return ObjectWriter(self._client, self._bucket, f"{self._reports}/failures.csv", CSV)

    def save_summary(self, body: bytes) -> None:
        """Write summary.json."""
        self._client.put_object(
            Bucket=self._bucket,
            Key=f"{self._reports}/summary.json",
            Body=body,
            ContentType="application/json",
        )

    @cached_property
    def _plan(self) -> dict[str, Any]:
        return json.loads(self._get("plan.json"))

    @property
    def _planned(self) -> str:
        return f"plans/{self._plan['attempt']}"

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


def _catalogue(folder: str) -> str:
    """No job's id begins with an underscore."""
    return f"_work/_catalogues/{blake2b(folder.encode('utf-8'), digest_size=16).hexdigest()}.json"


def _lines(body: Any) -> Iterator[bytes]:
    rest = b""
    while block := body.read(READ_BYTES):
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii")
