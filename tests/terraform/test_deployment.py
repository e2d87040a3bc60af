"""What holds for every resource of a deployment, wherever a module makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.terraform.mocked import INDEX, KEY, Deployment

KEYS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "aws_cloudwatch_log_group": lambda group: group["kms_key_id"],
    "aws_dynamodb_table": lambda table: table["server_side_encryption"][0]["kms_key_arn"],
    "aws_lambda_function": lambda function: function["kms_key_arn"],
    "aws_s3_bucket_server_side_encryption_configuration": lambda bucket: next(iter(bucket["rule"]))[
        "apply_server_side_encryption_by_default"
    ][0]["kms_master_key_id"],
    "aws_sfn_state_machine": lambda machine: machine["encryption_configuration"][0]["kms_key_id"],
    "aws_sns_topic": lambda topic: topic["kms_master_key_id"],
    "aws_sqs_queue": lambda queue: queue["kms_master_key_id"],
}
"""Where each type that can be encrypted with a key names it."""


@pytest.mark.parametrize("kind", sorted(KEYS))
def test_everything_that_can_use_the_given_key_does(deployment_with_key: Deployment, kind: str) -> None:
    found = deployment_with_key.all(kind)
    assert found
    assert {resource.address: KEYS[kind](resource.values) for resource in found} == dict.fromkeys(
        (resource.address for resource in found), KEY
    )


def test_everybody_who_reads_or_writes_may_use_the_given_key(deployment_with_key: Deployment) -> None:
    for role in deployment_with_key.all("aws_iam_role"):
        name = role.values["name"]
        actions = {
            action
            for statement in deployment_with_key.allowed(name)
            if statement.resources == {KEY}
            for action in statement.actions
        }
        readers = {"millrace-kendra-reader": {"kms:Decrypt"}, "millrace-manifest-created": set[str]()}
        assert actions == readers.get(name, {"kms:Decrypt", "kms:GenerateDataKey"}), name


def test_every_bucket_is_protected(deployment: Deployment) -> None:
    buckets = {bucket.values["id"] for bucket in deployment.all("aws_s3_bucket")}
    assert len(buckets) == 2
    for kind in (
        "aws_s3_bucket_lifecycle_configuration",
        "aws_s3_bucket_ownership_controls",
        "aws_s3_bucket_policy",
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_bucket_versioning",
    ):
        assert {resource.values["bucket"] for resource in deployment.all(kind)} == buckets, kind


def test_the_ingestion_bucket_alone_sends_events(deployment: Deployment) -> None:
    (notification,) = deployment.all("aws_s3_bucket_notification")
    ingestion = deployment.one("aws_s3_bucket", bucket="example-ingestion")
    assert notification.values["bucket"] == ingestion.values["id"]
    assert notification.values["eventbridge"]


def test_every_log_expires(deployment_with_key: Deployment) -> None:
    groups = deployment_with_key.all("aws_cloudwatch_log_group")
    assert len(groups) == 7
    assert {group.values["retention_in_days"] for group in groups} == {7}


def test_the_concurrency_reaches_the_map_as_a_number(deployment: Deployment, deployment_with_key: Deployment) -> None:
    for applied, concurrency in ((deployment, 2), (deployment_with_key, 3)):
        maps = [state for state in applied.definition()["States"].values() if state["Type"] == "Map"]
        assert [state["MaxConcurrency"] for state in maps] == [concurrency]


def test_every_function_is_told_the_same_and_everything(deployment: Deployment) -> None:
    reader = deployment.one("aws_iam_role", name="millrace-kendra-reader").values["arn"]
    for function in deployment.all("aws_lambda_function"):
        (environment,) = function.values["environment"]
        assert environment["variables"] == {
            "INGESTION_BUCKET": "example-ingestion",
            "REPORTS_BUCKET": "example-reports",
            "KENDRA_INDEX_ID": INDEX,
            "KENDRA_ROLE_ARN": reader,
            "KENDRA_REQUESTS_PER_SECOND": "5",
            "MAX_CONCURRENCY": "2",
            "VERIFICATION_DEADLINE_SECONDS": "3600",
            "POWERTOOLS_SERVICE_NAME": "kendra_ingestion",
            "POWERTOOLS_METRICS_NAMESPACE": "Millrace",
            "LOG_LEVEL": "INFO",
        }


def test_every_function_has_its_handler_and_the_layer(deployment: Deployment) -> None:
    layer = deployment.one("aws_lambda_layer_version").values["arn"]
    found = {
        function.values["handler"]: (function.values["function_name"], function.values["layers"])
        for function in deployment.all("aws_lambda_function")
    }
    names = ("load_manifest", "list_batches", "process_batch", "verify", "aggregate_failures", "archive_manifest")
    assert found == {
        f"kendra_ingestion.{name}.handler": (f"millrace-{name.replace('_', '-')}", [layer]) for name in names
    }


def test_a_function_is_cut_off_before_the_machine_stops_waiting(deployment: Deployment) -> None:
    timeouts = {
        function.values["arn"]: function.values["timeout"] for function in deployment.all("aws_lambda_function")
    }
    states = [*deployment.definition()["States"].values()]
    states += [
        inner for state in states if "ItemProcessor" in state for inner in state["ItemProcessor"]["States"].values()
    ]
    waiting = [state for state in states if state.get("Resource") in timeouts]
    assert len(waiting) == len(timeouts)
    for state in waiting:
        assert timeouts[state["Resource"]] < state["TimeoutSeconds"]
