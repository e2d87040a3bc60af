"""Finding a deployment, and keeping the person's own AWS out of the embedded one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from millrace import deployment, terraform_core
from millrace.deployment import Workflow, find, from_outputs
from millrace.errors import NoDeployment, NotDeployed, UsageError
from tests.fakes.operator.aws import BEDROCK, INCIDENTS, OUTPUTS, QUEUES, SYNC, SYNC_ONLY, VECTORS

WRAPPED = {name: {"value": value, "type": "string", "sensitive": False} for name, value in OUTPUTS.items()}
URL = "http://127.0.0.1:4999"


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> None:
    """An embedded AWS runs, whatever the folder."""
    found = SimpleNamespace(find=lambda folder: SimpleNamespace(folder=folder, url=URL))
    monkeypatch.setattr(deployment, "Instance", found)


@pytest.fixture
def terraform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of Terraform whose `terraform output -json` prints what its file `outputs` holds."""
    folder = tmp_path / "terraform"
    folder.mkdir()
    script = tmp_path / "terraform.py"
    script.write_text(
        "import pathlib, sys\n"
        "folder = sys.argv[1].removeprefix('-chdir=')\n"
        "assert sys.argv[2:] == ['output', '-json'], sys.argv\n"
        "print(pathlib.Path(folder, 'outputs').read_text())\n"
    )
    monkeypatch.setattr(terraform_core, "command", lambda: [sys.executable, str(script)])
    return folder


def test_outputs_are_read_as_terraform_wraps_them_and_plain() -> None:
    assert from_outputs(WRAPPED, "here") == from_outputs(OUTPUTS, "here")


def test_missing_outputs_are_named() -> None:
    some = {name: value for name, value in OUTPUTS.items() if name not in ("jobs_table", "aws_region")}
    with pytest.raises(NoDeployment, match="here lacks the outputs aws_region, jobs_table"):
        from_outputs(some, "here")


@pytest.mark.parametrize(
    ("choice", "missing"),
    [
        ({"deploy_option": "sqs"}, "progress_table"),
        ({"sink": "kendra", "kendra_index_id": None}, "kendra_index_id"),
        ({"sink": "bedrock", "data_source_id": None}, "knowledge_base_id, data_source_id"),
    ],
)
def test_what_the_chosen_option_and_sink_need_is_named(choice: dict[str, str | None], missing: str) -> None:
    with pytest.raises(NoDeployment, match=f"lacks the outputs {missing};"):
        from_outputs({**OUTPUTS, **choice}, "here")


def test_what_only_another_option_or_sink_has_may_be_null_or_absent() -> None:
    nulls = {"kendra_index_id": None, "progress_table": {"value": None, "type": "string"}}
    bedrock = {**OUTPUTS, **nulls, **BEDROCK}
    found = from_outputs(bedrock, "here")
    ingestion = found.ingestion
    assert (ingestion.kendra_index_id, ingestion.knowledge_base_id, ingestion.progress_table) == (
        None,
        "KB12345678",
        None,
    )
    assert from_outputs({**OUTPUTS, **QUEUES}, "here").ingestion.progress_table == "millrace-progress"


def test_where_kb_sync_alone_is_deployed_the_other_workflows_outputs_are_null() -> None:
    found = from_outputs({**OUTPUTS, **SYNC_ONLY}, "here")
    assert found.workflows == (Workflow.KB_SYNC,)
    assert found.sync.source("images").key == "KB12345678/DS12345678"
    with pytest.raises(NotDeployed, match=r"kendra_ingestion is not deployed at .*, only kb_sync"):
        _ = found.ingestion


def test_outputs_that_name_no_workflows_are_of_kendra_ingestion() -> None:
    found = from_outputs(OUTPUTS, "here")
    assert found.workflows == (Workflow.KENDRA_INGESTION,)
    with pytest.raises(NotDeployed, match="add kb_sync to the variable workflows"):
        _ = found.sync


def test_both_workflows_can_be_deployed_together() -> None:
    found = from_outputs({**WRAPPED, **SYNC}, "here")
    assert found.workflows == (Workflow.KENDRA_INGESTION, Workflow.KB_SYNC)
    assert found.ingestion.jobs_table == "millrace-jobs"
    assert found.sync.sync_table == "millrace-sync"


def test_what_kb_sync_needs_is_named() -> None:
    with pytest.raises(NoDeployment, match="lacks the outputs sync_sources, sync_table;"):
        from_outputs({**OUTPUTS, **SYNC, "sync_table": None, "sync_sources": None}, "here")


def test_incident_sync_knows_the_source_that_its_incidents_are_written_to() -> None:
    found = from_outputs({**OUTPUTS, **INCIDENTS}, "here")
    assert found.workflows == (Workflow.KB_SYNC, Workflow.INCIDENT_SYNC)
    assert (found.incidents.source.name, found.incidents.bucket) == ("incidents", "data")
    assert found.incidents.incident_prefix == "incidents/closed/"


@pytest.mark.parametrize(
    ("departure", "missing"),
    [
        ({"incidents_table": None, "incident_source": None}, "incidents_table, incident_source"),
        ({"incident_source": "elsewhere"}, "sync_sources.elsewhere"),
        ({"workflows": ["incident_sync"]}, "sync_sources.incidents"),
    ],
)
def test_what_incident_sync_needs_is_named(departure: dict[str, Any], missing: str) -> None:
    with pytest.raises(NoDeployment, match=f"lacks the outputs {missing};"):
        from_outputs({**OUTPUTS, **INCIDENTS, **departure}, "here")


def test_where_incident_sync_is_not_deployed_its_commands_say_so() -> None:
    with pytest.raises(NotDeployed, match="add incident_sync to the variable workflows"):
        _ = from_outputs({**OUTPUTS, **SYNC}, "here").incidents


def test_the_vector_store_needs_no_other_workflow_and_names_its_functions_and_dead_letters() -> None:
    found = from_outputs({**OUTPUTS, **VECTORS}, "here")
    assert found.workflows == (Workflow.VECTOR_STORE,)
    assert Workflow.VECTOR_STORE.with_its_needs == {Workflow.VECTOR_STORE}
    assert found.store.vector_functions.check == "millrace-vector-check"
    assert found.store.vector_dead_letter_queue_urls.stream.endswith("millrace-vector-stream-dead-letters")


@pytest.mark.parametrize(
    ("departure", "missing"),
    [
        ({"store_bucket": None, "flights_table": None}, "flights_table, store_bucket"),
        ({"vector_functions": {"search": "s", "check": "c", "collect": None}}, "collect, vector_functions.overdue"),
        ({"vector_dead_letter_queue_urls": None}, "vector_dead_letter_queue_urls.changes, .*embed, .*stream"),
    ],
)
def test_what_the_vector_store_needs_is_named(departure: dict[str, Any], missing: str) -> None:
    with pytest.raises(NoDeployment, match=f"lacks the outputs .*{missing};"):
        from_outputs({**OUTPUTS, **VECTORS, **departure}, "here")


def test_where_the_vector_store_is_not_deployed_its_commands_say_so() -> None:
    with pytest.raises(NotDeployed, match="add vector_store to the variable workflows"):
        _ = from_outputs({**OUTPUTS, **SYNC}, "here").store


def test_each_workflow_is_a_state_machine_and_names_what_it_cannot_be_without() -> None:
    found = from_outputs({**OUTPUTS, **INCIDENTS, **VECTORS, "workflows": list(Workflow)}, "here")
    assert len({found.state_machine_of(workflow) for workflow in Workflow}) == len(Workflow)
    assert Workflow.INCIDENT_SYNC.with_its_needs == {Workflow.KB_SYNC, Workflow.INCIDENT_SYNC}
    assert Workflow.KB_SYNC.with_its_needs == {Workflow.KB_SYNC}


def test_a_workflow_of_another_version_is_named() -> None:
    with pytest.raises(NoDeployment, match="workflows 'graph_store'; this version of millrace knows"):
        from_outputs({**OUTPUTS, "workflows": ["kendra_ingestion", "graph_store"]}, "here")


def test_a_key_without_a_source_is_its_own_name() -> None:
    sync = from_outputs({**OUTPUTS, **SYNC}, "here").sync
    assert sync.name_of("KB12345678/DS12345678") == "images"
    assert sync.name_of("KB12345678/DS00000000") == "KB12345678/DS00000000"


def test_an_option_of_another_version_is_named() -> None:
    with pytest.raises(NoDeployment, match="deploy_option 'ecs'; this version of millrace knows sfn, sqs"):
        from_outputs({**OUTPUTS, "deploy_option": "ecs"}, "here")


@pytest.mark.usefixtures("running")
def test_a_running_embedded_aws_is_taken_before_terraform(tmp_path: Path, terraform: Path) -> None:
    (terraform / "outputs").write_text(json.dumps(WRAPPED))
    (tmp_path / "deployment.json").write_text(json.dumps({"endpoint": "http://old", "outputs": OUTPUTS}))
    found = find(tmp_path, terraform=terraform)
    assert found.endpoint == URL
    assert "the embedded AWS" in found.describe()


@pytest.mark.usefixtures("running")
def test_an_embedded_aws_without_a_deployment_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(NoDeployment, match="millrace local apply"):
        find(tmp_path)


def test_the_deployment_of_a_stopped_embedded_aws_is_not_taken(tmp_path: Path, terraform: Path) -> None:
    (tmp_path / "deployment.json").write_text(json.dumps({"endpoint": "http://old", "outputs": OUTPUTS}))
    (terraform / "outputs").write_text(json.dumps(WRAPPED))
    found = find(tmp_path, terraform=terraform)
    assert not found.embedded
    assert "AWS, us-east-1" in found.describe()


@pytest.mark.usefixtures("running")
def test_a_named_file_is_taken_before_anything_else(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps(WRAPPED))
    assert find(tmp_path, outputs).source == str(outputs)


@pytest.mark.parametrize("text", ["", "[]", "not json"])
def test_a_named_file_that_is_no_json_object_is_wrong_usage(tmp_path: Path, text: str) -> None:
    outputs = tmp_path / "outputs.json"
    outputs.write_text(text)
    with pytest.raises(UsageError, match=r"outputs\.json"):
        find(tmp_path, outputs)


def test_nothing_to_talk_to_says_both_ways_out(tmp_path: Path, terraform: Path) -> None:
    (terraform / "outputs").write_text("{}")
    for folder in (terraform, tmp_path / "missing"):
        with pytest.raises(NoDeployment, match=r"millrace local up.*make apply"):
            find(tmp_path, terraform=folder)


def test_a_terraform_that_fails_is_quoted(tmp_path: Path, terraform: Path) -> None:
    with pytest.raises(NoDeployment, match=r"terraform output said:.*FileNotFoundError"):
        find(tmp_path, terraform=terraform)


def test_clients_of_the_embedded_aws_never_see_the_persons_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_PROFILE", "a-profile-that-does-not-exist")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAPERSON")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret of the person")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token of the person")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://elsewhere.example")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    (tmp_path / "config").write_text("[default]\nendpoint_url = https://elsewhere.example\n")
    client = from_outputs(OUTPUTS, "here", URL).client("s3")
    credentials = client._request_signer._credentials
    assert (credentials.access_key, credentials.secret_key, credentials.token) == ("test", "test", None)
    assert client.meta.endpoint_url == URL
    assert client.meta.region_name == "us-east-1"
    assert client.meta.config.proxies == {}


def test_clients_of_aws_use_its_own_endpoint_in_the_deployments_region(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    client = from_outputs({**OUTPUTS, "aws_region": "eu-west-1"}, "here").client("stepfunctions")
    assert client.meta.endpoint_url == "https://states.eu-west-1.amazonaws.com"


def test_a_client_can_be_given_more_patience_than_the_others() -> None:
    for endpoint in (None, URL):
        client = from_outputs(OUTPUTS, "here", endpoint).client("lambda", read_timeout=930)
        assert client.meta.config.read_timeout == 930
        assert client.meta.config.retries["total_max_attempts"] == 8
