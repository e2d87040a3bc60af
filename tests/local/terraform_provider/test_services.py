"""A service of ECS by Terraform: waited for, changed to another revision, and gone with its tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from millrace.local.dockerfiles import Settings
from millrace.local.images import Images
from millrace.local.instance import Instance
from tests.fakes.deployed import allow, archive, name, role
from tests.local.terraform_provider.trial import trial

pytestmark = pytest.mark.network

PROGRAM = """
    import signal, sys
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True: signal.pause()
"""


def resources(called: str, image: str, executes: str, **variables: str) -> dict[str, Any]:
    environment = [{"name": key, "value": value} for key, value in variables.items()]
    container = {"name": "main", "image": image, "stopTimeout": 2, "environment": environment}
    definition = {
        "family": called,
        "requires_compatibilities": ["FARGATE"],
        "network_mode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "execution_role_arn": executes,
        "container_definitions": json.dumps([container]),
    }
    service = {
        "name": called,
        "cluster": "${aws_ecs_cluster.this.arn}",
        "task_definition": "${aws_ecs_task_definition.this.arn}",
        "launch_type": "FARGATE",
        "desired_count": 1,
        "deployment_minimum_healthy_percent": 0,
        "deployment_maximum_percent": 100,
        "network_configuration": [{"subnets": ["subnet-1"]}],
        "wait_for_steady_state": True,
    }
    return {
        "aws_ecs_cluster": {"this": {"name": called}},
        "aws_ecs_task_definition": {"this": definition},
        "aws_ecs_service": {"this": service},
    }


def test_a_service_is_steady_when_it_is_applied_and_without_tasks_when_it_is_destroyed(
    embedded_aws: Instance, tmp_path: Path
) -> None:
    called = name("service")
    image = Images.of(embedded_aws).push(
        "contract", archive({"app.py": PROGRAM}), Settings(entrypoint=("python3", "app.py"))
    )
    executes = role(embedded_aws, "ecs-tasks", allow("ecr:*"))

    def tasks() -> list[str]:
        return [row["status"] for row in embedded_aws.tasks() if row["group"] == f"service:{called}"]

    with trial(tmp_path, embedded_aws) as terraform:
        terraform.write(resources(called, image, executes, MODE="one"))
        terraform.apply()
        assert tasks() == ["RUNNING"]

        terraform.write(resources(called, image, executes, MODE="two"))
        assert terraform.plan() == {
            "aws_ecs_task_definition.this": "replace",
            "aws_ecs_service.this": "update",
        }
        terraform.apply()
        assert tasks() == ["STOPPED", "RUNNING"]
        assert terraform.plan() == {}

        terraform.destroy()
    assert tasks() == ["STOPPED", "STOPPED"]
    assert embedded_aws.client("ecs").describe_clusters(clusters=[called])["clusters"] == []
