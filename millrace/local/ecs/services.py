"""Services: so many tasks of a definition, kept running. What a change begins is a deployment; the scheduler acts."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from millrace.local.ecs.definitions import FARGATE, TaskDefinition
from millrace.local.ecs.network import check_network
from millrace.local.ecs.refusing import check_name, refuse
from millrace.local.ecs.scheduling import Bounds
from millrace.local.ecs.tasks import FAMILY, Task, check_runnable, platform_of
from millrace.local.ecs.world import World, page, tags_of, told_tags
from millrace.local.emulated import Operation
from millrace.local.wire import ApiError

EVENTS_MOST = 100
"""How many events a service tells (API reference, Service)."""
PERCENTS = {"minimumHealthyPercent": 100, "maximumPercent": 200}
"""What a service has that does not say others (API reference, DeploymentConfiguration)."""
REBALANCED, NOT_REBALANCED = "ENABLED", "DISABLED"

CHANGED = frozenset(
    {
        "availabilityZoneRebalancing",
        "cluster",
        "deploymentConfiguration",
        "desiredCount",
        "networkConfiguration",
        "platformVersion",
        "propagateTags",
        "taskDefinition",
    }
)
CREATE_TAKEN = CHANGED | {
    "clientToken",
    "deploymentController",
    "launchType",
    "schedulingStrategy",
    "serviceName",
    "tags",
}
UPDATE_TAKEN = CHANGED | {"forceNewDeployment", "service"}
ONLY = {"deploymentController": {"type": "ECS"}, "launchType": FARGATE, "schedulingStrategy": "REPLICA"}


@dataclass
class Deployment:
    """`completed` once it has had all its tasks running, and no earlier ones were left."""

    id: str
    definition: TaskDefinition
    network: Mapping[str, Any]
    platform: str
    created_at: float
    updated_at: float
    failed: int = 0
    completed: bool = False


@dataclass
class Service:
    """`deployments` has the newest first. `failures` are the tasks that ended by themselves soon after they began, one
    after another; `not_before` is when the next task may begin.
    """

    arn: str
    cluster: str
    name: str
    desired: int
    percents: dict[str, int]
    rebalancing: str
    propagated: str
    deployments: list[Deployment]
    tags: dict[str, str]
    created_at: float
    created_by: str
    token: str
    """The clientToken of the request that made it."""
    status: str = "ACTIVE"
    events: list[dict[str, Any]] = field(default_factory=list)
    failures: int = 0
    not_before: float = 0.0

    @property
    def primary(self) -> Deployment:
        return self.deployments[0]

    @property
    def group(self) -> str:
        return f"service:{self.name}"

    @property
    def bounds(self) -> Bounds:
        return Bounds.of(self.desired, self.percents["minimumHealthyPercent"], self.percents["maximumPercent"])

    def task_tags(self) -> dict[str, str]:
        """What its tasks inherit."""
        sources = {"TASK_DEFINITION": self.primary.definition.tags, "SERVICE": self.tags}
        return dict(sources.get(self.propagated, {}))

    def tell(self, message: str, now: float) -> None:
        event = {"id": str(uuid.uuid4()), "createdAt": now, "message": f"(service {self.name}) {message}"}
        self.events = [event, *self.events][:EVENTS_MOST]

    def begin(self, definition: TaskDefinition, network: Mapping[str, Any], platform: str, now: float) -> None:
        """A new deployment, which is free of what the earlier one suffered."""
        number = f"ecs-svc/{secrets.randbelow(10**19):019}"
        self.deployments.insert(0, Deployment(number, definition, network, platform, now, now))
        self.failures, self.not_before = 0, 0.0


class Services:
    def __init__(self, world: World) -> None:
        self._world = world

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateService": self.create,
            "UpdateService": self.update,
            "DescribeServices": self.describe,
            "DeleteService": self.delete,
            "ListServices": self.list,
        }

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        check_name(request["serviceName"], "Service name")
        refuse(request, CREATE_TAKEN, "a service")
        for name, only in ONLY.items():
            if request.get(name, only if name != "launchType" else None) != only:
                raise ApiError("ClientException", f"The embedded AWS runs services with {name} {only} alone.")
        if not request.get("taskDefinition"):
            raise ApiError("InvalidParameterException", "TaskDefinition can not be blank.")
        check_network(request)
        world = self._world
        with world.lock:
            cluster, definition = world.cluster(request), world.definition(request["taskDefinition"])
            check_runnable(definition)
            arn = world.arn(f"service/{cluster.name}/{request['serviceName']}")
            there = self._there(arn, request)
            if there:
                return {"service": self._told(there)}
            percents = PERCENTS | _percents(request)
            now = world.clock()
            service = Service(
                arn,
                cluster.arn,
                request["serviceName"],
                _desired(request, 0),
                percents,
                _rebalancing(request, percents),
                request.get("propagateTags", "NONE"),
                [],
                tags_of(request),
                now,
                world.root,
                request.get("clientToken", ""),
            )
            service.begin(definition, request["networkConfiguration"], platform_of(request), now)
            world.services[arn] = service
            told = self._told(service)
        world.moved()
        return {"service": told}

    def _there(self, arn: str, request: Mapping[str, Any]) -> Service | None:
        """The service that this very request has made before. Raises ApiError when another one made it."""
        there = self._world.services.get(arn)
        if there is None or there.status == "INACTIVE":
            return None
        if there.status == "DRAINING":
            raise ApiError("InvalidParameterException", "Unable to Start a service that is still Draining.")
        if there.token and there.token == request.get("clientToken"):
            return there
        raise ApiError("InvalidParameterException", "Creation of service was not idempotent.")

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        """Another definition, network or platform, and an order to do so, begin a new deployment."""
        refuse(request, UPDATE_TAKEN, "a service")
        world = self._world
        with world.lock:
            service = self._named(request)
            if service.status != "ACTIVE":
                raise ApiError("ServiceNotActiveException", "Service was not ACTIVE.")
            now, last = world.clock(), service.primary
            percents = service.percents | _percents(request)
            rebalancing = _rebalancing({"availabilityZoneRebalancing": service.rebalancing, **request}, percents)
            definition, network = last.definition, last.network
            if "taskDefinition" in request:
                definition = world.definition(request["taskDefinition"])
                check_runnable(definition)
            if "networkConfiguration" in request:
                check_network(request)
                network = request["networkConfiguration"]
            platform = platform_of(request) if "platformVersion" in request else last.platform
            service.desired = _desired(request, service.desired)
            service.propagated = request.get("propagateTags", service.propagated)
            service.percents, service.rebalancing = percents, rebalancing
            last.updated_at = now
            same = (definition.arn, network, platform) == (last.definition.arn, last.network, last.platform)
            if not same or request.get("forceNewDeployment"):
                service.begin(definition, network, platform, now)
            told = self._told(service)
        world.moved()
        return {"service": told}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        world = self._world
        with world.lock:
            cluster = world.cluster(request)
            asked = [self._arn(cluster.arn, name) for name in request["services"]]
            told = [self._told(world.services[arn]) for arn in asked if arn in world.services]
            missing = [{"arn": arn, "reason": "MISSING"} for arn in asked if arn not in world.services]
        if "TAGS" not in request.get("include", []):
            told = [{**service, "tags": []} for service in told]
        return {"services": told, "failures": missing}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """It drains: its tasks are stopped, and then it is INACTIVE."""
        world = self._world
        with world.lock:
            service = self._named(request)
            if service.status == "ACTIVE" and service.desired and not request.get("force"):
                message = "The service cannot be stopped while it is scaled above 0."
                raise ApiError("InvalidParameterException", message)
            if service.status == "ACTIVE":
                service.status, service.desired = "DRAINING", 0
            told = self._told(service)
        world.moved()
        return {"service": told}

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        refuse(request, ("cluster", "launchType", "maxResults", "nextToken", "schedulingStrategy"), "ListServices")
        with self._world.lock:
            cluster = self._world.cluster(request)
            services = [each for each in self._world.services.values() if each.cluster == cluster.arn]
            found = sorted(each.arn for each in services if each.status != "INACTIVE")
        return page(found, request, "serviceArns")

    def _named(self, request: Mapping[str, Any]) -> Service:
        cluster = self._world.cluster(request)
        service = self._world.services.get(self._arn(cluster.arn, request["service"]))
        if service is None:
            raise ApiError("ServiceNotFoundException", "Service not found.")
        return service

    @staticmethod
    def _arn(cluster: str, service: str) -> str:
        return service if service.startswith("arn:") else f"{cluster.replace(':cluster/', ':service/')}/{service}"

    def _told(self, service: Service) -> dict[str, Any]:
        tasks = tasks_of(self._world, service)
        return {
            "serviceArn": service.arn,
            "serviceName": service.name,
            "clusterArn": service.cluster,
            "loadBalancers": [],
            "serviceRegistries": [],
            "status": service.status,
            "desiredCount": service.desired,
            **_counts(tasks),
            "launchType": FARGATE,
            "platformVersion": service.primary.platform,
            "platformFamily": FAMILY,
            "taskDefinition": service.primary.definition.arn,
            "deploymentConfiguration": {
                "deploymentCircuitBreaker": {"enable": False, "rollback": False},
                **service.percents,
                "strategy": "ROLLING",
                "bakeTimeInMinutes": 0,
            },
            "deployments": [
                _told_deployment(service, each, [task for task in tasks if task.deployment == each.id])
                for each in (service.deployments if service.status == "ACTIVE" else [])
            ],
            "events": service.events,
            "createdAt": service.created_at,
            "createdBy": service.created_by,
            "placementConstraints": [],
            "placementStrategy": [],
            "networkConfiguration": service.primary.network,
            "schedulingStrategy": "REPLICA",
            "deploymentController": {"type": "ECS"},
            "enableECSManagedTags": False,
            "enableExecuteCommand": False,
            "propagateTags": service.propagated,
            "availabilityZoneRebalancing": service.rebalancing,
            "tags": told_tags(service.tags),
        }


def tasks_of(world: World, service: Service) -> list[Task]:
    """The service's tasks, the oldest first."""
    return [task for task in world.tasks.values() if task.cluster == service.cluster and task.group == service.group]


def _counts(tasks: list[Task]) -> dict[str, int]:
    statuses = [task.last_status for task in tasks]
    return {"runningCount": statuses.count("RUNNING"), "pendingCount": statuses.count("PENDING")}


def _told_deployment(service: Service, deployment: Deployment, tasks: list[Task]) -> dict[str, Any]:
    is_primary = deployment is service.primary
    how = "completed" if deployment.completed else "in progress"
    return {
        "id": deployment.id,
        "status": "PRIMARY" if is_primary else "ACTIVE",
        "taskDefinition": deployment.definition.arn,
        "desiredCount": service.desired if is_primary else 0,
        **_counts(tasks),
        "failedTasks": deployment.failed,
        "createdAt": deployment.created_at,
        "updatedAt": deployment.updated_at,
        "launchType": FARGATE,
        "platformVersion": deployment.platform,
        "platformFamily": FAMILY,
        "networkConfiguration": deployment.network,
        "rolloutState": "COMPLETED" if deployment.completed else "IN_PROGRESS",
        "rolloutStateReason": f"ECS deployment {deployment.id} {how}.",
    }


def _desired(request: Mapping[str, Any], before: int) -> int:
    desired = int(request.get("desiredCount", before))
    if desired < 0:
        raise ApiError("InvalidParameterException", "desiredCount must not be negative.")
    return desired


def _percents(request: Mapping[str, Any]) -> dict[str, int]:
    asked = dict(request.get("deploymentConfiguration") or {})
    breaker = asked.pop("deploymentCircuitBreaker", {})
    if breaker.get("enable"):
        raise ApiError("ClientException", "The embedded AWS does not emulate deploymentCircuitBreaker of a service.")
    if asked.pop("strategy", "ROLLING") != "ROLLING":
        raise ApiError("ClientException", "The embedded AWS deploys with strategy ROLLING alone.")
    refuse(asked, PERCENTS, "deploymentConfiguration")
    return asked


def _rebalancing(request: Mapping[str, Any], percents: Mapping[str, int]) -> str:
    """Without a word a new service is rebalanced where it can be (ECS developer guide, "Balancing an Amazon ECS service
    across Availability Zones"): not with a maximumPercent of 100. It has no effect here."""
    can_be = percents["maximumPercent"] > 100
    asked = request.get("availabilityZoneRebalancing") or (REBALANCED if can_be else NOT_REBALANCED)
    if asked == REBALANCED and not can_be:
        message = "Availability Zone rebalancing is not available with a maximumPercent of 100."
        raise ApiError("InvalidParameterException", message)
    return str(asked)
