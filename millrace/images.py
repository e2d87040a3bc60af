"""Builds the vector store's container images and pushes them to ECR, for Terraform to deploy.

`python -m millrace.images` builds
* `millrace/vector-store`   the functions that open Chroma (lambdas/vector_store/Dockerfile)
* `millrace/embed`          the embedding worker as an ECS task (lambdas/vector_store/embed.Dockerfile)

with the docker command line, makes their repositories in the credentials' account where they are missing, pushes, and
writes the images' URIs, by digest, into terraform/images.auto.tfvars.json. An image's tag is the beginning of its id,
and tags are immutable: what the registry has already is not pushed again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from base64 import b64decode
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import boto3
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError

from millrace.errors import MillraceError, from_aws

VECTOR_STORE = "millrace/vector-store"
EMBED = "millrace/embed"

REPOSITORY = Path(__file__).resolve().parents[1]
VARIABLES = REPOSITORY / "terraform" / "images.auto.tfvars.json"

PLATFORMS = ("linux/arm64", "linux/amd64")
"""The first is what Terraform deploys."""

ECR_HOST = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z]{2,}(-[a-z]+)+-\d)\.amazonaws\.com(\.cn)?")
TAG_LENGTH = 16
TAIL_LINES = 200
"""How much of what a command says is kept, for the error."""

FAILED_STEP = re.compile(r"^ > (\[.+?\].*?):?$")
"""Where BuildKit's summary names the step that failed."""


class ImagesError(MillraceError):
    """An image could not be built or pushed; the message says which, why and what to do."""


class Image(NamedTuple):
    """An image: its name, which is its repository's, its Dockerfile, and the variable of terraform/ with its URI."""

    name: str
    dockerfile: Path
    variable: str


_FOLDER = REPOSITORY / "lambdas" / "vector_store"
IMAGES = (
    Image(VECTOR_STORE, _FOLDER / "Dockerfile", "vector_store_image_uri"),
    Image(EMBED, _FOLDER / "embed.Dockerfile", "embed_image_uri"),
)


@dataclass(frozen=True)
class Recipe:
    """What a build is asked for. `base` and `builder` are the Dockerfiles' BASE and BUILDER, None for their own;
    `pip_configuration` is a file that pip reads while it installs."""

    platform: str = PLATFORMS[0]
    base: str | None = None
    builder: str | None = None
    pip_configuration: Path | None = None

    def arguments(self) -> list[str]:
        chosen = {"BASE": self.base, "BUILDER": self.builder}
        found = ["--platform", self.platform]
        for name, value in chosen.items():
            found += ["--build-arg", f"{name}={value}"] if value else []
        if self.pip_configuration:
            found += ["--secret", f"id=pip,src={self.pip_configuration}"]
        return found


class Docker:
    """The docker command line. Every method raises ImagesError."""

    def answer(self) -> None:
        """Make sure that the command and its daemon are there."""
        self._said("version", "--format", "{{.Server.Version}}", trouble="Docker does not answer; start its daemon")

    def build(self, image: Image, recipe: Recipe) -> str:
        """Build an image under its name; its id, `sha256:...`. What docker tells meanwhile goes to stderr."""
        command = ["docker", "build", "--progress=plain", *recipe.arguments()]
        command += ["--file", str(image.dockerfile), "--tag", image.name, str(REPOSITORY)]
        # Lambda takes an image, not an index of an image and its attestations, which buildx makes by default.
        status, said = _told(command, {"DOCKER_BUILDKIT": "1", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"})
        if status:
            raise ImagesError(f"{image.name} could not be built: {_reason(said)}")
        found = self._inspect(image.name)
        platform = f"{found['Os']}/{found['Architecture']}"
        if platform != recipe.platform:
            raise ImagesError(
                f"{image.name} was built for {platform}, not for {recipe.platform}: the base image is of {platform}; "
                "name another with --base"
            )
        return str(found["Id"])

    def login(self, host: str, password: str) -> None:
        """Let docker push to an ECR registry. The password goes over stdin: arguments are seen by everybody."""
        self._said(
            *("login", "--username", "AWS", "--password-stdin", host),
            typed=password,
            trouble=f"docker could not log in to {host}",
        )

    def push(self, name: str, place: str, tag: str) -> str:
        """Push the image of this name to a repository; its digest there, `sha256:...`."""
        self._said("tag", name, f"{place}:{tag}", trouble=f"{name} could not be tagged")
        status, said = _told(["docker", "push", f"{place}:{tag}"], {})
        if status:
            raise ImagesError(f"{name} could not be pushed to {place}: {_reason(said)}")
        named = self._inspect(f"{place}:{tag}")["RepoDigests"]
        digests = [it.removeprefix(f"{place}@") for it in named if it.startswith(f"{place}@")]
        if not digests:
            raise ImagesError(f"docker does not know the digest of {place}:{tag} after pushing it; run this again")
        return digests[0]

    def _inspect(self, name: str) -> Mapping[str, Any]:
        said = self._said("image", "inspect", name, trouble=f"docker does not know the image {name}")
        found: Mapping[str, Any] = json.loads(said)[0]
        return found

    @staticmethod
    def _said(*arguments: str, trouble: str, typed: str | None = None) -> str:
        try:
            done = subprocess.run(["docker", *arguments], input=typed, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise ImagesError("docker is not installed, or not on the PATH; images are built with it") from error
        if done.returncode:
            raise ImagesError(f"{trouble}: {_reason(done.stderr.splitlines())}")
        return done.stdout


class Registry(NamedTuple):
    """An account's ECR in a region."""

    account: str
    region: str
    host: str

    @classmethod
    def named(cls, host: str) -> Self:
        """Of a host such as 123456789012.dkr.ecr.eu-west-1.amazonaws.com. Raises ImagesError."""
        found = ECR_HOST.fullmatch(host)
        if found is None:
            raise ImagesError(f"--registry is {host!r}; it must be <account>.dkr.ecr.<region>.amazonaws.com")
        return cls(found["account"], found["region"], host)

    @classmethod
    def of_credentials(cls, account: str, region: str | None) -> Self:
        """The account's own in the region that AWS's configuration names. Raises ImagesError."""
        if region is None:
            raise ImagesError("no AWS region is configured: set AWS_REGION, or name the registry with --registry")
        suffix = ".cn" if region.startswith("cn-") else ""
        return cls(account, region, f"{account}.dkr.ecr.{region}.amazonaws.com{suffix}")


class Repositories:
    """The repositories of a registry in ECR. Every method raises ImagesError, AwsError."""

    def __init__(self, session: Any, registry: Registry) -> None:
        self._client = session.client("ecr", region_name=registry.region)
        self._registry = registry

    def password(self) -> str:
        """What docker logs in with; it holds for twelve hours."""
        with _translated(self._registry.region):
            found = self._client.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        _, _, password = b64decode(found).decode().partition(":")
        return password

    def provide(self, name: str) -> bool:
        """Make a repository whose tags cannot be moved and whose images are scanned; whether it was missing. One that
        is there stays as it is."""
        with _translated(self._registry.region):
            try:
                self._client.create_repository(
                    repositoryName=name,
                    imageTagMutability="IMMUTABLE",
                    imageScanningConfiguration={"scanOnPush": True},
                )
            except self._client.exceptions.RepositoryAlreadyExistsException:
                return False
        return True

    def digest(self, name: str, tag: str) -> str | None:
        """The digest of the image with this tag; None where there is none."""
        with _translated(self._registry.region):
            try:
                found = self._client.describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])
            except self._client.exceptions.ImageNotFoundException:
                return None
        return str(found["imageDetails"][0]["imageDigest"])


def the_registry(session: Any, host: str | None) -> Registry:
    """The registry of this host, or of the credentials' account and region. Raises ImagesError where the credentials
    are of another account, whose repositories this one could not make; AwsError."""
    registry = Registry.named(host) if host else None
    region = registry.region if registry else session.region_name
    with _translated(region):
        account = session.client("sts", region_name=region or "us-east-1").get_caller_identity()["Account"]
    if registry is None:
        return Registry.of_credentials(account, region)
    if registry.account != account:
        raise ImagesError(
            f"the credentials are of account {account}, and --registry {registry.host} is of {registry.account}; "
            "use credentials of that account"
        )
    return registry


def publish(image: Image, image_id: str, registry: Registry, repositories: Repositories, docker: Docker) -> str:
    """Have an image in its repository; its URI by digest. Docker is logged in."""
    tag = image_id.removeprefix("sha256:")[:TAG_LENGTH]
    place = f"{registry.host}/{image.name}"
    if repositories.provide(image.name):
        _say(f"made the repository {image.name}")
    digest = repositories.digest(image.name, tag)
    if digest is None:
        digest = docker.push(image.name, place, tag)
    else:
        _say(f"{place}:{tag} is there already")
    return f"{place}@{digest}"


@contextmanager
def _translated(region: str | None) -> Iterator[None]:
    try:
        yield
    except NoCredentialsError as error:
        raise ImagesError(
            "no AWS credentials: set AWS_PROFILE, or log in (`aws sso login`); `--no-push` builds without them"
        ) from error
    except EndpointConnectionError as error:
        raise ImagesError(f"AWS could not be reached in region {region}; is that its code? {error}") from error
    except (BotoCoreError, ClientError) as error:
        raise from_aws(error) from error


def _told(command: list[str], environment: Mapping[str, str]) -> tuple[int, list[str]]:
    """Run a command whose output goes to stderr as it comes; its exit status and its last lines."""
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    with subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            sys.stderr.write(line)
            tail.append(line.rstrip())
    return process.returncode, list(tail)


def _reason(said: list[str]) -> str:
    """The step that failed, if docker names one, and its last words, or what it calls the error."""
    steps = [found[1] for line in said if (found := FAILED_STEP.match(line))]
    words = [line.strip() for line in said if line.strip()] or ["it said nothing"]
    errors = [line for line in words if line.lower().startswith("error")]
    reason = (errors or words)[-1]
    return f"step {steps[-1]}: {reason}" if steps else reason


def _say(sentence: str) -> None:
    print(f"millrace.images: {sentence}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m millrace.images", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--registry", help="<account>.dkr.ecr.<region>.amazonaws.com; the credentials' own by default")
    parser.add_argument("--base", help="base image: Python >= 3.11, pip and glibc >= 2.28; the Dockerfiles' by default")
    parser.add_argument("--builder", help="image that installs the packages, of this machine's architecture; the base")
    parser.add_argument("--platform", choices=PLATFORMS, default=PLATFORMS[0], help="what the images run on")
    parser.add_argument("--pip-config", type=Path, help="a configuration of pip's, for an index of your own")
    parser.add_argument("--no-push", action="store_true", help="build only; needs no AWS")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """What the command does. Raises MillraceError."""
    docker = Docker()
    docker.answer()
    recipe = Recipe(arguments.platform, arguments.base, arguments.builder, arguments.pip_config)
    if arguments.no_push:
        for image in IMAGES:
            print(f"{image.name}  {docker.build(image, recipe)}")
        return
    with _translated(None):
        session = boto3.Session()
    registry = the_registry(session, arguments.registry)
    repositories = Repositories(session, registry)
    ids = {image: docker.build(image, recipe) for image in IMAGES}
    docker.login(registry.host, repositories.password())
    uris = {image.variable: publish(image, ids[image], registry, repositories, docker) for image in IMAGES}
    VARIABLES.write_text(json.dumps(uris, indent=2) + "\n", encoding="utf-8")
    for uri in uris.values():
        print(uri)
    _say(f"terraform takes them from {VARIABLES}")


def main() -> int:
    try:
        run(_parser().parse_args())
    except MillraceError as error:
        _say(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
