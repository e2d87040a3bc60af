"""The MCP server as a client starts it, against a deployment on the embedded AWS."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.types import CallToolResult

from benchmarks.incident_table import closed
from tests.end_to_end.command import REPOSITORY
from tests.end_to_end.incident_laws import expect_settled
from tests.end_to_end.incident_stack import IncidentStack
from tests.end_to_end.stack import ENDED
from tests.end_to_end.test_permissions import as_list, unused

PAGE = REPOSITORY / "docs" / "mcp.md"
PERSON = "a-person"
FUNCTION = "incident-kb-batch-sync"
STATISTICS = (
    "numberOfDocumentsScanned",
    "numberOfNewDocumentsIndexed",
    "numberOfModifiedDocumentsIndexed",
    "numberOfDocumentsDeleted",
    "numberOfDocumentsFailed",
)
A_PASS = 50
SOON = 20.0
"""Seconds: much more than an answer takes, and a job that is held would be waited for longer."""


@dataclass(frozen=True)
class Session:
    """A server process, and a client that talks to it; `told` is what the last call reported."""

    portal: BlockingPortal
    client: Client
    told: list[str] = field(default_factory=list)

    @classmethod
    @contextlib.contextmanager
    def of(cls, *arguments: object, **env: str) -> Iterator[Session]:
        """Start the server with these arguments before `mcp`, and this environment beside the usual one."""
        command = ["-m", "millrace", *map(str, arguments), "mcp"]
        server = StdioServerParameters(command=sys.executable, args=command, env=env, cwd=REPOSITORY)
        with start_blocking_portal() as portal, portal.wrap_async_context_manager(Client(server)) as client:
            yield cls(portal, client)

    def begin(self, tool: str, **arguments: Any) -> Future[CallToolResult]:
        """Call a tool, and go on."""

        async def progress(_: float, __: float | None, message: str | None) -> None:
            self.told.append(message or "")

        async def call() -> CallToolResult:
            return await self.client.call_tool(tool, arguments, progress_callback=progress)

        self.told.clear()
        return self.portal.start_task_soon(call)

    def answer(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured content of a call that succeeds."""
        return self.answered(self.begin(tool, **arguments))

    @staticmethod
    def answered(call: Future[CallToolResult]) -> dict[str, Any]:
        """The same of a call that was begun."""
        found = call.result()
        assert not found.is_error, found.content
        assert isinstance(found.structured_content, dict)
        return found.structured_content

    def error(self, tool: str, **arguments: Any) -> str:
        found = self.begin(tool, **arguments).result()
        assert found.is_error, found.structured_content
        return " ".join(content.text for content in found.content if content.type == "text")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IncidentStack]:
    stack = IncidentStack.with_incidents(tmp_path_factory.mktemp("mcp"))
    yield stack
    stack.instance.stop()


@pytest.fixture(scope="module")
def session(stack: IncidentStack) -> Iterator[Session]:
    """A server for that embedded AWS, with credentials of a person that must not be used."""
    never = {"AWS_PROFILE": "of-a-person", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    with Session.of("--dir", stack.instance.folder, **never) as session:
        yield session


@contextlib.contextmanager
def job_held(stack: IncidentStack) -> Iterator[None]:
    """The next job, which is asked for in this block, goes on when the block ends; then all runs end."""
    with stack.data_source.held():
        yield
        stack.wait_until(lambda: stack.data_source.item.job, "the job has begun")
    stack.wait_until(lambda: all(run["status"] in ENDED for run in stack.runs()), "all runs have ended")


def test_a_client_lists_the_tools_with_their_schemas_and_annotations(session: Session) -> None:
    tools = {tool.name: tool for tool in session.portal.call(session.client.list_tools).tools}
    assert tools.keys() == {"force_kb_sync", "sync_and_ingest", "kb_sync_status", "list_runs"}
    for name, tool in tools.items():
        assert tool.input_schema["type"] == "object"
        assert tool.output_schema
        assert tool.annotations
        assert tool.annotations.read_only_hint is (name in ("kb_sync_status", "list_runs"))
    assert tools["sync_and_ingest"].input_schema["properties"].keys() == {"wait_for_sync", "wait_for_ingestion"}
    assert tools["force_kb_sync"].input_schema["properties"].keys() == {"wait_for_completion"}


def test_with_both_waits_it_reports_progress_and_then_the_true_figures(stack: IncidentStack, session: Session) -> None:
    first, *others = stack.put(*[closed(f"both-{number}") for number in range(5)])
    stack.done()
    stack.reopen(first)
    new = stack.put(*[closed(f"both-new-{number}") for number in range(60)])
    stack.change(others[0], resolution="A windlass was fitted.")
    with stack.marking_held(after=A_PASS):
        call = session.begin("sync_and_ingest")
        stack.wait_until(lambda: any("pass 2" in told for told in session.told), "the second pass is told of")
    found = session.answered(call)
    (job,) = [job for job in stack.data_source.jobs() if job["id"] == found["ingestion_phase"]["job_id"]]
    assert found == {
        "status": "completed",
        "sync_phase": {"successfully_synced": 62, "failed": 0, "total_processed": 62},
        "ingestion_phase": {
            "job_id": job["id"],
            "status": "COMPLETE",
            "statistics": {name: job["statistics"][name] for name in STATISTICS},
        },
        "total_duration_seconds": found["total_duration_seconds"],
    }
    statistics = found["ingestion_phase"]["statistics"]
    assert [statistics[name] for name in STATISTICS] == [64, 60, 1, 1, 0]
    run = stack.run_ended(stack.runs()[0]["executionArn"])
    assert found["total_duration_seconds"] == run.output["seconds"]
    assert run.name in session.told[0]
    assert any(told.startswith("SyncBatch") and "pass 2: 49 synced, 1 removed" in told for told in session.told)
    assert any(told.startswith("Ingest ") for told in session.told)
    expect_settled(stack, [first, *others, *new])


def test_with_waits_off_it_answers_at_once_and_the_run_goes_on(stack: IncidentStack, session: Session) -> None:
    (name,) = stack.put(closed("at-once"))
    with job_held(stack):
        began = time.monotonic()
        found = session.answer("sync_and_ingest", wait_for_sync=False, wait_for_ingestion=False)
        assert time.monotonic() - began < SOON
        nothing = dict.fromkeys(("sync_phase", "ingestion_phase", "total_duration_seconds"))
        assert found == {"status": "started", **nothing}
        assert stack.runs()[0]["status"] == "RUNNING"
    expect_settled(stack, [name])


def test_with_the_sync_alone_it_answers_while_the_job_still_runs(stack: IncidentStack, session: Session) -> None:
    (name,) = stack.put(closed("sync-alone"))
    with job_held(stack):
        found = session.answer("sync_and_ingest", wait_for_sync=True, wait_for_ingestion=False)
        assert found == {
            "status": "ingesting",
            "sync_phase": {"successfully_synced": 1, "failed": 0, "total_processed": 1},
            "ingestion_phase": None,
            "total_duration_seconds": None,
        }
        assert stack.marks(name)[name]["synced"] is True
        assert session.answer("kb_sync_status")["waiting"]["ingestion"]["incidents"] == 1
    expect_settled(stack, [name])


def test_a_call_that_is_cancelled_leaves_its_run_and_the_session_alive(stack: IncidentStack, session: Session) -> None:
    (name,) = stack.put(closed("cancelled"))
    with job_held(stack):
        call = session.begin("sync_and_ingest")
        stack.wait_until(lambda: any(told.startswith("Ingest ") for told in session.told), "the job is waited for")
        call.cancel()
        status = session.answer("kb_sync_status")
        assert (status["last_run"]["status"], status["waiting"]["ingestion"]["incidents"]) == ("RUNNING", 1)
    expect_settled(stack, [name])


def test_force_kb_sync_writes_all_that_waits_and_starts_no_job(stack: IncidentStack, session: Session) -> None:
    names = stack.put(*[closed(f"forced-{number}") for number in range(60)])
    jobs = len(stack.data_source.jobs())
    assert session.answer("force_kb_sync") == {
        "status": "completed",
        "lambda_execution": {"function_name": FUNCTION, "status_code": 200},
        "sync_results": {"successfully_synced": 60, "failed": 0, "total_processed": 60},
    }
    assert stack.waiting("ingestion").keys() == set(names)
    later = stack.put(closed("forced-later"))
    assert session.answer("force_kb_sync", wait_for_completion=False) == {
        "status": "started",
        "lambda_execution": {"function_name": FUNCTION, "status_code": 202},
        "sync_results": None,
    }
    stack.wait_until(lambda: not stack.waiting("sync"), "the pass that was asked for has ended")
    assert len(stack.data_source.jobs()) == jobs
    assert session.answer("kb_sync_status")["waiting"]["ingestion"]["incidents"] == 61
    stack.time_passes()
    stack.done()
    expect_settled(stack, [*names, *later])


def test_what_was_set_aside_is_shown_with_its_reason(stack: IncidentStack, session: Session) -> None:
    (name,) = stack.put(closed("aside", closed_at="yesterday"))
    assert session.answer("sync_and_ingest")["sync_phase"] == {
        "successfully_synced": 0,
        "failed": 1,
        "total_processed": 1,
    }
    status = session.answer("kb_sync_status")
    assert status["waiting"]["person"]["incidents"] == 1
    ((aside,), requests) = status["set_aside"], status["requests"]
    assert (aside["incident_id"], "closed_at" in aside["reason"]) == (name, True)
    assert (requests["source"], requests["pending"]) == ("incidents", 0)
    assert status["last_run"] == session.answer("list_runs", limit=1)["runs"][0]
    listed = session.answer("list_runs", limit=50)["runs"]
    assert {run["workflow"] for run in listed} == {"incident_sync", "kb_sync"}
    assert [run["started_at"] for run in listed] == sorted((run["started_at"] for run in listed), reverse=True)
    stack.delete(name)
    stack.done()


def test_an_ingestion_that_fails_is_an_error_with_its_cause(stack: IncidentStack, session: Session) -> None:
    (name,) = stack.put(closed("unlucky"))
    stack.data_source.order("FAILED", count=3, reason="the store is away")
    said = session.error("sync_and_ingest")
    assert "IngestionFailed" in said
    assert "the store is away" in said
    assert "waits for the next run" in said
    stack.time_passes()
    assert session.answer("sync_and_ingest")["status"] == "completed"
    expect_settled(stack, [name])


def policy_of_the_page(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The policy that docs/mcp.md tells a person to have, for this deployment."""
    blocks = re.findall(r"```json\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (found,) = (block for block in blocks if '"Statement"' in block)
    region, account = outputs["incident_sync_state_machine_arn"].split(":")[3:5]
    return json.loads(found.replace("REGION", region).replace("ACCOUNT", account))


@contextlib.contextmanager
def as_a_person(stack: IncidentStack, folder: Path, policy: Mapping[str, Any]) -> Iterator[Session]:
    """A server as on AWS: outputs from a file, and the credentials of a person who has this policy and no other."""
    iam = stack.client("iam")
    iam.create_user(UserName=PERSON)
    iam.put_user_policy(UserName=PERSON, PolicyName="mcp", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=PERSON)["AccessKey"]
    outputs = folder / "outputs.json"
    outputs.write_text(json.dumps(stack.outputs))
    env = {
        "MILLRACE_OUTPUTS": str(outputs),
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        "AWS_ENDPOINT_URL": stack.instance.url,
    }
    try:
        with Session.of(**env) as session:
            yield session
    finally:
        iam.delete_access_key(UserName=PERSON, AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName=PERSON, PolicyName="mcp")
        iam.delete_user(UserName=PERSON)


def test_the_policy_of_the_page_is_enough_and_all_of_it_is_used(stack: IncidentStack, tmp_path: Path) -> None:
    policy = policy_of_the_page(stack.outputs)
    arn = f"arn:aws:iam::{stack.outputs['incident_sync_state_machine_arn'].split(':')[4]}:user/{PERSON}"
    stack.instance.forget_calls()
    with as_a_person(stack, tmp_path, policy) as session:
        names = stack.put(closed("permitted-1"))
        assert session.answer("force_kb_sync")["sync_results"]["successfully_synced"] == 1
        names += stack.put(closed("permitted-2"))
        assert session.answer("sync_and_ingest")["sync_phase"]["successfully_synced"] == 1
        assert session.answer("kb_sync_status")["waiting"]["sync"]["incidents"] == 0
        assert session.answer("list_runs")["runs"]
        mine = [call for call in stack.instance.calls() if call["principal"] == arn]
        assert not [call for call in mine if not call["allowed"]]
        granted = [
            (arn, action, resource)
            for statement in policy["Statement"]
            for action in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
        ]
        assert unused(stack, granted, excused=()) == []
        reading = [each for each in policy["Statement"] if each["Sid"] not in ("StartRuns", "WorkPasses")]
        stack.client("iam").put_user_policy(
            UserName=PERSON, PolicyName="mcp", PolicyDocument=json.dumps({**policy, "Statement": reading})
        )
        assert "states:StartExecution" in session.error("sync_and_ingest")
        assert "lambda:InvokeFunction" in session.error("force_kb_sync")
        assert session.answer("list_runs")["runs"]
    stack.time_passes()
    stack.done()
    expect_settled(stack, names)


def test_without_a_deployment_each_tool_says_how_to_get_one(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps({"workflows": ["kb_sync"], "aws_region": "us-east-1"}))
    with Session.of("--outputs", outputs) as session:
        assert "terraform apply" in session.error("list_runs")
        outputs.unlink()
        assert "cannot read" in session.error("sync_and_ingest")
