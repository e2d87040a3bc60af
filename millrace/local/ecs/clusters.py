"""Clusters: names that tasks and services stand under."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from millrace.local.ecs.refusing import check_name, refuse
from millrace.local.ecs.world import World, page, tags_of, told_tags
from millrace.local.emulated import Operation
from millrace.local.wire import ApiError

INSIGHTS = "containerInsights"
"""The one setting; without effect."""


@dataclass
class Cluster:
    arn: str
    settings: list[dict[str, str]]
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]


class Clusters:
    def __init__(self, world: World) -> None:
        self._world = world

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateCluster": self.create,
            "UpdateCluster": self.update,
            "DescribeClusters": self.describe,
            "DeleteCluster": self.delete,
            "ListClusters": self.list,
        }

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """One that is there already is told as it is."""
        refuse(request, ("clusterName", "settings", "tags"), "a cluster")
        world, name = self._world, request.get("clusterName") or "default"
        check_name(name, "Cluster name")
        with world.lock:
            arn = world.arn(f"cluster/{name}")
            cluster = world.clusters.get(arn)
            if cluster is None:
                cluster = Cluster(arn, _settings(request), tags_of(request))
                world.clusters[arn] = cluster
            return {"cluster": self._told(cluster)}

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        refuse(request, ("cluster", "settings"), "a cluster")
        with self._world.lock:
            cluster = self._world.cluster(request)
            if "settings" in request:
                cluster.settings = _settings(request)
            return {"cluster": self._told(cluster)}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        world = self._world
        with world.lock:
            asked = [world.full("cluster", name) for name in request.get("clusters") or ["default"]]
            told = [self._told(world.clusters[arn]) for arn in asked if arn in world.clusters]
            missing = [{"arn": arn, "reason": "MISSING"} for arn in asked if arn not in world.clusters]
            return {"clusters": told, "failures": missing}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        world = self._world
        with world.lock:
            cluster = world.cluster(request)
            if any(each.cluster == cluster.arn and each.status != "INACTIVE" for each in world.services.values()):
                message = "The Cluster cannot be deleted while Services are active."
                raise ApiError("ClusterContainsServicesException", message)
            if any(each.cluster == cluster.arn and not each.ended for each in world.tasks.values()):
                message = "The Cluster cannot be deleted while Tasks are active."
                raise ApiError("ClusterContainsTasksException", message)
            del world.clusters[cluster.arn]
            return {"cluster": {**self._told(cluster), "status": "INACTIVE"}}

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._world.lock:
            found = sorted(cluster.arn for cluster in self._world.here(self._world.clusters))
        return page(found, request, "clusterArns")

    def _told(self, cluster: Cluster) -> dict[str, Any]:
        world = self._world
        tasks = [task.last_status for task in world.tasks.values() if task.cluster == cluster.arn]
        services = [each for each in world.services.values() if each.cluster == cluster.arn and each.status == "ACTIVE"]
        return {
            "clusterArn": cluster.arn,
            "clusterName": cluster.name,
            "status": "ACTIVE",
            "registeredContainerInstancesCount": 0,
            "runningTasksCount": tasks.count("RUNNING"),
            "pendingTasksCount": tasks.count("PENDING"),
            "activeServicesCount": len(services),
            "settings": cluster.settings,
            "tags": told_tags(cluster.tags),
        }


def _settings(request: dict[str, Any]) -> list[dict[str, str]]:
    asked = {each["name"]: each["value"] for each in request.get("settings", [])}
    return [{"name": INSIGHTS, "value": asked.get(INSIGHTS, "disabled")}]
