"""What every command shares: the global options, where to print, and the deployment to talk to."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from millrace import deployment, functions, search
from millrace.deployment import Deployment, Workflow
from millrace.errors import UsageError
from millrace.executions.adapter import Executions
from millrace.executions.counting import Counting, Progress
from millrace.executions.view import Requests, RunView
from millrace.incidents.checking import Stores
from millrace.incidents.waiting import WaitingTable
from millrace.jobs import Jobs
from millrace.reports import Reports
from millrace.search import Search
from millrace.store.table import StoreTable
from millrace.syncs import Syncs

WIDTH_WITHOUT_TERMINAL = 160


@dataclass
class Context:
    """`machine` asks for JSON; `announce` says on stderr which deployment a command talks to."""

    folder: Path
    outputs: Path | None
    machine: bool
    debug: bool
    announce: bool = True
    _clients: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def console(self) -> Console:
        """For people: stdout, or stderr where stdout belongs to a script."""
        return _console(stderr=self.machine)

    @cached_property
    def notes(self) -> Console:
        """For people, and never part of the answer."""
        return _console(stderr=True, style="dim")

    def emit(self, document: Any) -> None:
        """Print one JSON document in one line, where JSON was asked for."""
        if self.machine:
            typer.echo(json.dumps(document, ensure_ascii=False, default=_as_json))

    @cached_property
    def deployment(self) -> Deployment:
        found = deployment.find(self.folder, self.outputs)
        if self.announce:
            self.notes.print(f"talking to {found.describe()}", markup=False, soft_wrap=True)
        return found

    def call(self, function: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """What a function answers to an event. Raises FunctionFailed."""
        return functions.call(self.deployment.client("lambda", **functions.INVOKE_SETTINGS), function, event).said

    def client(self, service: str) -> Any:
        """A client for the deployment; each service's is made once."""
        if service not in self._clients:
            self._clients[service] = self.deployment.client(service)
        return self._clients[service]

    @cached_property
    def executions(self) -> Executions:
        """Those of kendra_ingestion."""
        return self.executions_of(Workflow.KENDRA_INGESTION)

    @property
    def compactions(self) -> Executions:
        """Those of vector_store."""
        return self.executions_of(Workflow.VECTOR_STORE)

    def executions_of(self, workflow: Workflow) -> Executions:
        """Raises NotDeployed."""
        return Executions(self.client("stepfunctions"), self.deployment.state_machine_of(workflow))

    def workflow(self, chosen: Workflow | None) -> Workflow:
        """The chosen workflow, or else the first that is deployed."""
        return chosen or self.deployment.workflows[0]

    @cached_property
    def jobs(self) -> Jobs:
        return Jobs(self.client("dynamodb"), self.deployment.ingestion.jobs_table)

    @cached_property
    def reports(self) -> Reports:
        return Reports(self.client("s3"), self.deployment.ingestion.reports_bucket)

    @cached_property
    def syncs(self) -> Syncs:
        return Syncs(self.client("dynamodb"), self.deployment.sync.sync_table)

    @cached_property
    def waiting(self) -> WaitingTable:
        """The incidents that wait."""
        return WaitingTable(self.client("dynamodb"), self.deployment.incidents.incident_sync_table)

    @cached_property
    def stores(self) -> Stores:
        """Where incidents and their objects are."""
        return Stores(self.client("dynamodb"), self.client("s3"), self.deployment.incidents)

    @cached_property
    def flights(self) -> Syncs:
        """The requests for compactions, by collection."""
        return Syncs(self.client("dynamodb"), self.deployment.store.flights_table)

    @cached_property
    def store_table(self) -> StoreTable:
        """What waits for the vector store, and what of it is published."""
        return StoreTable(self.client("dynamodb"), self.deployment.store.vector_store_table)

    @cached_property
    def search(self) -> Search:
        return search.of(self.deployment, self.client)

    def counting(self) -> Callable[[RunView], Requests | None]:
        """What says how far the queues are while one execution is watched; nothing where there are none."""
        table = self.deployment.ingestion.progress_table
        return Counting(Progress(self.client("dynamodb"), table)) if table else lambda _: None

    @property
    def seconds_between_looks(self) -> float:
        """How often to look at a running execution; AWS's quotas allow far more than one look a second."""
        return 0.2 if self.deployment.embedded else 1.0


def settings_of(
    option: str, settings: Iterable[str], is_name: Callable[[str], bool] = str.isidentifier
) -> dict[str, Any]:
    """`NAME=VALUE`, given with this option: a value that is JSON is that value, any other a text. Raises UsageError."""
    found: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not is_name(name):
            raise UsageError(f"{option} {setting!r} is not NAME=VALUE")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def _as_json(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{value!r} has no place in JSON")


def _console(**settings: Any) -> Console:
    """A console that fits its terminal; a file or a pipe has no width to fit."""
    console = Console(highlight=False, **settings)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDTH_WITHOUT_TERMINAL
    return console
