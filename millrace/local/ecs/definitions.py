"""Task definitions: what AWS refuses of one for Fargate, what the embedded AWS refuses, and their operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from millrace.local.ecs.refusing import check_name, refuse
from millrace.local.ecs.sizes import NoSuchSize, size
from millrace.local.ecs.world import World, page, tags_of
from millrace.local.emulated import Operation
from millrace.local.wire import ApiError

STOP_SECONDS = 30
STOP_SECONDS_MOST = 120
"""Of a container's stopTimeout on Fargate, which is at least 2 (API reference, ContainerDefinition)."""
FARGATE = "FARGATE"
ARCHITECTURES = ("X86_64", "ARM64")

TAKEN = frozenset(
    {
        "containerDefinitions",
        "cpu",
        "ephemeralStorage",
        "executionRoleArn",
        "family",
        "memory",
        "networkMode",
        "requiresCompatibilities",
        "runtimePlatform",
        "tags",
        "taskRoleArn",
    }
)
CONTAINER_TAKEN = frozenset(
    {"command", "entryPoint", "environment", "essential", "image", "logConfiguration", "name", "stopTimeout"}
)
CONTAINER_KEPT = frozenset({"cpu", "memory", "memoryReservation", "readonlyRootFilesystem", "user"})
"""Told as they were asked, without effect: a container is a process of this machine."""
LOG_OPTIONS = ("awslogs-group", "awslogs-region", "awslogs-stream-prefix")
"""All are needed on Fargate."""
LOG_OPTIONS_KEPT = ("awslogs-create-group", "max-buffer-size", "mode")
EMPTY = ("environment", "mountPoints", "portMappings", "systemControls", "volumesFrom")
"""What DescribeTaskDefinition tells as empty lists where nothing was said."""


@dataclass
class TaskDefinition:
    """`asked` are the members that DescribeTaskDefinition tells as they were registered, defaults filled in."""

    arn: str
    family: str
    revision: int
    asked: dict[str, Any]
    registered_at: float
    registered_by: str
    tags: dict[str, str] = field(default_factory=dict)
    deregistered_at: float | None = None

    @property
    def active(self) -> bool:
        return self.deregistered_at is None

    @property
    def containers(self) -> list[dict[str, Any]]:
        containers: list[dict[str, Any]] = self.asked["containerDefinitions"]
        return containers

    @property
    def task_role(self) -> str:
        """Empty where there is none."""
        return str(self.asked.get("taskRoleArn") or "")

    @property
    def execution_role(self) -> str:
        return str(self.asked["executionRoleArn"])

    def told(self) -> dict[str, Any]:
        ended = {} if self.deregistered_at is None else {"deregisteredAt": self.deregistered_at}
        return {
            **self.asked,
            "taskDefinitionArn": self.arn,
            "family": self.family,
            "revision": self.revision,
            "status": "ACTIVE" if self.active else "INACTIVE",
            "volumes": [],
            "placementConstraints": [],
            "compatibilities": ["EC2", FARGATE],
            "registeredAt": self.registered_at,
            "registeredBy": self.registered_by,
            **ended,
        }


class Definitions:
    """`known_image` raises ApiError for an image that no container can be made of."""

    def __init__(self, world: World, known_image: Callable[[str], object]) -> None:
        self._world = world
        self._known_image = known_image

    def operations(self) -> dict[str, Operation]:
        return {
            "RegisterTaskDefinition": self.register,
            "DescribeTaskDefinition": self.describe,
            "DeregisterTaskDefinition": self.deregister,
            "ListTaskDefinitions": self.list,
        }

    def register(self, request: dict[str, Any]) -> dict[str, Any]:
        asked = complete(request)
        for container in asked["containerDefinitions"]:
            self._known_image(container["image"])
        world, family = self._world, request["family"]
        with world.lock:
            revision = world.revisions[world.arn(f"task-definition/{family}")] + 1
            world.revisions[world.arn(f"task-definition/{family}")] = revision
            definition = TaskDefinition(
                world.arn(f"task-definition/{family}:{revision}"),
                family,
                revision,
                asked,
                world.clock(),
                world.root,
                tags_of(request),
            )
            world.definitions[definition.arn] = definition
            return _answer(definition)

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._world.lock:
            definition = self._world.definition(request["taskDefinition"])
            return _answer(definition, tags="TAGS" in request.get("include", []))

    def deregister(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._world.lock:
            definition = self._world.definition(request["taskDefinition"])
            if not definition.active:
                raise ApiError("ClientException", "The specified task definition is inactive.")
            definition.deregistered_at = self._world.clock()
            return _answer(definition, tags=False)

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        status, prefix = request.get("status", "ACTIVE"), request.get("familyPrefix")
        with self._world.lock:
            found = [
                each.arn
                for each in sorted(self._world.here(self._world.definitions), key=lambda it: (it.family, it.revision))
                if each.active == (status == "ACTIVE") and prefix in (None, each.family)
            ]
        return page(found, request, "taskDefinitionArns")


def _answer(definition: TaskDefinition, *, tags: bool = True) -> dict[str, Any]:
    told = [{"key": key, "value": value} for key, value in definition.tags.items()]
    return {"taskDefinition": definition.told()} | ({"tags": told} if tags and told else {})


def complete(request: Mapping[str, Any]) -> dict[str, Any]:
    """What is registered, with what AWS puts where nothing was said. Raises ApiError for what AWS refuses on Fargate,
    and for what the embedded AWS does not do.
    """
    check_name(request["family"], "Family")
    refuse(request, TAKEN, "a task definition")
    if request.get("requiresCompatibilities") != [FARGATE]:
        raise ApiError("ClientException", "The embedded AWS runs tasks on FARGATE alone: requiresCompatibilities.")
    if request.get("networkMode") != "awsvpc":
        raise ApiError("ClientException", "Fargate only supports network mode 'awsvpc'.")
    try:
        cpu, memory = size(request.get("cpu"), request.get("memory"))
    except NoSuchSize as error:
        raise ApiError("ClientException", str(error)) from None
    platform = {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX", **(request.get("runtimePlatform") or {})}
    if platform["operatingSystemFamily"] != "LINUX" or platform["cpuArchitecture"] not in ARCHITECTURES:
        raise ApiError("ClientException", f"The embedded AWS does not emulate the platform {platform}.")
    containers = [_container(each) for each in request["containerDefinitions"]]
    names = [container["name"] for container in containers]
    if len(set(names)) < len(names):
        raise ApiError("ClientException", "Container names should be unique within a task definition.")
    if not any(container["essential"] for container in containers):
        raise ApiError("ClientException", "A task definition must have at least one essential container.")
    if not request.get("executionRoleArn"):
        message = "Fargate requires task definition to have execution role ARN to support ECR images."
        raise ApiError("ClientException", message)
    kept = {name: request[name] for name in TAKEN - {"family", "tags"} if request.get(name)}
    asked = {**kept, "cpu": str(cpu), "memory": str(memory), "containerDefinitions": containers}
    return asked | ({"runtimePlatform": platform} if request.get("runtimePlatform") else {})


def _container(asked: Mapping[str, Any]) -> dict[str, Any]:
    for name in ("name", "image"):
        if not asked.get(name):
            raise ApiError("ClientException", f"Container.{name} should not be null or empty.")
    where = f"container {asked['name']}"
    refuse(asked, CONTAINER_TAKEN | CONTAINER_KEPT, where)
    seconds = asked.get("stopTimeout", STOP_SECONDS)
    if not 2 <= seconds <= STOP_SECONDS_MOST:
        message = f"Invalid 'stopTimeout' setting for {where}: on Fargate it is 2 to {STOP_SECONDS_MOST} seconds."
        raise ApiError("ClientException", message)
    if logging := asked.get("logConfiguration"):
        _check_logging(logging, where)
    return {"cpu": 0, "essential": True, **{name: [] for name in EMPTY}, **asked}


def _check_logging(logging: Mapping[str, Any], where: str) -> None:
    refuse(logging, ("logDriver", "options"), f"logConfiguration of {where}")
    if logging["logDriver"] != "awslogs":
        raise ApiError("ClientException", f"The embedded AWS does not emulate log driver {logging['logDriver']}.")
    options = logging.get("options") or {}
    refuse(options, (*LOG_OPTIONS, *LOG_OPTIONS_KEPT), f"logConfiguration of {where}")
    missing = [name for name in LOG_OPTIONS if not options.get(name)]
    if missing:
        raise ApiError("ClientException", f"Log driver awslogs requires options: {', '.join(missing)}")
