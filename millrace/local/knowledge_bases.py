"""Knowledge bases of an embedded AWS, made where there are none yet and found again by name."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from millrace.errors import MillraceError
from millrace.local.instance import Instance

EMBEDDING_MODEL = "amazon.titan-embed-text-v2:0"
READY_SECONDS = 60.0
MOST_LISTED = 1_000  # the largest page of either list

Say = Callable[[str], None]


class SinkNotReady(MillraceError):
    """The embedded AWS did not finish an index or a knowledge base in time."""


def knowledge_base(
    instance: Instance, name: str, bucket: str, source: Mapping[str, Any], say: Say = lambda _line: None
) -> tuple[str, str]:
    """The ids of the knowledge base of that name and of its data source of the same name.

    The data source has this configuration (`dataSourceConfiguration` of CreateDataSource); the knowledge base's role
    may read that bucket and nothing else.
    """
    client = instance.client("bedrock-agent")
    role = _reader(instance, f"{name}-knowledge-base", bucket)
    listed = client.list_knowledge_bases(maxResults=MOST_LISTED)["knowledgeBaseSummaries"]
    base = next((each["knowledgeBaseId"] for each in listed if each["name"] == name), None)
    if base is None:
        say("Creating a Bedrock knowledge base")
        made = client.create_knowledge_base(**description(instance, name, role))
        base = made["knowledgeBase"]["knowledgeBaseId"]
    await_status(
        f"the knowledge base {base}",
        "ACTIVE",
        lambda: client.get_knowledge_base(knowledgeBaseId=base)["knowledgeBase"]["status"],
    )
    listed = client.list_data_sources(knowledgeBaseId=base, maxResults=MOST_LISTED)["dataSourceSummaries"]
    data_source = next((each["dataSourceId"] for each in listed if each["name"] == name), None)
    if data_source is None:
        made = client.create_data_source(knowledgeBaseId=base, name=name, dataSourceConfiguration=source)
        data_source = made["dataSource"]["dataSourceId"]
    return base, data_source


def await_status(what: str, wanted: str, status: Callable[[], str]) -> None:
    """Wait until `status` says what is wanted. Raises SinkNotReady."""
    deadline = time.monotonic() + READY_SECONDS
    while (said := status()) != wanted:
        if time.monotonic() > deadline:
            raise SinkNotReady(f"{what} is {said} after {READY_SECONDS:.0f} s, not {wanted}")
        time.sleep(0.02)


def description(instance: Instance, name: str, role: str) -> dict[str, Any]:
    """What CreateKnowledgeBase is given for a knowledge base that reads with the role."""
    region = instance.region
    store = f"arn:aws:s3vectors:{region}:{instance.account}:bucket/{name}/index/{name}"
    return {
        "name": name,
        "roleArn": role,
        "knowledgeBaseConfiguration": {
            "type": "VECTOR",
            "vectorKnowledgeBaseConfiguration": {
                "embeddingModelArn": f"arn:aws:bedrock:{region}::foundation-model/{EMBEDDING_MODEL}"
            },
        },
        "storageConfiguration": {"type": "S3_VECTORS", "s3VectorsConfiguration": {"indexArn": store}},
    }


def _reader(instance: Instance, role: str, bucket: str) -> str:
    """The role that a knowledge base reads documents with; it may read this bucket and nothing else."""
    iam = instance.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"}, "Action": "sts:AssumeRole"}
    try:
        arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        arn = iam.get_role(RoleName=role)["Role"]["Arn"]
    reading = _policy(
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"},
    )
    iam.put_role_policy(RoleName=role, PolicyName="read-documents", PolicyDocument=reading)
    return arn


def _policy(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
