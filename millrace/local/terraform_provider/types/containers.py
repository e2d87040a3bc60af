"""ECS: clusters, task definitions, services.

A task definition never changes: all but its tags makes a new revision. A service that goes is scaled down and drained.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from millrace.local.terraform_provider.aws import Aws
from millrace.local.terraform_provider.errors import NotTaken
from millrace.local.terraform_provider.naming import NOWHERE
from millrace.local.terraform_provider.planning import Plan
from millrace.local.terraform_provider.reading import State
from millrace.local.terraform_provider.resource import ResourceType, arn_tags

DRAIN_SECONDS = 180.0
"""How long a service may take to end its tasks, which have up to 120 s for that."""
STEADY_SECONDS = 600.0
PAUSE_SECONDS = 0.05
PUBLIC, NOT_PUBLIC = "ENABLED", "DISABLED"


class Cluster(ResourceType):
    def identify(self, state: State, answer: Mapping[str, Any]) -> State:
        arn = answer["cluster"]["clusterArn"]
        return {"id": arn, "arn": arn}

    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        if method == self.create:
            return request
        if method == self.read:
            return {"clusters": [state["id"]], "include": ["SETTINGS", "CONFIGURATIONS"]}
        return {**request, "cluster": state["id"]}

    def find(self, state: State, answer: dict[str, Any]) -> dict[str, Any] | None:
        return next((each for each in answer["clusters"] if each["status"] != "INACTIVE"), None)

    def observe(self, state: State, found: dict[str, Any], aws: Aws) -> State:
        return {"arn": found["clusterArn"], "name": found["clusterName"]}


class TaskDefinition(ResourceType):
    def plan(self, prior: State | None, config: Mapping[str, Any], proposed: State, aws: Aws) -> Plan:
        """Containers that say the same in other words are the same."""
        name = "container_definitions"
        if prior is not None and same_containers(prior.get(name), proposed.get(name)):
            proposed = {**proposed, name: prior[name]}
        return super().plan(prior, config, proposed, aws)

    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        if method == self.create:
            return {**request, "containerDefinitions": json.loads(state["container_definitions"])}
        if method == self.read and state.get("track_latest"):
            return {"taskDefinition": state["family"]}
        return request

    def identify(self, state: State, answer: Mapping[str, Any]) -> State:
        made = answer["taskDefinition"]
        return {"id": made["family"], "arn": made["taskDefinitionArn"], "revision": made["revision"]}

    def find(self, state: State, answer: dict[str, Any]) -> dict[str, Any] | None:
        found: dict[str, Any] = answer["taskDefinition"]
        return found if found["status"] == "ACTIVE" else None

    def observe(self, state: State, found: dict[str, Any], aws: Aws) -> State:
        told, own, arn = found["containerDefinitions"], state.get("container_definitions"), found["taskDefinitionArn"]
        return {
            "arn": arn,
            "arn_without_revision": arn.rpartition(":")[0],
            "container_definitions": own if same_containers(own, json.dumps(told)) else json.dumps(told),
        }


class Service(ResourceType):
    def identify(self, state: State, answer: Mapping[str, Any]) -> State:
        arn = answer["service"]["serviceArn"]
        return {"id": arn, "arn": arn}

    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        if network := request.get("networkConfiguration", {}).get("awsvpcConfiguration"):
            network["assignPublicIp"] = PUBLIC if network.get("assignPublicIp") == "true" else NOT_PUBLIC
        if method == self.create:
            return request
        if method == self.read:
            return {**request, "services": [state["id"]]}
        forced = {"force": True} if method == self.delete and state.get("force_delete") else {}
        return {**request, **forced, "service": state["id"]}

    def find(self, state: State, answer: dict[str, Any]) -> dict[str, Any] | None:
        found = next((each for each in answer["services"] if each["status"] == "ACTIVE"), None)
        if found:
            network = found["networkConfiguration"]["awsvpcConfiguration"]
            network["assignPublicIp"] = network.get("assignPublicIp") == PUBLIC
        return found

    def observe(self, state: State, found: dict[str, Any], aws: Aws) -> State:
        return {
            "arn": found["serviceArn"],
            "name": found["serviceName"],
            "cluster": seen_as(state.get("cluster"), found["clusterArn"]),
            "task_definition": seen_as(state.get("task_definition"), found["taskDefinition"]),
        }

    def finish(self, state: State, prior: State | None, aws: Aws) -> None:
        if state.get("wait_for_steady_state"):
            self._await(state, aws, STEADY_SECONDS, "steady", is_steady)

    def clear_away(self, state: State, aws: Aws) -> None:
        if not state.get("force_delete") and state.get("desired_count"):
            aws.client("ecs").update_service(cluster=state["cluster"], service=state["id"], desiredCount=0)

    def destroy(self, state: State, aws: Aws) -> None:
        super().destroy(state, aws)
        self._await(state, aws, DRAIN_SECONDS, "gone", lambda told: told is None or told["status"] == "INACTIVE")

    def _await(
        self, state: State, aws: Aws, seconds: float, what: str, reached: Callable[[dict[str, Any] | None], bool]
    ) -> None:
        """Raises NotTaken when it takes longer."""
        client, deadline = aws.client("ecs"), time.monotonic() + seconds
        while True:
            answer = client.describe_services(cluster=state["cluster"], services=[state["id"]])
            told = next(iter(answer["services"]), None)
            if reached(told):
                return
            if time.monotonic() > deadline:
                last = told["events"][0]["message"] if told and told["events"] else "nothing has happened to it"
                raise NotTaken(f"service {state['name']} is not {what} after {seconds:.0f} s: {last}")
            time.sleep(PAUSE_SECONDS)


def is_steady(told: dict[str, Any] | None) -> bool:
    return told is not None and len(told["deployments"]) == 1 and told["runningCount"] == told["desiredCount"]


def seen_as(own: str | None, arn: str) -> str:
    """What an ARN names, in the words of the configuration: by ARN or by name."""
    name = arn.rpartition("/")[2]
    return name if own and not own.startswith("arn:") else arn


def same_containers(one: str | None, other: str | None) -> bool:
    """Do both documents ask for the same containers? What ECS fills in says nothing, and variables have no order."""
    try:
        return _meaning(one) == _meaning(other)
    except (TypeError, ValueError, AttributeError, KeyError):
        return False


def _meaning(document: str | None) -> Any:
    containers = [without_nothing(each) for each in json.loads(document or "")]
    for each in containers:
        each.setdefault("essential", True)
        for pairs in ("environment", "secrets"):
            each.get(pairs, []).sort(key=lambda pair: pair["name"])
    return containers


def without_nothing(value: Any) -> Any:
    """The document without what is null, zero or an empty list or object; false and the empty text do say something."""
    if isinstance(value, dict):
        kept = {name: without_nothing(item) for name, item in value.items()}
        return {name: item for name, item in kept.items() if item is False or item == "" or item}
    return [without_nothing(item) for item in value] if isinstance(value, list) else value


INSIGHTS_OFF = [{"name": "containerInsights", "value": "disabled"}]

TYPES: dict[str, ResourceType] = {
    "aws_ecs_cluster": Cluster(
        "ecs",
        "create_cluster",
        "describe_clusters",
        "delete_cluster",
        {"clusterName": "name"},
        update="update_cluster",
        found="clusters",
        cleared={"setting": INSIGHTS_OFF},
        silent={"setting": INSIGHTS_OFF},
        tagging=arn_tags("resourceArn"),
    ),
    "aws_ecs_task_definition": TaskDefinition(
        "ecs",
        "register_task_definition",
        "describe_task_definition",
        "deregister_task_definition",
        {"taskDefinition": "arn"},
        found="taskDefinition",
        sent={"container_definitions": NOWHERE},
        elsewhere=frozenset({"container_definitions"}),
        in_place=frozenset({"track_latest"}),
        defaults={"skip_destroy": False, "track_latest": False},
        tagging=arn_tags("resourceArn"),
    ),
    "aws_ecs_service": Service(
        "ecs",
        "create_service",
        "describe_services",
        "delete_service",
        {"serviceName": "name", "cluster": "cluster"},
        update="update_service",
        found="services",
        sent={
            "deployment_circuit_breaker": "deploymentConfiguration.deploymentCircuitBreaker",
            "deployment_configuration": NOWHERE,
            "deployment_maximum_percent": "deploymentConfiguration.maximumPercent",
            "deployment_minimum_healthy_percent": "deploymentConfiguration.minimumHealthyPercent",
            "iam_role": NOWHERE,
            "network_configuration": "networkConfiguration.awsvpcConfiguration",
            "service_connect_configuration": NOWHERE,
            "volume_configuration": NOWHERE,
            "vpc_lattice_configurations": NOWHERE,
        },
        in_place=frozenset({"force_delete", "force_new_deployment", "triggers", "wait_for_steady_state"}),
        cleared={"propagate_tags": "NONE"},
        defaults={
            "deployment_maximum_percent": 200,
            "deployment_minimum_healthy_percent": 100,
            "desired_count": 0,
            "scheduling_strategy": "REPLICA",
            "wait_for_steady_state": False,
        },
        silent={"deployment_controller": [{"type": "ECS"}], "propagate_tags": "NONE"},
        tagging=arn_tags("resourceArn"),
    ),
}
