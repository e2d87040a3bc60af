"""What Fargate does to begin a task: the execution role pulls the image and makes the log streams, the task's role
lends its credentials, the containers' programs are started.

* CannotStart   why the task ends before it runs, in the words of AWS
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from millrace.local.acting import Acting, Actor, Forbidden, Refused
from millrace.local.ecs.credentials import Credentials
from millrace.local.ecs.logs import LogDriver, NotLogged, Stream
from millrace.local.ecs.process import Process
from millrace.local.ecs.tasks import Container, Task
from millrace.local.iam import NotAssumed
from millrace.local.images import Image, Images, UnknownImage
from millrace.local.lambda_environment import HELPFUL, KEPT_VARIABLES

SERVICE = "ecs-tasks.amazonaws.com"
REGISTRY_ACTIONS = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
PYTHONS = ("python", "python3")


class CannotStart(Exception):
    pass


class Agent:
    """`folder` is where tasks have theirs, `endpoint` where they are told to call AWS at."""

    def __init__(
        self,
        folder: Path,
        endpoint: str,
        images: Images,
        *,
        acting: Acting,
        logs: LogDriver,
        credentials: Credentials,
    ) -> None:
        self._folder = folder
        self._endpoint = endpoint
        self._images = images
        self._acting = acting
        self._logs = logs
        self._credentials = credentials

    def start(self, task: Task, ended: Callable[[Task, Container, int], None]) -> None:
        """Start the task's containers; `ended` is told of each that ends, in another thread. Raises CannotStart, and
        then none is left running.
        """
        _, _, _, region, account, _ = task.arn.split(":", 5)
        executing = Actor(SERVICE, task.definition.execution_role, task.arn, account, region)
        images = [self._pulled(executing, container.definition["image"]) for container in task.containers]
        streams = [self._stream(executing, task, container) for container in task.containers]
        if task.definition.task_role:
            try:
                task.credentials = self._credentials.grant(
                    Actor(SERVICE, task.definition.task_role, task.arn, account, region)
                )
            except NotAssumed as error:
                raise CannotStart(
                    f"ECS was unable to assume the role '{task.definition.task_role}' that was provided for this task. "
                    f"Please verify that the role being passed has the proper trust relationship: {error}"
                ) from error
        try:
            for container, image, stream in zip(task.containers, images, streams, strict=True):
                self._run(task, container, image, stream, ended)
        except Exception:
            for container in task.containers:
                if container.process:
                    container.process.kill()
            self.clear(task)
            raise

    def clear(self, task: Task) -> None:
        """What is to go when a task has ended."""
        self._credentials.revoke(task.credentials)
        shutil.rmtree(self._folder / task.id, ignore_errors=True)

    def _pulled(self, actor: Actor, uri: str) -> Image:
        registry, _, rest = uri.partition("/")
        repository = rest.partition("@")[0].partition(":")[0]
        region = registry.split(".")[3] if registry.count(".") >= 3 else actor.region
        arn = f"arn:aws:ecr:{region}:{actor.account}:repository/{repository}"
        try:
            self._acting.perform(actor, "ecr:GetAuthorizationToken", "*", lambda: None)
            for action in REGISTRY_ACTIONS:
                self._acting.perform(actor, action, arn, lambda: None)
            return self._images.resolve(uri)
        except (Forbidden, Refused, UnknownImage) as error:
            raise CannotStart(f"CannotPullContainerError: {error}") from error

    def _stream(self, actor: Actor, task: Task, container: Container) -> Stream | None:
        logging = container.definition.get("logConfiguration")
        if logging is None:
            return None
        try:
            return self._logs.open(actor, logging["options"], container.name, task.id)
        except NotLogged as error:
            raise CannotStart(f"ResourceInitializationError: failed to validate logger args: {error}") from error

    def _run(
        self,
        task: Task,
        container: Container,
        image: Image,
        stream: Stream | None,
        ended: Callable[[Task, Container, int], None],
    ) -> None:
        home = self._folder / task.id / container.name
        (home / "tmp").mkdir(parents=True)
        environment = self._environment(task, container, image, home)
        program, *arguments = _command(container, image)
        found = sys.executable if program in PYTHONS else shutil.which(program, path=environment.get("PATH"))
        if found is None:
            raise CannotStart(
                f'CannotStartContainerError: exec: "{program}": executable file not found in $PATH: unknown'
            )

        def over(code: int) -> None:
            if stream:
                stream.close()
            ended(task, container, code)

        container.process = Process(
            [found, *arguments],
            environment,
            image.code,
            written=stream.write if stream else lambda _: None,
            ended=over,
        )

    def _environment(self, task: Task, container: Container, image: Image, home: Path) -> Mapping[str, str]:
        region = task.arn.split(":")[3]
        own = {
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self._endpoint,
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "AWS_REGION": region,
            "TMPDIR": f"{home}/tmp",
        }
        if task.credentials:
            own["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = self._endpoint + task.credentials
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        asked = {each["name"]: each.get("value", "") for each in container.definition["environment"]}
        return {**kept, **HELPFUL, "HOME": str(home), **image.variables(home / "tmp"), **asked, **own}


def _command(container: Container, image: Image) -> list[str]:
    """Another entry point leaves nothing of the image's command, as with Docker. Raises CannotStart."""
    entry_point, command = container.definition.get("entryPoint"), container.definition.get("command")
    words = [*(entry_point or image.entrypoint), *(command or (() if entry_point else image.command))]
    if not words:
        raise CannotStart("CannotCreateContainerError: no command specified")
    return words
