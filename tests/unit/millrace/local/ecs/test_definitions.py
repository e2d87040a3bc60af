from __future__ import annotations

from typing import Any

import pytest

from millrace.local.ecs.definitions import complete
from millrace.local.wire import ApiError

MAIN: dict[str, Any] = {"name": "main", "image": "i"}
LOGGED = MAIN | {
    "logConfiguration": {
        "logDriver": "awslogs",
        "options": {"awslogs-group": "g", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p"},
    }
}
GROUP_ALONE = {"logDriver": "awslogs", "options": {"awslogs-group": "g"}}
ASKED: dict[str, Any] = {
    "family": "f",
    "requiresCompatibilities": ["FARGATE"],
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
    "executionRoleArn": "arn:aws:iam::123456789012:role/r",
    "containerDefinitions": [MAIN],
}


def test_what_nobody_said_is_filled_in() -> None:
    registered = complete({**ASKED, "cpu": ".25 vCPU", "memory": "0.5 GB", "volumes": []})
    assert (registered["cpu"], registered["memory"]) == ("256", "512")
    (container,) = registered["containerDefinitions"]
    assert (container["essential"], container["cpu"], container["environment"]) == (True, 0, [])


def test_everything_of_a_container_that_is_emulated_is_taken() -> None:
    container = {
        **LOGGED,
        "command": ["a"],
        "entryPoint": ["b"],
        "environment": [{"name": "A", "value": "1"}],
        "essential": True,
        "readonlyRootFilesystem": True,
        "stopTimeout": 120,
    }
    (registered,) = complete({**ASKED, "containerDefinitions": [container]})["containerDefinitions"]
    assert registered.items() >= container.items()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"cpu": "512", "memory": "512"}, "No Fargate configuration"),
        ({"networkMode": "bridge"}, "network mode"),
        ({"requiresCompatibilities": ["EC2"]}, "requiresCompatibilities"),
        ({"executionRoleArn": ""}, "execution role"),
        ({"volumes": [{"name": "v"}]}, "volumes"),
        ({"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}, "platform"),
        ({"containerDefinitions": [{"name": "main"}]}, "image"),
        ({"containerDefinitions": [{"name": "m", "image": "i", "stopTimeout": 121}]}, "stopTimeout"),
        (
            {"containerDefinitions": [{"name": "m", "image": "i", "secrets": [{"name": "a", "valueFrom": "b"}]}]},
            "secrets",
        ),
        ({"containerDefinitions": [{"name": "m", "image": "i", "essential": False}]}, "essential"),
        ({"containerDefinitions": [{"name": "m", "image": "i"}] * 2}, "unique"),
        ({"containerDefinitions": [LOGGED | {"logConfiguration": {"logDriver": "splunk"}}]}, "splunk"),
        ({"containerDefinitions": [LOGGED | {"logConfiguration": GROUP_ALONE}]}, "awslogs-region"),
        ({"family": "no spaces"}, "Family contains invalid characters"),
    ],
    ids=str,
)
def test_what_a_task_definition_cannot_be_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ApiError, match=told):
        complete({**ASKED, **wrong})
