"""Cases of S3."""

from __future__ import annotations

import base64
from typing import Any

from tests.local.terraform_provider.cases.case import (
    BUCKET,
    DEAD_QUEUE,
    OTHER_TAGS,
    REGION_REFUSED,
    TAGS,
    Arguments,
    Case,
    Client,
    asking,
    by_hand,
    parsed,
    policy,
    some,
    tags,
)


def ask_bucket(client: Client) -> Any:
    return tags(client("s3").get_bucket_tagging(Bucket=BUCKET)["TagSet"])


LIFECYCLE_RULES = [
    {
        "id": "tidy",
        "status": "Enabled",
        "filter": [{}],
        "abort_incomplete_multipart_upload": [{"days_after_initiation": 7}],
    },
    {"id": "expire", "status": "Enabled", "filter": [{"prefix": "_work/"}], "expiration": [{"days": 30}]},
]


BUCKET_POLICY = policy("s3:GetObject", f"arn:aws:s3:::{BUCKET}/*", "kendra.amazonaws.com")
OTHER_BUCKET_POLICY = policy("s3:ListBucket", f"arn:aws:s3:::{BUCKET}", "kendra.amazonaws.com")


def cases() -> dict[str, Case]:
    def setting(arguments: Arguments, **case: Any) -> Case:
        """A setting of a bucket: the bucket is the only other argument."""
        return Case(
            minimal={"bucket": "${aws_s3_bucket.minimal.id}", **case.pop("minimal", arguments)},
            full={"bucket": "${aws_s3_bucket.full.id}", **arguments},
            refused=case.pop("refused", REGION_REFUSED),
            change="update",
            **case,
        )

    return {
        "aws_s3_bucket": Case(
            minimal={"bucket": "contract-minimal-bucket"},
            full={"bucket": BUCKET, "force_destroy": True, "tags": TAGS},
            changed={"tags": OTHER_TAGS},
            change="update",
            ask=ask_bucket,
            said={**TAGS, "project": "contract"},
            said_after={**OTHER_TAGS, "project": "contract"},
            drift=by_hand(
                "s3", "put_bucket_tagging", Bucket=BUCKET, Tagging={"TagSet": [{"Key": "team", "Value": "x"}]}
            ),
            refused={"acceleration_status": "Enabled"},
        ),
        "aws_s3_bucket_versioning": setting(
            {"versioning_configuration": [{"status": "Enabled"}]},
            changed={"versioning_configuration": [{"status": "Suspended"}]},
            ask=asking("s3", "get_bucket_versioning", "Status", Bucket=BUCKET),
            said={"Status": "Enabled"},
            said_after={"Status": "Suspended"},
            drift=by_hand("s3", "put_bucket_versioning", Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"}),
        ),
        "aws_s3_bucket_server_side_encryption_configuration": setting(
            {
                "rule": [
                    {
                        "bucket_key_enabled": True,
                        "apply_server_side_encryption_by_default": [{"sse_algorithm": "aws:kms"}],
                    }
                ]
            },
            minimal={"rule": [{"apply_server_side_encryption_by_default": [{"sse_algorithm": "AES256"}]}]},
            changed={"rule": [{"apply_server_side_encryption_by_default": [{"sse_algorithm": "AES256"}]}]},
            ask=lambda client: client("s3").get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"][
                "Rules"
            ][0]["ApplyServerSideEncryptionByDefault"],
            said={"SSEAlgorithm": "aws:kms"},
            said_after={"SSEAlgorithm": "AES256"},
            drift=by_hand(
                "s3",
                "put_bucket_encryption",
                Bucket=BUCKET,
                ServerSideEncryptionConfiguration={
                    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
                },
            ),
        ),
        "aws_s3_bucket_public_access_block": setting(
            {
                "block_public_acls": True,
                "block_public_policy": True,
                "ignore_public_acls": True,
                "restrict_public_buckets": True,
            },
            minimal={},
            changed={"restrict_public_buckets": False},
            ask=asking("s3", "get_public_access_block", "PublicAccessBlockConfiguration", Bucket=BUCKET),
            said={
                "PublicAccessBlockConfiguration": {
                    "BlockPublicAcls": True,
                    "IgnorePublicAcls": True,
                    "BlockPublicPolicy": True,
                    "RestrictPublicBuckets": True,
                }
            },
            said_after={
                "PublicAccessBlockConfiguration": {
                    "BlockPublicAcls": True,
                    "IgnorePublicAcls": True,
                    "BlockPublicPolicy": True,
                    "RestrictPublicBuckets": False,
                }
            },
            drift=by_hand("s3", "delete_public_access_block", Bucket=BUCKET),
        ),
        "aws_s3_bucket_policy": setting(
            {"policy": BUCKET_POLICY},
            minimal={
                "policy": policy("s3:GetObject", "arn:aws:s3:::contract-minimal-bucket/*", "kendra.amazonaws.com")
            },
            changed={"policy": OTHER_BUCKET_POLICY},
            ask=lambda client: parsed(client("s3").get_bucket_policy(Bucket=BUCKET)["Policy"]),
            said=parsed(BUCKET_POLICY),
            said_after=parsed(OTHER_BUCKET_POLICY),
            drift=by_hand(
                "s3",
                "put_bucket_policy",
                Bucket=BUCKET,
                Policy=OTHER_BUCKET_POLICY.replace('"s3:ListBucket"', '["s3:*"]'),
            ),
        ),
        "aws_s3_bucket_lifecycle_configuration": setting(
            {"rule": LIFECYCLE_RULES},
            minimal={"rule": LIFECYCLE_RULES[:1]},
            changed={"rule": [LIFECYCLE_RULES[0], {**LIFECYCLE_RULES[1], "expiration": [{"days": 60}]}]},
            ask=lambda client: [
                some(rule, "ID", "Expiration")
                for rule in client("s3").get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
            ],
            said=[{"ID": "tidy", "Expiration": None}, {"ID": "expire", "Expiration": {"Days": 30}}],
            said_after=[{"ID": "tidy", "Expiration": None}, {"ID": "expire", "Expiration": {"Days": 60}}],
            drift=by_hand(
                "s3",
                "put_bucket_lifecycle_configuration",
                Bucket=BUCKET,
                LifecycleConfiguration={
                    "Rules": [
                        {
                            "ID": "expire",
                            "Status": "Enabled",
                            "Filter": {"Prefix": ""},
                            "Expiration": {"Days": 1},
                        }
                    ]
                },
            ),
            refused={"timeouts": {"create": "1m"}},
        ),
        "aws_s3_bucket_notification": setting(
            {
                "eventbridge": True,
                "queue": [
                    {
                        "id": "all",
                        "queue_arn": "${aws_sqs_queue.dead.arn}",
                        "events": ["s3:ObjectCreated:*"],
                        "filter_suffix": ".json",
                    }
                ],
            },
            minimal={"eventbridge": True},
            changed={"queue": []},
            ask=asking(
                "s3",
                "get_bucket_notification_configuration",
                "EventBridgeConfiguration",
                "QueueConfigurations",
                Bucket=BUCKET,
            ),
            said={
                "EventBridgeConfiguration": {},
                "QueueConfigurations": [
                    {
                        "Id": "all",
                        "QueueArn": DEAD_QUEUE,
                        "Events": ["s3:ObjectCreated:*"],
                        "Filter": {"Key": {"FilterRules": [{"Name": "suffix", "Value": ".json"}]}},
                    }
                ],
            },
            said_after={"EventBridgeConfiguration": {}, "QueueConfigurations": None},
            drift=by_hand(
                "s3",
                "put_bucket_notification_configuration",
                Bucket=BUCKET,
                NotificationConfiguration={
                    "EventBridgeConfiguration": {},
                    "QueueConfigurations": [{"QueueArn": DEAD_QUEUE, "Events": ["s3:ObjectRemoved:*"]}],
                },
            ),
        ),
        "aws_s3_bucket_ownership_controls": setting(
            {"rule": [{"object_ownership": "BucketOwnerEnforced"}]},
            changed={"rule": [{"object_ownership": "BucketOwnerPreferred"}]},
            ask=asking("s3", "get_bucket_ownership_controls", "OwnershipControls", Bucket=BUCKET),
            said={"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}},
            said_after={"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}},
            drift=by_hand("s3", "delete_bucket_ownership_controls", Bucket=BUCKET),
        ),
        "aws_s3_object": setting(
            {"key": "readme.txt", "content": "one", "content_type": "text/plain", "tags": TAGS},
            minimal={"key": "empty", "content_base64": base64.b64encode(b"\x00").decode()},
            changed={"content": "two"},
            ask=lambda client: client("s3").get_object(Bucket=BUCKET, Key="readme.txt")["Body"].read(),
            said=b"one",
            said_after=b"two",
            drift=by_hand("s3", "delete_object", Bucket=BUCKET, Key="readme.txt"),
            refused={"override_provider": [{"default_tags": [{"tags": {}}]}]},
        ),
    }
