"""Cases of ECS. The services keep no task: what becomes of tasks is the emulation's own test."""

from __future__ import annotations

import json
from typing import Any

from tests.local.terraform_provider.cases.case import (
    ACCOUNT,
    NAME,
    OTHER,
    OTHER_TAGS,
    REGION,
    TAGS,
    Case,
    Client,
    by_hand,
    some,
    tags,
)

ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}"


def containers(image: str, *, level: str) -> str:
    """Words in an order of their own, and what ECS would fill in anyway."""
    container = {
        "name": "main",
        "image": image,
        "essential": True,
        "stopTimeout": 60,
        "portMappings": [],
        "environment": [{"name": "LOG_LEVEL", "value": level}, {"name": "A", "value": ""}],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {"awslogs-group": NAME, "awslogs-region": REGION, "awslogs-stream-prefix": "ecs"},
        },
    }
    return json.dumps([container])


def ask_cluster(client: Client) -> Any:
    (cluster,) = client("ecs").describe_clusters(clusters=[NAME], include=["TAGS"])["clusters"]
    return {"settings": cluster["settings"], "tags": tags(cluster["tags"])}


def ask_definition(client: Client) -> Any:
    told = client("ecs").describe_task_definition(taskDefinition=NAME, include=["TAGS"])
    definition = told["taskDefinition"]
    (container,) = definition["containerDefinitions"]
    return {
        **some(definition, "cpu", "memory", "networkMode", "requiresCompatibilities", "runtimePlatform"),
        "level": container["environment"][0]["value"],
        "tags": tags(told["tags"]),
    }


def ask_service(client: Client) -> Any:
    (service,) = client("ecs").describe_services(cluster=OTHER, services=[NAME], include=["TAGS"])["services"]
    return {
        **some(service, "launchType", "networkConfiguration", "propagateTags"),
        "percents": some(service["deploymentConfiguration"], "minimumHealthyPercent", "maximumPercent"),
        "tags": tags(service["tags"]),
    }


def cases(image: str) -> dict[str, Case]:
    """`image` is one that the embedded AWS knows."""
    fargate = {
        "requires_compatibilities": ["FARGATE"],
        "network_mode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "execution_role_arn": "${aws_iam_role.minimal.arn}",
    }
    definition = {
        "cpu": "256",
        "memory": "512",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
        "level": "INFO",
        "tags": {**TAGS, "project": "contract"},
    }
    network = {"subnets": ["subnet-1", "subnet-2"], "securityGroups": ["sg-1"], "assignPublicIp": "ENABLED"}
    service = {
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": network},
        "propagateTags": "SERVICE",
        "percents": {"minimumHealthyPercent": 0, "maximumPercent": 100},
        "tags": {**TAGS, "project": "contract"},
    }
    return {
        "aws_ecs_cluster": Case(
            minimal={"name": OTHER},
            full={"name": NAME, "setting": [{"name": "containerInsights", "value": "enabled"}], "tags": TAGS},
            changed={"setting": [{"name": "containerInsights", "value": "enhanced"}], "tags": OTHER_TAGS},
            change="update",
            ask=ask_cluster,
            said={
                "settings": [{"name": "containerInsights", "value": "enabled"}],
                "tags": {**TAGS, "project": "contract"},
            },
            said_after={
                "settings": [{"name": "containerInsights", "value": "enhanced"}],
                "tags": {**OTHER_TAGS, "project": "contract"},
            },
            drift=by_hand(
                "ecs",
                "update_cluster",
                cluster=NAME,
                settings=[{"name": "containerInsights", "value": "disabled"}],
            ),
            refused={"region": "eu-west-1"},
        ),
        "aws_ecs_task_definition": Case(
            minimal={"family": OTHER, **fargate, "container_definitions": containers(image, level="INFO")},
            full={
                "family": NAME,
                **fargate,
                "task_role_arn": "${aws_iam_role.minimal.arn}",
                "runtime_platform": [{"operating_system_family": "LINUX", "cpu_architecture": "ARM64"}],
                "container_definitions": containers(image, level="INFO"),
                "tags": TAGS,
            },
            changed={"container_definitions": containers(image, level="DEBUG"), "tags": OTHER_TAGS},
            change="replace",
            ask=ask_definition,
            said=definition,
            said_after=definition | {"level": "DEBUG", "tags": {**OTHER_TAGS, "project": "contract"}},
            drift=lambda client: client("ecs").deregister_task_definition(
                taskDefinition=client("ecs").describe_task_definition(taskDefinition=NAME)["taskDefinition"][
                    "taskDefinitionArn"
                ]
            ),
            refused={"region": "eu-west-1"},
        ),
        "aws_ecs_service": Case(
            minimal={
                "name": OTHER,
                "cluster": "${aws_ecs_cluster.minimal.arn}",
                "task_definition": "${aws_ecs_task_definition.minimal.arn}",
                "launch_type": "FARGATE",
                "network_configuration": [{"subnets": ["subnet-1"]}],
            },
            full={
                "name": NAME,
                "cluster": "${aws_ecs_cluster.minimal.name}",
                "task_definition": "${aws_ecs_task_definition.full.arn}",
                "launch_type": "FARGATE",
                "desired_count": 0,
                "deployment_minimum_healthy_percent": 0,
                "deployment_maximum_percent": 100,
                "availability_zone_rebalancing": "DISABLED",
                "propagate_tags": "SERVICE",
                "wait_for_steady_state": True,
                "network_configuration": [
                    {"subnets": ["subnet-2", "subnet-1"], "security_groups": ["sg-1"], "assign_public_ip": True}
                ],
                "tags": TAGS,
            },
            changed={"deployment_maximum_percent": 150, "propagate_tags": "TASK_DEFINITION", "tags": OTHER_TAGS},
            change="update",
            ask=ask_service,
            said=service,
            said_after=service
            | {
                "propagateTags": "TASK_DEFINITION",
                "percents": {"minimumHealthyPercent": 0, "maximumPercent": 150},
                "tags": {**OTHER_TAGS, "project": "contract"},
            },
            drift=lambda client: client("ecs").update_service(
                cluster=OTHER, service=NAME, deploymentConfiguration={"maximumPercent": 200}
            ),
            refused={"ordered_placement_strategy": [{"type": "random"}]},
        ),
    }
