"""All workflows applied to an embedded AWS: what another apply would change, and what an upload sets off."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millrace.local import deploy, offline_terraform
from millrace.local.instance import Instance, Options

SETTLE_SECONDS = 60
WORKFLOWS = {"kendra_ingestion", "kb_sync", "incident_sync"}
FAST = {"sync_batching_window_seconds": 1, "sync_poll_seconds": 1, "sync_seconds_between_starts": 1}

KENDRA, SYNC, INCIDENTS = (f"module.{name}[0]" for name in ("kendra_ingestion", "kb_sync", "incident_sync"))
ROLES = {
    "module.state_machine.module.role.aws_iam_role{}.this": "module.state_machine.aws_iam_role{}.this",
    "module.events_role.aws_iam_role{}.this": "aws_iam_role{}.events",
    "module.kendra_reader[0].aws_iam_role{}.this": "aws_iam_role{}.kendra_reader[0]",
    'module.function["verify"].module.role.aws_iam_role{}.this': 'module.function["verify"].aws_iam_role{}.this',
}
"""Where Kendra ingestion had its roles, and with {} filled in their policies, before they were a module."""

FORMER = {
    f"{SYNC}.module.flight.module.table": f"{SYNC}.module.table",
    f"{SYNC}.module.flight.module.state_machine": f"{SYNC}.module.state_machine",
    f"{SYNC}.module.flight.module.sweeper": f"{SYNC}.module.sweeper",
    f"{SYNC}.module.flight.module.failed_role": f"{SYNC}.module.failed_role",
    f"{SYNC}.module.flight.aws_cloudwatch_event_rule.failed": f"{SYNC}.aws_cloudwatch_event_rule.failed",
    f"{SYNC}.module.flight.aws_cloudwatch_event_target.failed": f"{SYNC}.aws_cloudwatch_event_target.failed",
    f"{SYNC}.module.flight.module.sweep.module.role": f'{SYNC}.module.schedule_role["sweep"]',
    f"{SYNC}.module.flight.module.sweep.aws_scheduler_schedule.this": f'{SYNC}.aws_scheduler_schedule.this["sweep"]',
    f"{SYNC}.module.tick.module.role": f'{SYNC}.module.schedule_role["tick"]',
    f"{SYNC}.module.tick.aws_scheduler_schedule.this": f'{SYNC}.aws_scheduler_schedule.this["tick"]',
    f"{INCIDENTS}.module.schedule.module.role": f"{INCIDENTS}.module.schedule_role",
    f"{INCIDENTS}.module.schedule.aws_scheduler_schedule.this": f"{INCIDENTS}.aws_scheduler_schedule.this",
    f"{INCIDENTS}.module.stream.aws_lambda_event_source_mapping.this": (
        f"{INCIDENTS}.aws_lambda_event_source_mapping.changes"
    ),
    f"{INCIDENTS}.module.incidents_table.module.table[0]": f"{INCIDENTS}.module.incidents[0]",
    **{
        f"{KENDRA}.{new.format(kind)}": f"{KENDRA}.{old.format(kind)}"
        for new, old in ROLES.items()
        for kind in ("", "_policy")
    },
    KENDRA: "module.kendra_ingestion",
}
"""Where things were before: Kendra ingestion alone, and most of what workflows have in common no modules. One function
stands for all, which have their role by the same module."""


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    started = Instance.start(tmp_path_factory.mktemp("apply"), Options(region="eu-west-1"))
    try:
        deploy.apply(started, {"workflows": sorted(WORKFLOWS), **FAST})
        yield started
    finally:
        started.stop()


def outputs(instance: Instance) -> dict[str, Any]:
    return deploy.outputs(instance.folder)


def test_a_second_apply_would_change_nothing(instance: Instance) -> None:
    assert deploy.plan(instance) == []


def test_another_source_only_adds(instance: Instance) -> None:
    sources = json.loads((instance.folder / "terraform" / deploy.VARIABLES).read_text())["sync_sources"]
    another = {**sources["images"], "data_source_id": "DSRCE67890", "prefix": "handbook/"}
    changes = deploy.plan(instance, {"sync_sources": {**sources, "handbook": another}})
    made = {change.address for change in changes if change.action == "create"}
    assert {address for address in made if "aws_iam" not in address} == {
        'module.kb_sync[0].aws_cloudwatch_event_rule.changed["handbook"]',
        'module.kb_sync[0].aws_cloudwatch_event_target.changed["handbook"]',
        'module.kb_sync[0].module.queue["handbook"].aws_sqs_queue.this',
        'module.kb_sync[0].module.queue["handbook"].aws_sqs_queue_policy.this',
        'module.kb_sync[0].aws_pipes_pipe.this["handbook"]',
    }
    others = {change.address for change in changes} - made
    assert others == {"module.kb_sync[0].module.dead_letters.aws_sqs_queue_policy.this", "output.sync_sources"}


@pytest.mark.parametrize(
    "left_out", [{"kendra_ingestion"}, {"incident_sync"}, {"kb_sync", "incident_sync"}], ids=sorted
)
def test_a_workflow_less_leaves_the_others_as_they_are(instance: Instance, left_out: set[str]) -> None:
    changes = deploy.plan(instance, {"workflows": sorted(WORKFLOWS - left_out)})
    for workflow in WORKFLOWS:
        actions = {change.action for change in changes if f"module.{workflow}[0]" in change.address}
        assert actions == ({"delete"} if workflow in left_out else set()), workflow


def test_a_deployment_from_before_keeps_everything(instance: Instance, tmp_path: Path) -> None:
    """Everything is moved in the state to where it was before it had a module of its own."""
    place = instance.folder / "terraform"
    kept = (place / deploy.STATE).read_bytes()
    try:
        with offline_terraform.terraform(deploy.CONFIGURATION, place, instance.environment()) as core:
            for new, old in FORMER.items():
                done = core.run(
                    "state", "mv", f"-state={place / deploy.STATE}", f"-backup={tmp_path / 'backup'}", new, old
                )
                assert done.returncode == 0, done.stderr
        changes = deploy.plan(instance)
        assert {change.action for change in changes} == {"move"}
        assert len(changes) > len(FORMER)
    finally:
        (place / deploy.STATE).write_bytes(kept)


def test_a_burst_of_uploads_becomes_one_request_that_is_covered_and_measured(instance: Instance) -> None:
    source = outputs(instance)["sync_sources"]["images"]
    machine = outputs(instance)["kb_sync_state_machine_arn"]
    states, s3 = instance.client("stepfunctions"), instance.client("s3")
    for number in range(5):
        s3.put_object(Bucket=source["bucket"], Key=f"{source['prefix']}{number}.txt", Body=b"The weir is open.")

    def ended() -> list[str]:
        found = states.list_executions(stateMachineArn=machine)["executions"]
        return [one["executionArn"] for one in found if one["status"] == "SUCCEEDED"]

    told = [states.describe_execution(executionArn=arn) for arn in waited_for(ended)]
    covered, *_ = [output for one in told if (output := json.loads(one["output"]))["status"] == "covered"]
    assert covered["key"] == f"{source['knowledge_base_id']}/{source['data_source_id']}"
    assert json.loads(told[0]["input"])[0] == {
        "knowledgeBaseId": source["knowledge_base_id"],
        "dataSourceId": source["data_source_id"],
    }

    def measured() -> list[str]:
        logs, group = instance.client("logs"), "/aws/lambda/millrace-kb-sync-metrics"
        return [
            event["message"]
            for stream in logs.describe_log_streams(logGroupName=group)["logStreams"]
            for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
            if "JobsStarted" in event["message"]
        ]

    (message, *_) = waited_for(measured)
    record = json.loads(message)
    assert record["key"] == covered["key"]
    assert record["JobsStarted"] >= [1]


def waited_for(look: Any) -> list[Any]:
    """What there is to see, once there is something."""
    end = time.monotonic() + SETTLE_SECONDS
    while not (found := look()):
        assert time.monotonic() < end, f"nothing after {SETTLE_SECONDS} s"
        time.sleep(0.2)
    return list(found)
