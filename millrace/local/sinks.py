"""The index or the knowledge base of an embedded AWS. On AWS they are the user's own and no part of `terraform/`, so a
deployment to a laptop makes them before it, once, and finds them again by name."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from millrace.errors import MillraceError
from millrace.local.instance import Instance
from millrace.local.kendra.attributes import BUILT_IN

NAME = "millrace"
ROLE = "millrace-knowledge-base"
EMBEDDING_MODEL = "amazon.titan-embed-text-v2:0"
READY_SECONDS = 60.0
MOST_LISTED = 1_000  # the largest page of either list

Say = Callable[[str], None]


class SinkNotReady(MillraceError):
    """The embedded AWS did not finish an index or a knowledge base in time."""


def is_named(chosen: Mapping[str, Any]) -> bool:
    """Whether these variables of `terraform/` name the sink that they choose, so that none is to be made."""
    return ("knowledge_base_id" if _is_bedrock(chosen) else "kendra_index_id") in chosen


def variables(instance: Instance, chosen: Mapping[str, Any], attributes: Path, say: Say) -> dict[str, Any]:
    """The variables of `terraform/` that name the chosen sink, which is made where there is none yet.

    Both sinks know the attributes of that file (as UpdateIndex takes them) and those that an index has from the
    start, so the same documents fail in either.
    """
    if _is_bedrock(chosen):
        knowledge_base, data_source = _knowledge_base(instance, chosen["ingestion_bucket"], say)
        types = {**BUILT_IN, **{each["Name"]: each["Type"] for each in _read(attributes)}}
        return {"knowledge_base_id": knowledge_base, "data_source_id": data_source, "attribute_types": types}
    return {"kendra_index_id": _index(instance, attributes, say)}


def _is_bedrock(chosen: Mapping[str, Any]) -> bool:
    return chosen.get("sink") == "bedrock"


def _index(instance: Instance, attributes: Path, say: Say) -> str:
    """The index's id."""
    client = instance.client("kendra")
    listed = client.list_indices()["IndexConfigurationSummaryItems"]
    index = next((each["Id"] for each in listed if each["Name"] == NAME), None)
    if index is None:
        say("Creating a Kendra index")
        role = f"arn:aws:iam::{instance.account}:role/{NAME}-index"
        index = client.create_index(Name=NAME, RoleArn=role, Edition="DEVELOPER_EDITION")["Id"]

    def status() -> str:
        return client.describe_index(Id=index)["Status"]

    _await(f"the Kendra index {index}", "ACTIVE", status)
    known = {each["Name"] for each in client.describe_index(Id=index)["DocumentMetadataConfigurations"]}
    if missing := [attribute for attribute in _read(attributes) if attribute["Name"] not in known]:
        client.update_index(Id=index, DocumentMetadataConfigurationUpdates=missing)
        _await(f"the Kendra index {index}", "ACTIVE", status)
    return index


def _knowledge_base(instance: Instance, bucket: str, say: Say) -> tuple[str, str]:
    """The ids of the knowledge base and of its data source, which takes documents one by one (type CUSTOM)."""
    client = instance.client("bedrock-agent")
    role = _reader(instance, bucket)
    listed = client.list_knowledge_bases(maxResults=MOST_LISTED)["knowledgeBaseSummaries"]
    base = next((each["knowledgeBaseId"] for each in listed if each["name"] == NAME), None)
    if base is None:
        say("Creating a Bedrock knowledge base")
        base = client.create_knowledge_base(**_description(instance, role))["knowledgeBase"]["knowledgeBaseId"]
    _await(
        f"the knowledge base {base}",
        "ACTIVE",
        lambda: client.get_knowledge_base(knowledgeBaseId=base)["knowledgeBase"]["status"],
    )
    sources = client.list_data_sources(knowledgeBaseId=base, maxResults=MOST_LISTED)["dataSourceSummaries"]
    source = next((each["dataSourceId"] for each in sources if each["name"] == NAME), None)
    if source is None:
        made = client.create_data_source(knowledgeBaseId=base, name=NAME, dataSourceConfiguration={"type": "CUSTOM"})
        source = made["dataSource"]["dataSourceId"]
    return base, source


def _description(instance: Instance, role: str) -> dict[str, Any]:
    region = instance.region
    store = f"arn:aws:s3vectors:{region}:{instance.account}:bucket/{NAME}/index/{NAME}"
    return {
        "name": NAME,
        "roleArn": role,
        "knowledgeBaseConfiguration": {
            "type": "VECTOR",
            "vectorKnowledgeBaseConfiguration": {
                "embeddingModelArn": f"arn:aws:bedrock:{region}::foundation-model/{EMBEDDING_MODEL}"
            },
        },
        "storageConfiguration": {"type": "S3_VECTORS", "s3VectorsConfiguration": {"indexArn": store}},
    }


def _reader(instance: Instance, bucket: str) -> str:
    """The role that the knowledge base reads documents with; it may read this bucket and nothing else."""
    iam = instance.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"}, "Action": "sts:AssumeRole"}
    try:
        arn = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        arn = iam.get_role(RoleName=ROLE)["Role"]["Arn"]
    reading = _policy(
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"},
    )
    iam.put_role_policy(RoleName=ROLE, PolicyName="read-documents", PolicyDocument=reading)
    return arn


def _policy(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _await(what: str, wanted: str, status: Callable[[], str]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while (said := status()) != wanted:
        if time.monotonic() > deadline:
            raise SinkNotReady(f"{what} is {said} after {READY_SECONDS:.0f} s, not {wanted}")
        time.sleep(0.02)


def _read(attributes: Path) -> list[dict[str, str]]:
    return json.loads(attributes.read_text("utf-8"))
