"""Cases of Lambda."""

from __future__ import annotations

import json
from typing import Any

from tests.local.terraform_provider.cases.case import (
    ACCOUNT,
    NAME,
    OTHER,
    OTHER_TAGS,
    QUEUE,
    REGION,
    REGION_REFUSED,
    TAGS,
    Case,
    Client,
    asking,
    by_hand,
    some,
)


def ask_function(client: Client) -> Any:
    found = client("lambda").get_function(FunctionName=NAME)
    configuration = found["Configuration"]
    return some(configuration, "Runtime", "Handler", "Timeout", "MemorySize", "Architectures") | {
        "variables": configuration["Environment"]["Variables"],
        "layers": [layer["Arn"].split(":")[-2] for layer in configuration["Layers"]],
        "concurrency": found.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
        "tracing": configuration["TracingConfig"]["Mode"],
        "log group": configuration["LoggingConfig"]["LogGroup"],
        "tags": found["Tags"],
    }


def ask_mapping(client: Client) -> Any:
    mapping = client("lambda").list_event_source_mappings(EventSourceArn=QUEUE)["EventSourceMappings"][0]
    settings = ("BatchSize", "MaximumBatchingWindowInSeconds", "FunctionResponseTypes", "ScalingConfig")
    told = client("lambda").list_tags(Resource=mapping["EventSourceMappingArn"])["Tags"]
    return some(mapping, *settings) | {"tags": told}


def drift_mapping(client: Client) -> None:
    mapping = client("lambda").list_event_source_mappings(EventSourceArn=QUEUE)["EventSourceMappings"][0]
    client("lambda").update_event_source_mapping(UUID=mapping["UUID"], BatchSize=3)


def ask_permission(client: Client) -> Any:
    (statement,) = json.loads(client("lambda").get_policy(FunctionName=NAME)["Policy"])["Statement"]
    return some(statement, "Sid", "Action", "Principal", "Condition")


def cases(package: str, other_package: str) -> dict[str, Case]:
    function = {"runtime": "python3.13", "handler": "app.handler", "role": "${aws_iam_role.minimal.arn}"}
    code = {"filename": package, "source_code_hash": f"${{filebase64sha256({json.dumps(package)})}}"}
    other_code = {
        "filename": other_package,
        "source_code_hash": f"${{filebase64sha256({json.dumps(other_package)})}}",
    }
    said = {
        "Runtime": "python3.13",
        "Handler": "app.handler",
        "Timeout": 60,
        "MemorySize": 512,
        "Architectures": ["arm64"],
        "variables": {"LOG_LEVEL": "INFO"},
        "layers": [NAME],
        "concurrency": 2,
        "tracing": "Active",
        "log group": NAME,
        "tags": {**TAGS, "project": "contract"},
    }
    permission = {
        "Sid": "from-events",
        "Action": "lambda:InvokeFunction",
        "Principal": {"Service": "events.amazonaws.com"},
        "Condition": {"ArnLike": {"AWS:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/one"}},
    }
    return {
        "aws_lambda_function": Case(
            minimal={"function_name": OTHER, **function, **code},
            full={
                "function_name": NAME,
                **function,
                **code,
                "description": "answers",
                "architectures": ["arm64"],
                "memory_size": 512,
                "timeout": 60,
                "layers": ["${aws_lambda_layer_version.full.arn}"],
                "reserved_concurrent_executions": 2,
                "environment": [{"variables": {"LOG_LEVEL": "INFO"}}],
                "tracing_config": [{"mode": "Active"}],
                "logging_config": [{"log_format": "JSON", "log_group": "${aws_cloudwatch_log_group.full.name}"}],
                "tags": TAGS,
            },
            changed={
                **other_code,
                "timeout": 90,
                "reserved_concurrent_executions": -1,
                "environment": [{"variables": {"LOG_LEVEL": "DEBUG", "MODE": "new"}}],
                "tags": OTHER_TAGS,
            },
            change="update",
            ask=ask_function,
            said=said,
            said_after=said
            | {
                "Timeout": 90,
                "variables": {"LOG_LEVEL": "DEBUG", "MODE": "new"},
                "concurrency": None,
                "tags": {**OTHER_TAGS, "project": "contract"},
            },
            drift=by_hand(
                "lambda",
                "update_function_configuration",
                FunctionName=NAME,
                Environment={"Variables": {"LOG_LEVEL": "DEBUG", "MODE": "new", "EXTRA": "1"}},
            ),
            refused={"code_signing_config_arn": "x"},
        ),
        "aws_lambda_layer_version": Case(
            minimal={"layer_name": OTHER, **code},
            full={
                "layer_name": NAME,
                **code,
                "description": "dependencies",
                "compatible_runtimes": ["python3.13"],
                "compatible_architectures": ["arm64"],
            },
            changed={"description": "other dependencies"},
            change="replace",
            ask=lambda client: [
                some(each, "Description", "CompatibleRuntimes")
                for each in client("lambda").list_layer_versions(LayerName=NAME)["LayerVersions"]
            ],
            said=[{"Description": "dependencies", "CompatibleRuntimes": ["python3.13"]}],
            said_after=[{"Description": "other dependencies", "CompatibleRuntimes": ["python3.13"]}],
            drift=lambda client: client("lambda").delete_layer_version(
                LayerName=NAME,
                VersionNumber=client("lambda").list_layer_versions(LayerName=NAME)["LayerVersions"][0]["Version"],
            ),
            refused=REGION_REFUSED,
        ),
        "aws_lambda_permission": Case(
            minimal={
                "function_name": "${aws_lambda_function.minimal.function_name}",
                "action": "lambda:InvokeFunction",
                "principal": "events.amazonaws.com",
            },
            full={
                "statement_id": "from-events",
                "function_name": "${aws_lambda_function.full.function_name}",
                "action": "lambda:InvokeFunction",
                "principal": "events.amazonaws.com",
                "source_arn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/one",
            },
            changed={"source_arn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/two"},
            change="replace",
            ask=ask_permission,
            said=permission,
            said_after=permission
            | {"Condition": {"ArnLike": {"AWS:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/two"}}},
            drift=by_hand("lambda", "remove_permission", FunctionName=NAME, StatementId="from-events"),
            refused={"statement_id_prefix": "x"},
        ),
        "aws_lambda_event_source_mapping": Case(
            minimal={
                "function_name": "${aws_lambda_function.minimal.arn}",
                "event_source_arn": "${aws_sqs_queue.minimal.arn}",
                "enabled": False,
            },
            full={
                "function_name": "${aws_lambda_function.full.function_name}",
                "event_source_arn": "${aws_sqs_queue.full.arn}",
                "batch_size": 50,
                "maximum_batching_window_in_seconds": 5,
                "function_response_types": ["ReportBatchItemFailures"],
                "scaling_config": [{"maximum_concurrency": 4}],
                "tags": TAGS,
            },
            changed={"batch_size": 100, "scaling_config": [{"maximum_concurrency": 8}], "tags": OTHER_TAGS},
            change="update",
            ask=ask_mapping,
            said={
                "BatchSize": 50,
                "MaximumBatchingWindowInSeconds": 5,
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "ScalingConfig": {"MaximumConcurrency": 4},
                "tags": {**TAGS, "project": "contract"},
            },
            said_after={
                "BatchSize": 100,
                "MaximumBatchingWindowInSeconds": 5,
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "ScalingConfig": {"MaximumConcurrency": 8},
                "tags": {**OTHER_TAGS, "project": "contract"},
            },
            drift=drift_mapping,
            refused={"metrics_config": [{"metrics": ["EventCount"]}]},
        ),
        "aws_lambda_function_event_invoke_config": Case(
            minimal={
                "function_name": "${aws_lambda_function.minimal.function_name}",
                "maximum_retry_attempts": 1,
            },
            full={
                "function_name": "${aws_lambda_function.full.function_name}",
                "maximum_retry_attempts": 0,
                "maximum_event_age_in_seconds": 60,
                "destination_config": [{"on_failure": [{"destination": "${aws_sqs_queue.full.arn}"}]}],
            },
            changed={"maximum_event_age_in_seconds": 120},
            change="update",
            ask=asking(
                "lambda",
                "get_function_event_invoke_config",
                "MaximumRetryAttempts",
                "MaximumEventAgeInSeconds",
                FunctionName=NAME,
            ),
            said={"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
            said_after={"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 120},
            drift=by_hand("lambda", "delete_function_event_invoke_config", FunctionName=NAME),
            refused=REGION_REFUSED,
        ),
    }
