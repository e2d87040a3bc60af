"""The images of lambdas/vector_store, really built and really run, where Docker and a base image are.

* NotToBeHad    no base image is named, or Docker does not answer; the message says which
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from millrace.images import IMAGES, REPOSITORY, Docker, ImagesError

BASE_VARIABLE = "MILLRACE_BASE_IMAGE"
REQUIRE_VARIABLE = "REQUIRE_IMAGES"
BUILD_SECONDS = 900
NOBODY = "65534:65534"
PACKAGES_STAGE = "packages"


class NotToBeHad(RuntimeError):
    pass


def required() -> bool:
    return os.environ.get(REQUIRE_VARIABLE) == "1"


def base() -> str:
    """The base image that the environment names. Raises NotToBeHad."""
    named = os.environ.get(BASE_VARIABLE)
    if not named:
        raise NotToBeHad(f"{BASE_VARIABLE} names no base image (docs/decisions/images.md)")
    if sys.platform != "linux":
        raise NotToBeHad("containers share this machine's loopback on Linux alone")
    try:
        Docker().answer()
    except ImagesError as error:
        raise NotToBeHad(str(error)) from error
    return named


def engine() -> Any:
    """A client of Docker's daemon."""
    import docker

    return docker.from_env(timeout=BUILD_SECONDS)


def platform() -> str:
    """What the daemon's own machine runs."""
    version = engine().version()
    return f"{version['Os']}/{version['Arch']}"


def build(base_image: str) -> None:
    """Build both images for this machine, as `make images` does."""
    command = [sys.executable, "-m", "millrace.images", "--no-push", "--base", base_image, "--platform", platform()]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=BUILD_SECONDS)
    assert done.returncode == 0, done.stderr[-4_000:]
    assert [line.split()[0] for line in done.stdout.splitlines()] == [image.name for image in IMAGES]


def build_packages(dockerfile: Path, base_image: str, target: str, tag: str) -> None:
    """Build the stage that has the packages for `target`, which runs on this machine whatever that is."""
    command = ["docker", "build", "--file", str(dockerfile), "--target", PACKAGES_STAGE, "--platform", target]
    command += ["--build-arg", f"BASE={base_image}", "--tag", tag, str(REPOSITORY)]
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=BUILD_SECONDS)
    assert done.returncode == 0, done.stderr[-4_000:]


class Container:
    """A running one. Its processes are nobody's, have no privileges, and may write to /tmp alone, as Lambda's."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def log(self) -> str:
        return str(self._container.logs().decode(errors="replace"))

    def running(self) -> bool:
        self._container.reload()
        return bool(self._container.status == "running")

    def stop(self, seconds: int) -> int:
        """Order it to stop, as ECS does, and kill it after so many seconds; its exit code."""
        self._container.stop(timeout=seconds)
        return int(self._container.wait()["StatusCode"])


@contextmanager
def started(image: str, environment: Mapping[str, str], *command: str) -> Iterator[Container]:
    """A container of an image on this machine's network; it is gone at the end."""
    container = engine().containers.run(
        image,
        list(command) or None,
        detach=True,
        environment=dict(environment),
        network_mode="host",
        read_only=True,
        tmpfs={"/tmp": "size=1g"},
        user=NOBODY,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
    )
    try:
        yield Container(container)
    finally:
        container.remove(force=True)


def said_by(image: str, *command: str) -> str:
    """What a command says in a container of the image."""
    said = engine().containers.run(image, list(command[1:]), entrypoint=command[0], remove=True, user=NOBODY)
    return str(said.decode())
