"""The configuration as Terraform itself judges it. Its own tests are in terraform/tests/."""

from __future__ import annotations

import re
from pathlib import Path

from millrace.local import offline_terraform
from tests.terraform import mocked
from tests.terraform.mocked import CONFIGURATION, DATA_SOURCE, KNOWLEDGE_BASE, SOURCES


def test_files_are_formatted() -> None:
    done = offline_terraform.fmt_check(CONFIGURATION)
    assert done.returncode == 0, f"`terraform fmt -recursive` would change:\n{done.stdout}{done.stderr}"


def test_the_configuration_is_valid() -> None:
    done = offline_terraform.validate(CONFIGURATION)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stdout


def test_the_tests_of_the_configuration_pass() -> None:
    done = offline_terraform.test(CONFIGURATION)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for file in CONFIGURATION.glob("tests/*.tftest.hcl") for line in file.read_text().splitlines()]
    runs = sum(line.startswith('run "') for line in lines)
    assert f"Success! {runs} passed, 0 failed." in done.stdout


def test_before_packaging_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    (said,) = mocked.refuse(mocked.copy(tmp_path), package_dir="nowhere")
    assert said.endswith(
        "Not built yet: nowhere/kendra_ingestion.zip, nowhere/layer.zip. Run `make package` in the repository first."
    )


def test_a_definition_that_is_not_json_stops_the_plan(tmp_path: Path) -> None:
    root = mocked.copy(tmp_path)
    definition = tmp_path / "state_machines" / "kendra_ingestion.asl.json"
    definition.write_text(definition.read_text().rstrip().removesuffix("}"))
    for said in mocked.refuse(root):
        assert 'Call to function "jsondecode" failed' in said


def test_a_placeholder_that_nothing_fills_stops_the_plan(tmp_path: Path) -> None:
    root = mocked.copy(tmp_path)
    definition = tmp_path / "state_machines" / "kendra_ingestion.asl.json"
    definition.write_text(definition.read_text().replace("${jobs_table}", "${job_table}"))
    said = mocked.refuse(root)
    assert any("placeholders that nothing fills: job_table" in one for one in said)


def test_a_word_about_a_function_that_nothing_reads_is_refused(tmp_path: Path) -> None:
    root = mocked.copy(tmp_path)
    module = root / "modules" / "kendra_ingestion" / "main.tf"
    module.write_text(module.read_text().replace("timeout     = 900", "timeout     = 900\n      memory = 256", 1))
    (said,) = mocked.refuse(root)
    assert "local.functions says memory, which no function is given" in said


def test_a_sink_without_its_ids_is_refused_with_what_it_needs(tmp_path: Path) -> None:
    root = mocked.copy(tmp_path)
    (said,) = mocked.refuse(root, kendra_index_id=None)
    assert 'sink = "kendra" needs kendra_index_id' in said
    for given in ({}, {"knowledge_base_id": KNOWLEDGE_BASE}, {"data_source_id": DATA_SOURCE}):
        (said,) = mocked.refuse(root, sink="bedrock", **given)
        assert 'sink = "bedrock" needs knowledge_base_id and data_source_id' in said


def test_a_replacement_that_names_what_nothing_fills_stops_the_plan(tmp_path: Path) -> None:
    root = mocked.copy(tmp_path)
    replacements = tmp_path / "state_machines" / "kendra_ingestion.sqs.json"
    replacements.write_text(replacements.read_text().replace("${producer_arn}", "${producers_arn}"))
    said = mocked.refuse(root, deploy_option="sqs")
    assert any("placeholders that nothing fills: producers_arn" in one for one in said)
    assert any("no placeholder for producer_arn" in one for one in said)


def test_a_workflow_without_its_own_is_refused_with_what_it_needs(tmp_path: Path) -> None:
    root = mocked.copy(tmp_path)
    existing = {"create_ingestion_bucket": False, "enable_eventbridge_on_existing_bucket": True}
    for settings in ({}, existing):
        said = mocked.refuse(root, ingestion_bucket=None, reports_bucket=None, **settings)
        assert len(said) == 2
        for bucket in ("ingestion_bucket", "reports_bucket"):
            assert any(f"Workflow kendra_ingestion needs {bucket}, the name of the bucket" in one for one in said)
    (alone,) = mocked.refuse(root, workflows=["kb_sync"])
    assert "Workflow kb_sync needs sync_sources, the data sources to keep up to date" in alone


def test_a_state_that_workflow_and_single_flight_both_have_stops_the_plan(tmp_path: Path) -> None:
    root = mocked.copy(tmp_path)
    definition = tmp_path / "state_machines" / "kb_sync.asl.json"
    definition.write_text(definition.read_text().replace('"MissJob"', '"Mark"').replace('"TellInput"', '"Covered"'))
    said = mocked.refuse(root, workflows=["kb_sync"], sync_sources=SOURCES)
    assert any(" has Covered, Mark, and a machine has one state of a name" in one for one in said), said


def test_before_packaging_only_what_is_deployed_is_asked_for(tmp_path: Path) -> None:
    root = mocked.copy(tmp_path)
    (said,) = mocked.refuse(root, workflows=["kb_sync"], sync_sources=SOURCES, package_dir="nowhere")
    assert "Not built yet: nowhere/kb_sync.zip, nowhere/layer.zip. " in said


def test_every_variable_is_used() -> None:
    for file in CONFIGURATION.rglob("variables.tf"):
        code = "\n".join(other.read_text() for other in file.parent.glob("*.tf") if other != file)
        for name in re.findall(r'^variable "(\w+)"', file.read_text(), flags=re.MULTILINE):
            assert re.search(rf"\bvar\.{name}\b", code), f"{file} declares {name}, which nothing reads"


def test_everything_declared_says_what_it_is() -> None:
    for file in CONFIGURATION.rglob("*.tf"):
        for block in re.findall(
            r'^(?:variable|output) "\w+" \{\n.*?^\}', file.read_text(), flags=re.MULTILINE | re.DOTALL
        ):
            assert re.search(r'^  description = "[^"]', block, flags=re.MULTILINE), f"{file}: {block}"
