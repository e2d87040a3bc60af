"""Step Functions Local in a container, where Docker and the image are.

* NotToBeHad    Docker does not answer, or the image is neither here nor in a registry; the message says which
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

IMAGE_VARIABLE = "MILLRACE_STEPFUNCTIONS_LOCAL_IMAGE"
REQUIRE_VARIABLE = "REQUIRE_STEP_FUNCTIONS_LOCAL"
DEFAULT_IMAGE = "amazon/aws-stepfunctions-local:2.0.0"  # the newest: AWS has not changed the image since May 2024
MOCK_FILE = "/home/StepFunctionsLocal/MockConfigFile.json"
PORT = 8083
REGION = "us-east-1"
ACCOUNT = "123456789012"
START_SECONDS = 60.0
PULL_SECONDS = 300


class NotToBeHad(RuntimeError):
    pass


def image() -> str:
    return os.environ.get(IMAGE_VARIABLE, DEFAULT_IMAGE)


def required() -> bool:
    return os.environ.get(REQUIRE_VARIABLE) == "1"


def find_image(name: str) -> None:
    """Make sure that Docker has the image, pulling it if need be. Raises NotToBeHad."""
    import docker
    from docker.errors import DockerException, ImageNotFound

    try:
        client = docker.from_env(timeout=PULL_SECONDS)
        client.ping()
    except DockerException as error:
        raise NotToBeHad(f"Docker does not answer ({error})") from error
    try:
        client.images.get(name)
    except ImageNotFound:
        try:
            client.images.pull(name)
        except DockerException as error:
            raise NotToBeHad(f"the image {name} is not here and cannot be pulled ({error})") from error


@contextlib.contextmanager
def started(name: str, mock_file: Path) -> Iterator[Any]:
    """A client of a Step Functions Local that answers from the mock file; its container ends with it."""
    from testcontainers.core.config import testcontainers_config
    from testcontainers.core.container import DockerContainer

    testcontainers_config.ryuk_disabled = True  # the container is stopped below; its reaper is another image to pull
    mock_file.chmod(0o644)
    container = (
        DockerContainer(name)
        .with_exposed_ports(PORT)
        .with_env("SFN_MOCK_CONFIG", MOCK_FILE)
        .with_env("AWS_DEFAULT_REGION", REGION)
        .with_env("AWS_ACCOUNT_ID", ACCOUNT)
        .with_volume_mapping(str(mock_file), MOCK_FILE, "ro")
    )
    with container:
        url = f"http://{container.get_container_host_ip()}:{container.get_exposed_port(PORT)}"
        client = boto3.client(
            "stepfunctions",
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(inject_host_prefix=False, proxies={}, retries={"total_max_attempts": 1}),
        )
        _await(client, container)
        yield client


def _await(client: Any, container: Any) -> None:
    deadline = time.monotonic() + START_SECONDS
    while (refusal := _refusal(client)) is not None:
        docker_container = container.get_wrapped_container()
        docker_container.reload()
        ended = docker_container.status == "exited"
        if ended or time.monotonic() > deadline:
            said = b"".join(container.get_logs()).decode(errors="replace")
            how = "ended" if ended else f"did not answer within {START_SECONDS:.0f} s ({refusal})"
            raise RuntimeError(f"Step Functions Local {how}; it says:\n{said[-2_000:]}")
        time.sleep(0.2)


def _refusal(client: Any) -> Exception | None:
    try:
        client.list_state_machines()
    except (BotoCoreError, ClientError) as error:
        return error
    return None
