"""S3: a bucket, its settings (each a resource of its own), and objects."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from millrace.local.terraform_provider.aws import Aws, is_absence
from millrace.local.terraform_provider.naming import NOWHERE, from_pairs
from millrace.local.terraform_provider.reading import State
from millrace.local.terraform_provider.resource import ResourceType, Tagging

BUCKET = {"Bucket": "bucket"}
NO_OWNER = {"expected_bucket_owner": NOWHERE}


class Bucket(ResourceType):
    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        if method == "create_bucket" and aws.region != "us-east-1":
            request["CreateBucketConfiguration"] = {"LocationConstraint": aws.region}
        return request

    def observe(self, state: State, found: dict[str, Any], aws: Aws) -> State:
        return {"id": state["bucket"], **bucket_facts(state["bucket"], aws.region)}

    def clear_away(self, state: State, aws: Aws) -> None:
        if state.get("force_destroy"):
            delete_versions(aws.client("s3"), state["bucket"])

    def tags_of(self, state: State, aws: Aws) -> dict[str, str]:
        try:
            return from_pairs(aws.client("s3").get_bucket_tagging(Bucket=state["bucket"])["TagSet"])
        except ClientError as error:
            if is_absence(error):
                return {}
            raise

    def set_tags(self, old: Mapping[str, str], new: Mapping[str, str], state: State, aws: Aws) -> None:
        if new:
            aws.client("s3").put_bucket_tagging(Bucket=state["bucket"], Tagging={"TagSet": tag_set(new)})
        else:
            aws.client("s3").delete_bucket_tagging(Bucket=state["bucket"])


def bucket_facts(bucket: str, region: str) -> dict[str, str]:
    return {
        "arn": f"arn:aws:s3:::{bucket}",
        "bucket_domain_name": f"{bucket}.s3.amazonaws.com",
        "bucket_region": region,
        "bucket_regional_domain_name": f"{bucket}.s3.{region}.amazonaws.com",
    }


def delete_versions(client: Any, bucket: str, key: str | None = None) -> None:
    """Delete every version of one object, or of all."""
    pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key or "")
    for version in [each for page in pages for each in page.get("Versions", []) + page.get("DeleteMarkers", [])]:
        if key in (None, version["Key"]):
            client.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])


def tag_set(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in sorted(tags.items())]


class Versioning(ResourceType):
    """Versioning is never gone, only suspended, and the answer has no structure around it."""

    def find(self, state: State, answer: dict[str, Any]) -> dict[str, Any] | None:
        return {"VersioningConfiguration": answer} if answer.get("Status") else None

    def clear_away(self, state: State, aws: Aws) -> None:
        aws.client("s3").put_bucket_versioning(Bucket=state["bucket"], VersioningConfiguration={"Status": "Suspended"})


class Notification(ResourceType):
    """A bucket has one notification configuration: three lists of targets, and a switch for EventBridge."""

    TARGETS = (("queue", "Queue"), ("topic", "Topic"), ("lambda_function", "LambdaFunction"))

    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        if method != self.create:
            return request
        configuration: dict[str, Any] = {"EventBridgeConfiguration": {}} if state.get("eventbridge") else {}
        for attribute, member in self.TARGETS:
            if targets := state.get(attribute):
                configuration[f"{member}Configurations"] = [
                    self._target(attribute, member, target) for target in targets
                ]
        return {**request, "NotificationConfiguration": configuration}

    def _target(self, attribute: str, member: str, target: Mapping[str, Any]) -> dict[str, Any]:
        rules = [
            {"Name": name, "Value": target[f"filter_{name}"]}
            for name in ("prefix", "suffix")
            if target.get(f"filter_{name}")
        ]
        name = target["id"] if isinstance(target.get("id"), str) else f"terraform-{uuid4().hex[:26]}"
        filtered = {"Filter": {"Key": {"FilterRules": rules}}} if rules else {}
        return {
            "Id": name,
            f"{member}Arn": target[f"{attribute}_arn"],
            "Events": target["events"],
            **filtered,
        }

    def observe(self, state: State, found: dict[str, Any], aws: Aws) -> State:
        seen: State = {"eventbridge": "EventBridgeConfiguration" in found}
        for attribute, member in self.TARGETS:
            seen[attribute] = [
                self._seen_target(attribute, member, target) for target in found.get(f"{member}Configurations", [])
            ]
        return seen

    def _seen_target(self, attribute: str, member: str, target: Mapping[str, Any]) -> State:
        rules = {
            rule["Name"].lower(): rule["Value"]
            for rule in target.get("Filter", {}).get("Key", {}).get("FilterRules", [])
        }
        return {
            "id": target["Id"],
            f"{attribute}_arn": target[f"{member}Arn"],
            "events": target["Events"],
            "filter_prefix": rules.get("prefix"),
            "filter_suffix": rules.get("suffix"),
        }

    def clear_away(self, state: State, aws: Aws) -> None:
        aws.client("s3").put_bucket_notification_configuration(Bucket=state["bucket"], NotificationConfiguration={})


class Object(ResourceType):
    def identify(self, state: State, answer: Mapping[str, Any]) -> State:
        return {"id": f"{state['bucket']}/{state['key']}"}

    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        if method != self.create:
            return request
        if state.get("source"):
            return {**request, "Body": aws.read(state["source"])}
        if state.get("content_base64"):
            return {**request, "Body": base64.b64decode(state["content_base64"])}
        return {**request, "Body": (state.get("content") or "").encode()}

    def observe(self, state: State, found: dict[str, Any], aws: Aws) -> State:
        return {
            "arn": f"arn:aws:s3:::{state['bucket']}/{state['key']}",
            "etag": found["ETag"].strip('"'),
            "version_id": found.get("VersionId"),
        }

    def finish(self, state: State, prior: State | None, aws: Aws) -> None:
        if prior is not None:  # a new version has no tags
            self.set_tags({}, state.get("tags_all") or {}, state, aws)

    def clear_away(self, state: State, aws: Aws) -> None:
        delete_versions(aws.client("s3"), state["bucket"], state["key"])

    def tags_of(self, state: State, aws: Aws) -> dict[str, str]:
        place = {"Bucket": state["bucket"], "Key": state["key"]}
        return from_pairs(aws.client("s3").get_object_tagging(**place)["TagSet"])

    def set_tags(self, old: Mapping[str, str], new: Mapping[str, str], state: State, aws: Aws) -> None:
        place = {"Bucket": state["bucket"], "Key": state["key"]}
        aws.client("s3").put_object_tagging(**place, Tagging={"TagSet": tag_set(new)})


BY_BUCKET = Tagging("get_bucket_tagging", "put_bucket_tagging", "delete_bucket_tagging", ("Bucket", "bucket"))
BY_KEY = Tagging("get_object_tagging", "put_object_tagging", "delete_object_tagging", ("Bucket", "bucket"))
ENCRYPTION = "ServerSideEncryptionConfiguration"

TYPES: dict[str, ResourceType] = {
    "aws_s3_bucket": Bucket(
        "s3",
        "create_bucket",
        "head_bucket",
        "delete_bucket",
        BUCKET,
        sent=dict.fromkeys(("acl", "bucket_namespace", "object_lock_enabled"), NOWHERE),
        in_place=frozenset({"force_destroy"}),
        defaults={"force_destroy": False},
        tagging=BY_BUCKET,
    ),
    "aws_s3_bucket_versioning": Versioning(
        "s3",
        "put_bucket_versioning",
        "get_bucket_versioning",
        None,
        BUCKET,
        update="put_bucket_versioning",
        sent={"mfa": NOWHERE, "versioning_configuration.mfa_delete": NOWHERE, **NO_OWNER},
    ),
    "aws_s3_bucket_server_side_encryption_configuration": ResourceType(
        "s3",
        "put_bucket_encryption",
        "get_bucket_encryption",
        "delete_bucket_encryption",
        BUCKET,
        update="put_bucket_encryption",
        sent={"rule": f"{ENCRYPTION}.Rules", **NO_OWNER},
    ),
    "aws_s3_bucket_public_access_block": ResourceType(
        "s3",
        "put_public_access_block",
        "get_public_access_block",
        "delete_public_access_block",
        BUCKET,
        update="put_public_access_block",
        sent={
            name: f"PublicAccessBlockConfiguration.{member}"
            for name, member in (
                ("block_public_acls", "BlockPublicAcls"),
                ("block_public_policy", "BlockPublicPolicy"),
                ("ignore_public_acls", "IgnorePublicAcls"),
                ("restrict_public_buckets", "RestrictPublicBuckets"),
            )
        },
        defaults=dict.fromkeys(
            ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"),
            False,
        ),
    ),
    "aws_s3_bucket_policy": ResourceType(
        "s3",
        "put_bucket_policy",
        "get_bucket_policy",
        "delete_bucket_policy",
        BUCKET,
        update="put_bucket_policy",
    ),
    "aws_s3_bucket_lifecycle_configuration": ResourceType(
        "s3",
        "put_bucket_lifecycle_configuration",
        "get_bucket_lifecycle_configuration",
        "delete_bucket_lifecycle",
        BUCKET,
        update="put_bucket_lifecycle_configuration",
        sent={"rule": "LifecycleConfiguration.Rules", **NO_OWNER},
        answered={"rule": "Rules"},
    ),
    "aws_s3_bucket_notification": Notification(
        "s3",
        "put_bucket_notification_configuration",
        "get_bucket_notification_configuration",
        None,
        BUCKET,
        update="put_bucket_notification_configuration",
        in_place=frozenset(
            {"eventbridge", "queue", "topic", "lambda_function", "queue.*", "topic.*", "lambda_function.*"}
        ),
        defaults={"eventbridge": False},
    ),
    "aws_s3_bucket_ownership_controls": ResourceType(
        "s3",
        "put_bucket_ownership_controls",
        "get_bucket_ownership_controls",
        "delete_bucket_ownership_controls",
        BUCKET,
        update="put_bucket_ownership_controls",
        sent={"rule": "OwnershipControls.Rules"},
    ),
    "aws_s3_object": Object(
        "s3",
        "put_object",
        "head_object",
        None,
        {"Bucket": "bucket", "Key": "key"},
        update="put_object",
        sent={"kms_key_id": "SSEKMSKeyId", **dict.fromkeys(("acl", "checksum_algorithm", "source"), NOWHERE)},
        in_place=frozenset({"content", "content_base64", "source", "source_hash", "etag"}),
        volatile=("version_id",),
        tagging=BY_KEY,
    ),
}
