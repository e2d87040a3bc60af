"""A deployment of small services that behave, and a client that talks to the server in this process."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import anyio
from mcp.client.client import Client
from mcp.types import CallToolResult

from millrace.cli.context import Context
from millrace.errors import MillraceError
from millrace.mcp_server.server import Server
from tests.fakes.operator.aws import INCIDENT_MACHINE, INCIDENTS, FakeAws, FakeExecution, refusal
from tests.fakes.operator.histories import BEGAN, HistoryWriter, covered_by

# ruff: noqa: N803 - the names of arguments are those of AWS

FUNCTION: str = INCIDENTS["incident_batch_sync_function"]
SOURCE_KEY = "KB12345678/DS87654321"
A_PASS = 50


@dataclass
class FakeBatchSync:
    """Lambda with the one function (docs/incident_sync.md): up to 50 incidents a pass, of which some fail; a pass asked
    for again is answered as before. `busy` and `unavailable` are how many answers say so first."""

    waiting: int = 0
    to_remove: int = 0
    failing: int = 0
    busy: int = 0
    unavailable: int = 0
    crash: str | None = None
    throttled: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    meanwhile: Callable[[], None] = lambda: None

    def invoke(self, *, FunctionName: str, Payload: bytes, InvocationType: str = "RequestResponse") -> dict[str, Any]:
        assert FunctionName == FUNCTION
        event = json.loads(Payload)
        assert event.keys() == {"run", "pass", "startedAt"}
        self.events.append(event)
        if InvocationType == "Event":
            return {"StatusCode": 202, "Payload": io.BytesIO(b"")}
        self.meanwhile()
        if self.throttled:
            self.throttled -= 1
            raise refusal("Invoke", "TooManyRequestsException")
        answer = self._failure() or self._work(event["run"], event["pass"])
        failed = {"FunctionError": "Unhandled"} if "errorType" in answer else {}
        return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(answer).encode()), **failed}

    def _failure(self) -> dict[str, Any] | None:
        if self.crash:
            return {"errorType": self.crash, "errorMessage": "it broke", "stackTrace": ["a line of code"]}
        if self.busy:
            self.busy -= 1
            return {"errorType": "PassBusy", "errorMessage": "run asked-1 works pass 3"}
        if self.unavailable:
            self.unavailable -= 1
            return {"errorType": "StoreUnavailable", "errorMessage": "PutItem was throttled"}
        return None

    def _work(self, run: str, number: int) -> dict[str, Any]:
        if (run, number) not in self.answers:
            taken = min(self.waiting, A_PASS)
            self.waiting -= taken
            failed = min(self.failing, taken)
            self.failing -= failed
            removed = min(self.to_remove, taken - failed)
            self.to_remove -= removed
            self.answers[run, number] = {
                "synced": taken - failed - removed,
                "removed": removed,
                "failed": failed,
                "setAside": 0,
                "overtaken": 0,
                "more": self.waiting > 0,
                "uncovered": taken > failed,
            }
        return self.answers[run, number]


class FakeSts:
    """Tells the time, as every answer of AWS does."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def get_caller_identity(self) -> dict[str, Any]:
        return {"ResponseMetadata": {"HTTPHeaders": {"date": format_datetime(self.now, usegmt=True)}}}


class Pages:
    """The index waits-for-index, in pages of two items that are counted or read."""

    def __init__(self, waiting: list[dict[str, Any]]) -> None:
        self._waiting = waiting

    def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
        assert asked["IndexName"] == "waits-for-index"
        kind = asked["ExpressionAttributeValues"][":kind"]["S"]
        found = sorted(
            (each for each in self._waiting if each["waits_for"]["S"] == kind), key=lambda e: e["since"]["S"]
        )
        for first in range(0, max(len(found), 1), 2):
            page = found[first : first + 2]
            yield {"Count": len(page)} if asked.get("Select") == "COUNT" else {"Items": page, "Count": len(page)}


class Recorded:
    """A client whose operations are noted, and refused where the test says so."""

    def __init__(self, client: Any, world: World) -> None:
        self._client = client
        self._world = world

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found) or name == "exceptions":
            return found

        def call(*given: Any, **named: Any) -> Any:
            operation = "".join(
                part.capitalize() for part in (given[0] if name == "get_paginator" else name).split("_")
            )
            self._world.operations.add(operation)
            if operation in self._world.refused:
                raise refusal(operation, self._world.refused[operation])
            return found(*given, **named)

        return call


class World:
    """What is deployed, and what the server did with it."""

    def __init__(self) -> None:
        self.aws = FakeAws(outputs=dict(INCIDENTS))
        self.function = FakeBatchSync()
        self.sts = FakeSts()
        self.waiting: list[dict[str, Any]] = []
        self.operations: set[str] = set()
        self.refused: dict[str, str] = {}
        self.connections = 0
        self.gone: MillraceError | None = None
        self.aws.dynamodb.get_paginator = lambda _: Pages(self.waiting)  # type: ignore[attr-defined]
        for name, client in {
            "lambda": self.function,
            "sts": self.sts,
            "stepfunctions": self.aws.stepfunctions,
            "dynamodb": self.aws.dynamodb,
        }.items():
            setattr(self, f"_{name}", Recorded(client, self))

    def find(self, *_: Any) -> Any:
        if self.gone is not None:
            raise self.gone
        self.connections += 1
        found = self.aws.deployment
        object.__setattr__(found, "client", lambda service, **_: getattr(self, f"_{service}"))
        return found

    def waits(self, incident_id: str, kind: str, since: str, reason: str | None = None) -> None:
        item = {"incident_id": {"S": incident_id}, "waits_for": {"S": kind}, "since": {"S": since}}
        self.waiting.append({**item, **({"reason": {"S": reason}} if reason else {})})

    def becomes(self, history: list[dict[str, Any]], step: int = 0) -> None:
        """Let each run that is started go so, revealed so many events at each look."""

        def go(execution: FakeExecution) -> None:
            execution.history = history

        self.aws.stepfunctions.becomes, self.aws.stepfunctions.step = go, step

    @property
    def runs(self) -> list[FakeExecution]:
        return [each for each in self.aws.stepfunctions.executions if each.machine == INCIDENT_MACHINE]

    def server(self, seconds: float = 30.0) -> Any:
        return Server(lambda: Context(Path(), None, machine=False, debug=False, announce=False), seconds).made()

    def call(
        self, tool: str, told: list[tuple[float, str]] | None = None, seconds: float = 30, **arguments: Any
    ) -> Any:
        """Call a tool through a client; what it reports goes into `told`."""

        async def progress(gone: float, _: float | None, message: str | None) -> None:
            if told is not None:
                told.append((gone, message or ""))

        async def talk() -> CallToolResult:
            async with Client(self.server(seconds)) as client:
                return await client.call_tool(tool, arguments, progress_callback=progress)

        return anyio.run(talk)

    def answer(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured content of a call that succeeds."""
        found = self.call(tool, **arguments)
        assert not found.is_error, found.content
        return found.structured_content

    def error(self, tool: str, **arguments: Any) -> str:
        found = self.call(tool, **arguments)
        assert found.is_error, found.structured_content
        return found.content[0].text


COUNTS = {"synced": 98, "removed": 2, "failed": 1, "setAside": 0, "overtaken": 0, "passes": 3, "more": False}
NOTHING = {"requested": False, "job": None, "searchable": 0, "removed": 0, "failed": 0, "setAside": 0}


def a_whole_run(*, ingests: bool = True, error: tuple[str, str] | None = None) -> list[dict[str, Any]]:
    """A run of incident_sync: three passes, and the job J1 where something was written; or its end with this error."""
    writer, output = HistoryWriter(), {}
    writer.add("ExecutionStarted", {"input": "{}"})
    for number in (1, 2, 3):
        writer.task("SyncBatch")
        counts = {**COUNTS, "synced": 98 * number // 3, "passes": number}
        output = {"sync": counts, "ingestion": NOTHING}
        writer.leave("CountPass", "Pass", after=writer.enter("CountPass", "Pass"), output=output)
    writer.leave("SyncDone", "Pass", after=writer.enter("SyncDone", "Pass"), output=output)
    ingestion: dict[str, Any] = NOTHING
    if error:
        writer.add("ExecutionFailed", {"error": error[0], "cause": error[1]})
        return writer.events
    if ingests:
        job = covered_by("J1", 4, failed=1)["job"]
        ingestion = {**NOTHING, "requested": True, "job": job, "searchable": 98, "removed": 2}
        writer.task("Ingest", output={**output, "ingestion": {**ingestion, "searchable": 0, "removed": 0}})
        writer.task("Confirm", output={**output, "ingestion": ingestion})
    writer.task("Measure")
    told = {"status": "completed", "run": "r", "startedAt": "s", "seconds": 44.25}
    writer.succeed({**told, "sync": COUNTS, "ingestion": ingestion})
    return writer.events


def up_to(events: list[dict[str, Any]], state: str) -> list[dict[str, Any]]:
    """The events until that state is entered."""
    entered = next(i for i, e in enumerate(events) if e.get("stateEnteredEventDetails", {}).get("name") == state)
    return events[: entered + 1]


def execution(name: str, minutes: int, machine: str = INCIDENT_MACHINE, status: str = "SUCCEEDED") -> FakeExecution:
    begun = BEGAN + timedelta(minutes=minutes)
    ended = begun + timedelta(seconds=9) if status != "RUNNING" else None
    return FakeExecution(name, [], status=status, started=begun, ended=ended, machine=machine)
