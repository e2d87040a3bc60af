"""Functions whose code is an image, and what reserved concurrency does to functions, on the embedded AWS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from millrace.local import store_images
from millrace.local.dockerfiles import Settings
from millrace.local.images import Images
from millrace.local.instance import Instance
from tests.fakes.deployed import allow, archive, eventually, function, invoke, name, role

pytestmark = pytest.mark.network

CLIENT = Settings(
    ("python3", "-m", "awslambdaric"),
    ("thing.handler",),
    {"PYTHONPATH": "/app", "HOME": "/tmp", "MODE": "the image's", "KEPT": "yes"},
    folder="/app",
)
CODE = """
    import os, pathlib, sys, tempfile
    import {imports}
    def handler(event, context):
        here = pathlib.Path(os.environ["HOME"])
        (here / "mark").write_text("x")
        return {{
            "said": {said!r}, "mode": os.environ["MODE"], "kept": os.environ["KEPT"],
            "beside the code": os.getcwd() == os.path.dirname(__file__), "runtime": "AWS_EXECUTION_ENV" in os.environ,
            "disk": str(here), "temporary": tempfile.gettempdir() == str(here), "server": "GATEWAY_PORT" in os.environ,
        }}
    def other(event, context):
        return "other"
"""


@pytest.fixture(scope="module")
def images(embedded_aws: Instance) -> Images:
    return Images.of(embedded_aws)


@pytest.fixture(scope="module")
def make(embedded_aws: Instance) -> Callable[..., str]:
    """Makes a function of an image; its name."""

    def made(uri: str, **settings: Any) -> str:
        client, called = embedded_aws.client("lambda"), name("image")
        given = {"PackageType": "Image", "Timeout": 20, **settings}
        client.create_function(FunctionName=called, Role=role(embedded_aws, "lambda"), Code={"ImageUri": uri}, **given)
        client.get_waiter("function_active_v2").wait(FunctionName=called, WaiterConfig={"Delay": 0.05})
        return called

    return made


def image_of(images: Images, said: str = "first", *, imports: str = "json", settings: Settings = CLIENT) -> str:
    return images.push("team/thing", archive({"thing.py": CODE.format(said=said, imports=imports)}), settings)


def test_an_image_runs_with_what_its_dockerfile_says_and_all_that_is_installed_here(
    embedded_aws: Instance, images: Images, make: Callable[..., str]
):
    # This package is installed here, and a zip's function would not see it.
    called = make(image_of(images, imports="pytest"), Environment={"Variables": {"MODE": "the function's"}})
    answer, failed = invoke(embedded_aws, called)
    assert not failed, answer
    disk = Path(answer.pop("disk"))
    assert disk.is_relative_to(embedded_aws.folder)
    assert (disk / "mark").exists()
    assert answer == {
        "said": "first",
        "mode": "the function's",
        "kept": "yes",
        "beside the code": True,
        "temporary": True,
        "runtime": False,
        "server": False,
    }


def test_what_lambda_tells_of_an_image(embedded_aws: Instance, images: Images, make: Callable[..., str]):
    uri = image_of(images)
    called = make(uri, EphemeralStorage={"Size": 10_240}, ImageConfig={"Command": ["thing.other"]})
    found = embedded_aws.client("lambda").get_function(FunctionName=called)
    configuration = found["Configuration"]
    assert found["Code"] == {"RepositoryType": "ECR", "ImageUri": uri, "ResolvedImageUri": uri}
    assert configuration["CodeSha256"] == images.resolve(uri).digest
    assert configuration["PackageType"] == "Image"
    assert configuration["EphemeralStorage"] == {"Size": 10_240}
    assert configuration["ImageConfigResponse"] == {"ImageConfig": {"Command": ["thing.other"]}}
    assert invoke(embedded_aws, called) == ("other", False)


def test_a_function_stays_with_its_image_until_it_is_given_another(
    embedded_aws: Instance, images: Images, make: Callable[..., str]
):
    called, client = make(image_of(images)), embedded_aws.client("lambda")
    second = image_of(images, "second")
    assert invoke(embedded_aws, called)[0]["said"] == "first"
    client.update_function_code(FunctionName=called, ImageUri=second)
    assert invoke(embedded_aws, called)[0]["said"] == "second"
    assert client.get_function_configuration(FunctionName=called)["CodeSha256"] == images.resolve(second).digest
    client.update_function_configuration(FunctionName=called, ImageConfig={"Command": ["thing.other"]})
    assert invoke(embedded_aws, called) == ("other", False)
    client.update_function_configuration(FunctionName=called, ImageConfig={})
    assert invoke(embedded_aws, called)[0]["said"] == "second"


def test_an_error_in_an_image_has_its_name(embedded_aws: Instance, images: Images, make: Callable[..., str]):
    called = make(image_of(images, imports="not_in_the_image"))
    answer, failed = invoke(embedded_aws, called)
    assert failed
    assert answer["errorType"] == "Runtime.ImportModuleError"
    assert "not_in_the_image" in answer["errorMessage"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"Runtime": "python3.13"}, "Please don't provide Handler or Runtime or Layer"),
        ({"PackageType": "Zip", "Runtime": "python3.13", "Handler": "a.b"}, "PackageType is Image, and nowhere else"),
        ({"ImageConfig": {"EntryPoint": ["sh"]}}, "the embedded AWS runs as a function what ends in -m awslambdaric"),
        ({"ImageConfig": {"WorkingDirectory": "/elsewhere"}}, "runs an image in its own, /app"),
        ({"EphemeralStorage": {"Size": 10_241}}, "between 512 and 10240 MB"),
    ],
)
def test_a_function_that_an_image_cannot_be_is_refused(
    images: Images, make: Callable[..., str], settings: dict[str, Any], said: str
):
    with pytest.raises(ClientError) as error:
        make(image_of(images), **settings)
    assert error.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert said in error.value.response["Error"]["Message"]


def test_an_image_that_nobody_made_is_refused_and_changes_nothing(
    embedded_aws: Instance, images: Images, make: Callable[..., str]
):
    uri = image_of(images)
    unknown = f"{uri.rpartition('@')[0]}:latest"
    with pytest.raises(ClientError, match="thing:latest does not exist"):
        make(unknown)
    called, client = make(uri), embedded_aws.client("lambda")
    with pytest.raises(ClientError, match="thing:latest does not exist"):
        client.update_function_code(FunctionName=called, ImageUri=unknown)
    with pytest.raises(ClientError, match="cannot be changed"):
        client.update_function_code(FunctionName=called, ZipFile=archive({"a.py": ""}))
    zipped = function(embedded_aws, "def handler(e, c): pass")
    with pytest.raises(ClientError, match="takes no ImageConfig"):
        client.update_function_configuration(FunctionName=zipped, ImageConfig={"Command": ["a.b"]})
    found = client.get_function(FunctionName=called)
    assert found["Code"]["ImageUri"] == uri
    assert found["Configuration"]["CodeSha256"] == images.resolve(uri).digest


def test_an_image_without_the_runtime_interface_client_is_no_function(images: Images, make: Callable[..., str]):
    service = Settings(("python3", "-m", "thing"), environment={"PYTHONPATH": "/app"}, folder="/app")
    with pytest.raises(ClientError, match="is python3 -m thing;"):
        make(image_of(images, settings=service))


@pytest.fixture
def one_at_once(embedded_aws: Instance) -> Iterator[str]:
    """A function that runs once at a time, and until there is an object of its name in the bucket of its name."""
    bucket = name("bucket")
    embedded_aws.client("s3").create_bucket(Bucket=bucket)
    code = """
        import boto3, os, time
        def handler(event, context):
            s3, bucket = boto3.client("s3"), os.environ["BUCKET"]
            s3.put_object(Bucket=bucket, Key="begun")
            while "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="end"):
                time.sleep(0.05)
            return "done"
    """
    called = function(
        embedded_aws, code, allow("s3:*"), Environment={"Variables": {"BUCKET": bucket}}, Description=bucket
    )
    embedded_aws.client("lambda").put_function_concurrency(FunctionName=called, ReservedConcurrentExecutions=1)
    yield called
    embedded_aws.client("s3").put_object(Bucket=bucket, Key="end")


def test_a_second_invocation_is_throttled_while_the_only_one_that_is_allowed_runs(
    embedded_aws: Instance, one_at_once: str
):
    client, s3 = embedded_aws.client("lambda"), embedded_aws.client("s3")
    bucket = client.get_function_configuration(FunctionName=one_at_once)["Description"]
    answers: list[Any] = []
    first = threading.Thread(target=lambda: answers.append(invoke(embedded_aws, one_at_once)))
    first.start()
    eventually(lambda: s3.list_objects_v2(Bucket=bucket, Prefix="begun").get("Contents"))
    with pytest.raises(client.exceptions.TooManyRequestsException) as error:
        client.invoke(FunctionName=one_at_once)
    assert error.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    s3.put_object(Bucket=bucket, Key="end")
    first.join(20)
    assert answers == [("done", False)]
    assert invoke(embedded_aws, one_at_once) == ("done", False)


def test_a_consumer_in_ecs_gets_a_network_that_is_there(
    embedded_aws: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(store_images, "NEEDED", "json")
    (tmp_path / store_images.CODE).write_bytes(archive({"vector_store/embed.py": ""}))
    chosen = {"package_dir": str(tmp_path), "embed_consumer": "ecs"}
    found = store_images.variables(embedded_aws, chosen, lambda _: None)
    client = embedded_aws.client("ec2")
    subnets = client.describe_subnets(SubnetIds=found["embed_subnet_ids"])["Subnets"]
    groups = client.describe_security_groups(GroupIds=found["embed_security_group_ids"])["SecurityGroups"]
    assert subnets
    assert {each["VpcId"] for each in [*subnets, *groups]} == {groups[0]["VpcId"]}
