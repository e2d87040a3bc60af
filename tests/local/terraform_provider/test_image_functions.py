"""aws_lambda_function with an image, which the contract's one function of each kind cannot have beside its zip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from millrace.local.dockerfiles import Settings
from millrace.local.images import Images
from millrace.local.instance import Instance
from tests.fakes.deployed import archive, invoke, name, role
from tests.local.terraform_provider.trial import Trial, trial

pytestmark = pytest.mark.network

CLIENT = Settings(("python3", "-m", "awslambdaric"), ("thing.handler",), {"PYTHONPATH": "/app"}, folder="/app")
ADDRESS = "aws_lambda_function.this"


def image(aws: Instance, said: str) -> str:
    code = f"def handler(event, context): return {said!r}\ndef other(event, context): return 'other'"
    return Images.of(aws).push("team/thing", archive({"thing.py": code}), CLIENT)


def planned_and_applied(terraform: Trial, **arguments: Any) -> dict[str, str]:
    """What is planned for these arguments; applied, and planned to be nothing more."""
    terraform.write({"aws_lambda_function": {"this": {"package_type": "Image", "timeout": 20, **arguments}}})
    plan = terraform.plan()
    terraform.apply()
    assert terraform.plan() == {}
    return plan


def test_an_image_and_what_belongs_to_it_are_changed_in_place(embedded_aws: Instance, tmp_path: Path):
    first, second = image(embedded_aws, "first"), image(embedded_aws, "second")
    called = name("image")
    always = {"function_name": called, "role": role(embedded_aws, "lambda")}
    command, storage = [{"command": ["thing.other"]}], [{"size": 1024}]
    client = embedded_aws.client("lambda")
    with trial(tmp_path, embedded_aws) as terraform:
        made = planned_and_applied(terraform, **always, image_uri=first, image_config=command)
        assert invoke(embedded_aws, called) == ("other", False)
        changed = planned_and_applied(
            terraform, **always, image_uri=second, ephemeral_storage=storage, reserved_concurrent_executions=1
        )
        assert invoke(embedded_aws, called) == ("second", False)
        found = client.get_function(FunctionName=called)
        assert found["Configuration"]["EphemeralStorage"] == {"Size": 1024}
        assert found["Concurrency"] == {"ReservedConcurrentExecutions": 1}
        client.update_function_code(FunctionName=called, ImageUri=first)
        assert terraform.plan() == {ADDRESS: "update"}
        terraform.apply()
        assert invoke(embedded_aws, called) == ("second", False)
        terraform.destroy()
    assert (made, changed) == ({ADDRESS: "create"}, {ADDRESS: "update"})
