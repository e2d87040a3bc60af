"""All that there is in ECS, in every account and region, under one lock; how requests name it."""

from __future__ import annotations

import base64
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from millrace.local.wire import ApiError

if TYPE_CHECKING:
    from millrace.local.ecs.clusters import Cluster
    from millrace.local.ecs.definitions import TaskDefinition
    from millrace.local.ecs.services import Service
    from millrace.local.ecs.tasks import Task

PAGE = 100


class Named(Protocol):
    arn: str


T = TypeVar("T", bound=Named)


@dataclass
class World:
    """Everything by its ARN. `scope` tells the region and account of the running request; `moved` is to be called
    after a change that the scheduler has to act upon.
    """

    scope: Callable[[], tuple[str, str]]
    clock: Callable[[], float]
    moved: Callable[[], None] = lambda: None
    lock: threading.RLock = field(default_factory=threading.RLock)
    clusters: dict[str, Cluster] = field(default_factory=dict)
    definitions: dict[str, TaskDefinition] = field(default_factory=dict)
    revisions: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """The last revision of a family, by the ARN without a revision: a number is never given twice."""
    services: dict[str, Service] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)

    def arn(self, resource: str) -> str:
        region, account = self.scope()
        return f"arn:aws:ecs:{region}:{account}:{resource}"

    @property
    def root(self) -> str:
        """Who makes things here."""
        return f"arn:aws:iam::{self.scope()[1]}:root"

    def here(self, things: Mapping[str, T]) -> Iterable[T]:
        """Those of the request's region and account."""
        prefix = self.arn("")
        return [thing for arn, thing in things.items() if arn.startswith(prefix)]

    def full(self, kind: str, name: str) -> str:
        """The ARN of what a request names by its ARN or its name."""
        return name if name.startswith("arn:") else self.arn(f"{kind}/{name}")

    def cluster(self, request: Mapping[str, Any]) -> Cluster:
        """Of a request. Raises ApiError."""
        found = self.clusters.get(self.full("cluster", request.get("cluster") or "default"))
        if found is None:
            raise ApiError("ClusterNotFoundException", "Cluster not found.")
        return found

    def definition(self, named: str) -> TaskDefinition:
        """By ARN, `family:revision`, or family, which is its last active revision. Raises ApiError."""
        arn = self.full("task-definition", named)
        if arn in self.definitions:
            return self.definitions[arn]
        found = [each for each in self.definitions.values() if each.active and each.arn.rpartition(":")[0] == arn]
        if not found:
            raise ApiError("ClientException", "Unable to describe task definition.")
        return max(found, key=lambda each: each.revision)


def tags_of(request: Mapping[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag.get("value", "") for tag in request.get("tags", [])}


def told_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def page(found: Sequence[str], request: Mapping[str, Any], member: str) -> dict[str, Any]:
    """The part of a list that a request asks for: after `nextToken`, at most `maxResults`."""
    start = int(base64.urlsafe_b64decode(request["nextToken"])) if request.get("nextToken") else 0
    end = start + request.get("maxResults", PAGE)
    answer: dict[str, Any] = {member: list(found[start:end])}
    if end < len(found):
        answer["nextToken"] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return answer
