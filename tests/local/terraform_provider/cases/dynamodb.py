"""Cases of DynamoDB."""

from __future__ import annotations

from typing import Any

from tests.local.terraform_provider.cases.case import NAME, OTHER, OTHER_TAGS, TAGS, Case, Client, by_hand, some, tags


def ask_table(client: Client) -> Any:
    table = client("dynamodb").describe_table(TableName=NAME)["Table"]
    (index,) = table["GlobalSecondaryIndexes"]
    return {
        "keys": table["KeySchema"],
        "index": some(index, "IndexName", "KeySchema", "Projection"),
        "stream": table["StreamSpecification"],
        "billing": table["BillingModeSummary"]["BillingMode"],
        "encryption": table["SSEDescription"]["Status"],
        "ttl": client("dynamodb").describe_time_to_live(TableName=NAME)["TimeToLiveDescription"]["TimeToLiveStatus"],
        "recovery": client("dynamodb").describe_continuous_backups(TableName=NAME)["ContinuousBackupsDescription"][
            "PointInTimeRecoveryDescription"
        ]["PointInTimeRecoveryStatus"],
        "tags": tags(client("dynamodb").list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]),
    }


def cases() -> dict[str, Case]:
    key = [{"AttributeName": "id", "KeyType": "HASH"}]
    said = {
        "keys": key,
        "index": {
            "IndexName": "by-status",
            "KeySchema": [
                {"AttributeName": "status", "KeyType": "HASH"},
                {"AttributeName": "priority", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["title"]},
        },
        "stream": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        "billing": "PAY_PER_REQUEST",
        "encryption": "ENABLED",
        "ttl": "ENABLED",
        "recovery": "ENABLED",
        "tags": {**TAGS, "project": "contract"},
    }
    return {
        "aws_dynamodb_table": Case(
            minimal={
                "name": OTHER,
                "billing_mode": "PAY_PER_REQUEST",
                "hash_key": "id",
                "attribute": [{"name": "id", "type": "S"}],
            },
            full={
                "name": NAME,
                "billing_mode": "PAY_PER_REQUEST",
                "hash_key": "id",
                "attribute": [
                    {"name": "id", "type": "S"},
                    {"name": "status", "type": "S"},
                    {"name": "priority", "type": "N"},
                ],
                "global_secondary_index": [
                    {
                        "name": "by-status",
                        "hash_key": "status",
                        "range_key": "priority",
                        "projection_type": "INCLUDE",
                        "non_key_attributes": ["title"],
                    }
                ],
                "stream_enabled": True,
                "stream_view_type": "NEW_AND_OLD_IMAGES",
                "ttl": [{"attribute_name": "expiresAt", "enabled": True}],
                "point_in_time_recovery": [{"enabled": True}],
                "server_side_encryption": [{"enabled": True}],
                "tags": TAGS,
            },
            changed={"ttl": [], "point_in_time_recovery": [{"enabled": False}], "tags": OTHER_TAGS},
            change="update",
            ask=ask_table,
            said=said,
            said_after=said
            | {
                "ttl": "DISABLED",
                "recovery": "DISABLED",
                "tags": {**OTHER_TAGS, "project": "contract"},
            },
            drift=by_hand(
                "dynamodb",
                "update_continuous_backups",
                TableName=NAME,
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            ),
            refused={"local_secondary_index": [{"name": "x", "range_key": "status", "projection_type": "ALL"}]},
        ),
    }
