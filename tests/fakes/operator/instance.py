"""Small services that behave: what is made on an embedded AWS before Terraform runs."""

# ruff: noqa: N803 - the names of arguments are those of AWS

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

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


class FakeBuckets:
    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []

    def list_buckets(self) -> dict[str, Any]:
        return {"Buckets": [{"Name": request["Bucket"]} for request in self.made]}

    def create_bucket(self, **request: Any) -> None:
        self.made.append(request)


class FakeInstance:
    """An embedded AWS, of which what a deployment needs beforehand can be made."""

    region = "us-east-1"
    account = "123456789012"

    def __init__(self) -> None:
        self.kendra = FakeKendra()
        self.bedrock_agent = FakeBedrock()
        self.iam = FakeIam()
        self.s3 = FakeBuckets()

    def client(self, service: str) -> Any:
        return getattr(self, service.replace("-", "_"))
