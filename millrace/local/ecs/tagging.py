"""Tags of clusters, services, tasks and task definitions."""

from __future__ import annotations

from typing import Any

from millrace.local.ecs.world import World, tags_of, told_tags
from millrace.local.emulated import Operation
from millrace.local.wire import ApiError


class Tagging:
    def __init__(self, world: World) -> None:
        self._world = world

    def operations(self) -> dict[str, Operation]:
        return {"TagResource": self.tag, "UntagResource": self.untag, "ListTagsForResource": self.list}

    def tag(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._world.lock:
            self._tags(request).update(tags_of(request))
        return {}

    def untag(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._world.lock:
            tags = self._tags(request)
            for key in request["tagKeys"]:
                tags.pop(key, None)
        return {}

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._world.lock:
            return {"tags": told_tags(self._tags(request))}

    def _tags(self, request: dict[str, Any]) -> dict[str, str]:
        world, arn = self._world, request["resourceArn"]
        for things in (world.clusters, world.definitions, world.services, world.tasks):
            if arn in things:
                return things[arn].tags
        raise ApiError("InvalidParameterException", "The specified resource could not be found.")
