"""The index or the knowledge base of an embedded AWS. On AWS they are the user's own and no part of `terraform/`, so a
deployment to a laptop makes them before it, once, and finds them again by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from millrace.local.instance import Instance
from millrace.local.kendra.attributes import BUILT_IN
from millrace.local.knowledge_bases import Say, await_status, knowledge_base

NAME = "millrace"


def is_named(chosen: Mapping[str, Any]) -> bool:
    """Whether these variables of `terraform/` name the sink that they choose, so that none is to be made."""
    return ("knowledge_base_id" if _is_bedrock(chosen) else "kendra_index_id") in chosen


def variables(instance: Instance, chosen: Mapping[str, Any], attributes: Path, say: Say) -> dict[str, Any]:
    """The variables of `terraform/` that name the chosen sink, which is made where there is none yet.

    Both sinks know the attributes of that file (as UpdateIndex takes them) and those that an index has from the
    start, so the same documents fail in either.
    """
    if _is_bedrock(chosen):
        # Its data source takes documents one by one.
        base, data_source = knowledge_base(instance, NAME, chosen["ingestion_bucket"], {"type": "CUSTOM"}, say)
        types = {**BUILT_IN, **{each["Name"]: each["Type"] for each in _read(attributes)}}
        return {"knowledge_base_id": base, "data_source_id": data_source, "attribute_types": types}
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

    await_status(f"the Kendra index {index}", "ACTIVE", status)
    known = {each["Name"] for each in client.describe_index(Id=index)["DocumentMetadataConfigurations"]}
    if missing := [attribute for attribute in _read(attributes) if attribute["Name"] not in known]:
        client.update_index(Id=index, DocumentMetadataConfigurationUpdates=missing)
        await_status(f"the Kendra index {index}", "ACTIVE", status)
    return index


def _read(attributes: Path) -> list[dict[str, str]]:
    return json.loads(attributes.read_text("utf-8"))
