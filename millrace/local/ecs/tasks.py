"""Tasks: what is known of one, and what is asked of them."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from millrace.local.ecs.definitions import FARGATE, STOP_SECONDS, TaskDefinition
from millrace.local.ecs.network import check_network
from millrace.local.ecs.process import Process
from millrace.local.ecs.refusing import refuse
from millrace.local.ecs.world import World, page, tags_of, told_tags
from millrace.local.emulated import Operation
from millrace.local.wire import ApiError

RUN_TAKEN = frozenset(
    {
        "cluster",
        "clientToken",
        "count",
        "group",
        "launchType",
        "networkConfiguration",
        "overrides",
        "platformVersion",
        "propagateTags",
        "startedBy",
        "tags",
        "taskDefinition",
    }
)
RUN_MOST = 10
"""How many tasks a request may run (API reference, RunTask)."""
LIST_TAKEN = frozenset(
    {"cluster", "desiredStatus", "family", "launchType", "maxResults", "nextToken", "serviceName", "startedBy"}
)
KEPT_SECONDS = 3600.0
"""How long a stopped task is told of (API reference, DescribeTasks: at least an hour)."""
LATEST = "LATEST"
PLATFORMS = ("1.4.0", LATEST)
FAMILY = "Linux"


@dataclass
class Container:
    """`definition` is that of the task definition, with what the task overrides. Times are in seconds."""

    definition: Mapping[str, Any]
    arn: str
    runtime_id: str
    process: Process | None = None
    exit_code: int | None = None
    reason: str = ""
    ended: bool = False
    kill_at: float | None = None

    @property
    def name(self) -> str:
        return str(self.definition["name"])

    @property
    def essential(self) -> bool:
        return bool(self.definition["essential"])

    @property
    def stop_seconds(self) -> float:
        return float(self.definition.get("stopTimeout", STOP_SECONDS))


@dataclass
class Task:
    """`deployment` is the id of a service's deployment, or whatever its starter calls itself."""

    arn: str
    cluster: str
    definition: TaskDefinition
    group: str
    deployment: str
    network: Mapping[str, Any]
    overrides: Mapping[str, Any]
    tags: dict[str, str]
    created_at: float
    containers: list[Container] = field(default_factory=list)
    token: str = ""
    """The clientToken of the request that it comes from."""
    last_status: str = "PENDING"
    desired_status: str = "RUNNING"
    started_at: float | None = None
    stopping_at: float | None = None
    stopped_at: float | None = None
    stop_code: str = ""
    stopped_reason: str = ""
    credentials: str = ""
    """The path of its role's credentials; empty where it has none."""

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def ended(self) -> bool:
        return self.last_status == "STOPPED"

    @property
    def going(self) -> bool:
        """Pending or running, and not told to stop."""
        return self.desired_status == "RUNNING"

    def told(self) -> dict[str, Any]:
        times = {
            "startedAt": self.started_at,
            "stoppingAt": self.stopping_at,
            "stoppedAt": self.stopped_at,
            "executionStoppedAt": self.stopped_at,
        }
        texts = {"startedBy": self.deployment, "stopCode": self.stop_code, "stoppedReason": self.stopped_reason}
        return {
            "taskArn": self.arn,
            "clusterArn": self.cluster,
            "taskDefinitionArn": self.definition.arn,
            "group": self.group,
            "launchType": FARGATE,
            "platformVersion": PLATFORMS[0],
            "platformFamily": FAMILY,
            "cpu": self.definition.asked["cpu"],
            "memory": self.definition.asked["memory"],
            "lastStatus": self.last_status,
            "desiredStatus": self.desired_status,
            "connectivity": "CONNECTED",
            "createdAt": self.created_at,
            "overrides": {"containerOverrides": [], **self.overrides},
            "attachments": [],
            "containers": [self._told(container) for container in self.containers],
            "version": 1,
            "tags": told_tags(self.tags),
            **{name: moment for name, moment in times.items() if moment is not None},
            **{name: text for name, text in texts.items() if text},
        }

    def _told(self, container: Container) -> dict[str, Any]:
        ended = {} if container.exit_code is None else {"exitCode": container.exit_code}
        return {
            "containerArn": container.arn,
            "taskArn": self.arn,
            "name": container.name,
            "image": container.definition["image"],
            "runtimeId": container.runtime_id,
            "lastStatus": "STOPPED" if container.ended else "RUNNING" if container.process else "PENDING",
            "networkInterfaces": [],
            "cpu": str(container.definition["cpu"]),
            **ended,
            **({"reason": container.reason} if container.reason else {}),
        }


class Tasks:
    def __init__(self, world: World) -> None:
        self._world = world

    def operations(self) -> dict[str, Operation]:
        return {
            "RunTask": self.run,
            "StopTask": self.stop,
            "DescribeTasks": self.describe,
            "ListTasks": self.list,
        }

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        refuse(request, RUN_TAKEN, "RunTask")
        if request.get("launchType") != FARGATE:
            raise ApiError("ClientException", "The embedded AWS runs tasks on FARGATE alone: launchType.")
        if not 1 <= request.get("count", 1) <= RUN_MOST:
            raise ApiError("InvalidParameterException", f"Count must be 1 to {RUN_MOST}.")
        overrides = request.get("overrides") or {}
        refuse(overrides, ("containerOverrides",), "RunTask's overrides")
        with self._world.lock:
            cluster, definition = self._world.cluster(request), self._world.definition(request["taskDefinition"])
            check_runnable(definition)
            check_network(request)
            platform_of(request)
            names = {container["name"] for container in definition.containers}
            for each in overrides.get("containerOverrides", []):
                refuse(each, ("name", "command", "environment"), "a container override")
                if each.get("name") not in names:
                    message = (
                        f"Override for container named {each.get('name')} is not a container in the TaskDefinition."
                    )
                    raise ApiError("InvalidParameterException", message)
            token = request.get("clientToken", "")
            same = [task for task in self._world.tasks.values() if token and task.token == token]
            tasks = same or [
                make(
                    self._world,
                    cluster.arn,
                    definition,
                    group=request.get("group") or f"family:{definition.family}",
                    deployment=request.get("startedBy", ""),
                    network=request["networkConfiguration"],
                    tags={
                        **(definition.tags if request.get("propagateTags") == "TASK_DEFINITION" else {}),
                        **tags_of(request),
                    },
                    overrides=overrides,
                    token=token,
                )
                for _ in range(request.get("count", 1))
            ]
            told = [task.told() for task in tasks]
        self._world.moved()
        return {"tasks": told, "failures": []}

    def stop(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._world.lock:
            cluster = self._world.cluster(request)
            task = self._world.tasks.get(self._arn(cluster.arn, request["task"]))
            if task is None:
                raise ApiError("InvalidParameterException", "The referenced task was not found.")
            order_stop(task, "UserInitiated", request.get("reason", ""), self._world.clock())
            told = task.told()
        self._world.moved()
        return {"task": told}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        world = self._world
        with world.lock:
            cluster = world.cluster(request)
            asked = [self._arn(cluster.arn, name) for name in request["tasks"]]
            told = [world.tasks[arn].told() for arn in asked if arn in world.tasks]
            missing = [{"arn": arn, "reason": "MISSING"} for arn in asked if arn not in world.tasks]
        if "TAGS" not in request.get("include", []):
            told = [{**task, "tags": []} for task in told]
        return {"tasks": told, "failures": missing}

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        """Of the tasks that are wanted RUNNING, or STOPPED, as `desiredStatus` says."""
        refuse(request, LIST_TAKEN, "ListTasks")
        wanted = request.get("desiredStatus", "RUNNING")
        with self._world.lock:
            cluster = self._world.cluster(request)
            found = [
                task.arn
                for task in self._world.tasks.values()
                if task.cluster == cluster.arn
                and task.desired_status == wanted
                and request.get("startedBy", task.deployment) == task.deployment
                and request.get("family", task.definition.family) == task.definition.family
                and self._is_of(task, request.get("serviceName"))
            ]
        return page(found, request, "taskArns")

    @staticmethod
    def _is_of(task: Task, service: str | None) -> bool:
        return service is None or task.group == f"service:{service.rpartition('/')[2]}"

    @staticmethod
    def _arn(cluster: str, task: str) -> str:
        return task if task.startswith("arn:") else f"{cluster.replace(':cluster/', ':task/')}/{task}"


def check_runnable(definition: TaskDefinition) -> None:
    if not definition.active:
        raise ApiError("ClientException", "TaskDefinition is inactive")


def platform_of(request: Mapping[str, Any]) -> str:
    """Raises ApiError."""
    asked = str(request.get("platformVersion") or LATEST)
    if asked not in PLATFORMS:
        raise ApiError("PlatformUnknownException", f"The specified platform does not exist: {asked}")
    return asked


def make(
    world: World,
    cluster: str,
    definition: TaskDefinition,
    *,
    group: str,
    deployment: str,
    network: Mapping[str, Any],
    tags: dict[str, str],
    overrides: Mapping[str, Any],
    token: str = "",
) -> Task:
    """A pending task, which the scheduler starts."""
    identity, name = secrets.token_hex(16), cluster.rpartition("/")[2]
    base, _, _ = cluster.rpartition(":cluster/")
    task = Task(
        f"{base}:task/{name}/{identity}",
        cluster,
        definition,
        group,
        deployment,
        network,
        overrides,
        tags,
        world.clock(),
        token=token,
    )
    for number, each in enumerate(definition.containers):
        arn = f"{base}:container/{name}/{identity}/{uuid.uuid4()}"
        task.containers.append(Container(_overridden(each, overrides), arn, f"{identity}-{number:010}"))
    world.tasks[task.arn] = task
    return task


def _overridden(container: Mapping[str, Any], overrides: Mapping[str, Any]) -> Mapping[str, Any]:
    for each in overrides.get("containerOverrides", []):
        if each["name"] == container["name"]:
            environment = [*container["environment"], *each.get("environment", [])]
            return {**container, **each, "environment": environment}
    return container


def order_stop(task: Task, code: str, reason: str, now: float) -> None:
    """The task is to end; the first reason counts."""
    if not task.going:
        return
    task.desired_status, task.stop_code, task.stopped_reason, task.stopping_at = "STOPPED", code, reason, now
    if task.last_status == "PENDING":
        task.last_status, task.stopped_at = "STOPPED", now
        return
    task.last_status = "STOPPING"
    for container in task.containers:
        if container.process is not None and not container.ended:
            container.process.stop()
            container.kill_at = now + container.stop_seconds
