"""Step Functions in Millrace's words: list, describe, start, abort and redrive executions, and read their history."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from millrace.errors import NotFound, from_aws
from millrace.executions.view import Event

PAGE = 1_000  # GetExecutionHistory's and ListExecutions' largest page


@dataclass(frozen=True)
class Execution:
    """`redrivable` is whether Step Functions would take it up again, `redrives` how often it did. `error` and `cause`
    are of one that failed, timed out or was aborted."""

    arn: str
    name: str
    status: str
    started: datetime
    ended: datetime | None = None
    input: str | None = None
    output: str | None = None
    redrivable: bool = False
    redrives: int = 0
    error: str | None = None
    cause: str | None = None

    @property
    def running(self) -> bool:
        return self.status in ("RUNNING", "PENDING_REDRIVE")

    @property
    def seconds(self) -> float:
        """How long it took; of one that has not ended, so far."""
        return round(((self.ended or datetime.now(UTC)) - self.started).total_seconds(), 3)


class Executions:
    def __init__(self, client: Any, state_machine_arn: str) -> None:
        self._client = client
        self._machine = state_machine_arn

    def arn_of(self, name: str) -> str:
        """The ARN of an execution by its name; an ARN stays as it is."""
        if name.startswith("arn:"):
            return name
        return f"{self._machine.replace(':stateMachine:', ':execution:')}:{name}"

    def newest(self, limit: int) -> list[Execution]:
        """Up to `limit` executions, newest first, without their input and output."""
        return list(itertools.islice(self._all(min(limit, PAGE)), limit))

    def describe(self, arn: str) -> Execution:
        try:
            said = self._client.describe_execution(executionArn=arn)
        except self._client.exceptions.ExecutionDoesNotExist as error:
            raise NotFound(f"there is no execution {arn}; list them: millrace runs") from error
        return _execution(said)

    def find(self, arn: str) -> Execution | None:
        """None where Step Functions does not know it, or no longer."""
        try:
            return self.describe(arn)
        except NotFound:
            return None

    def is_running(self, name: str) -> bool:
        """Whether Step Functions knows this execution (name or ARN) and it has not ended."""
        found = self.find(self.arn_of(name))
        return found is not None and found.running

    def start(self, document: Mapping[str, Any], name: str | None = None) -> Execution:
        """Start one with this input, as its event would. With a name of its own it starts once, however often the
        request is sent."""
        named = {"name": name} if name else {}
        said = self._client.start_execution(stateMachineArn=self._machine, input=json.dumps(document), **named)
        return self.describe(said["executionArn"])

    def abort(self, arn: str, cause: str) -> None:
        """End it where it stands, without a word to the state machine. One that has ended stays as it is."""
        self._client.stop_execution(executionArn=arn, error="Aborted", cause=cause)

    def redrive(self, arn: str) -> None:
        """Go on with the state in which it stopped."""
        try:
            self._client.redrive_execution(executionArn=arn)
        except self._client.exceptions.ExecutionNotRedrivable as error:
            raise from_aws(error) from error

    def of_manifest(self, bucket: str, key: str, since: datetime) -> Execution | None:
        """The newest execution that began at `since` or later and whose input names this manifest."""
        for execution in self._all(page=50):
            if execution.started < since:
                return None
            described = self.describe(execution.arn)
            if manifest_of(described.input) == (bucket, key):
                return described
        return None

    def history(self, arn: str, page: int = PAGE) -> History:
        """A reader of its history that asks for `page` events at a time, at most 1,000."""
        return History(self._client, arn, page)

    def _all(self, page: int) -> Iterator[Execution]:
        arguments: dict[str, Any] = {"stateMachineArn": self._machine, "maxResults": page}
        while True:
            try:
                said = self._client.list_executions(**arguments)
            except self._client.exceptions.StateMachineDoesNotExist as error:
                raise from_aws(error) from error
            yield from map(_execution, said["executions"])
            if not said.get("nextToken"):
                return
            arguments["nextToken"] = said["nextToken"]


class History:
    """An execution's events, read further at each `read`: a page that was full is never asked for again."""

    def __init__(self, client: Any, arn: str, page: int = PAGE) -> None:
        self._client = client
        self._arn = arn
        self._page = page
        self._token: str | None = None
        self.events: list[Event] = []

    def read(self) -> list[Event]:
        """All events so far, oldest first."""
        while self._read_page():
            pass
        return self.events

    def first_page(self) -> list[Event]:
        """The first events, as many as a page holds."""
        self._read_page()
        return self.events

    def _read_page(self) -> bool:
        """Read the page that the last reading ended in, or the next; whether there are more pages."""
        arguments: dict[str, Any] = {"executionArn": self._arn, "maxResults": self._page}
        if self._token:
            arguments["nextToken"] = self._token
        said = self._client.get_execution_history(**arguments)
        known = self.events[-1]["id"] if self.events else 0
        self.events.extend(event for event in said["events"] if event["id"] > known)
        self._token = said.get("nextToken") or self._token
        return bool(said.get("nextToken"))


def manifest_of(execution_input: str | None) -> tuple[str, str] | None:
    """Bucket and key that an execution was started for; None where its input is something else."""
    try:
        said = json.loads(execution_input or "null")
        return said["bucket"], said["key"]
    except (ValueError, TypeError, KeyError):
        return None


def _execution(said: dict[str, Any]) -> Execution:
    return Execution(
        arn=said["executionArn"],
        name=said["name"],
        status=said["status"],
        started=said["startDate"],
        ended=said.get("stopDate"),
        input=said.get("input"),
        output=said.get("output"),
        redrivable=said.get("redriveStatus") == "REDRIVABLE",
        redrives=said.get("redriveCount", 0),
        error=said.get("error"),
        cause=said.get("cause"),
    )
