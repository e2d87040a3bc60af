"""What incidents ask of the provider: a table with a stream and indexes, a function mapped to the stream, an hourly
schedule, alarms on expressions, a dashboard. Made, planned again, changed in place, planned again, disturbed by hand,
destroyed.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millrace.local.instance import Instance
from tests.local.terraform_provider.cases.case import policy, trust
from tests.local.terraform_provider.trial import Trial, trial

TABLE = "noted-incidents"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:noted-dead"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:noted"


@pytest.fixture
def terraform(embedded_aws: Instance, tmp_path: Path) -> Iterator[Trial]:
    with trial(tmp_path, embedded_aws) as new:
        yield new
        new.write({})
        new.destroy()


def index(name: str, hash_key: str, range_key: str) -> dict[str, Any]:
    return {"name": name, "hash_key": hash_key, "range_key": range_key, "projection_type": "ALL"}


def table(*, changed: bool = False, stream: bool = True) -> dict[str, Any]:
    indexes = [index("status-priority-index", "status", "priority")]
    names = ["incident_id", "status", "priority"]
    if changed:
        indexes.append(index("service-index", "service", "incident_id"))
        names.append("service")
    streaming = {"stream_enabled": True, "stream_view_type": "NEW_AND_OLD_IMAGES"} if stream else {}
    return {
        "name": TABLE,
        "billing_mode": "PAY_PER_REQUEST",
        "hash_key": "incident_id",
        "attribute": [{"name": name, "type": "S"} for name in names],
        "global_secondary_index": indexes,
        "deletion_protection_enabled": changed and stream,
        **streaming,
    }


def alarm(name: str, expression: str, threshold: float) -> dict[str, Any]:
    metric = {"namespace": "AWS/States", "dimensions": {"StateMachineArn": MACHINE}, "stat": "Sum", "period": 300}
    return {
        "alarm_name": name,
        "comparison_operator": "GreaterThanOrEqualToThreshold",
        "threshold": threshold,
        "treat_missing_data": "notBreaching",
        "evaluation_periods": 3,
        "datapoints_to_alarm": 1,
        "metric_query": [
            {"id": "seen", "label": "errors", "return_data": True, "expression": expression},
            {"id": "failed", "metric": [{**metric, "metric_name": "ExecutionsFailed"}]},
            {"id": "aborted", "metric": [{**metric, "metric_name": "ExecutionsAborted"}]},
        ],
    }


def schedule(expression: str) -> dict[str, Any]:
    target = {"arn": MACHINE, "role_arn": "${aws_iam_role.scheduler.arn}", "input": json.dumps({})}
    return {
        "name": "noted-hourly",
        "schedule_expression": expression,
        "flexible_time_window": [{"mode": "OFF"}],
        "target": [target],
    }


def resources(folder: Path, *, changed: bool = False) -> dict[str, dict[str, Any]]:
    with zipfile.ZipFile(folder / "code.zip", "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return None\n")
    streamed = ["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream", "dynamodb:ListStreams"]
    rights = {"Effect": "Allow", "Action": [*streamed, "sqs:SendMessage"], "Resource": "*"}
    mapping = {
        "function_name": "${aws_lambda_function.changes.function_name}",
        "event_source_arn": "${aws_dynamodb_table.incidents.stream_arn}",
        "starting_position": "LATEST",
        "maximum_batching_window_in_seconds": 1,
        "bisect_batch_on_function_error": True,
        "maximum_retry_attempts": 5 if changed else 10,
        "maximum_record_age_in_seconds": 21_600,
        "function_response_types": ["ReportBatchItemFailures"],
    }
    if changed:
        mapping["batch_size"] = 50
    else:
        mapping["destination_config"] = [{"on_failure": [{"destination_arn": "${aws_sqs_queue.dead.arn}"}]}]
    title = "two" if changed else "one"
    return {
        "aws_dynamodb_table": {"incidents": table(changed=changed)},
        "aws_sqs_queue": {"dead": {"name": "noted-dead"}},
        "aws_iam_role": {
            "changes": {"name": "noted", "assume_role_policy": trust("lambda.amazonaws.com")},
            "scheduler": {"name": "noted-hourly", "assume_role_policy": trust("scheduler.amazonaws.com")},
        },
        "aws_iam_role_policy": {
            "changes": {
                "name": "noted",
                "role": "${aws_iam_role.changes.id}",
                "policy": json.dumps({"Version": "2012-10-17", "Statement": [rights]}),
            }
        },
        "aws_lambda_function": {
            "changes": {
                "function_name": "noted",
                "role": "${aws_iam_role.changes.arn}",
                "runtime": "python3.13",
                "handler": "app.handler",
                "filename": str(folder / "code.zip"),
            }
        },
        "aws_lambda_event_source_mapping": {"changes": mapping},
        "aws_scheduler_schedule": {"hourly": schedule("cron(30 * * * ? *)" if changed else "cron(0 * * * ? *)")},
        "aws_cloudwatch_metric_alarm": {
            "errors": alarm("NotedErrors", "FILL(failed, 0) + FILL(aborted, 0)", 2 if changed else 1)
        },
        "aws_cloudwatch_dashboard": {
            "incidents": {
                "dashboard_name": "NotedDashboard",
                "dashboard_body": json.dumps({"widgets": [{"type": "text", "properties": {"markdown": title}}]}),
            }
        },
    }


def said(aws: Instance) -> dict[str, Any]:
    """What the services say of the settings that the change changes."""
    found = aws.client("dynamodb").describe_table(TableName=TABLE)["Table"]
    mappings = aws.client("lambda").list_event_source_mappings(EventSourceArn=found["LatestStreamArn"])
    (mapping,) = mappings["EventSourceMappings"]
    (watched,) = aws.client("cloudwatch").describe_alarms(AlarmNames=["NotedErrors"])["MetricAlarms"]
    return {
        "indexes": sorted(each["IndexName"] for each in found["GlobalSecondaryIndexes"]),
        "attributes": sorted(each["AttributeName"] for each in found["AttributeDefinitions"]),
        "protected": found["DeletionProtectionEnabled"],
        "mapping": [mapping["BatchSize"], mapping["MaximumRetryAttempts"], mapping["MaximumRecordAgeInSeconds"]],
        "bisects": mapping["BisectBatchOnFunctionError"],
        "told": mapping["DestinationConfig"]["OnFailure"].get("Destination"),
        "schedule": aws.client("scheduler").get_schedule(Name="noted-hourly")["ScheduleExpression"],
        "threshold": watched["Threshold"],
        "queries": sorted((query["Id"], query["ReturnData"]) for query in watched["Metrics"]),
    }


FIRST = {
    "indexes": ["status-priority-index"],
    "attributes": ["incident_id", "priority", "status"],
    "protected": False,
    "mapping": [100, 10, 21_600],
    "bisects": True,
    "told": QUEUE,
    "schedule": "cron(0 * * * ? *)",
    "threshold": 1.0,
    "queries": [("aborted", False), ("failed", False), ("seen", True)],
}
CHANGED = (
    "aws_dynamodb_table.incidents",
    "aws_lambda_event_source_mapping.changes",
    "aws_scheduler_schedule.hourly",
    "aws_cloudwatch_metric_alarm.errors",
    "aws_cloudwatch_dashboard.incidents",
)


def test_the_resources_of_incidents_are_made_changed_in_place_repaired_and_destroyed(
    terraform: Trial, embedded_aws: Instance, tmp_path: Path
) -> None:
    terraform.write(resources(tmp_path))
    terraform.apply()
    assert terraform.plan() == {}
    assert said(embedded_aws) == FIRST

    terraform.write(resources(tmp_path, changed=True))
    assert terraform.plan() == dict.fromkeys(CHANGED, "update")
    terraform.apply()
    assert terraform.plan() == {}
    assert said(embedded_aws) == FIRST | {
        "indexes": ["service-index", "status-priority-index"],
        "attributes": ["incident_id", "priority", "service", "status"],
        "protected": True,
        "mapping": [50, 5, 21_600],
        "told": None,
        "schedule": "cron(30 * * * ? *)",
        "threshold": 2.0,
    }

    embedded_aws.client("cloudwatch").delete_alarms(AlarmNames=["NotedErrors"])
    client = embedded_aws.client("lambda")
    (mapping,) = client.list_event_source_mappings(FunctionName="noted")["EventSourceMappings"]
    client.update_event_source_mapping(UUID=mapping["UUID"], MaximumRetryAttempts=1)
    assert terraform.plan() == {
        "aws_cloudwatch_metric_alarm.errors": "create",
        "aws_lambda_event_source_mapping.changes": "update",
    }

    terraform.write(resources(tmp_path))
    terraform.apply()
    terraform.destroy()
    assert TABLE not in embedded_aws.client("dynamodb").list_tables()["TableNames"]
    assert client.list_event_source_mappings(FunctionName="noted")["EventSourceMappings"] == []


def test_a_stream_that_ends_and_begins_again_has_another_arn_and_the_table_stays(terraform: Trial) -> None:
    arns: list[str | None] = []
    for stream in (True, False, True):
        terraform.write(
            {"aws_dynamodb_table": {"this": table(stream=stream)}},
            data={"aws_dynamodb_table": {"seen": {"name": "${aws_dynamodb_table.this.name}"}}},
            output={
                "of_resource": {"value": "${aws_dynamodb_table.this.stream_arn}"},
                "seen": {"value": "${data.aws_dynamodb_table.seen}"},
            },
        )
        assert terraform.plan()["aws_dynamodb_table.this"] == ("update" if arns else "create")
        terraform.apply()
        assert terraform.plan() == {}
        outputs = terraform.outputs()
        seen = outputs["seen"]
        arns.append(outputs.get("of_resource"))
        assert seen["stream_enabled"] is stream
        assert (seen["arn"].rsplit("/", 1)[-1], seen["hash_key"], seen["billing_mode"]) == (
            TABLE,
            "incident_id",
            "PAY_PER_REQUEST",
        )
        (named,) = seen["global_secondary_index"]
        assert (named["name"], named["hash_key"]) == ("status-priority-index", "status")
        if stream:
            assert seen["stream_arn"] == outputs["of_resource"]
    assert arns[0] != arns[2]


def test_a_table_that_is_not_there_is_an_error_that_names_it(terraform: Trial) -> None:
    terraform.write({}, data={"aws_dynamodb_table": {"this": {"name": "not-there"}}})
    assert terraform.errors() == ["aws_dynamodb_table: there is no table not-there"]


def test_a_mapping_whose_role_may_not_read_the_stream_fails_and_says_so(
    terraform: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millrace.local.terraform_provider.types.functions.POLICY_SECONDS", 0.3)
    without = resources(tmp_path)
    without["aws_iam_role_policy"]["changes"]["policy"] = policy("sqs:SendMessage", "*")
    terraform.write(without)
    done = terraform.run("apply")
    assert done.returncode != 0
    assert "ensure the role can perform the" in " ".join((done.stdout + done.stderr).split())
