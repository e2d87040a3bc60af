"""Knowledge base sync as it is deployed: who starts what, and who may do what on exactly which resource."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.terraform.mocked import ACCOUNT, KNOWLEDGE_BASE, REPOSITORY, SOURCES, Deployment, Statement, arn
from tests.terraform.test_permissions import grants, rights, roles, states, working

MACHINE = "millrace-kb-sync"
SWEEPER = "millrace-kb-sync-sweeper"
METRICS = "millrace-kb-sync-metrics"
FAILED = "millrace-kb-sync-failed"
ENDED = "millrace-kb-sync-ended"
SWEEP, TICK = "millrace-kb-sync-sweep", "millrace-kb-sync-tick"
PIPES = {f"millrace-kb-sync-{source}" for source in SOURCES}
DEAD_LETTERS = "millrace-kb-sync-dead-letters"
TABLE = "millrace-sync"
TOPIC = "millrace-notifications"


def rule_names(deployment: Deployment, statement: Statement) -> set[str]:
    """The rules that a queue's policy lets EventBridge send for."""
    (condition,) = statement.conditions
    assert condition["variable"] == "aws:SourceArn"
    return {deployment.name(word) for word in condition["values"]}


def senders(deployment: Deployment, queue: str) -> set[str]:
    url = deployment.one("aws_sqs_queue", name=queue).values["id"]
    policy = deployment.one("aws_sqs_queue_policy", queue_url=url).values["policy"]
    (allowed,) = [statement for statement in deployment.statements(policy) if statement.effect == "Allow"]
    assert allowed.actions == {"sqs:SendMessage"}
    assert [*allowed.principals] == [{"type": "Service", "identifiers": ["events.amazonaws.com"]}]
    return rule_names(deployment, allowed)


def test_every_role_is_somebodys(synced: Deployment) -> None:
    assert roles(synced) == {MACHINE, SWEEPER, METRICS, FAILED, SWEEP, TICK} | PIPES


def test_nothing_of_kendra_ingestion_is_made(synced: Deployment) -> None:
    assert not [resource.address for resource in synced.resources if "kendra" in resource.address]
    assert not synced.made("aws_s3_bucket")


def test_machine_and_single_flight_are_one(synced: Deployment) -> None:
    names = set()
    for file in ("kb_sync.asl.json", "single_flight.states.json"):
        names |= json.loads((REPOSITORY / "state_machines" / file).read_text())["States"].keys()
    assert set(synced.definition(MACHINE)["States"]) == names


def test_no_placeholder_is_left(synced: Deployment) -> None:
    for machine in (MACHINE, SWEEPER):
        assert not re.findall(r"\$\{", json.dumps(synced.definition(machine)))


def test_the_machine_is_told_of_its_table_its_topic_and_its_pace(synced: Deployment) -> None:
    definition = synced.definition(MACHINE)
    settings = definition["States"]["Initialize"]["Parameters"]["settings"]
    assert {name: re.findall(r"\d+", value) for name, value in settings.items()} == {
        "pollSeconds.$": ["10"],
        "secondsBetweenStarts.$": ["10"],
    }
    tables = {parameters["TableName"] for state in states(definition) if (parameters := table_parameters(state))}
    assert {synced.name(table) for table in tables} == {TABLE}
    assert synced.name(definition["States"]["NotifyFailure"]["Parameters"]["TopicArn"]) == TOPIC


def table_parameters(state: Any) -> Any:
    parameters = state.get("Parameters", {})
    return parameters if "TableName" in parameters else None


def test_the_sweeper_starts_the_machine(synced: Deployment) -> None:
    definition = synced.definition(SWEEPER)
    started = {
        state["Parameters"]["StateMachineArn"]
        for state in states(definition)
        if state.get("Resource", "").endswith("states:startExecution")
    }
    assert {synced.name(word) for word in started} == {MACHINE}


def test_ingestion_jobs_are_started_and_seen_on_the_knowledge_bases_that_are_named_alone(synced: Deployment) -> None:
    bases = {arn("bedrock", f"knowledge-base/{base}") for base in (KNOWLEDGE_BASE, "KBASE67890")}
    for action in ("StartIngestionJob", "GetIngestionJob", "GetDataSource"):
        assert grants(synced, f"bedrock:{action}") == {MACHINE: bases}


def test_the_table_is_written_by_the_machine_and_looked_through_by_two_others(synced: Deployment) -> None:
    assert rights(synced, "dynamodb", TABLE) == {
        MACHINE: {"GetItem", "UpdateItem"},
        SWEEPER: {"Scan"},
        METRICS: {"Scan"},
    }


def test_executions_are_started_by_whom_they_are_for(synced: Deployment) -> None:
    assert grants(synced, "states:StartExecution") == {
        MACHINE: {arn("states", f"stateMachine:{MACHINE}")},
        SWEEPER: {MACHINE},
        **{pipe: {MACHINE} for pipe in PIPES},
        FAILED: {SWEEPER},
        SWEEP: {SWEEPER},
    }


def test_the_machine_asks_about_its_own_executions_alone(synced: Deployment) -> None:
    own = {arn("states", f"execution:{MACHINE}:*")}
    assert grants(synced, "states:DescribeExecution") == {MACHINE: own, METRICS: own}


def test_the_machine_tells_its_topic_alone(synced: Deployment) -> None:
    assert grants(synced, "sns:Publish") == {MACHINE: {TOPIC}}


def test_each_pipe_empties_its_own_queue_and_does_nothing_else(synced: Deployment) -> None:
    for pipe in PIPES:
        assert rights(synced, "sqs", pipe) == {pipe: {"DeleteMessage", "GetQueueAttributes", "ReceiveMessage"}}
        assert {statement.sid for statement in working(synced, pipe)} == {"ReceiveMessages", "StartExecution"}


def test_the_function_is_called_by_the_tick_and_the_rule_alone(synced: Deployment) -> None:
    assert grants(synced, "lambda:InvokeFunction") == {TICK: {METRICS}}
    (permission,) = synced.all("aws_lambda_permission")
    assert permission.values["principal"] == "events.amazonaws.com"
    assert permission.values["function_name"] == METRICS
    assert synced.name(permission.values["source_arn"]) == ENDED
    assert permission.values["source_account"] == ACCOUNT


def test_the_clock_sweeps_and_measures(synced: Deployment) -> None:
    called = {}
    for schedule in synced.all("aws_scheduler_schedule"):
        (target,) = schedule.values["target"]
        assert target["role_arn"] == synced.one("aws_iam_role", name=schedule.values["name"]).values["arn"]
        said = json.loads(target["input"])
        called[schedule.values["name"]] = (schedule.values["schedule_expression"], synced.name(target["arn"]), said)
    assert called == {
        SWEEP: ("rate(5 minutes)", SWEEPER, {}),
        TICK: ("rate(5 minutes)", METRICS, {"tick": True}),
    }


def test_a_failure_that_is_not_a_sweeps_own_starts_the_sweeper(synced: Deployment) -> None:
    rule = synced.one("aws_cloudwatch_event_rule", name=FAILED).values
    target = synced.one("aws_cloudwatch_event_target", rule=FAILED).values
    assert synced.name(target["arn"]) == SWEEPER
    assert target["role_arn"] == synced.one("aws_iam_role", name=FAILED).values["arn"]
    detail = json.loads(rule["event_pattern"])["detail"]
    assert {synced.name(word) for word in detail.pop("stateMachineArn")} == {MACHINE}
    assert detail == {
        "status": ["FAILED", "TIMED_OUT", "ABORTED"],
        "name": [{"anything-but": {"prefix": "sweep-"}}],
    }


def test_each_service_acts_for_the_resource_that_the_role_is_for(synced: Deployment) -> None:
    expected = {
        MACHINE: ("states", {arn("states", f"stateMachine:{MACHINE}")}),
        SWEEPER: ("states", {arn("states", f"stateMachine:{SWEEPER}")}),
        FAILED: ("events", {FAILED}),
        **{pipe: ("pipes", {arn("pipes", f"pipe/{pipe}")}) for pipe in PIPES},
        **dict.fromkeys((SWEEP, TICK), ("scheduler", {arn("scheduler", "schedule-group/default")})),
    }
    for role, (service, sources) in expected.items():
        trust = synced.one("aws_iam_role", name=role).values["assume_role_policy"]
        (statement,) = synced.statements(trust)
        assert [*statement.principals] == [{"type": "Service", "identifiers": [f"{service}.amazonaws.com"]}]
        (words,) = [one["values"] for one in statement.conditions if one["variable"] == "aws:SourceArn"]
        assert {synced.name(word) for word in words} == sources, role


def test_the_function_is_told_of_its_table_and_has_its_own_package(synced: Deployment) -> None:
    (function,) = synced.all("aws_lambda_function")
    assert function.values["handler"] == "kb_sync.metrics.handler"
    assert function.values["filename"].endswith("/kb_sync.zip")
    assert function.values["layers"] == [synced.one("aws_lambda_layer_version").values["arn"]]
    assert function.values["environment"][0]["variables"] == {
        "SYNC_TABLE": TABLE,
        "POWERTOOLS_SERVICE_NAME": "kb_sync",
        "POWERTOOLS_METRICS_NAMESPACE": "Millrace",
        "LOG_LEVEL": "INFO",
    }


@pytest.mark.parametrize("source", SOURCES)
def test_an_upload_goes_by_its_rule_queue_and_pipe_to_the_machine(synced: Deployment, source: str) -> None:
    name = f"millrace-kb-sync-{source}"
    queue = synced.one("aws_sqs_queue", name=name).values
    target = synced.one("aws_cloudwatch_event_target", rule=name).values
    pipe = synced.one("aws_pipes_pipe", name=name).values
    assert target["arn"] == pipe["source"] == queue["arn"]
    assert senders(synced, name) == {name}
    assert synced.name(pipe["target"]) == MACHINE
    assert pipe["role_arn"] == synced.one("aws_iam_role", name=name).values["arn"]
    assert json.loads(pipe["target_parameters"][0]["input_template"]) == {
        "knowledgeBaseId": SOURCES[source]["knowledge_base_id"],
        "dataSourceId": SOURCES[source]["data_source_id"],
    }


def test_a_message_stays_hidden_while_its_window_fills(synced: Deployment) -> None:
    for pipe in synced.all("aws_pipes_pipe"):
        window = pipe.values["source_parameters"][0]["sqs_queue_parameters"][0]["maximum_batching_window_in_seconds"]
        queue = synced.one("aws_sqs_queue", arn=pipe.values["source"])
        assert queue.values["visibility_timeout_seconds"] >= window + 60


def test_a_message_is_set_aside_after_a_day_and_not_before(synced: Deployment) -> None:
    dead = synced.one("aws_sqs_queue", name=DEAD_LETTERS).values
    for pipe in PIPES:
        queue = synced.one("aws_sqs_queue", name=pipe).values
        redrive = json.loads(queue["redrive_policy"])
        assert redrive["deadLetterTargetArn"] == dead["arn"]
        assert 23 * 3600 < redrive["maxReceiveCount"] * queue["visibility_timeout_seconds"] <= 24 * 3600
        assert redrive["maxReceiveCount"] <= 1000, "SQS takes no more"


def test_every_rule_keeps_what_it_cannot_deliver(synced: Deployment) -> None:
    dead = synced.one("aws_sqs_queue", name=DEAD_LETTERS).values["arn"]
    targets = synced.all("aws_cloudwatch_event_target")
    assert {target.values["rule"] for target in targets} == PIPES | {ENDED, FAILED}
    assert {target.values["dead_letter_config"][0]["arn"] for target in targets} == {dead}
    assert senders(synced, DEAD_LETTERS) == PIPES | {ENDED, FAILED}


@pytest.mark.parametrize(("name", "number"), [("synced", 3), ("incidents", 7)])
def test_alarms_and_nobody_else_from_outside_publish_to_the_topic(
    name: str, number: int, request: pytest.FixtureRequest
) -> None:
    deployment: Deployment = request.getfixturevalue(name)
    alarms = deployment.all("aws_cloudwatch_metric_alarm")
    topic = deployment.one("aws_sns_topic").values
    assert all(alarm.values["alarm_actions"] == [topic["arn"]] for alarm in alarms)
    (allowed,) = [
        statement
        for statement in deployment.statements(deployment.one("aws_sns_topic_policy").values["policy"])
        if statement.effect == "Allow"
    ]
    assert [*allowed.principals] == [{"type": "Service", "identifiers": ["cloudwatch.amazonaws.com"]}]
    conditions = {condition["variable"]: sorted(condition["values"]) for condition in allowed.conditions}
    assert conditions == {
        "aws:SourceAccount": [ACCOUNT],
        "aws:SourceArn": sorted(alarm.values["arn"] for alarm in alarms),
    }
    assert len(alarms) == number
    assert topic["kms_master_key_id"] is None, "no alarm can use AWS's own key"
