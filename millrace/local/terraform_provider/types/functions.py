"""Lambda: functions, layers, permissions, event source mappings, settings of asynchronous invocations."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from millrace.local.targets import service_of
from millrace.local.terraform_provider.aws import Aws
from millrace.local.terraform_provider.naming import NOWHERE
from millrace.local.terraform_provider.reading import State
from millrace.local.terraform_provider.resource import ResourceType, Tagging

CODE = frozenset({"filename", "image_uri", "s3_bucket", "s3_key", "s3_object_version", "source_code_hash"})
SOON = {"Delay": 0.05, "MaxAttempts": 1200}
"""A waiter's settings: a minute in steps of 50 ms."""
LACKING = ("execution role does not have permissions", "ensure the role can perform")
"""What Lambda says of a role without the rights that a queue's or a stream's mapping needs."""
BATCH_SIZES = {"sqs": 10, "dynamodb": 100}
"""Of a mapping that does not say one, by the service that it reads from (Lambda API reference)."""
POLICY_SECONDS = 15.0
"""How long a new mapping waits for its role's policy; hashicorp/aws waits for two minutes."""
POLICY_PAUSE_SECONDS = 0.1


def code(state: State, aws: Aws) -> dict[str, Any]:
    """Where Lambda takes the zip or the image from. A file is read when it is applied."""
    if state.get("filename"):
        return {"ZipFile": aws.read(state["filename"])}
    if state.get("image_uri"):
        return {"ImageUri": state["image_uri"]}
    places = (("S3Bucket", "s3_bucket"), ("S3Key", "s3_key"), ("S3ObjectVersion", "s3_object_version"))
    return {member: state[attribute] for member, attribute in places if state.get(attribute)}


class Function(ResourceType):
    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        return {**request, "Code": code(state, aws)} if method == "create_function" else request

    def finish(self, state: State, prior: State | None, aws: Aws) -> None:
        client, name = aws.client("lambda"), state["function_name"]
        client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=SOON)
        if prior is not None:
            self._updated(client, name)
            if any(state.get(attribute) != prior.get(attribute) for attribute in CODE):
                client.update_function_code(FunctionName=name, **code(state, aws))
                self._updated(client, name)
        limit, before = ((each or {}).get("reserved_concurrent_executions") for each in (state, prior))
        if (limit if limit is not None else -1) != (before if before is not None else -1):
            if limit is None or limit < 0:
                client.delete_function_concurrency(FunctionName=name)
            else:
                client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(limit))
        if state.get("publish"):
            client.publish_version(FunctionName=name)

    def find(self, state: State, answer: dict[str, Any]) -> dict[str, Any] | None:
        return {**answer["Configuration"], "ImageUri": answer["Code"].get("ImageUri")}

    @staticmethod
    def _updated(client: Any, name: str) -> None:
        client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=SOON)

    def observe(self, state: State, found: dict[str, Any], aws: Aws) -> State:
        client, arn = aws.client("lambda"), found["FunctionArn"]
        concurrency = client.get_function_concurrency(FunctionName=state["function_name"])
        version = "$LATEST"
        if state.get("publish"):
            pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=state["function_name"])
            version = [each["Version"] for page in pages for each in page["Versions"]][-1]
        return {
            "arn": arn,
            "code_sha256": found["CodeSha256"],
            # A zip's is its bytes', as the configuration has it; of an image the configuration may say anything.
            "source_code_hash": state.get("source_code_hash") if found["ImageUri"] else found["CodeSha256"],
            "source_code_size": found["CodeSize"],
            "image_uri": found["ImageUri"],
            "layers": [layer["Arn"] for layer in found.get("Layers", [])],
            "reserved_concurrent_executions": concurrency.get("ReservedConcurrentExecutions", -1),
            "invoke_arn": invoke_arn(arn, aws.region),
            "version": version,
            "qualified_arn": f"{arn}:{version}",
            "qualified_invoke_arn": invoke_arn(f"{arn}:{version}", aws.region),
        }


def invoke_arn(function: str, region: str) -> str:
    return f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{function}/invocations"


class Layer(ResourceType):
    """Every publication is a version of its own; an older one is deleted when nothing in the configuration needs it."""

    def identify(self, state: State, answer: Mapping[str, Any]) -> State:
        return {"id": answer["LayerVersionArn"], "version": str(answer["Version"])}

    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        if method == "publish_layer_version":
            return {**request, "Content": code(state, aws)}
        return {**request, "VersionNumber": int(state["version"])}

    def observe(self, state: State, found: dict[str, Any], aws: Aws) -> State:
        return {
            "arn": found["LayerVersionArn"],
            "layer_arn": found["LayerArn"],
            "code_sha256": found["Content"]["CodeSha256"],
            "source_code_hash": found["Content"]["CodeSha256"],
            "source_code_size": found["Content"]["CodeSize"],
            "created_date": found["CreatedDate"],
            "version": str(found["Version"]),
        }


class Permission(ResourceType):
    """A statement in a function's policy."""

    def find(self, state: State, answer: dict[str, Any]) -> dict[str, Any] | None:
        statements = json.loads(answer["Policy"])["Statement"]
        return next((each for each in statements if each["Sid"] == state["statement_id"]), None)

    def identify(self, state: State, answer: Mapping[str, Any]) -> State:
        return {"id": state["statement_id"]}

    def observe(self, state: State, found: dict[str, Any], aws: Aws) -> State:
        principal = found["Principal"]
        conditions = {
            name.lower(): value for test in found.get("Condition", {}).values() for name, value in test.items()
        }
        return {
            "action": found["Action"],
            "principal": principal if isinstance(principal, str) else next(iter(principal.values())),
            "source_arn": conditions.get("aws:sourcearn"),
            "source_account": conditions.get("aws:sourceaccount"),
        }


class EventSourceMapping(ResourceType):
    """Lambda asks what the function's role may do with the source. The role's policy may still be on its way, since no
    argument of the mapping refers to it; like hashicorp/aws, this tries again for a while.
    """

    def _call(
        self,
        method: str,
        state: State,
        aws: Aws,
        arguments: State | None = None,
        gone: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        deadline = time.monotonic() + POLICY_SECONDS
        while True:
            try:
                return super()._call(method, state, aws, arguments, gone)
            except ClientError as error:
                said = error.response["Error"].get("Message", "")
                lacking = any(words in said for words in LACKING)
                if method != self.create or not lacking or time.monotonic() > deadline:
                    raise
            time.sleep(POLICY_PAUSE_SECONDS)

    def identify(self, state: State, answer: Mapping[str, Any]) -> State:
        return {"id": answer["UUID"], "uuid": answer["UUID"], "arn": answer.get("EventSourceMappingArn")}

    def observe(self, state: State, found: dict[str, Any], aws: Aws) -> State:
        size = found["BatchSize"]
        unasked = state.get("batch_size") is None and size == BATCH_SIZES[service_of(found["EventSourceArn"])]
        return {
            "batch_size": None if unasked else size,
            "enabled": found["State"] in ("Enabled", "Enabling", "Creating", "Updating"),
            "function_arn": found["FunctionArn"],
            "function_name": seen_function(state["function_name"], found["FunctionArn"]),
        }


def seen_function(given: str, arn: str) -> str:
    """The function as the configuration names it, by name or ARN, or its ARN when it is another function."""
    return given if arn == given or arn.rsplit(":", 1)[-1] == given else arn


class InvokeConfig(ResourceType):
    def identify(self, state: State, answer: Mapping[str, Any]) -> State:
        return {"id": ":".join(filter(None, (state["function_name"], state.get("qualifier"))))}


TYPES: dict[str, ResourceType] = {
    "aws_lambda_function": Function(
        "lambda",
        "create_function",
        "get_function",
        "delete_function",
        {"FunctionName": "function_name"},
        update="update_function_configuration",
        found="Configuration",
        sent=dict.fromkeys(("code_sha256", "code_signing_config_arn", "publish", "publish_to", "version"), NOWHERE),
        answered={
            "image_config": "ImageConfigResponse.ImageConfig",
            "signing_job_arn": "SigningJobArn",
            "signing_profile_version_arn": "SigningProfileVersionArn",
        },
        in_place=CODE | {"publish", "reserved_concurrent_executions"},
        cleared={
            "dead_letter_config": {"TargetArn": ""},
            "description": "",
            "environment": {"Variables": {}},
            "image_config": {},
            "kms_key_arn": "",
            "layers": [],
            "tracing_config": {"Mode": "PassThrough"},
        },
        defaults={
            "memory_size": 128,
            "package_type": "Zip",
            "publish": False,
            "reserved_concurrent_executions": -1,
            "skip_destroy": False,
            "timeout": 3,
        },
        volatile=(
            "code_sha256",
            "last_modified",
            "qualified_arn",
            "qualified_invoke_arn",
            "source_code_size",
            "version",
        ),
        silent={
            "ephemeral_storage": [{"size": 512}],
            "logging_config": [{"log_format": "Text"}],
            "snap_start": [{"apply_on": "None"}],
            "tracing_config": [{"mode": "PassThrough"}],
        },
        tagging=Tagging("list_tags", "tag_resource", "untag_resource", ("Resource", "arn")),
    ),
    "aws_lambda_layer_version": Layer(
        "lambda",
        "publish_layer_version",
        "get_layer_version",
        "delete_layer_version",
        {"LayerName": "layer_name"},
        elsewhere=CODE - {"image_uri"},
        defaults={"skip_destroy": False},
    ),
    "aws_lambda_permission": Permission(
        "lambda",
        "add_permission",
        "get_policy",
        "remove_permission",
        {"FunctionName": "function_name", "StatementId": "statement_id"},
        sent=dict.fromkeys(
            (
                "event_source_token",
                "function_url_auth_type",
                "invoked_via_function_url",
                "principal_org_id",
                "qualifier",
            ),
            NOWHERE,
        ),
        invented="statement_id",
    ),
    "aws_lambda_event_source_mapping": EventSourceMapping(
        "lambda",
        "create_event_source_mapping",
        "get_event_source_mapping",
        "delete_event_source_mapping",
        {"UUID": "uuid"},
        update="update_event_source_mapping",
        sent={
            "destination_config.on_failure.destination_arn": "Destination",
            "metrics_config": NOWHERE,
        },
        answered={"function_name": NOWHERE, "arn": "EventSourceMappingArn"},
        cleared={
            "bisect_batch_on_function_error": False,
            "destination_config": {"OnFailure": {}},
            "filter_criteria": {},
            "function_response_types": [],
            "maximum_batching_window_in_seconds": 0,
            "scaling_config": {},
        },
        defaults={"enabled": True},
        tagging=Tagging("list_tags", "tag_resource", "untag_resource", ("Resource", "arn")),
    ),
    "aws_lambda_function_event_invoke_config": InvokeConfig(
        "lambda",
        "put_function_event_invoke_config",
        "get_function_event_invoke_config",
        "delete_function_event_invoke_config",
        {"FunctionName": "function_name", "Qualifier": "qualifier"},
        update="put_function_event_invoke_config",
        silent={"maximum_event_age_in_seconds": 21_600, "maximum_retry_attempts": 2},
    ),
}
