"""The configuration, applied by Terraform's core to nothing: `terraform test` with a mocked provider.

What a provider would compute is a random word, a different one for each resource, so that a reference in a
policy or a definition tells exactly which resource it means. What the configuration says is there as it is.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millrace.local import offline_terraform

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGURATION = REPOSITORY / "terraform"

ACCOUNT = "123456789012"
REGION = "eu-west-1"
INDEX = "12345678-1234-1234-1234-123456789012"
KNOWLEDGE_BASE = "KBASE12345"
DATA_SOURCE = "DSRCE12345"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
VARIABLES: Mapping[str, Any] = {
    "aws_region": REGION,
    "ingestion_bucket": "example-ingestion",
    "reports_bucket": "example-reports",
    "kendra_index_id": INDEX,
    "package_dir": "tests/package",
    "notification_email": "search-team@example.com",
}
SOURCES: Mapping[str, Mapping[str, Any]] = {
    "handbook": {
        "knowledge_base_id": KNOWLEDGE_BASE,
        "data_source_id": DATA_SOURCE,
        "bucket": "example-data",
        "prefix": "handbook/",
    },
    "images": {
        "knowledge_base_id": KNOWLEDGE_BASE,
        "data_source_id": "DSRCE67890",
        "bucket": "example-data",
        "prefix": "images/",
    },
    "notes": {
        "knowledge_base_id": "KBASE67890",
        "data_source_id": "DSRCE00000",
        "bucket": "example-notes",
        "prefix": "",
    },
}
"""Two data sources of one knowledge base and one of another."""

WITH_INCIDENTS: Mapping[str, Mapping[str, Any]] = {
    **SOURCES,
    "incidents": {
        "knowledge_base_id": KNOWLEDGE_BASE,
        "data_source_id": "DSRCE11111",
        "bucket": "example-incidents",
        "prefix": "incidents/",
        "events": False,
    },
}
"""And one whose only writer asks for syncs by itself."""

IMAGES = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/millrace"
VECTORS: Mapping[str, Any] = {
    "store_bucket": "example-store",
    "vector_store_image_uri": f"{IMAGES}/vector-store@sha256:{'5' * 64}",
}
"""A vector store whose exports are embedded by a function."""

BY_TASK: Mapping[str, Any] = {
    "embed_consumer": "ecs",
    "embed_image_uri": f"{IMAGES}/embed@sha256:{'7' * 64}",
    "embed_subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    "embed_security_group_ids": ["sg-0123456789abcdef0"],
}
"""And by a task in place of it."""

REFERRING = frozenset({"aws_cloudwatch_event_target", "aws_sns_topic_policy"})
"""Types whose `arn` is that of the resource which they are about."""

TEST = """
mock_provider "aws" {{
  mock_data "aws_caller_identity" {{
    defaults = {{ account_id = "{account}" }}
  }}
  mock_data "aws_partition" {{
    defaults = {{ partition = "aws" }}
  }}
  mock_data "aws_region" {{
    defaults = {{ region = "{region}" }}
  }}
  mock_data "aws_s3_bucket" {{
    defaults = {{ bucket_region = "{region}" }}
  }}
}}

run "applied" {{
  command   = apply
  variables {{
    {variables}
  }}
}}
"""


@dataclass(frozen=True)
class Resource:
    address: str
    type: str
    values: Mapping[str, Any]
    made: bool = True
    """False of what the configuration only looks up."""


@dataclass(frozen=True)
class Statement:
    sid: str | None
    effect: str
    actions: frozenset[str]
    resources: frozenset[str]
    conditions: tuple[Mapping[str, Any], ...]
    principals: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Deployment:
    variables: Mapping[str, Any]
    resources: tuple[Resource, ...]

    @property
    def option(self) -> str:
        return str(self.variables.get("deploy_option", "sfn"))

    @property
    def sink(self) -> str:
        return str(self.variables.get("sink", "kendra"))

    def all(self, kind: str) -> list[Resource]:
        return [resource for resource in self.resources if resource.type == kind]

    def made(self, kind: str) -> list[Resource]:
        return [resource for resource in self.all(kind) if resource.made]

    def one(self, kind: str, **values: Any) -> Resource:
        """The only resource of a type with these values."""
        found = [
            resource
            for resource in self.all(kind)
            if all(resource.values[name] == value for name, value in values.items())
        ]
        assert len(found) == 1, f"{len(found)} of {kind} with {values}"
        return found[0]

    def statements(self, policy: str) -> list[Statement]:
        """What a policy says, with those that it takes in. `policy` is the word that stands for its JSON."""
        document = self.one("aws_iam_policy_document", json=policy).values
        own = [_statement(statement) for statement in document["statement"]]
        for source in document["source_policy_documents"] or []:
            own += self.statements(source)
        return own

    def allowed(self, role: str) -> list[Statement]:
        """What the role with that name may do."""
        policy = self.one("aws_iam_role_policy", role=self.one("aws_iam_role", name=role).values["id"])
        return self.statements(policy.values["policy"])

    def name(self, resource: str) -> str:
        """The name of the resource that a word in a policy means; an ARN that the configuration wrote itself stays."""
        word, slash, rest = resource.partition("/")
        owners = [each for each in self.resources if each.type not in REFERRING]
        found = [_name(each) for each in owners if each.values.get("arn") == word]
        assert len(found) <= 1, f"{resource} is the ARN of {found}"
        return (found or [word])[0] + slash + rest

    def definition(self, machine: str = "millrace-kendra-ingestion") -> dict[str, Any]:
        """The rendered definition of a state machine."""
        definition: dict[str, Any] = json.loads(self.one("aws_sfn_state_machine", name=machine).values["definition"])
        return definition


def arn(service: str, resource: str) -> str:
    """An ARN of the deployment's account and region."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def copy(folder: Path) -> Path:
    """Copy the configuration and what it reads, without its own tests; returns the root module."""
    left_out = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars", "*.tfvars.json", "*.tftest.hcl")
    for name in ("terraform", "state_machines"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=left_out)
    return folder / "terraform"


def apply(root: Path, **variables: Any) -> Deployment:
    """Apply a copied configuration with VARIABLES and these to the mocked provider."""
    messages = _test(root, variables)
    states = [message["test_state"] for message in messages if message["type"] == "test_state"]
    assert len(states) == 1, errors(messages)
    assert not errors(messages)
    return Deployment({**VARIABLES, **variables}, tuple(_resources(states[0]["root_module"])))


def refuse(root: Path, **variables: Any) -> list[str]:
    """Apply a copied configuration that must be refused; returns the errors."""
    messages = _test(root, variables)
    assert errors(messages), "the configuration was applied"
    return errors(messages)


def errors(messages: list[dict[str, Any]]) -> list[str]:
    said = [message["diagnostic"] for message in messages if message["type"] == "diagnostic"]
    return [f"{one['summary']}: {one.get('detail', '')}" for one in said if one["severity"] == "error"]


def _test(root: Path, variables: Mapping[str, Any]) -> list[dict[str, Any]]:
    values = {**VARIABLES, **variables}
    assignments = "\n    ".join(f"{name} = {json.dumps(value)}" for name, value in values.items())
    test = TEST.format(account=ACCOUNT, region=REGION, variables=assignments)
    (root / "tests" / "applied.tftest.hcl").write_text(test)
    with offline_terraform.terraform(root) as core:
        core.init()
        return list(core.lines("test", "-verbose"))


def _resources(module: Mapping[str, Any]) -> Iterator[Resource]:
    for found in module.get("resources", []):
        yield Resource(found["address"], found["type"], found["values"], found["mode"] == "managed")
    for child in module.get("child_modules", []):
        yield from _resources(child)


def _statement(said: Mapping[str, Any]) -> Statement:
    assert not said["not_actions"], f"{said['sid']} allows by exception"
    assert not said["not_resources"], f"{said['sid']} allows by exception"
    return Statement(
        sid=said["sid"],
        effect=said["effect"] or "Allow",
        actions=frozenset(said["actions"] or ()),
        resources=frozenset(said["resources"] or ()),
        conditions=tuple(said["condition"]),
        principals=tuple(said["principals"]),
    )


def _name(resource: Resource) -> str:
    for attribute in ("function_name", "bucket", "layer_name", "alarm_name", "name"):
        if resource.values.get(attribute):
            return str(resource.values[attribute])
    return resource.address
