"""The index and the knowledge base that a deployment to a laptop makes for itself."""

# ruff: noqa: N803 - the names of arguments are those of AWS

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from millrace.local import sinks

ATTRIBUTES = [{"Name": "department", "Type": "STRING_VALUE"}, {"Name": "revision", "Type": "LONG_VALUE"}]
STATES = ["CREATING", "CREATING", "ACTIVE"]


class FakeKendra:
    """One index, which takes a few looks to become active."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.known = ["_category"]
        self.states = list(STATES)

    def list_indices(self) -> dict[str, Any]:
        return {"IndexConfigurationSummaryItems": [{"Id": name, "Name": "millrace"} for name in self.made]}

    def create_index(self, *, Name: str, RoleArn: str, Edition: str) -> dict[str, str]:
        assert (Name, Edition) == ("millrace", "DEVELOPER_EDITION")
        assert RoleArn.startswith("arn:aws:iam::123456789012:role/")
        self.made.append("an-index")
        return {"Id": "an-index"}

    def describe_index(self, *, Id: str) -> dict[str, Any]:
        status = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"Status": status, "DocumentMetadataConfigurations": [{"Name": name} for name in self.known]}

    def update_index(self, *, Id: str, DocumentMetadataConfigurationUpdates: list[dict[str, str]]) -> None:
        assert self.states == ["ACTIVE"], "an index that is being made cannot be changed"
        self.known += [attribute["Name"] for attribute in DocumentMetadataConfigurationUpdates]
        self.states = ["UPDATING", "ACTIVE"]


class FakeBedrock:
    def __init__(self) -> None:
        self.bases: list[dict[str, Any]] = []
        self.sources: list[dict[str, Any]] = []
        self.states = list(STATES)

    def list_knowledge_bases(self, *, maxResults: int) -> dict[str, Any]:
        return {
            "knowledgeBaseSummaries": [{"knowledgeBaseId": "KB12345678", "name": base["name"]} for base in self.bases]
        }

    def create_knowledge_base(self, **request: Any) -> dict[str, Any]:
        self.bases.append(request)
        return {"knowledgeBase": {"knowledgeBaseId": "KB12345678"}}

    def get_knowledge_base(self, *, knowledgeBaseId: str) -> dict[str, Any]:
        return {"knowledgeBase": {"status": self.states.pop(0) if len(self.states) > 1 else self.states[0]}}

    def list_data_sources(self, *, knowledgeBaseId: str, maxResults: int) -> dict[str, Any]:
        return {"dataSourceSummaries": [{"dataSourceId": "DS12345678", "name": each["name"]} for each in self.sources]}

    def create_data_source(self, **request: Any) -> dict[str, Any]:
        assert self.states == ["ACTIVE"], "a knowledge base that is being made takes no data source"
        self.sources.append(request)
        return {"dataSource": {"dataSourceId": "DS12345678"}}


class FakeIam:
    class EntityAlreadyExists(Exception):
        pass

    exceptions = SimpleNamespace(EntityAlreadyExistsException=EntityAlreadyExists)

    def __init__(self) -> None:
        self.roles: dict[str, dict[str, Any]] = {}
        self.policies: dict[str, dict[str, Any]] = {}

    def create_role(self, *, RoleName: str, AssumeRolePolicyDocument: str) -> dict[str, Any]:
        if RoleName in self.roles:
            raise self.EntityAlreadyExists
        self.roles[RoleName] = json.loads(AssumeRolePolicyDocument)
        return self.get_role(RoleName=RoleName)

    def get_role(self, *, RoleName: str) -> dict[str, Any]:
        return {"Role": {"Arn": f"arn:aws:iam::123456789012:role/{RoleName}"}}

    def put_role_policy(self, *, RoleName: str, PolicyName: str, PolicyDocument: str) -> None:
        self.policies[RoleName] = json.loads(PolicyDocument)


class FakeInstance:
    region = "us-east-1"
    account = "123456789012"

    def __init__(self) -> None:
        self.kendra = FakeKendra()
        self.bedrock_agent = FakeBedrock()
        self.iam = FakeIam()

    def client(self, service: str) -> Any:
        return getattr(self, service.replace("-", "_"))


@pytest.fixture
def attributes(tmp_path: Path) -> Path:
    path = tmp_path / "attributes.json"
    path.write_text(json.dumps(ATTRIBUTES))
    return path


def variables(instance: FakeInstance, attributes: Path, **chosen: str) -> dict[str, Any]:
    said: list[str] = []
    given = {"ingestion_bucket": "millrace-ingestion", **chosen}
    return sinks.variables(instance, given, attributes, said.append)  # type: ignore[arg-type]


def test_an_index_is_made_once_and_knows_the_attributes(attributes: Path) -> None:
    instance = FakeInstance()
    for _ in range(2):
        assert variables(instance, attributes) == {"kendra_index_id": "an-index"}
    assert instance.kendra.made == ["an-index"]
    assert instance.kendra.known == ["_category", "department", "revision"]


def test_a_knowledge_base_and_its_data_source_are_made_once(attributes: Path) -> None:
    instance = FakeInstance()
    for _ in range(2):
        found = variables(instance, attributes, sink="bedrock")
        assert (found["knowledge_base_id"], found["data_source_id"]) == ("KB12345678", "DS12345678")
    (source,) = instance.bedrock_agent.sources
    assert len(instance.bedrock_agent.bases) == 1
    assert source["dataSourceConfiguration"] == {"type": "CUSTOM"}
    assert "kendra_index_id" not in found


def test_a_knowledge_base_takes_the_attributes_that_an_index_would(attributes: Path) -> None:
    types = variables(FakeInstance(), attributes, sink="bedrock")["attribute_types"]
    assert (types["department"], types["revision"]) == ("STRING_VALUE", "LONG_VALUE")
    assert (types["_category"], types["_created_at"]) == ("STRING_VALUE", "DATE_VALUE")


def test_a_knowledge_bases_role_may_read_the_ingestion_bucket_and_nothing_else(attributes: Path) -> None:
    instance = FakeInstance()
    variables(instance, attributes, sink="bedrock")
    (role,) = instance.iam.roles
    assert instance.bedrock_agent.bases[0]["roleArn"] == f"arn:aws:iam::123456789012:role/{role}"
    (trust,) = instance.iam.roles[role]["Statement"]
    assert trust["Principal"] == {"Service": "bedrock.amazonaws.com"}
    allowed = {statement["Action"]: statement["Resource"] for statement in instance.iam.policies[role]["Statement"]}
    assert allowed == {
        "s3:GetObject": "arn:aws:s3:::millrace-ingestion/*",
        "s3:ListBucket": "arn:aws:s3:::millrace-ingestion",
    }


def test_what_never_becomes_ready_is_named_and_ends(attributes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "READY_SECONDS", 0.0)
    instance = FakeInstance()
    instance.kendra.states = ["FAILED"]
    with pytest.raises(sinks.SinkNotReady, match=r"Kendra index an-index is FAILED .* not ACTIVE"):
        variables(instance, attributes)


@pytest.mark.parametrize(
    ("chosen", "named"),
    [
        ({}, False),
        ({"kendra_index_id": "mine"}, True),
        ({"sink": "bedrock"}, False),
        ({"sink": "bedrock", "kendra_index_id": "mine"}, False),
        ({"sink": "bedrock", "knowledge_base_id": "MINE123456"}, True),
    ],
)
def test_who_names_the_chosen_sink_has_one_of_his_own(chosen: dict[str, str], named: bool) -> None:
    assert sinks.is_named(chosen) is named
