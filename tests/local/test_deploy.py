"""`terraform/` on an embedded AWS of its own: deployed, changed, refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.local import deploy
from millrace.local.instance import Instance, Options
from millrace.local.offline_terraform import TerraformFailed


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    started = Instance.start(tmp_path_factory.mktemp("deploy"), Options(region="eu-west-1"))
    yield started
    started.stop()


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if "__pycache__" not in path.parts}


def test_before_anything_is_deployed_a_plan_says_so_and_destroy_is_quiet(instance: Instance) -> None:
    with pytest.raises(TerraformFailed, match="nothing is deployed"):
        deploy.plan(instance)
    deploy.destroy(instance)
    assert deploy.outputs(instance.folder) == {}


def test_a_refused_variable_changes_nothing_and_is_named(instance: Instance) -> None:
    index = {"kendra_index_id": "12345678-1234-1234-1234-123456789012"}
    with pytest.raises(TerraformFailed, match="no_such_variable"):
        deploy.apply(instance, {**index, "no_such_variable": 1})
    with pytest.raises(TerraformFailed, match="max_concurrency must be 1, 2, 3 or 4"):
        deploy.apply(instance, {**index, "max_concurrency": 5})
    assert not (instance.folder / deploy.DEPLOYMENT).exists()
    assert instance.client("s3").list_buckets()["Buckets"] == []
    deploy.destroy(instance)


def test_apply_deploys_and_leaves_what_the_commands_look_for(instance: Instance) -> None:
    before = files(deploy.CONFIGURATION)
    said: list[str] = []
    outputs = deploy.apply(instance, say=said.append)
    assert files(deploy.CONFIGURATION) == before, "something was written into terraform/"
    assert said[-1].startswith("Apply complete!")
    assert outputs["aws_region"] == "eu-west-1"
    assert json.loads((instance.folder / deploy.DEPLOYMENT).read_text()) == {
        "endpoint": instance.url,
        "region": "eu-west-1",
        "outputs": outputs,
    }
    assert deploy.outputs(instance.folder) == outputs
    buckets = {bucket["Name"] for bucket in instance.client("s3").list_buckets()["Buckets"]}
    assert {outputs["ingestion_bucket"], outputs["reports_bucket"]} <= buckets


def test_a_second_apply_keeps_the_index_and_changes_nothing(instance: Instance) -> None:
    first = deploy.outputs(instance.folder)
    assert deploy.plan(instance) == []
    assert deploy.apply(instance) == first
    assert len(instance.client("kendra").list_indices()["IndexConfigurationSummaryItems"]) == 1


def test_the_index_knows_the_attributes_of_the_sample(instance: Instance) -> None:
    index = instance.client("kendra").describe_index(Id=deploy.outputs(instance.folder)["kendra_index_id"])
    known = {attribute["Name"] for attribute in index["DocumentMetadataConfigurations"]}
    assert {each["Name"] for each in json.loads(deploy.INDEX_ATTRIBUTES.read_text())} <= known


def test_a_variable_that_is_refused_later_leaves_the_last_ones_in_force(instance: Instance) -> None:
    with pytest.raises(TerraformFailed, match="log_retention_days"):
        deploy.apply(instance, {"log_retention_days": 2})
    assert deploy.plan(instance) == []
    changes = deploy.plan(instance, {"log_retention_days": 30})
    assert changes
    assert {change.action for change in changes} == {"update"}


def test_a_change_by_hand_is_seen_and_an_apply_repairs_it(instance: Instance) -> None:
    outputs = deploy.outputs(instance.folder)
    instance.client("s3").delete_bucket_policy(Bucket=outputs["reports_bucket"])
    name = outputs["state_machine_arn"].rsplit(":", 1)[1]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    instance.client("iam").put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=json.dumps(document))
    assert sorted(map(str, deploy.plan(instance))) == [
        'create module.bucket["reports"].aws_s3_bucket_policy.this',
        "update module.kendra_ingestion[0].module.state_machine.module.role.aws_iam_role_policy.this",
    ]
    deploy.apply(instance)
    assert deploy.plan(instance) == []


def test_destroy_removes_the_deployment_and_keeps_the_index(instance: Instance) -> None:
    deploy.destroy(instance)
    assert not (instance.folder / deploy.DEPLOYMENT).exists()
    assert instance.client("s3").list_buckets()["Buckets"] == []
    assert instance.client("lambda").list_functions()["Functions"] == []
    assert len(instance.client("kendra").list_indices()["IndexConfigurationSummaryItems"]) == 1
