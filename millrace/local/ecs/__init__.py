"""ECS on Fargate, in place of MiniStack's, which asks for Docker: a task is processes of this machine.

`clusters`, `definitions`, `services`, `tasks` and `tagging` answer the API on the one `world`; `sizes` and `network`
are what Fargate asks for. `scheduling` decides what a service does next, and `scheduler` does it; `agent` starts a task
as Fargate does, with a `process` (held by `holder`) a container, its `credentials` and its `logs`.

Known limits: Fargate on Linux; services with rolling updates; containers that have a command, an environment, a log by
awslogs and a time to stop in. No load balancers, health checks, volumes, secrets, circuit breakers, `ecs exec`. All of
that is refused by name. A container is not isolated: its user, CPU, memory and network are told and have no effect.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from millrace.local.acting import Acting
from millrace.local.anchors import hold
from millrace.local.ecs.agent import Agent
from millrace.local.ecs.clusters import Clusters
from millrace.local.ecs.credentials import PATH, Credentials
from millrace.local.ecs.definitions import Definitions
from millrace.local.ecs.logs import LogDriver
from millrace.local.ecs.scheduler import Scheduler
from millrace.local.ecs.services import Services
from millrace.local.ecs.tagging import Tagging
from millrace.local.ecs.tasks import Tasks
from millrace.local.ecs.world import World
from millrace.local.emulated import Emulated, replace
from millrace.local.gateway import Route
from millrace.local.iam import Authority
from millrace.local.images import Images, UnknownImage
from millrace.local.metrics.embedded_format import Measured
from millrace.local.wire import ApiError

__all__ = ["Containers", "install"]


class Containers:
    """What the rest of the server asks of it."""

    def __init__(self, world: World, scheduler: Scheduler, credentials: Credentials) -> None:
        self._world = world
        self._scheduler = scheduler
        self._credentials = credentials

    def routes(self) -> dict[tuple[str, str], Route]:
        return {
            ("GET", "/_millrace/tasks"): lambda _: self.all(),
            ("GET", PATH): self._credentials.serve,
        }

    def all(self) -> list[dict[str, Any]]:
        """`[{"task", "cluster", "group", "status", "container", "pid", "exitCode", "reason"}]`, a row a container."""
        with self._world.lock:
            return [
                {
                    "task": task.id,
                    "cluster": task.cluster.rpartition("/")[2],
                    "group": task.group,
                    "status": task.last_status,
                    "container": container.name,
                    "pid": None if container.ended or container.process is None else container.process.pid,
                    "exitCode": container.exit_code,
                    "reason": task.stopped_reason,
                }
                for task in self._world.tasks.values()
                for container in task.containers
            ]

    def end_all(self) -> None:
        self._scheduler.end_all()


def install(
    substrate: ModuleType,
    folder: Path,
    endpoint: str,
    images: Images,
    *,
    acting: Acting,
    authority: Authority,
    keep: Callable[[Measured], None],
) -> Containers:
    """Put ECS in place of MiniStack's own; `keep` takes the metrics that containers write.

    Raises anchors.AnchorMoved.
    """
    from ministack.core import responses

    hold(responses, "get_region")
    hold(responses, "get_account_id")
    folder.mkdir(parents=True, exist_ok=True)
    world = World(scope=lambda: (responses.get_region(), responses.get_account_id()), clock=time.time)
    credentials = Credentials(authority)
    agent = Agent(folder, endpoint, images, acting=acting, logs=LogDriver(acting, keep), credentials=credentials)
    scheduler = Scheduler(world, agent)
    world.moved = scheduler.wake

    def known(uri: str) -> None:
        try:
            images.resolve(uri)
        except UnknownImage as error:
            raise ApiError("ClientException", str(error)) from None

    parts = (Clusters(world), Definitions(world, known), Services(world), Tasks(world), Tagging(world))
    operations = {name: operation for part in parts for name, operation in part.operations().items()}
    replace(substrate, "ecs", Emulated("ecs", operations))
    scheduler.start()
    return Containers(world, scheduler, credentials)
