"""DynamoDB tables. Streams, global indexes, deletion protection, time to live, point-in-time recovery and tags change
in place; all else makes a new table.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

from millrace.local.terraform_provider import naming
from millrace.local.terraform_provider.aws import Aws
from millrace.local.terraform_provider.errors import NotTaken
from millrace.local.terraform_provider.naming import NOWHERE
from millrace.local.terraform_provider.planning import Plan
from millrace.local.terraform_provider.reading import State
from millrace.local.terraform_provider.resource import ResourceType, Tagging
from millrace.local.terraform_provider.wire import UNKNOWN

STREAM = ("stream_enabled", "stream_view_type")
ALTERED = frozenset({*STREAM, "attribute", "deletion_protection_enabled", "global_secondary_index"})
"""What UpdateTable changes here."""
SETTLE_SECONDS = 60.0
SETTLE_PAUSE_SECONDS = 0.02


class Table(ResourceType):
    def plan(self, prior: State | None, config: Mapping[str, Any], proposed: State, aws: Aws) -> Plan:
        """A stream that is begun or ended has another ARN, or none; what reads it has to wait for that."""
        planned = super().plan(prior, config, proposed, aws)
        if prior is None or planned.replace or not _differ(prior, planned.state, STREAM):
            return planned
        news = {"stream_arn": UNKNOWN, "stream_label": UNKNOWN}
        if config.get("stream_view_type") is None:
            news["stream_view_type"] = UNKNOWN
        return dataclasses.replace(planned, state={**planned.state, **news})

    def _changes_in_place(self, attribute: str, prior: Any, new: Any) -> bool:
        return attribute in ALTERED or super()._changes_in_place(attribute, prior, new)

    def alter(self, prior: State, state: State, arguments: State, gone: Mapping[str, Any], aws: Aws) -> None:
        """One call for each change: UpdateTable takes one stream or index at a time, and wants a table at rest."""
        client, name = aws.client("dynamodb"), state["name"]
        body = self.body(self.create)
        attributes = naming.to_request(self.block, {"attribute": state["attribute"]}, body, self.sent)
        changes: list[dict[str, Any]] = []
        if _differ(prior, state, ("deletion_protection_enabled",)):
            changes.append({"DeletionProtectionEnabled": bool(state.get("deletion_protection_enabled"))})
        if _differ(prior, state, STREAM):
            changes += stream_changes(prior, arguments)
        before, after = (_by_name(each.get("global_secondary_index")) for each in (prior, arguments))
        for change in index_changes(before, after):
            if "Create" in change:
                wanted = {"global_secondary_index": [change["Create"]]}
                (sent,) = naming.to_request(self.block, wanted, body, self.sent)["GlobalSecondaryIndexes"]
                change = {"Create": {**sent, "KeySchema": key_schema(change["Create"])}}
            changes.append({"GlobalSecondaryIndexUpdates": [change], **attributes})
        for request in changes:
            client.update_table(TableName=name, **request)
            self._settled(name, aws)

    @staticmethod
    def _settled(name: str, aws: Aws) -> None:
        """Wait until the table and its indexes are at rest. Raises NotTaken."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            table = aws.client("dynamodb").describe_table(TableName=name)["Table"]
            indexes = table.get("GlobalSecondaryIndexes", [])
            if {table["TableStatus"], *(index["IndexStatus"] for index in indexes)} == {"ACTIVE"}:
                return
            time.sleep(SETTLE_PAUSE_SECONDS)
        raise NotTaken(f"table {name} is still {table['TableStatus']} after {SETTLE_SECONDS:.0f} s")

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
            "hash_key": found.get("HashKey"),
            "range_key": found.get("RangeKey"),
            "ttl": [{"attribute_name": ttl.get("AttributeName"), "enabled": True}] if expires else [],
            "point_in_time_recovery": [{"enabled": True, "recovery_period_in_days": days}] if recovers else [],
        }


def stream_changes(prior: State, wanted: State) -> list[dict[str, Any]]:
    """The requests that lead to the wanted stream: another view needs a new stream."""
    changes: list[dict[str, Any]] = []
    if prior.get("stream_enabled"):
        changes.append({"StreamSpecification": {"StreamEnabled": False}})
    if wanted.get("stream_enabled"):
        view = wanted.get("stream_view_type")
        changes.append({"StreamSpecification": {"StreamEnabled": True, "StreamViewType": view}})
    return changes


INDEX = ("hash_key", "range_key", "projection_type")


def index_changes(before: Mapping[str, State], after: Mapping[str, State]) -> list[dict[str, Any]]:
    """What UpdateTable is told of indexes (by name), one change each: one whose keys or projection are others is made
    anew.
    """

    def shape(index: State) -> tuple[Any, ...]:
        return (*(index.get(name) or None for name in INDEX), sorted(index.get("non_key_attributes") or []))

    kept = {name for name in before.keys() & after.keys() if shape(before[name]) == shape(after[name])}
    gone = [{"Delete": {"IndexName": name}} for name in sorted(before.keys() - kept)]
    return gone + [{"Create": after[name]} for name in sorted(after.keys() - kept)]


def _by_name(indexes: list[State] | None) -> dict[str, State]:
    return {index["name"]: index for index in indexes or []}


def _differ(one: State, other: State, names: tuple[str, ...]) -> bool:
    return any((one.get(name) or None) != (other.get(name) or None) for name in names)


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
