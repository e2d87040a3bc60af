"""`python -m millrace.images` against a docker that behaves and moto's ECR; and what the locks of the images hold."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from millrace import images
from millrace.images import EMBED, VECTOR_STORE
from millrace.packaging import locked_versions
from tests.fakes.docker_command import Docker, installed

ACCOUNT, REGION = "123456789012", "eu-west-1"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
PASSWORD = f"{ACCOUNT}-auth-token"
"""What moto's registry gives."""
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture(autouse=True)
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(images, "VARIABLES", tmp_path / "images.auto.tfvars.json")
    return installed(tmp_path)


@pytest.fixture
def ecr(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield boto3.client("ecr")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["images", *arguments])
    return images.main()


def written() -> dict[str, str]:
    found: dict[str, str] = json.loads(images.VARIABLES.read_text())
    return found


@pytest.mark.parametrize("named", [[], ["--registry", HOST]], ids=["by the credentials", "by name"])
@pytest.mark.usefixtures("ecr")
def test_both_images_are_built_pushed_and_told_to_terraform_by_digest(
    named: list[str], docker: Docker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *named) == 0
    digests = {
        variable: f"{HOST}/{name}@{_digest_of(docker, name)}"
        for name, variable in ((VECTOR_STORE, "vector_store_image_uri"), (EMBED, "embed_image_uri"))
    }
    assert written() == digests
    assert capsys.readouterr().out.split() == list(digests.values())
    assert len(docker.state.pushed) == 2


def _digest_of(docker: Docker, name: str) -> str:
    (pushed,) = (it for it in docker.state.pushed if it.startswith(f"{HOST}/{name}:"))
    (digest,) = (it for it in docker.state.images[pushed]["RepoDigests"] if it.startswith(f"{HOST}/{name}@"))
    return str(digest.partition("@")[2])


def test_repositories_are_scanned_and_their_tags_stay(ecr: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch) == 0
    made = {it["repositoryName"]: it for it in ecr.describe_repositories()["repositories"]}
    assert made.keys() == {VECTOR_STORE, EMBED}
    for repository in made.values():
        assert repository["imageTagMutability"] == "IMMUTABLE"
        assert repository["imageScanningConfiguration"] == {"scanOnPush": True}


def test_a_repository_that_is_there_stays_as_it_is(ecr: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ecr.create_repository(repositoryName=EMBED, imageTagMutability="MUTABLE")
    assert run(monkeypatch) == 0
    (found,) = ecr.describe_repositories(repositoryNames=[EMBED])["repositories"]
    assert found["imageTagMutability"] == "MUTABLE"


def test_an_image_that_the_registry_has_is_not_pushed_again(
    docker: Docker, ecr: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch, "--no-push") == 0
    tag = docker.state.images[EMBED]["Id"].removeprefix("sha256:")[: images.TAG_LENGTH]
    ecr.create_repository(repositoryName=EMBED)
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "layers": []})
    put = ecr.put_image(repositoryName=EMBED, imageTag=tag, imageManifest=manifest)
    assert run(monkeypatch) == 0
    assert [name for name in docker.state.pushed if EMBED in name] == []
    assert written()["embed_image_uri"] == f"{HOST}/{EMBED}@{put['image']['imageId']['imageDigest']}"


@pytest.mark.usefixtures("ecr")
def test_the_registrys_password_is_typed_and_never_an_argument(
    docker: Docker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch) == 0
    assert docker.state.passwords == {HOST: PASSWORD}
    assert PASSWORD not in json.dumps(docker.state.calls)
    assert PASSWORD not in "".join(capsys.readouterr())


def test_a_build_gets_the_platform_the_bases_and_pips_configuration(
    docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = ["--base", "b", "--builder", "c", "--platform", "linux/amd64", "--pip-config", "pip.conf"]
    assert run(monkeypatch, "--no-push", *chosen) == 0
    for image, call in zip(images.IMAGES, docker.calls("build"), strict=True):
        assert call[call.index("--file") + 1] == str(image.dockerfile)
        assert call[call.index("--platform") + 1] == "linux/amd64"
        assert [it for it, before in zip(call[1:], call, strict=False) if before == "--build-arg"] == [
            "BASE=b",
            "BUILDER=c",
        ]
        assert call[call.index("--secret") + 1] == "id=pip,src=pip.conf"


def test_without_a_push_neither_aws_nor_terraform_hears_of_it(
    docker: Docker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _without_credentials(monkeypatch)
    assert run(monkeypatch, "--no-push") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [VECTOR_STORE, EMBED]
    assert docker.calls("build")[0][docker.calls("build")[0].index("--platform") + 1] == "linux/arm64"
    assert not images.VARIABLES.exists()


def _without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [it for it in os.environ if it.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command says; it must fail and leave Terraform's variables alone."""
    assert run(monkeypatch, *arguments) == 1
    assert not images.VARIABLES.exists()
    return capsys.readouterr().err.splitlines()[-1]


def test_without_docker_the_error_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert "docker is not installed, or not on the PATH" in fails(monkeypatch, capsys)


def test_without_its_daemon_the_error_says_so(
    docker: Docker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.set(daemon=False)
    assert "Docker does not answer; start its daemon: Cannot connect" in fails(monkeypatch, capsys)


def test_without_credentials_nothing_is_built(
    docker: Docker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _without_credentials(monkeypatch)
    assert "no AWS credentials: set AWS_PROFILE" in fails(monkeypatch, capsys)
    assert docker.calls("build") == []


def test_a_profile_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _without_credentials(monkeypatch)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "nobody" in fails(monkeypatch, capsys)


@pytest.mark.usefixtures("ecr")
def test_without_a_region_the_error_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert "no AWS region is configured: set AWS_REGION" in fails(monkeypatch, capsys)


def test_a_region_that_does_not_answer_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    said = fails(monkeypatch, capsys, "--registry", f"{ACCOUNT}.dkr.ecr.eu-wset-1.amazonaws.com")
    assert "AWS could not be reached in region eu-wset-1; is that its code?" in said


@pytest.mark.parametrize(
    ("registry", "reason"),
    [
        ("docker.io/me", "it must be <account>.dkr.ecr.<region>.amazonaws.com"),
        (f"{HOST}/millrace", "it must be <account>.dkr.ecr.<region>.amazonaws.com"),
        (HOST.replace(ACCOUNT, "210987654321"), f"the credentials are of account {ACCOUNT}"),
    ],
)
@pytest.mark.usefixtures("ecr")
def test_a_registry_that_cannot_be_used_is_refused_before_anything_is_built(
    registry: str, reason: str, docker: Docker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reason in fails(monkeypatch, capsys, "--registry", registry)
    assert docker.calls("build") == []


@pytest.mark.usefixtures("ecr")
def test_a_build_that_fails_names_the_image_and_the_step(
    docker: Docker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.set(broken="embed.Dockerfile")
    said = fails(monkeypatch, capsys)
    assert f"{EMBED} could not be built: step [packages 4/4] RUN sh packages.sh: ERROR: failed to solve" in said
    assert docker.state.pushed == []


def test_a_base_of_another_architecture_is_refused(
    docker: Docker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.set(base_platform="linux/amd64")
    said = fails(monkeypatch, capsys, "--no-push")
    assert f"{VECTOR_STORE} was built for linux/amd64, not for linux/arm64" in said


@pytest.mark.usefixtures("ecr")
def test_a_push_that_is_refused_is_told_in_the_registrys_words(
    docker: Docker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.set(refused="denied: not authorized to perform ecr:InitiateLayerUpload")
    said = fails(monkeypatch, capsys)
    assert f"{VECTOR_STORE} could not be pushed to {HOST}/{VECTOR_STORE}: denied: not authorized" in said


@pytest.mark.parametrize(
    ("host", "account", "region"),
    [
        (HOST, ACCOUNT, REGION),
        (f"{ACCOUNT}.dkr.ecr.us-gov-west-1.amazonaws.com", ACCOUNT, "us-gov-west-1"),
        (f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn", ACCOUNT, "cn-north-1"),
    ],
)
def test_a_registry_has_the_same_name_from_either_side(host: str, account: str, region: str) -> None:
    assert images.Registry.named(host) == images.Registry.of_credentials(account, region)


LOCKS = {
    "requirements-store-image.lock": "requirements-vectors.lock",
    "requirements-embed-image.lock": "requirements.lock",
}
ONLY_IN_IMAGES = {"awslambdaric", "simplejson", "snapshot-restore-py"}


@pytest.mark.parametrize(("image", "tested"), LOCKS.items())
def test_an_image_has_the_versions_that_the_tests_run_with(image: str, tested: str) -> None:
    ours, theirs = (locked_versions((images.REPOSITORY / name).read_text()) for name in (image, tested))
    assert {name: version for name, version in ours.items() if theirs.get(name) != version}.keys() <= ONLY_IN_IMAGES
