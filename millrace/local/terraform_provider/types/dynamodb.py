"""DynamoDB tables. Time to live, point-in-time recovery and tags change in place; all else makes a new table."""

from __future__ import annotations

from typing import Any

from millrace.local.terraform_provider.aws import Aws
from millrace.local.terraform_provider.naming import NOWHERE
from millrace.local.terraform_provider.reading import State
from millrace.local.terraform_provider.resource import ResourceType, Tagging


class Table(ResourceType):
    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        if method != "create_table":
            return request
        request["KeySchema"] = key_schema(state)
        indexes = state.get("global_secondary_index") or []
        for index, sent in zip(indexes, request.get("GlobalSecondaryIndexes", []), strict=True):
            sent["KeySchema"] = key_schema(index)
        if "KMSMasterKeyId" in request.get("SSESpecification", {}):
            request["SSESpecification"]["SSEType"] = "KMS"
        return request

    def find(self, state: State, answer: dict[str, Any]) -> dict[str, Any] | None:
        table = answer["Table"]
        encryption = table.get("SSEDescription") or {}
        table["BillingMode"] = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
        table["SSESpecification"] = {
            "Enabled": encryption.get("Status") in ("ENABLED", "ENABLING"),
            "KMSMasterKeyId": encryption.get("KMSMasterKeyArn"),
        }
        for item in (table, *table.get("GlobalSecondaryIndexes", [])):
            for key in item["KeySchema"]:
                item["HashKey" if key["KeyType"] == "HASH" else "RangeKey"] = key["AttributeName"]
        return table

    def finish(self, state: State, prior: State | None, aws: Aws) -> None:
        client, name = aws.client("dynamodb"), state["name"]
        if prior is None:
            client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        before = prior or {}
        if (wanted := _only(state, "ttl")) != _only(before, "ttl"):
            named = wanted.get("attribute_name") or _only(before, "ttl").get("attribute_name")
            if wanted.get("enabled") or _only(before, "ttl").get("enabled"):
                client.update_time_to_live(
                    TableName=name,
                    TimeToLiveSpecification={"AttributeName": named, "Enabled": bool(wanted.get("enabled"))},
                )
        if (wanted := _only(state, "point_in_time_recovery")) != _only(before, "point_in_time_recovery"):
            days = wanted.get("recovery_period_in_days")
            client.update_continuous_backups(
                TableName=name,
                PointInTimeRecoverySpecification={
                    "PointInTimeRecoveryEnabled": bool(wanted.get("enabled")),
                    **({"RecoveryPeriodInDays": int(days)} if days else {}),
                },
            )

    def observe(self, state: State, found: dict[str, Any], aws: Aws) -> State:
        client, name = aws.client("dynamodb"), state["name"]
        ttl = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        recovery = backups.get("PointInTimeRecoveryDescription", {})
        expires = ttl["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
        recovers = recovery.get("PointInTimeRecoveryStatus") == "ENABLED"
        days = recovery.get("RecoveryPeriodInDays")
        return {
            "ttl": [{"attribute_name": ttl.get("AttributeName"), "enabled": True}] if expires else [],
            "point_in_time_recovery": [{"enabled": True, "recovery_period_in_days": days}] if recovers else [],
        }


def key_schema(state: State) -> list[dict[str, str]]:
    keys = (("HASH", state.get("hash_key")), ("RANGE", state.get("range_key")))
    return [{"AttributeName": name, "KeyType": kind} for kind, name in keys if name]


def _only(state: State, block: str) -> State:
    return next(iter(state.get(block) or []), {})


THROUGHPUT = {"read_capacity": "ReadCapacityUnits", "write_capacity": "WriteCapacityUnits"}

TYPES: dict[str, ResourceType] = {
    "aws_dynamodb_table": Table(
        "dynamodb",
        "create_table",
        "describe_table",
        "delete_table",
        {"TableName": "name"},
        found="Table",
        sent={
            "attribute": "AttributeDefinitions",
            "attribute.name": "AttributeName",
            "attribute.type": "AttributeType",
            "stream_enabled": "StreamSpecification.StreamEnabled",
            "stream_view_type": "StreamSpecification.StreamViewType",
            "server_side_encryption": "SSESpecification",
            "server_side_encryption.kms_key_arn": "KMSMasterKeyId",
            "global_secondary_index": "GlobalSecondaryIndexes",
            "global_secondary_index.name": "IndexName",
            "global_secondary_index.projection_type": "Projection.ProjectionType",
            "global_secondary_index.non_key_attributes": "Projection.NonKeyAttributes",
            "global_secondary_index.key_schema": NOWHERE,
            **{name: f"ProvisionedThroughput.{member}" for name, member in THROUGHPUT.items()},
            **{
                f"global_secondary_index.{name}": f"ProvisionedThroughput.{member}"
                for name, member in THROUGHPUT.items()
            },
            "local_secondary_index": NOWHERE,
        },
        answered={
            "arn": "TableArn",
            "stream_arn": "LatestStreamArn",
            "stream_label": "LatestStreamLabel",
            "table_class": "TableClassSummary.TableClass",
        },
        silent={"table_class": "STANDARD"},
        elsewhere=frozenset(
            {"hash_key", "range_key", "global_secondary_index.hash_key", "global_secondary_index.range_key"}
        ),
        in_place=frozenset({"ttl", "ttl.*", "point_in_time_recovery", "point_in_time_recovery.*"}),
        defaults={"billing_mode": "PROVISIONED"},
        tagging=Tagging("list_tags_of_resource", "tag_resource", "untag_resource", ("ResourceArn", "arn")),
    ),
}
