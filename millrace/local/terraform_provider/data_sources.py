"""The data sources: each a function from the configuration to the attributes that it computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from millrace.local.terraform_provider import reading, schema
from millrace.local.terraform_provider.aws import Aws, is_absence
from millrace.local.terraform_provider.errors import NotSent, NotThere
from millrace.local.terraform_provider.naming import is_set
from millrace.local.terraform_provider.policy_document import policy_document
from millrace.local.terraform_provider.reading import State
from millrace.local.terraform_provider.types import TYPES
from millrace.local.terraform_provider.types.s3 import bucket_facts
from millrace.local.terraform_provider.wire import settle

PARTITION = "aws"
DNS_SUFFIX = "amazonaws.com"


@dataclass(frozen=True)
class DataSource:
    read: Callable[[Mapping[str, Any], Aws], State]
    arguments: frozenset[str] = frozenset()
    """The arguments that `read` heeds; any other is refused."""

    def state(self, name: str, config: Mapping[str, Any], aws: Aws) -> State:
        """Raises NotSent."""
        ignored = [argument for argument, value in config.items() if is_set(value) and argument not in self.arguments]
        if ignored:
            raise NotSent(ignored)
        block = schema.data_block(name)
        known = schema.attributes(block).keys() | schema.blocks(block).keys()
        computed = {"region": aws.region, **self.read(config, aws)}
        return settle(
            {
                **config,
                **{name: value for name, value in computed.items() if name in known},
            }
        )


def caller_identity(_config: Mapping[str, Any], aws: Aws) -> State:
    caller = aws.client("sts").get_caller_identity()
    account = caller["Account"]
    return {"account_id": account, "arn": caller["Arn"], "user_id": caller["UserId"], "id": account}


def region(_config: Mapping[str, Any], aws: Aws) -> State:
    name = aws.region
    return {"name": name, "id": name, "description": name, "endpoint": f"ec2.{name}.{DNS_SUFFIX}"}


def partition(_config: Mapping[str, Any], _aws: Aws) -> State:
    reverse = ".".join(reversed(DNS_SUFFIX.split(".")))
    return {"partition": PARTITION, "id": PARTITION, "dns_suffix": DNS_SUFFIX, "reverse_dns_prefix": reverse}


def bucket(config: Mapping[str, Any], aws: Aws) -> State:
    name = config["bucket"]
    try:
        aws.client("s3").head_bucket(Bucket=name)
    except ClientError as error:
        if is_absence(error):
            raise NotThere(f"there is no bucket {name}") from None
        raise
    return {"id": name, **bucket_facts(name, aws.region)}


def table(config: Mapping[str, Any], aws: Aws) -> State:
    """What the resource knows of a table, in the shapes of the data source."""
    name = config["name"]
    seen = TYPES["aws_dynamodb_table"].look({"name": name}, aws)
    if seen is None:
        raise NotThere(f"there is no table {name}")
    seen |= {"id": name, "tags": seen["tags_all"]}
    block = schema.data_block("aws_dynamodb_table")
    kinds = {name: spec["type"] for name, spec in schema.attributes(block).items()}
    inside = {name: nested["block"] for name, nested in schema.blocks(block).items()}
    return {name: fitted(kind, seen.get(name)) for name, kind in kinds.items()} | {
        name: [reading.complete(inner, item) for item in seen.get(name) or []] for name, inner in inside.items()
    }


def fitted(kind: Any, value: Any) -> Any:
    """The value with exactly the members that the objects of its type have; what is missing is null, empty or false."""
    if isinstance(kind, str):
        return bool(value) if kind == "bool" else value
    shape, inner = kind
    if shape == "object":
        return {name: fitted(each, value.get(name)) for name, each in inner.items()}
    if shape == "map":
        return value or {}
    return [fitted(inner, item) for item in value or []]


def kms_key(config: Mapping[str, Any], aws: Aws) -> State:
    key = aws.client("kms").describe_key(KeyId=config["key_id"])["KeyMetadata"]
    return {
        "id": key["KeyId"],
        "arn": key["Arn"],
        "aws_account_id": key.get("AWSAccountId"),
        "creation_date": key["CreationDate"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "customer_master_key_spec": key.get("CustomerMasterKeySpec"),
        "description": key.get("Description"),
        "enabled": key.get("Enabled"),
        "key_manager": key.get("KeyManager"),
        "key_spec": key.get("KeySpec"),
        "key_state": key.get("KeyState"),
        "key_usage": key.get("KeyUsage"),
        "multi_region": key.get("MultiRegion"),
        "origin": key.get("Origin"),
    }


def kms_alias(config: Mapping[str, Any], aws: Aws) -> State:
    client = aws.client("kms")
    pages = client.get_paginator("list_aliases").paginate()
    found = next((each for page in pages for each in page["Aliases"] if each["AliasName"] == config["name"]), None)
    if found is None:
        raise NotThere(f"there is no KMS alias {config['name']}")
    key = client.describe_key(KeyId=found["AliasName"])["KeyMetadata"]
    return {
        "id": found["AliasArn"],
        "arn": found["AliasArn"],
        "target_key_id": key["KeyId"],
        "target_key_arn": key["Arn"],
    }


DATA_SOURCES: dict[str, DataSource] = {
    "aws_caller_identity": DataSource(caller_identity),
    "aws_dynamodb_table": DataSource(table, frozenset({"name"})),
    "aws_iam_policy_document": DataSource(
        lambda config, _aws: policy_document(config),
        frozenset({"override_policy_documents", "policy_id", "source_policy_documents", "statement", "version"}),
    ),
    "aws_kms_alias": DataSource(kms_alias, frozenset({"name"})),
    "aws_kms_key": DataSource(kms_key, frozenset({"key_id"})),
    "aws_partition": DataSource(partition),
    "aws_region": DataSource(region),
    "aws_s3_bucket": DataSource(bucket, frozenset({"bucket"})),
}
