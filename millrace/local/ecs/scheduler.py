"""The thread that gives services what they want: it starts pending tasks, stops those that are too many, and ends what
does not stop in its time.
"""

from __future__ import annotations

import logging
import time

from millrace.local.ecs.agent import Agent, CannotStart
from millrace.local.ecs.scheduling import QUICK_SECONDS, pause, step
from millrace.local.ecs.services import Service, tasks_of
from millrace.local.ecs.tasks import KEPT_SECONDS, Container, Task, make, order_stop
from millrace.local.ecs.world import World
from millrace.local.looking import Looking

ENDED_SECONDS = 3.0
"""How long the end of the server waits for the tasks to end."""
log = logging.getLogger(__name__)


class Scheduler(Looking):
    def __init__(self, world: World, agent: Agent) -> None:
        super().__init__("ecs", time.time)
        self._world = world
        self._agent = agent
        self._ending = False

    def look(self) -> float | None:
        """Do what is due; the moment at which something will be due by itself."""
        world, now = self._world, self._clock()
        with world.lock:
            if self._ending:
                return None
            due = [self._serve(service, now) for service in world.services.values() if service.status != "INACTIVE"]
            for task in list(world.tasks.values()):
                if task.last_status == "PENDING":
                    self._start(task)
                due += [self._insist(container, now) for container in task.containers]
                due.append(self._forget(task, now))
        return min((moment for moment in due if moment is not None), default=None)

    def _serve(self, service: Service, now: float) -> float | None:
        tasks = [task for task in tasks_of(self._world, service) if not task.ended]
        going = [task for task in tasks if task.going]
        primary = service.primary.id
        wanted = step(
            service.desired,
            service.bounds,
            new=[task.arn for task in going if task.deployment == primary],
            old=[task.arn for task in going if task.deployment != primary],
            running=frozenset(task.arn for task in going if task.last_status == "RUNNING"),
            stopping=len(tasks) - len(going),
        )
        for arn in wanted.stop:
            task = self._world.tasks[arn]
            service.tell(f"has stopped 1 running tasks: (task {task.id}).", now)
            order_stop(task, "ServiceSchedulerInitiated", f"Scaling activity initiated by (deployment {primary})", now)
        self._settle(service, tasks, now)
        if wanted.start and service.not_before > now:
            return service.not_before
        for _ in range(wanted.start):
            task = make(
                self._world,
                service.cluster,
                service.primary.definition,
                group=service.group,
                deployment=primary,
                network=service.primary.network,
                tags=service.task_tags(),
                overrides={},
            )
            service.tell(f"has started 1 tasks: (task {task.id}).", now)
        return None

    def _settle(self, service: Service, tasks: list[Task], now: float) -> None:
        """Deployments without tasks are over; a service that drains without tasks is INACTIVE."""
        alive = {task.deployment for task in tasks}
        service.deployments = [each for each in service.deployments if each is service.primary or each.id in alive]
        if service.status == "DRAINING" and not tasks:
            service.status = "INACTIVE"
        running = sum(task.last_status == "RUNNING" for task in tasks)
        if not service.primary.completed and len(service.deployments) == 1 and running == service.desired == len(tasks):
            service.primary.completed = True
            service.tell("has reached a steady state.", now)

    def _start(self, task: Task) -> None:
        try:
            self._agent.start(task, self._ended)
        except CannotStart as error:
            log.warning("task %s does not start: %s", task.id, error)
            order_stop(task, "TaskFailedToStart", str(error), self._clock())
            self._failed(task)
        except Exception as error:
            log.exception("task %s was not started", task.id)
            order_stop(task, "TaskFailedToStart", f"InternalError: {error!r}", self._clock())
            self._failed(task)
        else:
            task.last_status, task.started_at = "RUNNING", self._clock()
        self.wake()

    def _ended(self, task: Task, container: Container, code: int) -> None:
        """A container has ended. With an essential one its task ends, which is a failure if nobody asked for it."""
        world = self._world
        with world.lock:
            now = self._clock()
            container.ended, container.exit_code, container.kill_at = True, code, None
            if container.essential and task.going and task.last_status == "RUNNING":
                order_stop(task, "EssentialContainerExited", "Essential container in task exited", now)
                self._failed(task)
            if all(each.ended for each in task.containers) and not task.ended:
                order_stop(task, "EssentialContainerExited", "All containers in task exited", now)
                task.last_status, task.stopped_at = "STOPPED", now
                self._agent.clear(task)
        self.wake()

    def _failed(self, task: Task) -> None:
        """The service whose task has ended by itself may have to wait before it starts another one."""
        now = self._clock()
        for service in self._world.services.values():
            if (service.cluster, service.group) == (task.cluster, task.group):
                quick = task.started_at is None or now - task.started_at < QUICK_SECONDS
                service.failures = service.failures + 1 if quick else 0
                service.not_before = now + pause(service.failures)
                for deployment in service.deployments:
                    deployment.failed += deployment.id == task.deployment

    def _insist(self, container: Container, now: float) -> float | None:
        """End a container that does not stop in its time; when that will be."""
        if container.kill_at is None or container.kill_at > now or container.process is None:
            return container.kill_at
        container.kill_at = None
        container.process.kill()
        return None

    def _forget(self, task: Task, now: float) -> float | None:
        if task.stopped_at is None:
            return None
        if task.stopped_at + KEPT_SECONDS > now:
            return task.stopped_at + KEPT_SECONDS
        del self._world.tasks[task.arn]
        return None

    def end_all(self) -> None:
        """End every task at once: the server ends."""
        with self._world.lock:
            self._ending = True
            processes = [
                container.process
                for task in self._world.tasks.values()
                for container in task.containers
                if container.process and not container.ended
            ]
        for process in processes:
            process.kill()
        deadline = time.monotonic() + ENDED_SECONDS
        for process in processes:
            process.join(max(0.0, deadline - time.monotonic()))
