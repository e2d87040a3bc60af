"""The provider's contract, on every resource type, with the real Terraform core and the embedded AWS.

All types go through one story together, since each command of Terraform takes a second: applied, planned again,
changed, planned again, disturbed by hand, repaired, destroyed. Each test looks at one type's part in one chapter.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from millrace.local.dockerfiles import Settings
from millrace.local.images import Images
from millrace.local.instance import Instance, Options
from millrace.local.terraform_provider.types import TYPES
from tests.local.terraform_provider.cases import cases
from tests.local.terraform_provider.cases.case import Case, Client, policy
from tests.local.terraform_provider.trial import trial

DEAD_QUEUE = {"name": "contract-dead", "policy": policy("sqs:SendMessage", "*", "s3.amazonaws.com")}
Resources = dict[str, dict[str, Any]]


@dataclass
class Story:
    """What each chapter left behind: plans are `{address: action}`, words are what each service said."""

    cases: dict[str, Case]
    second_plan: dict[str, str] = field(default_factory=dict)
    words: dict[str, Any] = field(default_factory=dict)
    change_plan: dict[str, str] = field(default_factory=dict)
    words_after: dict[str, Any] = field(default_factory=dict)
    plan_after: dict[str, str] = field(default_factory=dict)
    drift_plan: dict[str, str] = field(default_factory=dict)
    words_repaired: dict[str, Any] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    left: dict[str, list[str]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """An embedded AWS of its own: "nothing is left" can only be asked where nothing else lives."""
    instance = Instance.start(tmp_path_factory.mktemp("aws"), Options())
    yield instance
    instance.stop()


@pytest.fixture(scope="module")
def story(aws: Instance, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("contract")
    client = cache(aws.client)
    packages = [zip_of(folder / f"{name}.zip", name) for name in ("one", "two")]
    image = Images.of(aws).push("contract", Path(packages[0]).read_bytes(), Settings(entrypoint=("python3", "app.py")))
    told = Story(cases(*packages, image))
    assert told.cases.keys() == TYPES.keys(), "a resource type without a contract"
    before = everything(client)
    with trial(folder, aws) as terraform:
        terraform.write(resources(told.cases))
        terraform.apply()
        told.second_plan = terraform.plan()
        told.words = ask(told, client)

        terraform.write(resources(told.cases, changed=True))
        told.change_plan = terraform.plan()
        terraform.apply()
        told.words_after = ask(told, client)
        told.plan_after = terraform.plan()

        for case in told.cases.values():
            case.drift(client)
        told.drift_plan = terraform.plan()
        terraform.apply()
        told.words_repaired = ask(told, client)

        terraform.destroy()
        told.left = {kind: sorted(set(names) - set(before[kind])) for kind, names in everything(client).items()}

        terraform.write(alone(resources(told.cases, refused=True)))
        told.refusals = terraform.errors()
    return told


def zip_of(path: Path, text: str) -> str:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("app.py", f"def handler(event, context):\n    return {text!r}\n")
    return str(path)


def resources(cases: dict[str, Case], *, changed: bool = False, refused: bool = False) -> Resources:
    every: Resources = {
        name: {
            "minimal": case.minimal,
            "full": case.full | (case.changed if changed else {}) | (dict(case.refused) if refused else {}),
        }
        for name, case in cases.items()
    }
    every["aws_sqs_queue"]["dead"] = DEAD_QUEUE
    return every


def alone(every: Resources) -> Resources:
    """The resources without references: Terraform plans nothing that depends on what was refused."""
    text = re.sub(r"\$\{aws[^}]*\}", "arn:aws:any:us-east-1:123456789012:thing", json.dumps(every))
    plain: Resources = json.loads(text)
    return plain


def ask(told: Story, client: Client) -> dict[str, Any]:
    return {name: case.ask(client) for name, case in told.cases.items()}


def everything(client: Client) -> dict[str, list[str]]:
    return {
        "buckets": [each["Name"] for each in client("s3").list_buckets()["Buckets"]],
        "functions": [each["FunctionName"] for each in client("lambda").list_functions()["Functions"]],
        "layers": [each["LayerName"] for each in client("lambda").list_layers()["Layers"]],
        "mappings": [each["UUID"] for each in client("lambda").list_event_source_mappings()["EventSourceMappings"]],
        "machines": [each["name"] for each in client("stepfunctions").list_state_machines()["stateMachines"]],
        "tables": client("dynamodb").list_tables()["TableNames"],
        "topics": [each["TopicArn"] for each in client("sns").list_topics()["Topics"]],
        "subscriptions": [each["SubscriptionArn"] for each in client("sns").list_subscriptions()["Subscriptions"]],
        "queues": client("sqs").list_queues().get("QueueUrls", []),
        "rules": [each["Name"] for each in client("events").list_rules()["Rules"]],
        "schedules": [each["Name"] for each in client("scheduler").list_schedules()["Schedules"]],
        "pipes": [each["Name"] for each in client("pipes").list_pipes()["Pipes"]],
        "clusters": client("ecs").list_clusters()["clusterArns"],
        "task definitions": client("ecs").list_task_definitions(status="ACTIVE")["taskDefinitionArns"],
        "roles": [each["RoleName"] for each in client("iam").list_roles()["Roles"]],
        "log groups": [each["logGroupName"] for each in client("logs").describe_log_groups()["logGroups"]],
        "log policies": [
            each["policyName"] for each in client("logs").describe_resource_policies()["resourcePolicies"]
        ],
        "alarms": [each["AlarmName"] for each in client("cloudwatch").describe_alarms()["MetricAlarms"]],
        "dashboards": [each["DashboardName"] for each in client("cloudwatch").list_dashboards()["DashboardEntries"]],
    }


every_type = pytest.mark.parametrize("name", sorted(TYPES))


@every_type
def test_the_service_says_what_the_configuration_asked(story: Story, name: str) -> None:
    assert story.words[name] == story.cases[name].said


@every_type
def test_a_second_plan_changes_nothing(story: Story, name: str) -> None:
    assert {address: action for address, action in story.second_plan.items() if address.startswith(f"{name}.")} == {}


@every_type
def test_a_change_is_made_in_the_declared_way(story: Story, name: str) -> None:
    assert story.change_plan[f"{name}.full"] == story.cases[name].change


@every_type
def test_after_a_change_the_service_says_the_new_and_the_plan_is_clean(story: Story, name: str) -> None:
    assert story.words_after[name] == story.cases[name].said_after
    assert {address: action for address, action in story.plan_after.items() if address.startswith(f"{name}.")} == {}


@every_type
def test_a_change_by_hand_is_seen_and_repaired(story: Story, name: str) -> None:
    assert f"{name}.full" in story.drift_plan
    assert story.words_repaired[name] == story.cases[name].said_after


@every_type
def test_an_argument_that_is_not_sent_is_refused_by_name(story: Story, name: str) -> None:
    (argument,) = story.cases[name].refused
    assert f'{name}: the local provider does not send "{argument}"' in story.refusals


def test_destroy_leaves_nothing(story: Story) -> None:
    assert {kind: names for kind, names in story.left.items() if names} == {}
