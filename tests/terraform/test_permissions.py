"""Who may do what, read from the configuration's policies: each role exactly what its work needs.

What holds for every role, and what Kendra ingestion's roles may do; test_kb_sync.py,
test_incident_sync.py and test_vector_store.py say what those of the other workflows may."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import pytest

from tests.terraform.mocked import (
    ACCOUNT,
    CONFIGURATION,
    INDEX,
    KNOWLEDGE_BASE,
    Deployment,
    Statement,
    arn,
)

LOAD = "millrace-load-manifest"
LIST = "millrace-list-batches"
PROCESS = "millrace-process-batch"
PRODUCER = "millrace-producer"
PUT_WORKER = "millrace-put-worker"
DEL_WORKER = "millrace-del-worker"
DEAD_LETTER_WORKER = "millrace-dead-letter-worker"
VERIFY = "millrace-verify"
AGGREGATE = "millrace-aggregate-failures"
ARCHIVE = "millrace-archive-manifest"
MACHINE = "millrace-kendra-ingestion"
RULE = "millrace-manifest-created"
READER = "millrace-kendra-reader"

CALLED = {
    "sfn": {LOAD, LIST, PROCESS, VERIFY, AGGREGATE, ARCHIVE},
    "sqs": {LOAD, LIST, PRODUCER, VERIFY, AGGREGATE, ARCHIVE},
}
"""The functions that the machine calls, by option."""

CONSUMED = {
    PUT_WORKER: {"millrace-kendra-put.fifo"},
    DEL_WORKER: {"millrace-kendra-del.fifo"},
    DEAD_LETTER_WORKER: {"millrace-kendra-put-dead.fifo", "millrace-kendra-del-dead.fifo"},
}
"""The functions that queues call, and by which of them."""

FUNCTIONS = {"sfn": CALLED["sfn"], "sqs": CALLED["sqs"] | set(CONSUMED)}
SINKS = {"kendra": arn("kendra", f"index/{INDEX}"), "bedrock": arn("bedrock", f"knowledge-base/{KNOWLEDGE_BASE}")}
PUT = {"kendra": "kendra:BatchPutDocument", "bedrock": "bedrock:IngestKnowledgeBaseDocuments"}
DELETE = {"kendra": "kendra:BatchDeleteDocument", "bedrock": "bedrock:DeleteKnowledgeBaseDocuments"}
ASK = {"kendra": "kendra:BatchGetDocumentStatus", "bedrock": "bedrock:GetKnowledgeBaseDocuments"}
CONFIGURATION_OF = {"kendra": "kendra:DescribeIndex", "bedrock": "bedrock:StartIngestionJob"}
"""What changing documents asks for beside the call itself: of Kendra for putting alone."""

RESOURCELESS = {"WriteTraces", "DeliverLogs", "FindStream", "EnterRegistry"}
"""Statements on every resource, because AWS offers none for their actions."""

NEEDS: Mapping[str, frozenset[str]] = {
    "aws-sdk:bedrockagent:getDataSource": frozenset({"bedrock:GetDataSource"}),
    "aws-sdk:bedrockagent:getIngestionJob": frozenset({"bedrock:GetIngestionJob"}),
    "aws-sdk:bedrockagent:listIngestionJobs": frozenset({"bedrock:ListIngestionJobs"}),
    "aws-sdk:bedrockagent:startIngestionJob": frozenset({"bedrock:StartIngestionJob"}),
    "aws-sdk:dynamodb:scan": frozenset({"dynamodb:Scan"}),
    "dynamodb:getItem": frozenset({"dynamodb:GetItem"}),
    "dynamodb:updateItem": frozenset({"dynamodb:UpdateItem"}),
    "aws-sdk:sfn:describeExecution": frozenset({"states:DescribeExecution"}),
    "lambda:invoke.waitForTaskToken": frozenset({"lambda:InvokeFunction"}),
    "sns:publish": frozenset({"sns:Publish"}),
    "states:startExecution": frozenset({"states:StartExecution"}),
    "states:startExecution.sync:2": frozenset(
        {
            "states:StartExecution",
            "states:DescribeExecution",
            "states:StopExecution",
            "events:DescribeRule",
            "events:PutRule",
            "events:PutTargets",
        }
    ),
}
"""The actions that each call of a definition needs, by integration."""


def roles(deployment: Deployment) -> set[str]:
    return {role.values["name"] for role in deployment.all("aws_iam_role")}


def machines(deployment: Deployment) -> list[str]:
    return [machine.values["name"] for machine in deployment.all("aws_sfn_state_machine")]


def putters(deployment: Deployment) -> set[str]:
    return {PROCESS} if deployment.option == "sfn" else {PUT_WORKER}


def deleters(deployment: Deployment) -> set[str]:
    return {PROCESS} if deployment.option == "sfn" else {DEL_WORKER}


def states(definition: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every state of a definition, those inside Map and Parallel too."""
    for state in definition["States"].values():
        yield state
        inner = [state[key] for key in ("ItemProcessor", "Iterator") if key in state]
        for machine in (*inner, *state.get("Branches", ())):
            yield from states(machine)


def tasks(deployment: Deployment, machine: str = MACHINE) -> list[Mapping[str, Any]]:
    return [state for state in states(deployment.definition(machine)) if state["Type"] == "Task"]


def working(deployment: Deployment, role: str) -> list[Statement]:
    """What a role may do beyond writing its own logs and traces, and using the key."""
    apart = {*RESOURCELESS, "WriteLogs", "UseKey"}
    return [statement for statement in deployment.allowed(role) if statement.sid not in apart]


def grants(deployment: Deployment, action: str) -> dict[str, set[str]]:
    """Which role may do an action, and on what, by the names of the resources."""
    found: dict[str, set[str]] = {}
    for role in roles(deployment):
        for statement in deployment.allowed(role):
            if action in statement.actions:
                found.setdefault(role, set()).update(map(deployment.name, statement.resources))
    return found


def rights(deployment: Deployment, service: str, resource: str) -> dict[str, set[str]]:
    """What each role may do with the resource of that name, of a service's actions."""
    found: dict[str, set[str]] = {}
    for role in roles(deployment):
        for statement in deployment.allowed(role):
            if resource in map(deployment.name, statement.resources):
                actions = {action.partition(":")[2] for action in statement.actions if action.startswith(f"{service}:")}
                if actions:
                    found.setdefault(role, set()).update(actions)
    return found


def test_every_role_has_one_policy(every_deployment: Deployment) -> None:
    policies = [policy.values["role"] for policy in every_deployment.all("aws_iam_role_policy")]
    assert len(policies) == len(set(policies)) == len(roles(every_deployment))


def test_every_role_is_somebodys(any_deployment: Deployment) -> None:
    reader = {READER} if any_deployment.sink == "kendra" else set[str]()
    assert roles(any_deployment) == FUNCTIONS[any_deployment.option] | {MACHINE, RULE} | reader


def test_every_function_and_machine_has_a_role_of_its_own(every_deployment: Deployment) -> None:
    for kind, name, role in (
        ("aws_lambda_function", "function_name", "role"),
        ("aws_sfn_state_machine", "name", "role_arn"),
    ):
        for resource in every_deployment.all(kind):
            own = every_deployment.one("aws_iam_role", name=resource.values[name]).values["arn"]
            assert resource.values[role] == own, resource.values[name]


def test_no_action_is_a_pattern(every_deployment: Deployment) -> None:
    for role in roles(every_deployment):
        for statement in every_deployment.allowed(role):
            assert statement.effect == "Allow"
            assert not [action for action in statement.actions if "*" in action or "?" in action], statement


def test_every_resource_is_named_where_aws_has_one(every_deployment: Deployment) -> None:
    for role in roles(every_deployment):
        for statement in every_deployment.allowed(role):
            assert statement.resources, statement
            assert ("*" in statement.resources) == (statement.sid in RESOURCELESS), statement


def test_no_statement_takes_the_place_of_another(every_deployment: Deployment) -> None:
    """hashicorp/aws lets a statement replace an earlier one with its Sid, without a word."""
    for role in roles(every_deployment):
        sids = [statement.sid for statement in every_deployment.allowed(role)]
        assert len(sids) == len(set(sids)), role


def test_each_statement_on_every_resource_says_why() -> None:
    for file in CONFIGURATION.rglob("*.tf"):
        lines = file.read_text().splitlines()
        for above, line in pairwise(lines):
            if re.match(r'\s*resources\s*=\s*\["\*"\]', line):
                assert above.strip().startswith("#"), f"{file}: {line}"


def test_a_role_is_trusted_by_one_service_and_by_no_other_account(every_deployment: Deployment) -> None:
    for role in roles(every_deployment):
        trust = every_deployment.one("aws_iam_role", name=role).values["assume_role_policy"]
        (statement,) = every_deployment.statements(trust)
        (principal,) = statement.principals
        assert principal["type"] == "Service"
        (service,) = principal["identifiers"]
        if service != "lambda.amazonaws.com":
            conditions = {condition["variable"]: condition["values"] for condition in statement.conditions}
            assert conditions["aws:SourceAccount"] == [ACCOUNT]
            assert conditions["aws:SourceArn"]


def test_each_service_acts_with_the_roles_that_are_for_it(any_deployment: Deployment) -> None:
    services = {MACHINE: "states", RULE: "events", READER: "kendra"}
    for role in roles(any_deployment):
        trust = any_deployment.one("aws_iam_role", name=role).values["assume_role_policy"]
        (statement,) = any_deployment.statements(trust)
        assert [*statement.principals[0]["identifiers"]] == [f"{services.get(role, 'lambda')}.amazonaws.com"]


def test_functions_log_to_their_own_group_alone(every_deployment: Deployment) -> None:
    for function in (found.values["function_name"] for found in every_deployment.all("aws_lambda_function")):
        group = every_deployment.one("aws_cloudwatch_log_group", name=f"/aws/lambda/{function}").values["arn"]
        (statement,) = [found for found in every_deployment.allowed(function) if found.sid == "WriteLogs"]
        assert statement.resources == {f"{group}:*"}


def test_each_machine_may_do_what_its_definition_calls_and_no_more(every_deployment: Deployment) -> None:
    for machine in machines(every_deployment):
        needed: set[str] = set()
        for task in tasks(every_deployment, machine):
            service = re.fullmatch(r"arn:aws:states:::(.+)", task["Resource"])
            needed |= NEEDS[service[1]] if service else {"lambda:InvokeFunction"}
        allowed = {action for statement in working(every_deployment, machine) for action in statement.actions}
        assert allowed == needed, machine


def test_the_machine_may_invoke_exactly_the_functions_that_it_calls(any_deployment: Deployment) -> None:
    called = {task.get("Parameters", {}).get("FunctionName") or task["Resource"] for task in tasks(any_deployment)}
    called = {word for word in called if not word.startswith("arn:")}
    assert {any_deployment.name(word) for word in called} == CALLED[any_deployment.option]
    (statement,) = [found for found in working(any_deployment, MACHINE) if "lambda:InvokeFunction" in found.actions]
    assert statement.resources == called


def test_the_machine_acts_on_its_own_table_topic_and_executions_alone(any_deployment: Deployment) -> None:
    touched = {
        service: {
            any_deployment.name(resource)
            for statement in working(any_deployment, MACHINE)
            for resource in statement.resources
            if any(action.startswith(f"{service}:") for action in statement.actions)
        }
        for service in ("dynamodb", "sns", "states")
    }
    assert touched == {
        "dynamodb": {"millrace-jobs"},
        "sns": {"millrace-notifications"},
        "states": {arn("states", f"execution:{MACHINE}:*")},
    }


def test_nothing_writes_to_the_ingestion_bucket_and_one_function_removes_manifests(any_deployment: Deployment) -> None:
    assert grants(any_deployment, "s3:DeleteObject") == {ARCHIVE: {"example-ingestion/*/_control/manifest.json"}}
    written = {resource for found in grants(any_deployment, "s3:PutObject").values() for resource in found}
    assert not [resource for resource in written if not resource.startswith("example-reports/_")]


def test_each_place_of_the_reports_bucket_has_its_writer(any_deployment: Deployment) -> None:
    work, outcomes = {"example-reports/_work/*"}, {"example-reports/_work/*/outcomes/*"}
    parts = {"example-reports/_reports/*/part-*.csv"}
    accounting = dict.fromkeys(CONSUMED, outcomes | parts) if any_deployment.option == "sqs" else {PROCESS: work}
    assert grants(any_deployment, "s3:PutObject") == {
        LOAD: {"example-reports/_work/*/manifest.json"},
        LIST: work,
        **accounting,
        VERIFY: work,
        AGGREGATE: {"example-reports/_reports/*"},
        ARCHIVE: {"example-reports/_archive/*"},
    }
    tagged = dict.fromkeys(CONSUMED, parts) if any_deployment.option == "sqs" else {}
    assert grants(any_deployment, "s3:PutObjectTagging") == tagged


def test_what_archives_manifests_reads_nothing_but_manifests(any_deployment: Deployment) -> None:
    assert grants(any_deployment, "s3:GetObject")[ARCHIVE] == {
        "example-ingestion/*/_control/manifest.json",  # for the condition of its delete
        "example-reports/_work/*/manifest.json",
    }


def test_who_must_know_that_something_is_gone_may_list_its_bucket(any_deployment: Deployment) -> None:
    """S3 answers 403 in place of 404 to everybody else."""
    listed = grants(any_deployment, "s3:ListBucket")
    assert listed[LOAD] == {"example-ingestion", "example-reports"}
    assert listed[ARCHIVE] == {"example-ingestion"}
    stoppable = FUNCTIONS[any_deployment.option] - {LOAD, ARCHIVE}
    assert {role for role, found in listed.items() if "example-reports" in found} == stoppable | {LOAD}


def test_the_report_of_the_job_to_retry_is_read_by_those_who_plan_alone(any_deployment: Deployment) -> None:
    readers = {
        role: {resource for resource in found if resource.startswith("example-reports/_reports/")}
        for role, found in grants(any_deployment, "s3:GetObject").items()
    }
    assert {role: found for role, found in readers.items() if found} == {
        LOAD: {"example-reports/_reports/*/summary.json"},
        LIST: {"example-reports/_reports/*/failures.csv", "example-reports/_reports/*/summary.json"},
    }


def test_documents_are_read_by_who_hands_them_to_the_sink_alone(any_deployment: Deployment) -> None:
    readers = grants(any_deployment, "s3:GetObject")
    documents = {role for role, found in readers.items() if "example-ingestion/*/batches/*" in found}
    assert documents == ({READER} if any_deployment.sink == "kendra" else putters(any_deployment))
    metadata = {role for role, found in readers.items() if "example-ingestion/*/batches/*.metadata.json" in found}
    assert metadata == {LIST, *({PUT_WORKER} if any_deployment.option == "sqs" else ())}


def test_each_of_the_sinks_operations_has_its_callers(any_deployment: Deployment) -> None:
    sink, resource = any_deployment.sink, {SINKS[any_deployment.sink]}
    beside = putters(any_deployment) | (deleters(any_deployment) if sink == "bedrock" else set())
    assert grants(any_deployment, PUT[sink]) == dict.fromkeys(putters(any_deployment), resource)
    assert grants(any_deployment, DELETE[sink]) == dict.fromkeys(deleters(any_deployment), resource)
    assert grants(any_deployment, ASK[sink]) == {VERIFY: resource}
    assert grants(any_deployment, CONFIGURATION_OF[sink]) == dict.fromkeys(beside, resource)


def test_nobody_may_do_anything_with_the_other_sink(any_deployment: Deployment) -> None:
    other = {"kendra": "bedrock", "bedrock": "kendra"}[any_deployment.sink]
    allowed = {
        action
        for role in roles(any_deployment)
        for statement in any_deployment.allowed(role)
        for action in statement.actions
    }
    assert not [action for action in allowed if action.startswith(f"{other}:")]


@pytest.mark.parametrize("name", ["deployment", "queued"])
def test_who_puts_documents_lends_kendra_one_role(name: str, request: pytest.FixtureRequest) -> None:
    deployment: Deployment = request.getfixturevalue(name)
    assert grants(deployment, "iam:PassRole") == {role: {READER} for role in putters(deployment)}
    (lending,) = [
        found for role in putters(deployment) for found in working(deployment, role) if "iam:PassRole" in found.actions
    ]
    assert [dict(condition) for condition in lending.conditions] == [
        {"test": "StringEquals", "variable": "iam:PassedToService", "values": ["kendra.amazonaws.com"]}
    ]


def test_no_role_is_lent_to_a_knowledge_base(bedrock: Deployment) -> None:
    assert not grants(bedrock, "iam:PassRole")


def test_the_ledger_is_read_by_the_plan_marked_by_senders_and_settled_by_the_report(any_deployment: Deployment) -> None:
    senders = putters(any_deployment) | deleters(any_deployment)
    assert rights(any_deployment, "dynamodb", "millrace-ledger") == {
        LIST: {"BatchGetItem"},
        **{role: {"UpdateItem"} for role in senders},
        AGGREGATE: {"BatchGetItem", "DeleteItem", "UpdateItem"},
    }


def test_messages_are_counted_by_who_sends_and_by_who_works_them(queued: Deployment) -> None:
    counting = {"GetItem", "PutItem", "UpdateItem"}
    assert rights(queued, "dynamodb", "millrace-progress") == {
        PRODUCER: {"GetItem", "Query", "UpdateItem"},
        PUT_WORKER: counting | {"DeleteItem"},
        DEL_WORKER: counting | {"DeleteItem"},
        DEAD_LETTER_WORKER: counting,
    }


def test_each_queue_has_one_sender_and_one_receiver(queued: Deployment) -> None:
    receiving = {"DeleteMessage", "GetQueueAttributes", "ReceiveMessage"}
    for worker, queues in CONSUMED.items():
        for queue in queues:
            work = {PRODUCER: {"SendMessage"}, worker: receiving | {"ChangeMessageVisibility"}}
            dead = {worker: receiving}
            assert rights(queued, "sqs", queue) == (dead if worker == DEAD_LETTER_WORKER else work), queue


def test_what_nobody_understands_goes_where_undeliverable_events_go(queued: Deployment) -> None:
    found = rights(queued, "sqs", "millrace-kendra-ingestion-dead-letters")
    assert found == {role: {"SendMessage"} for role in CONSUMED}


def test_the_task_is_answered_by_who_can_count_the_last_message(any_deployment: Deployment) -> None:
    answering = {PRODUCER, *CONSUMED} if any_deployment.option == "sqs" else set()
    machine = {arn("states", f"stateMachine:{MACHINE}")}
    assert grants(any_deployment, "states:SendTaskSuccess") == dict.fromkeys(answering, machine)


def test_without_a_key_nobody_may_use_one(any_deployment: Deployment) -> None:
    assert not grants(any_deployment, "kms:Decrypt")
    assert not grants(any_deployment, "kms:GenerateDataKey")
