"""What the queue option asks of the provider: FIFO queues and the functions mapped to them, tables with a range key,
lifecycle rules by tag. Made, planned again, changed in place, planned again, destroyed.
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

ACCOUNT = "arn:aws:sqs:us-east-1:123456789012"
PUT, DEAD = f"{ACCOUNT}:queued-put.fifo", f"{ACCOUNT}:queued-put-dead.fifo"


@pytest.fixture
def terraform(embedded_aws: Instance, tmp_path: Path) -> Iterator[Trial]:
    with trial(tmp_path, embedded_aws) as new:
        yield new
        new.write({})
        new.destroy()


def resources(folder: Path, *, changed: bool = False) -> dict[str, dict[str, Any]]:
    with zipfile.ZipFile(folder / "code.zip", "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return None\n")
    fifo = {"fifo_queue": True, "deduplication_scope": "messageGroup", "fifo_throughput_limit": "perMessageGroupId"}
    if changed:
        fifo |= {"deduplication_scope": "queue", "fifo_throughput_limit": "perQueue"}
    allowed = {"redrivePermission": "byQueue", "sourceQueueArns": [PUT]}
    redrive = {"deadLetterTargetArn": "${aws_sqs_queue.dead.arn}", "maxReceiveCount": 9 if changed else 8}
    rule = {
        "id": "parts",
        "status": "Enabled",
        "filter": [{"and": [{"prefix": "_reports/", "tags": {"millrace": "part"}}]}],
        "expiration": [{"days": 60 if changed else 30}],
    }
    by_tag = {"id": "tagged", "status": "Enabled", "filter": [{"tag": [{"key": "millrace", "value": "part"}]}]}
    return {
        "aws_sqs_queue": {
            "dead": {"name": "queued-put-dead.fifo", **fifo, "redrive_allow_policy": json.dumps(allowed)},
            "put": {
                "name": "queued-put.fifo",
                **fifo,
                "content_based_deduplication": changed,
                "visibility_timeout_seconds": 90 if changed else 60,
                "redrive_policy": json.dumps(redrive),
            },
        },
        "aws_iam_role": {"worker": {"name": "queued", "assume_role_policy": trust("lambda.amazonaws.com")}},
        "aws_iam_role_policy": {
            "worker": {"name": "queued", "role": "${aws_iam_role.worker.id}", "policy": policy("sqs:*", PUT)}
        },
        "aws_lambda_function": {
            "worker": {
                "function_name": "queued",
                "role": "${aws_iam_role.worker.arn}",
                "runtime": "python3.13",
                "handler": "app.handler",
                "filename": str(folder / "code.zip"),
                "timeout": 60,
            }
        },
        "aws_lambda_event_source_mapping": {
            "put": {
                "function_name": "${aws_lambda_function.worker.function_name}",
                "event_source_arn": "${aws_sqs_queue.put.arn}",
                "batch_size": 5 if changed else 10,
                "function_response_types": ["ReportBatchItemFailures"],
                "scaling_config": [{"maximum_concurrency": 4 if changed else 2}],
                "enabled": not changed,
                "tags": {"stage": "two" if changed else "one"},
            }
        },
        "aws_dynamodb_table": {
            "progress": {
                "name": "queued-progress",
                "billing_mode": "PAY_PER_REQUEST",
                "hash_key": "job",
                "range_key": "part",
                "attribute": [{"name": "job", "type": "S"}, {"name": "part", "type": "S"}],
                "ttl": [{"attribute_name": "expiresAt", "enabled": True}],
                "point_in_time_recovery": [{"enabled": changed}],
            }
        },
        "aws_s3_bucket": {"reports": {"bucket": "queued-reports"}},
        "aws_s3_bucket_lifecycle_configuration": {
            "reports": {
                "bucket": "${aws_s3_bucket.reports.id}",
                "rule": [rule, {**by_tag, "expiration": [{"days": 7}]}],
            }
        },
    }


def said(aws: Instance) -> dict[str, Any]:
    """What the services say of the settings that the change changes."""
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName="queued-put.fifo")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    (mapping,) = aws.client("lambda").list_event_source_mappings(EventSourceArn=PUT)["EventSourceMappings"]
    rules = aws.client("s3").get_bucket_lifecycle_configuration(Bucket="queued-reports")["Rules"]
    table = aws.client("dynamodb").describe_table(TableName="queued-progress")["Table"]
    return {
        "deduplication": [queue["ContentBasedDeduplication"], queue["DeduplicationScope"]],
        "limit": queue["FifoThroughputLimit"],
        "visibility": queue["VisibilityTimeout"],
        "received": json.loads(queue["RedrivePolicy"])["maxReceiveCount"],
        "mapping": [mapping["BatchSize"], mapping["ScalingConfig"]["MaximumConcurrency"], mapping["State"]],
        "rules": [[rule["Filter"].get("And", rule["Filter"]), rule["Expiration"]["Days"]] for rule in rules],
        "keys": [[key["AttributeName"], key["KeyType"]] for key in table["KeySchema"]],
    }


def test_the_queue_options_resources_are_made_changed_in_place_and_destroyed(
    terraform: Trial, embedded_aws: Instance, tmp_path: Path
) -> None:
    terraform.write(resources(tmp_path))
    terraform.apply()
    assert terraform.plan() == {}
    told = said(embedded_aws)
    parts = {"Key": "millrace", "Value": "part"}
    (both, days), (by_tag, days_by_tag) = told.pop("rules")
    assert (both["Prefix"], both["Tags"], days) == ("_reports/", [parts], 30)
    assert (by_tag, days_by_tag) == ({"Tag": parts}, 7)
    assert told == {
        "deduplication": ["false", "messageGroup"],
        "limit": "perMessageGroupId",
        "visibility": "60",
        "received": 8,
        "mapping": [10, 2, "Enabled"],
        "keys": [["job", "HASH"], ["part", "RANGE"]],
    }

    terraform.write(resources(tmp_path, changed=True))
    assert terraform.plan() == dict.fromkeys(
        (
            "aws_sqs_queue.dead",
            "aws_sqs_queue.put",
            "aws_lambda_event_source_mapping.put",
            "aws_dynamodb_table.progress",
            "aws_s3_bucket_lifecycle_configuration.reports",
        ),
        "update",
    )
    terraform.apply()
    assert terraform.plan() == {}
    told = said(embedded_aws)
    assert told.pop("rules")[0][1] == 60
    assert told == {
        "deduplication": ["true", "queue"],
        "limit": "perQueue",
        "visibility": "90",
        "received": 9,
        "mapping": [5, 4, "Disabled"],
        "keys": [["job", "HASH"], ["part", "RANGE"]],
    }

    terraform.destroy()
    assert embedded_aws.client("lambda").list_event_source_mappings(EventSourceArn=PUT)["EventSourceMappings"] == []
    assert "queued-progress" not in embedded_aws.client("dynamodb").list_tables()["TableNames"]
    queues = embedded_aws.client("sqs").list_queues(QueueNamePrefix="queued-").get("QueueUrls", [])
    assert queues == []


def test_a_mapping_whose_role_may_not_read_the_queue_fails_and_says_so(
    terraform: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millrace.local.terraform_provider.types.functions.POLICY_SECONDS", 0.3)
    without = resources(tmp_path)
    without["aws_iam_role_policy"]["worker"]["policy"] = policy("sqs:*", DEAD)
    terraform.write(without)
    done = terraform.run("apply")
    assert done.returncode != 0
    assert "does not have permissions to call" in done.stdout + done.stderr
