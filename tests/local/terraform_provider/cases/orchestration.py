"""Cases of state machines, rules, schedules and pipes."""

from __future__ import annotations

import json
from typing import Any

from tests.local.terraform_provider.cases.case import (
    ACCOUNT,
    MACHINE,
    NAME,
    OTHER,
    OTHER_TAGS,
    QUEUE,
    REGION,
    TAGS,
    Case,
    Client,
    asking,
    by_hand,
    parsed,
    some,
    tags,
)


def machine(comment: str) -> str:
    return json.dumps({"Comment": comment, "StartAt": "End", "States": {"End": {"Type": "Succeed"}}})


def ask_target(client: Client) -> Any:
    (target,) = client("events").list_targets_by_rule(Rule=NAME)["Targets"]
    return target


def ask_pipe(client: Client) -> Any:
    told = client("pipes").describe_pipe(Name=NAME)
    parameters = told["SourceParameters"]
    if parameters.get("FilterCriteria") == {}:
        del parameters["FilterCriteria"]
    return some(told, "Description", "DesiredState", "Source", "Target", "SourceParameters", "TargetParameters")


RULE_PATTERN = {"source": ["aws.s3"], "detail-type": ["Object Created"]}


def cases() -> dict[str, Case]:
    role = "${aws_iam_role.minimal.arn}"
    target = {
        "Id": "machine",
        "Arn": MACHINE,
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{OTHER}",
        "InputTransformer": {
            "InputPathsMap": {"key": "$.detail.object.key"},
            "InputTemplate": '{"key": <key>}',
        },
        "DeadLetterConfig": {"Arn": QUEUE},
        "RetryPolicy": {"MaximumRetryAttempts": 5, "MaximumEventAgeInSeconds": 3600},
    }
    starts = {"StepFunctionStateMachineParameters": {"InvocationType": "FIRE_AND_FORGET"}}
    pipe = {
        "Description": "one",
        "DesiredState": "STOPPED",
        "Source": QUEUE,
        "Target": MACHINE,
        "SourceParameters": {
            "SqsQueueParameters": {"BatchSize": 1000, "MaximumBatchingWindowInSeconds": 10},
            "FilterCriteria": {"Filters": [{"Pattern": json.dumps({"body": ["a"]})}]},
        },
        "TargetParameters": {**starts, "InputTemplate": json.dumps({"dataSourceId": "one"})},
    }
    pipe_after = pipe | {
        "Description": "two",
        "SourceParameters": {"SqsQueueParameters": {"BatchSize": 500, "MaximumBatchingWindowInSeconds": 5}},
        "TargetParameters": {**starts, "InputTemplate": json.dumps({"dataSourceId": "two"})},
    }
    schedule = {
        "ScheduleExpression": "rate(1 hour)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
    }
    return {
        "aws_sfn_state_machine": Case(
            minimal={"name": OTHER, "role_arn": role, "definition": machine("one")},
            full={
                "name": NAME,
                "role_arn": role,
                "definition": machine("one"),
                "logging_configuration": [
                    {
                        "level": "ALL",
                        "include_execution_data": True,
                        "log_destination": "${aws_cloudwatch_log_group.full.arn}:*",
                    }
                ],
                "tracing_configuration": [{"enabled": True}],
                "tags": TAGS,
            },
            changed={"definition": machine("two"), "tags": OTHER_TAGS},
            change="update",
            ask=lambda client: {
                "comment": parsed(
                    client("stepfunctions").describe_state_machine(stateMachineArn=MACHINE)["definition"]
                )["Comment"],
                "tags": tags(client("stepfunctions").list_tags_for_resource(resourceArn=MACHINE)["tags"]),
                **some(
                    client("stepfunctions").describe_state_machine(stateMachineArn=MACHINE),
                    "loggingConfiguration",
                    "tracingConfiguration",
                ),
            },
            said=(
                logged := {
                    "comment": "one",
                    "tags": {**TAGS, "project": "contract"},
                    "loggingConfiguration": {
                        "level": "ALL",
                        "includeExecutionData": True,
                        "destinations": [
                            {
                                "cloudWatchLogsLogGroup": {
                                    "logGroupArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{NAME}:*"
                                }
                            }
                        ],
                    },
                    "tracingConfiguration": {"enabled": True},
                }
            ),
            said_after=logged | {"comment": "two", "tags": {**OTHER_TAGS, "project": "contract"}},
            drift=by_hand(
                "stepfunctions",
                "update_state_machine",
                stateMachineArn=MACHINE,
                definition=machine("by hand"),
            ),
            refused={"publish": True},
        ),
        "aws_cloudwatch_event_rule": Case(
            minimal={"name": OTHER, "schedule_expression": "rate(1 hour)"},
            full={
                "name": NAME,
                "description": "a manifest is there",
                "event_pattern": json.dumps(RULE_PATTERN),
                "state": "DISABLED",
                "tags": TAGS,
            },
            changed={"event_pattern": json.dumps({"source": ["aws.s3"]})},
            change="update",
            ask=lambda client: parsed(client("events").describe_rule(Name=NAME)["EventPattern"]),
            said=RULE_PATTERN,
            said_after={"source": ["aws.s3"]},
            drift=by_hand("events", "enable_rule", Name=NAME),
            refused={"is_enabled": True},
        ),
        "aws_cloudwatch_event_target": Case(
            minimal={"rule": "${aws_cloudwatch_event_rule.minimal.name}", "arn": "${aws_sqs_queue.full.arn}"},
            full={
                "rule": "${aws_cloudwatch_event_rule.full.name}",
                "target_id": "machine",
                "arn": "${aws_sfn_state_machine.full.arn}",
                "role_arn": role,
                "input_transformer": [
                    {"input_paths": {"key": "$.detail.object.key"}, "input_template": '{"key": <key>}'}
                ],
                "dead_letter_config": [{"arn": "${aws_sqs_queue.full.arn}"}],
                "retry_policy": [{"maximum_retry_attempts": 5, "maximum_event_age_in_seconds": 3600}],
            },
            changed={"retry_policy": [{"maximum_retry_attempts": 6, "maximum_event_age_in_seconds": 3600}]},
            change="update",
            ask=ask_target,
            said=target,
            said_after=target | {"RetryPolicy": {"MaximumRetryAttempts": 6, "MaximumEventAgeInSeconds": 3600}},
            drift=by_hand("events", "remove_targets", Rule=NAME, Ids=["machine"]),
            refused={"ecs_target": [{"task_definition_arn": "x"}]},
        ),
        "aws_scheduler_schedule": Case(
            minimal={
                "name": OTHER,
                "schedule_expression": "rate(1 day)",
                "flexible_time_window": [{"mode": "OFF"}],
                "target": [{"arn": "${aws_sfn_state_machine.full.arn}", "role_arn": role}],
            },
            full={
                "name": NAME,
                "description": "hourly",
                "schedule_expression": "rate(1 hour)",
                "flexible_time_window": [{"mode": "OFF"}],
                "target": [
                    {
                        "arn": "${aws_sfn_state_machine.full.arn}",
                        "role_arn": role,
                        "input": "{}",
                        "retry_policy": [{"maximum_retry_attempts": 3}],
                    }
                ],
            },
            changed={"schedule_expression": "rate(2 hours)"},
            change="update",
            ask=asking("scheduler", "get_schedule", *schedule, Name=NAME),
            said=schedule,
            said_after=schedule | {"ScheduleExpression": "rate(2 hours)"},
            drift=by_hand("scheduler", "delete_schedule", Name=NAME),
            refused={"name_prefix": "x"},
        ),
        "aws_pipes_pipe": Case(
            minimal={
                "name": OTHER,
                "role_arn": role,
                "source": "${aws_sqs_queue.dead.arn}",
                "target": "${aws_sfn_state_machine.minimal.arn}",
                "desired_state": "STOPPED",
            },
            full={
                "name": NAME,
                "role_arn": role,
                "source": "${aws_sqs_queue.full.arn}",
                "target": "${aws_sfn_state_machine.full.arn}",
                "desired_state": "STOPPED",
                "description": "one",
                "source_parameters": [
                    {
                        "sqs_queue_parameters": [{"batch_size": 1000, "maximum_batching_window_in_seconds": 10}],
                        "filter_criteria": [{"filter": [{"pattern": json.dumps({"body": ["a"]})}]}],
                    }
                ],
                "target_parameters": [
                    {
                        "input_template": json.dumps({"dataSourceId": "one"}),
                        "step_function_state_machine_parameters": [{"invocation_type": "FIRE_AND_FORGET"}],
                    }
                ],
                "tags": TAGS,
            },
            changed={
                "description": "two",
                "source_parameters": [
                    {"sqs_queue_parameters": [{"batch_size": 500, "maximum_batching_window_in_seconds": 5}]}
                ],
                "target_parameters": [
                    {
                        "input_template": json.dumps({"dataSourceId": "two"}),
                        "step_function_state_machine_parameters": [{"invocation_type": "FIRE_AND_FORGET"}],
                    }
                ],
                "tags": OTHER_TAGS,
            },
            change="update",
            ask=ask_pipe,
            said=pipe,
            said_after=pipe_after,
            drift=by_hand("pipes", "delete_pipe", Name=NAME),
            refused={"name_prefix": "x"},
        ),
    }
