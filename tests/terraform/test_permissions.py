"""Who may do what, read from the configuration's policies: each role exactly what its work needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import pytest

from tests.terraform.mocked import ACCOUNT, CONFIGURATION, INDEX, REGION, Deployment, Statement

ARCHIVE = "millrace-archive-manifest"
FUNCTIONS = {
    "millrace-load-manifest",
    "millrace-list-batches",
    "millrace-process-batch",
    "millrace-verify",
    "millrace-aggregate-failures",
    ARCHIVE,
}
MACHINE = "millrace-kendra-ingestion"
ROLES = {*FUNCTIONS, MACHINE, "millrace-manifest-created", "millrace-kendra-reader"}
RESOURCELESS = {"WriteTraces", "DeliverLogs"}
"""Statements on every resource, because AWS offers none for their actions."""

NEEDS: Mapping[str, frozenset[str]] = {
    "dynamodb:getItem": frozenset({"dynamodb:GetItem"}),
    "dynamodb:updateItem": frozenset({"dynamodb:UpdateItem"}),
    "aws-sdk:sfn:describeExecution": frozenset({"states:DescribeExecution"}),
    "sns:publish": frozenset({"sns:Publish"}),
}
"""The actions that each call of the definition needs, by integration."""


def states(definition: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every state of a definition, those inside Map and Parallel too."""
    for state in definition["States"].values():
        yield state
        inner = [state[key] for key in ("ItemProcessor", "Iterator") if key in state]
        for machine in (*inner, *state.get("Branches", ())):
            yield from states(machine)


def resources(deployment: Deployment) -> list[str]:
    return [state["Resource"] for state in states(deployment.definition()) if state["Type"] == "Task"]


def working(deployment: Deployment, role: str) -> list[Statement]:
    """What a role may do beyond writing its own logs and traces."""
    apart = {*RESOURCELESS, "WriteLogs"}
    return [statement for statement in deployment.allowed(role) if statement.sid not in apart]


def bucket(deployment: Deployment, name: str) -> str:
    return str(deployment.one("aws_s3_bucket", bucket=name).values["arn"])


def test_every_role_is_known_and_has_one_policy(deployment: Deployment) -> None:
    assert {role.values["name"] for role in deployment.all("aws_iam_role")} == ROLES
    roles = [policy.values["role"] for policy in deployment.all("aws_iam_role_policy")]
    assert len(roles) == len(set(roles)) == len(ROLES)


def test_every_function_has_a_role_of_its_own(deployment: Deployment) -> None:
    functions = deployment.all("aws_lambda_function")
    roles = {function.values["function_name"]: function.values["role"] for function in functions}
    assert roles == {name: deployment.one("aws_iam_role", name=name).values["arn"] for name in FUNCTIONS}


@pytest.mark.parametrize("role", sorted(ROLES))
def test_no_action_is_a_pattern(deployment: Deployment, role: str) -> None:
    for statement in deployment.allowed(role):
        assert statement.effect == "Allow"
        assert not [action for action in statement.actions if "*" in action or "?" in action]


@pytest.mark.parametrize("role", sorted(ROLES))
def test_every_resource_is_named_where_aws_has_one(deployment: Deployment, role: str) -> None:
    for statement in deployment.allowed(role):
        assert ("*" in statement.resources) == (statement.sid in RESOURCELESS), statement


def test_each_statement_on_every_resource_says_why() -> None:
    for file in CONFIGURATION.rglob("*.tf"):
        lines = file.read_text().splitlines()
        for above, line in pairwise(lines):
            if re.match(r'\s*resources\s*=\s*\["\*"\]', line):
                assert above.strip().startswith("#"), f"{file}: {line}"


@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_role_is_trusted_by_one_service_and_by_no_other_account(deployment: Deployment, role: str) -> None:
    trust = deployment.one("aws_iam_role", name=role).values["assume_role_policy"]
    (statement,) = deployment.statements(trust)
    (principal,) = statement.principals
    service = (
        "lambda"
        if role in FUNCTIONS
        else {MACHINE: "states", "millrace-manifest-created": "events"}.get(role, "kendra")
    )
    assert principal == {"type": "Service", "identifiers": [f"{service}.amazonaws.com"]}
    conditions = {condition["variable"]: condition["values"] for condition in statement.conditions}
    if role not in FUNCTIONS:
        assert conditions["aws:SourceAccount"] == [ACCOUNT]
        assert conditions["aws:SourceArn"]


def test_functions_log_to_their_own_group_alone(deployment: Deployment) -> None:
    for function in FUNCTIONS:
        group = deployment.one("aws_cloudwatch_log_group", name=f"/aws/lambda/{function}").values["arn"]
        (statement,) = [found for found in deployment.allowed(function) if found.sid == "WriteLogs"]
        assert statement.resources == {f"{group}:*"}


def test_the_machine_may_do_what_its_definition_calls_and_no_more(deployment: Deployment) -> None:
    needed: set[str] = set()
    for resource in resources(deployment):
        service = re.fullmatch(r"arn:aws:states:::(.+)", resource)
        needed |= NEEDS[service[1]] if service else {"lambda:InvokeFunction"}
    assert {action for statement in working(deployment, MACHINE) for action in statement.actions} == needed


def test_the_machine_may_invoke_exactly_the_functions_that_it_calls(deployment: Deployment) -> None:
    called = {resource for resource in resources(deployment) if not resource.startswith("arn:")}
    (statement,) = [found for found in working(deployment, MACHINE) if "lambda:InvokeFunction" in found.actions]
    assert statement.resources == called
    assert {deployment.owner(arn) for arn in called} == {f"aws_lambda_function {name}" for name in FUNCTIONS}


def test_the_machine_acts_on_its_own_table_topic_and_executions_alone(deployment: Deployment) -> None:
    touched = {
        service: {
            arn
            for statement in working(deployment, MACHINE)
            for arn in statement.resources
            if _about(statement, service)
        }
        for service in ("dynamodb", "sns", "states")
    }
    assert touched == {
        "dynamodb": {deployment.one("aws_dynamodb_table").values["arn"]},
        "sns": {deployment.one("aws_sns_topic").values["arn"]},
        "states": {f"arn:aws:states:{REGION}:{ACCOUNT}:execution:{MACHINE}:*"},
    }


def _about(statement: Statement, service: str) -> bool:
    return any(action.startswith(f"{service}:") for action in statement.actions)


def grants(deployment: Deployment, action: str) -> dict[str, set[str]]:
    """Which role may do an action, and on what, with the buckets by their names."""
    names = {bucket(deployment, name): name for name in ("example-ingestion", "example-reports")}
    found: dict[str, set[str]] = {}
    for role in ROLES:
        for statement in deployment.allowed(role):
            if action in statement.actions:
                for resource in statement.resources:
                    arn, slash, key = resource.partition("/")
                    found.setdefault(role, set()).add(names.get(arn, arn) + slash + key)
    return found


def test_nothing_writes_to_the_ingestion_bucket_and_one_function_removes_manifests(deployment: Deployment) -> None:
    assert grants(deployment, "s3:DeleteObject") == {ARCHIVE: {"example-ingestion/*/_control/manifest.json"}}
    written = {resource for found in grants(deployment, "s3:PutObject").values() for resource in found}
    assert not [resource for resource in written if not resource.startswith("example-reports/_")]


def test_each_place_of_the_reports_bucket_has_its_writer(deployment: Deployment) -> None:
    assert grants(deployment, "s3:PutObject") == {
        "millrace-load-manifest": {"example-reports/_work/*/manifest.json"},
        "millrace-list-batches": {"example-reports/_work/*"},
        "millrace-process-batch": {"example-reports/_work/*"},
        "millrace-verify": {"example-reports/_work/*"},
        "millrace-aggregate-failures": {"example-reports/_reports/*"},
        ARCHIVE: {"example-reports/_archive/*"},
    }


def test_what_archives_manifests_reads_nothing_but_manifests(deployment: Deployment) -> None:
    assert grants(deployment, "s3:GetObject")[ARCHIVE] == {
        "example-ingestion/*/_control/manifest.json",  # for the condition of its delete
        "example-reports/_work/*/manifest.json",
    }


def test_who_must_know_that_a_manifest_is_gone_may_list_its_bucket(deployment: Deployment) -> None:
    """S3 answers 403 in place of 404 to everybody else."""
    listed = grants(deployment, "s3:ListBucket")
    assert listed["millrace-load-manifest"] == listed[ARCHIVE] == {"example-ingestion"}


def test_kendra_alone_reads_documents(deployment: Deployment) -> None:
    readers = grants(deployment, "s3:GetObject")
    assert readers.pop("millrace-kendra-reader") == {"example-ingestion/*/batches/*"}
    documents = {role for role, found in readers.items() if "example-ingestion/*/batches/*" in found}
    assert not documents
    assert readers["millrace-list-batches"] >= {"example-ingestion/*/batches/*.metadata.json"}


def test_one_function_changes_the_index_and_lends_kendra_one_role(deployment: Deployment) -> None:
    index = f"arn:aws:kendra:{REGION}:{ACCOUNT}:index/{INDEX}"
    for action in ("kendra:BatchPutDocument", "kendra:BatchDeleteDocument"):
        assert grants(deployment, action) == {"millrace-process-batch": {index}}
    reader = deployment.one("aws_iam_role", name="millrace-kendra-reader").values["arn"]
    assert grants(deployment, "iam:PassRole") == {"millrace-process-batch": {reader}}
    (lending,) = [found for found in working(deployment, "millrace-process-batch") if "iam:PassRole" in found.actions]
    assert [dict(condition) for condition in lending.conditions] == [
        {"test": "StringEquals", "variable": "iam:PassedToService", "values": ["kendra.amazonaws.com"]}
    ]


def test_without_a_key_nobody_may_use_one(deployment: Deployment) -> None:
    assert not grants(deployment, "kms:Decrypt")
    assert not grants(deployment, "kms:GenerateDataKey")
