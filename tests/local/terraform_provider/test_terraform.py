"""The provider's manners, with the real Terraform core and the embedded AWS."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millrace import terraform_core
from millrace.local.instance import Instance
from tests.local.terraform_provider.cases.case import trust
from tests.local.terraform_provider.trial import DEFAULT_TAGS, REGION, Trial, trial


@pytest.fixture
def terraform(embedded_aws: Instance, tmp_path: Path) -> Iterator[Trial]:
    with trial(tmp_path, embedded_aws) as new:
        yield new
        embedded_aws.forget_faults()
        new.write({})
        new.destroy()


def function(folder: Path) -> dict[str, dict[str, Any]]:
    with zipfile.ZipFile(folder / "code.zip", "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return event\n")
    return {
        "aws_iam_role": {"half": {"name": "half", "assume_role_policy": trust("lambda.amazonaws.com")}},
        "aws_lambda_function": {
            "half": {
                "function_name": "half",
                "role": "${aws_iam_role.half.arn}",
                "runtime": "python3.13",
                "handler": "app.handler",
                "filename": str(folder / "code.zip"),
                "reserved_concurrent_executions": 1,
            }
        },
    }


def table(_folder: Path) -> dict[str, dict[str, Any]]:
    arguments = {
        "name": "half",
        "billing_mode": "PAY_PER_REQUEST",
        "hash_key": "id",
        "attribute": [{"name": "id", "type": "S"}],
        "ttl": [{"attribute_name": "expiresAt", "enabled": True}],
    }
    return {"aws_dynamodb_table": {"half": arguments}}


def log_group(_folder: Path) -> dict[str, dict[str, Any]]:
    return {"aws_cloudwatch_log_group": {"half": {"name": "half", "retention_in_days": 30}}}


def topic(_folder: Path) -> dict[str, dict[str, Any]]:
    return {"aws_sns_topic": {"half": {"name": "half"}}}


def bucket(_folder: Path) -> dict[str, dict[str, Any]]:
    return {"aws_s3_bucket": {"half": {"bucket": "half-made-bucket"}}}


@pytest.mark.parametrize(
    ("second_call", "made"),
    [
        ("lambda:PutFunctionConcurrency", function),
        ("dynamodb:UpdateTimeToLive", table),
        ("logs:PutRetentionPolicy", log_group),
        ("sns:TagResource", topic),
        ("s3:PutBucketTagging", bucket),
    ],
)
def test_a_half_made_object_is_kept_and_made_anew(
    terraform: Trial, embedded_aws: Instance, tmp_path: Path, second_call: str, made: Any
) -> None:
    resources = made(tmp_path)
    terraform.write(resources)
    embedded_aws.order_fault(second_call, nth=(1,), code="ServiceUnavailable", status=400)
    failed = terraform.run("apply")
    assert failed.returncode == 1
    assert "ServiceUnavailable" in failed.stderr
    name = list(resources)[-1]
    assert f"{name}.half" in terraform.addresses()
    assert terraform.plan()[f"{name}.half"] == "replace"
    terraform.apply()
    assert terraform.plan() == {}


def test_an_update_that_fails_is_tried_again_by_the_next_apply(terraform: Trial, embedded_aws: Instance) -> None:
    terraform.write({"aws_sqs_queue": {"this": {"name": "again", "visibility_timeout_seconds": 30}}})
    terraform.apply()
    terraform.write({"aws_sqs_queue": {"this": {"name": "again", "visibility_timeout_seconds": 60}}})
    embedded_aws.order_fault("sqs:SetQueueAttributes", nth=(1,), code="ServiceUnavailable", status=400)
    assert terraform.run("apply").returncode == 1
    assert terraform.plan() == {"aws_sqs_queue.this": "update"}
    terraform.apply()
    assert terraform.plan() == {}


def test_an_object_that_was_deleted_by_hand_is_made_again_and_destroying_it_twice_is_no_error(
    terraform: Trial, embedded_aws: Instance
) -> None:
    terraform.write({"aws_sns_topic": {"this": {"name": "gone"}}})
    terraform.apply()
    arn = f"arn:aws:sns:{REGION}:{embedded_aws.account}:gone"
    embedded_aws.client("sns").delete_topic(TopicArn=arn)
    assert terraform.plan() == {"aws_sns_topic.this": "create"}
    terraform.apply()
    embedded_aws.client("sns").delete_topic(TopicArn=arn)
    terraform.destroy()


def test_a_type_that_is_not_known_is_an_error_that_names_it(terraform: Trial) -> None:
    terraform.write({"aws_vpc": {"this": {"cidr_block": "10.0.0.0/16"}}})
    done = terraform.core.run("validate", "-no-color")
    assert 'does not support resource type "aws_vpc"' in " ".join(done.stderr.split())
    terraform.write({}, data={"aws_availability_zones": {"this": {}}})
    done = terraform.core.run("validate", "-no-color")
    assert 'does not support data source "aws_availability_zones"' in " ".join(done.stderr.split())


def test_an_argument_inside_a_block_is_refused_by_its_whole_path(terraform: Trial) -> None:
    index = {"name": "x", "projection_type": "ALL", "key_schema": [{"attribute_name": "id", "key_type": "HASH"}]}
    arguments = {"name": "x", "hash_key": "id", "attribute": [{"name": "id", "type": "S"}]}
    terraform.write({"aws_dynamodb_table": {"this": arguments | {"global_secondary_index": [index]}}})
    assert terraform.errors() == [
        'aws_dynamodb_table: the local provider does not send "global_secondary_index.key_schema"'
    ]


def test_a_name_that_the_real_provider_would_make_up_is_asked_for(terraform: Trial) -> None:
    terraform.write({"aws_sqs_queue": {"this": {}}})
    assert terraform.errors() == ['aws_sqs_queue: set "name"; the local provider makes up no names']


@pytest.mark.parametrize("argument", [{"max_retries": 3}, {"assume_role": [{"role_arn": "x"}]}])
def test_an_argument_of_the_provider_that_it_does_not_heed_is_refused(
    terraform: Trial, argument: dict[str, Any]
) -> None:
    terraform.write({"aws_sns_topic": {"this": {"name": "x"}}}, provider={"aws": {"region": REGION, **argument}})
    (name,) = argument
    assert terraform.errors() == [f'provider aws: the local provider does not send "{name}"']


def test_only_the_service_sets_what_it_decides(terraform: Trial) -> None:
    terraform.write({"aws_sns_topic": {"this": {"name": "x", "arn": "arn:aws:sns:us-east-1:1:x"}}})
    assert terraform.errors() == ['aws_sns_topic: "arn" cannot be set']


def test_own_tags_go_over_default_tags_and_a_tag_added_by_hand_is_seen(
    terraform: Trial, embedded_aws: Instance
) -> None:
    terraform.write({"aws_sqs_queue": {"this": {"name": "tagged", "tags": {"project": "own", "team": "search"}}}})
    terraform.apply()
    queue = embedded_aws.client("sqs")
    url = queue.get_queue_url(QueueName="tagged")["QueueUrl"]
    assert queue.list_queue_tags(QueueUrl=url)["Tags"] == {"project": "own", "team": "search"}
    assert terraform.plan() == {}
    queue.tag_queue(QueueUrl=url, Tags={"by": "hand"})
    assert terraform.plan() == {"aws_sqs_queue.this": "update"}
    terraform.write({"aws_sqs_queue": {"this": {"name": "tagged"}}})
    terraform.apply()
    assert queue.list_queue_tags(QueueUrl=url)["Tags"] == DEFAULT_TAGS
    assert terraform.plan() == {}


def test_a_policy_in_other_words_is_no_change_and_one_more_action_is(terraform: Trial, embedded_aws: Instance) -> None:
    def role(document: str) -> dict[str, Any]:
        return {"aws_iam_role": {"this": {"name": "words", "assume_role_policy": document}}}

    document = trust("lambda.amazonaws.com")
    terraform.write(role(document))
    terraform.apply()
    terraform.write(role(json.dumps(json.loads(document), indent=4, sort_keys=True)))
    assert terraform.plan() == {}
    wider = document.replace('"sts:AssumeRole"', '["sts:AssumeRole", "sts:TagSession"]')
    embedded_aws.client("iam").update_assume_role_policy(RoleName="words", PolicyDocument=wider)
    assert terraform.plan() == {"aws_iam_role.this": "update"}


def test_data_sources_say_what_the_embedded_aws_is(terraform: Trial, embedded_aws: Instance) -> None:
    key = embedded_aws.client("kms").create_key(Description="a key")["KeyMetadata"]
    embedded_aws.client("kms").create_alias(AliasName="alias/trial", TargetKeyId=key["KeyId"])
    terraform.write(
        {"aws_s3_bucket": {"this": {"bucket": "data-source-bucket"}}},
        data={
            "aws_caller_identity": {"this": {}},
            "aws_region": {"this": {}},
            "aws_partition": {"this": {}},
            "aws_s3_bucket": {"this": {"bucket": "${aws_s3_bucket.this.bucket}"}},
            "aws_kms_key": {"this": {"key_id": key["Arn"]}},
            "aws_kms_alias": {"this": {"name": "alias/trial"}},
        },
        output={
            "account": {"value": "${data.aws_caller_identity.this.account_id}"},
            "region": {"value": "${data.aws_region.this.region}"},
            "partition": {"value": "${data.aws_partition.this.partition}"},
            "bucket": {"value": "${data.aws_s3_bucket.this.arn}"},
            "key": {"value": "${data.aws_kms_key.this.description}"},
            "target": {"value": "${data.aws_kms_alias.this.target_key_arn}"},
        },
    )
    terraform.apply()
    assert terraform.outputs() == {
        "account": embedded_aws.account,
        "region": REGION,
        "partition": "aws",
        "bucket": "arn:aws:s3:::data-source-bucket",
        "key": "a key",
        "target": key["Arn"],
    }


def test_an_argument_of_a_data_source_that_it_does_not_heed_is_refused(terraform: Trial) -> None:
    terraform.write({}, data={"aws_kms_key": {"this": {"key_id": "x", "grant_tokens": ["y"]}}})
    assert terraform.errors() == ['aws_kms_key: the local provider does not send "grant_tokens"']


def test_a_bucket_that_is_not_there_is_an_error_that_names_it(terraform: Trial) -> None:
    terraform.write({}, data={"aws_s3_bucket": {"this": {"bucket": "not-there"}}})
    assert terraform.errors() == ["aws_s3_bucket: there is no bucket not-there"]


def test_a_relative_path_starts_from_the_folder_that_terraform_runs_in(
    terraform: Trial, embedded_aws: Instance
) -> None:
    resources = function(terraform.core.configuration)
    resources["aws_lambda_function"]["half"] |= {"filename": "code.zip"}
    terraform.write(resources)
    terraform.apply()
    found = embedded_aws.client("lambda").get_function(FunctionName="half")["Configuration"]
    assert found["CodeSize"] == (terraform.core.configuration / "code.zip").stat().st_size


def test_an_e_mail_subscription_says_whether_it_waits_for_its_confirmation(
    terraform: Trial, embedded_aws: Instance
) -> None:
    terraform.write(
        {
            "aws_sns_topic": {"this": {"name": "mail"}},
            "aws_sns_topic_subscription": {
                "this": {"topic_arn": "${aws_sns_topic.this.arn}", "protocol": "email", "endpoint": "a@example.com"}
            },
        },
        output={
            "arn": {"value": "${aws_sns_topic_subscription.this.arn}"},
            "pending": {"value": "${aws_sns_topic_subscription.this.pending_confirmation}"},
        },
    )
    terraform.apply()
    outputs = terraform.outputs()
    said = embedded_aws.client("sns").get_subscription_attributes(SubscriptionArn=outputs["arn"])["Attributes"]
    assert said["Endpoint"] == "a@example.com"
    assert outputs["pending"] is (said["PendingConfirmation"] == "true")
    assert terraform.plan() == {}


def test_a_terraform_binary_does_the_same(
    embedded_aws: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = shutil.which("terraform")
    if binary is None:
        pytest.skip("no terraform on the PATH")
    monkeypatch.setenv(terraform_core.BINARY_VARIABLE, binary)
    with trial(tmp_path, embedded_aws) as terraform:
        queue = {"name": "by-a-binary", "visibility_timeout_seconds": 60, "tags": {"team": "search"}}
        terraform.write({"aws_sqs_queue": {"this": queue}})
        terraform.apply()
        assert terraform.plan() == {}
        terraform.write({"aws_sqs_queue": {"this": queue | {"visibility_timeout_seconds": 90}}})
        assert terraform.plan() == {"aws_sqs_queue.this": "update"}
        terraform.apply()
        terraform.destroy()
        assert "by-a-binary" not in str(embedded_aws.client("sqs").list_queues())
