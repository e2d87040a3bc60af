"""The tools as a client meets them, against small services that behave."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import anyio
import pytest
from botocore.exceptions import NoCredentialsError
from mcp.client.client import Client
from mcp.types import Tool

from millrace.errors import NoDeployment
from tests.fakes.operator.aws import INCIDENT_MACHINE, SYNC_MACHINE
from tests.fakes.operator.mcp_world import FUNCTION, SOURCE_KEY, World, a_whole_run, execution, up_to

COUNTED = {"successfully_synced": 100, "failed": 1, "total_processed": 101}
STATISTICS = {
    "numberOfDocumentsScanned": 5,
    "numberOfNewDocumentsIndexed": 4,
    "numberOfModifiedDocumentsIndexed": 0,
    "numberOfDocumentsDeleted": 0,
    "numberOfDocumentsFailed": 1,
}


def listed(world: World) -> Mapping[str, Tool]:
    async def talk() -> Mapping[str, Tool]:
        async with Client(world.server()) as client:
            return {tool.name: tool for tool in (await client.list_tools()).tools}

    return anyio.run(talk)


class TestListing:
    def test_the_tools_have_these_arguments_and_no_others(self, world: World) -> None:
        found = {
            name: {argument: each.get("default") for argument, each in tool.input_schema["properties"].items()}
            for name, tool in listed(world).items()
        }
        assert found == {
            "force_kb_sync": {"wait_for_completion": True},
            "sync_and_ingest": {"wait_for_sync": True, "wait_for_ingestion": True},
            "kb_sync_status": {},
            "list_runs": {"limit": 10},
        }
        assert all(tool.input_schema["additionalProperties"] is False for tool in listed(world).values())

    def test_the_results_of_the_two_that_change_things_have_exactly_the_keys_that_were_promised(
        self, world: World
    ) -> None:
        tools = listed(world)
        assert keys(tools["force_kb_sync"]) == {
            "": {"status", "lambda_execution", "sync_results"},
            "LambdaExecution": {"function_name", "status_code"},
            "SyncCounts": {"successfully_synced", "failed", "total_processed"},
        }
        assert keys(tools["sync_and_ingest"]) == {
            "": {"status", "sync_phase", "ingestion_phase", "total_duration_seconds"},
            "SyncCounts": {"successfully_synced", "failed", "total_processed"},
            "IngestionPhase": {"job_id", "status", "statistics"},
            "IngestionStatistics": set(STATISTICS),
        }

    def test_what_reads_says_so_and_what_changes_things_says_how(self, world: World) -> None:
        for name, tool in listed(world).items():
            hints = tool.annotations
            assert hints is not None
            assert tool.description
            reads = name in ("kb_sync_status", "list_runs")
            assert (hints.read_only_hint, hints.destructive_hint) == (reads, not reads)
            assert (hints.idempotent_hint, hints.open_world_hint) == (reads, False)


def keys(tool: Tool) -> dict[str, set[str]]:
    """The properties of a tool's result and of each shape in it, all of which are required and closed."""
    schema: Any = tool.output_schema
    shapes = {"": schema, **schema.get("$defs", {})}
    for name, shape in shapes.items():
        assert shape["additionalProperties"] is False, name
        assert set(shape["required"]) == set(shape["properties"]), name
    return {name: set(shape["properties"]) for name, shape in shapes.items()}


class TestForceKbSync:
    def test_all_passes_are_counted_together(self, world: World) -> None:
        world.function.waiting, world.function.failing, world.function.to_remove = 120, 3, 2
        assert world.answer("force_kb_sync") == {
            "status": "completed",
            "lambda_execution": {"function_name": FUNCTION, "status_code": 200},
            "sync_results": {"successfully_synced": 117, "failed": 3, "total_processed": 120},
        }
        assert [event["pass"] for event in world.function.events] == [1, 2, 3]
        assert len({(event["run"], event["startedAt"]) for event in world.function.events}) == 1
        assert not world.aws.stepfunctions.executions, "no job was asked for"

    def test_with_nothing_to_do_one_pass_says_so(self, world: World) -> None:
        assert world.answer("force_kb_sync")["sync_results"] == dict.fromkeys(COUNTED, 0)

    def test_without_waiting_one_pass_is_asked_for(self, world: World) -> None:
        world.function.waiting = 120
        assert world.answer("force_kb_sync", wait_for_completion=False) == {
            "status": "started",
            "lambda_execution": {"function_name": FUNCTION, "status_code": 202},
            "sync_results": None,
        }
        assert [event["pass"] for event in world.function.events] == [1]

    def test_each_call_is_a_run_of_its_own(self, world: World) -> None:
        for _ in range(2):
            world.answer("force_kb_sync")
        assert len({event["run"] for event in world.function.events}) == 2

    def test_another_ones_pass_is_waited_for_and_the_client_hears_why(self, world: World) -> None:
        world.function.waiting, world.function.busy = 5, 3
        told: list[tuple[float, str]] = []
        found = world.call("force_kb_sync", told)
        assert found.structured_content["sync_results"]["successfully_synced"] == 5
        assert any("another pass runs" in sentence for _, sentence in told)

    def test_a_pass_that_never_gets_its_turn_ends_at_the_time_limit_with_what_to_do(self, world: World) -> None:
        world.function.busy = 10**6
        said = world.error("force_kb_sync", seconds=0.2)
        assert "time limit" in said
        assert "kb_sync_status" in said

    def test_stores_that_come_back_are_waited_for_and_those_that_do_not_are_named(self, world: World) -> None:
        world.function.waiting, world.function.unavailable = 5, 2
        assert world.answer("force_kb_sync")["sync_results"]["successfully_synced"] == 5
        world.function.unavailable = 10**6
        said = world.error("force_kb_sync")
        assert "PutItem was throttled" in said
        assert "nothing is lost" in said

    def test_a_function_that_breaks_is_told_with_its_log_and_without_its_stack(self, world: World) -> None:
        world.function.crash = "KeyError"
        said = world.error("force_kb_sync")
        assert "KeyError: it broke" in said
        assert f"/aws/lambda/{FUNCTION}" in said
        assert "a line of code" not in said


class TestSyncAndIngest:
    def test_with_both_waits_the_result_has_both_phases_and_the_true_figures(self, world: World) -> None:
        world.becomes(a_whole_run())
        assert world.answer("sync_and_ingest") == {
            "status": "completed",
            "sync_phase": COUNTED,
            "ingestion_phase": {"job_id": "J1", "status": "COMPLETE", "statistics": STATISTICS},
            "total_duration_seconds": 44.25,
        }

    def test_waiting_for_the_ingestion_includes_waiting_for_the_sync(self, world: World) -> None:
        world.becomes(a_whole_run())
        found = world.answer("sync_and_ingest", wait_for_sync=False, wait_for_ingestion=True)
        assert (found["status"], found["sync_phase"]) == ("completed", COUNTED)

    def test_the_text_has_the_same_document_and_the_executions_name(self, world: World) -> None:
        world.becomes(a_whole_run())
        found = world.call("sync_and_ingest")
        document, remark = (content.text for content in found.content)
        assert json.loads(document) == found.structured_content
        assert world.runs[0].name in remark

    def test_progress_names_the_execution_then_each_state_with_passes_and_counts(self, world: World) -> None:
        world.becomes(a_whole_run(), step=3)
        told: list[tuple[float, str]] = []
        assert not world.call("sync_and_ingest", told).is_error
        sentences = [sentence for _, sentence in told]
        assert world.runs[0].name in sentences[0]
        assert any("SyncBatch" in each and "pass 3: 65 synced, 2 removed, 1 failed" in each for each in sentences)
        assert any(each.startswith("Ingest (waiting until an ingestion job") for each in sentences)
        assert any("job J1 is complete" in each for each in sentences)
        seconds = [gone for gone, _ in told]
        assert seconds == sorted(set(seconds))

    def test_with_waits_off_it_answers_at_once_that_it_has_started(self, world: World) -> None:
        found = world.call("sync_and_ingest", wait_for_sync=False, wait_for_ingestion=False)
        assert found.structured_content == {
            "status": "started",
            "sync_phase": None,
            "ingestion_phase": None,
            "total_duration_seconds": None,
        }
        assert f"millrace watch --workflow incident_sync {world.runs[0].name}" in found.content[1].text

    def test_waiting_for_the_sync_alone_ends_when_the_ingestion_begins(self, world: World) -> None:
        world.becomes(up_to(a_whole_run(), "Ingest"))
        found = world.answer("sync_and_ingest", wait_for_ingestion=False)
        assert (found["status"], found["sync_phase"]) == ("ingesting", COUNTED)
        assert (found["ingestion_phase"], found["total_duration_seconds"]) == (None, None)

    def test_with_nothing_to_ingest_the_run_is_completed_without_a_job(self, world: World) -> None:
        world.becomes(a_whole_run(ingests=False))
        for wait_for_ingestion in (True, False):
            found = world.answer("sync_and_ingest", wait_for_ingestion=wait_for_ingestion)
            assert (found["status"], found["ingestion_phase"]) == ("completed", None)
            assert found["total_duration_seconds"] == 44.25

    def test_an_ingestion_that_failed_is_an_error_with_the_cause_of_kb_sync(self, world: World) -> None:
        cause = {
            "ExecutionArn": f"{SYNC_MACHINE.replace('stateMachine', 'execution')}:child",
            "Error": "JobFailed",
            "Cause": "3 jobs failed, the last of them J3: the bucket is gone",
            "Input": "{}",
        }
        world.becomes(a_whole_run(error=("IngestionFailed", f"States.TaskFailed: {json.dumps(cause)}")))
        said = world.error("sync_and_ingest")
        assert "IngestionFailed" in said
        assert "JobFailed: 3 jobs failed, the last of them J3: the bucket is gone" in said
        assert "waits for the next run" in said

    def test_the_time_limit_leaves_the_execution_running_and_says_how_to_look(self, world: World) -> None:
        world.becomes(up_to(a_whole_run(), "Ingest"))
        said = world.error("sync_and_ingest", seconds=0.2)
        (run,) = world.runs
        assert run.status == "RUNNING"
        assert f"execution {run.name} runs on" in said
        assert f"millrace watch --workflow incident_sync {run.name}" in said

    @pytest.mark.filterwarnings("ignore:ping is removed")
    def test_a_client_that_cancels_leaves_the_execution_running_and_the_log_says_so(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        world.becomes(up_to(a_whole_run(), "Ingest"))
        caplog.set_level(logging.INFO)

        async def talk() -> None:
            async with Client(world.server(), mode="legacy") as client:
                with anyio.move_on_after(0.3):
                    await client.call_tool("sync_and_ingest")
                await client.send_ping()
                assert len((await client.list_tools()).tools) == 4

        anyio.run(talk)
        (run,) = world.runs
        assert run.status == "RUNNING"
        assert f"a call was cancelled; execution {run.name} runs on" in caplog.text

    @pytest.mark.filterwarnings("ignore:ping is removed")
    def test_pings_and_other_calls_are_answered_while_a_call_waits(self, world: World) -> None:
        world.becomes(up_to(a_whole_run(), "Ingest"))

        async def talk() -> None:
            async with Client(world.server(), mode="legacy") as client, anyio.create_task_group() as calls:
                calls.start_soon(lambda: client.call_tool("sync_and_ingest"))
                while not world.runs:
                    await anyio.sleep(0.01)
                with anyio.fail_after(5):
                    await client.send_ping()
                    assert not (await client.call_tool("list_runs")).is_error
                calls.cancel_scope.cancel()

        anyio.run(talk)


class TestKbSyncStatus:
    def test_what_waits_is_counted_by_what_it_waits_for(self, world: World) -> None:
        for number in range(5):
            world.waits(f"INC-{number}", "sync", f"2026-11-22T13:00:0{number}.000Z")
        world.waits("INC-7", "person", "2026-11-22T12:00:00.000Z", "IncidentInvalid: closed_at is no date")
        world.aws.dynamodb.syncs[SOURCE_KEY] = {
            "requested": {"N": "3"},
            "completed": {"N": "2"},
            "job": {"S": "J2"},
            "pendingSince": {"S": "2026-11-22T12:59:00.000Z"},
            "last": {"M": {"job": {"S": "J1"}}},
        }
        world.aws.stepfunctions.add(execution("earlier", 1))
        world.aws.stepfunctions.add(execution("latest", 2, status="RUNNING"))
        found = world.answer("kb_sync_status")
        assert found["waiting"] == {
            "sync": {"incidents": 5, "since": "2026-11-22T13:00:00.000Z"},
            "ingestion": {"incidents": 0, "since": None},
            "person": {"incidents": 1, "since": "2026-11-22T12:00:00.000Z"},
        }
        reason = "IncidentInvalid: closed_at is no date"
        assert found["set_aside"] == [{"incident_id": "INC-7", "since": "2026-11-22T12:00:00.000Z", "reason": reason}]
        assert found["requests"] == {
            "source": "incidents",
            "pending": 1,
            "pending_since": "2026-11-22T12:59:00.000Z",
            "running_job": "J2",
            "last_job": "J1",
        }
        assert (found["last_run"]["name"], found["last_run"]["ended_at"]) == ("latest", None)

    def test_before_anything_ran_there_is_no_last_run(self, world: World) -> None:
        found = world.answer("kb_sync_status")
        assert (found["last_run"], found["set_aside"]) == (None, [])

    def test_many_set_aside_are_counted_and_the_first_of_them_shown(self, world: World) -> None:
        for number in range(30):
            world.waits(f"INC-{number}", "person", f"2026-11-22T12:00:{number:02}.000Z", "no text")
        found = world.call("kb_sync_status")
        assert found.structured_content["waiting"]["person"]["incidents"] == 30
        assert len(found.structured_content["set_aside"]) == 20
        assert "millrace incidents list --set-aside" in found.content[1].text


class TestListRuns:
    def test_both_workflows_come_together_the_newest_first(self, world: World) -> None:
        world.aws.stepfunctions.add(execution("asked-1", 1))
        world.aws.stepfunctions.add(execution("child", 2, machine=SYNC_MACHINE))
        world.aws.stepfunctions.add(execution("asked-2", 3, status="RUNNING"))
        runs = world.answer("list_runs")["runs"]
        assert [(run["name"], run["workflow"]) for run in runs] == [
            ("asked-2", "incident_sync"),
            ("child", "kb_sync"),
            ("asked-1", "incident_sync"),
        ]
        assert (runs[2]["seconds"], runs[2]["status"]) == (9.0, "SUCCEEDED")
        assert runs[2]["execution"] == f"{INCIDENT_MACHINE.replace('stateMachine', 'execution')}:asked-1"
        assert [run["name"] for run in world.answer("list_runs", limit=1)["runs"]] == ["asked-2"]

    def test_a_limit_that_makes_no_sense_is_refused(self, world: World) -> None:
        for limit in (0, 101, "many"):
            assert "limit" in world.error("list_runs", limit=limit)


class TestErrors:
    def test_an_argument_that_a_tool_does_not_have_is_refused_and_named(self, world: World) -> None:
        assert "wait_for_ingest" in world.error("sync_and_ingest", wait_for_ingest=False)
        assert not world.runs

    def test_without_a_deployment_the_error_says_how_to_get_one(self, world: World) -> None:
        world.gone = NoDeployment("no deployment found: run millrace local up")
        assert "run millrace local up" in world.error("kb_sync_status")

    def test_a_deployment_without_incidents_says_what_to_add(self, world: World) -> None:
        world.aws.outputs = {**world.aws.outputs, "workflows": ["kb_sync"]}
        for tool in ("force_kb_sync", "sync_and_ingest", "kb_sync_status", "list_runs"):
            said = world.error(tool)
            assert "incident_sync is not deployed" in said
            assert "workflows" in said

    def test_a_deployment_that_changes_is_seen_by_the_next_call(self, world: World) -> None:
        async def talk() -> list[bool]:
            async with Client(world.server()) as client:
                world.gone = NoDeployment("nothing there")
                first = await client.call_tool("list_runs")
                world.gone = None
                return [first.is_error, (await client.call_tool("list_runs")).is_error]

        assert anyio.run(talk) == [True, False]

    @pytest.mark.parametrize(
        ("tool", "operation", "action"),
        [
            ("force_kb_sync", "Invoke", "lambda:InvokeFunction"),
            ("sync_and_ingest", "StartExecution", "states:StartExecution"),
            ("sync_and_ingest", "GetExecutionHistory", "states:GetExecutionHistory"),
            ("kb_sync_status", "Query", "dynamodb:Query"),
            ("list_runs", "ListExecutions", "states:ListExecutions"),
        ],
    )
    def test_a_missing_permission_is_named(self, world: World, tool: str, operation: str, action: str) -> None:
        world.refused[operation] = "AccessDeniedException"
        said = world.error(tool)
        assert f"AWS refused {operation}" in said
        assert action in said
        assert "docs/mcp.md" in said

    def test_missing_credentials_are_explained_by_the_clients_environment(self, world: World) -> None:
        def refuse() -> dict[str, Any]:
            raise NoCredentialsError

        world.sts.get_caller_identity = refuse  # type: ignore[method-assign]
        assert "AWS_PROFILE" in world.error("force_kb_sync")

    def test_logs_hold_no_reason_and_no_figure_of_a_result(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        world.waits("INC-7", "person", "2026-11-22T12:00:00.000Z", "a reason to be read by a person")
        assert world.answer("kb_sync_status")["set_aside"]
        assert "reason" not in caplog.text
        assert "INC-7" not in caplog.text


def test_a_clock_that_is_wrong_here_does_not_reach_the_function(world: World) -> None:
    world.sts.now += timedelta(hours=3)
    world.answer("force_kb_sync")
    assert world.function.events[0]["startedAt"].startswith(f"{world.sts.now:%Y-%m-%dT%H:%M:%S}.")
