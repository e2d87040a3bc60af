"""Incident sync as it is deployed: who starts what, and who may do what on exactly which resource."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from millrace.cli import app
from tests.terraform import mocked
from tests.terraform.conftest import INCIDENTS, SYNC
from tests.terraform.mocked import ACCOUNT, KNOWLEDGE_BASE, SOURCES, WITH_INCIDENTS, Deployment, arn
from tests.terraform.test_permissions import grants, rights, roles, states, working

MACHINE = "millrace-incident-sync"
SCHEDULE = "millrace-incident-sync-schedule"
BATCH = "incident-kb-batch-sync"
CHANGES = "millrace-incident-kb-changes"
CONFIRM = "millrace-incident-kb-confirm"
MEASURE = "millrace-incident-kb-metrics"
CALLED = {BATCH, CONFIRM, MEASURE}
KB_SYNC = "millrace-kb-sync"
TABLE = "millrace-incident-sync"
INDEX = f"{TABLE}/index/waits-for-index"
DEAD_LETTERS = "millrace-incident-changes-dead-letters"
MODULE = "module.incident_sync[0]."

SETTINGS = {**SYNC, **INCIDENTS, "workflows": ["kb_sync", "incident_sync"]}


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Another deployment in the same account, for a trial, which may turn on the events of its buckets."""
    names = {"name_prefix": "emea", "incident_name_prefix": "emea-", "incidents_table": "emea-incidents"}
    trial = {"force_destroy": True, "enable_eventbridge_on_data_buckets": True}
    return mocked.apply(mocked.copy(tmp_path_factory.mktemp("second")), **SETTINGS, **names, **trial)


def own(deployment: Deployment) -> set[str]:
    """The roles of this workflow."""
    return {role.values["name"] for role in deployment.all("aws_iam_role") if role.address.startswith(MODULE)}


def granted(deployment: Deployment, action: str) -> dict[str, set[str]]:
    """What this workflow's roles may do an action on."""
    return {role: found for role, found in grants(deployment, action).items() if role in own(deployment)}


def widgets(deployment: Deployment) -> list[dict[str, Any]]:
    """What is on the dashboard."""
    found: list[dict[str, Any]] = json.loads(deployment.one("aws_cloudwatch_dashboard").values["dashboard_body"])[
        "widgets"
    ]
    return found


def stream(deployment: Deployment) -> str:
    word: str = deployment.one("aws_dynamodb_table", name="incidents").values["stream_arn"]
    return word


def test_every_role_is_somebodys(incidents: Deployment) -> None:
    assert own(incidents) == CALLED | {CHANGES, MACHINE, SCHEDULE}


def test_nothing_is_added_to_knowledge_base_sync(incidents: Deployment, synced: Deployment) -> None:
    """A source without events has a knowledge base for the machine, and no rule, queue or pipe."""
    beside = {resource.address for resource in incidents.resources if not resource.address.startswith(MODULE)}
    assert beside == {resource.address for resource in synced.resources} | {
        'data.aws_s3_bucket.data["example-incidents"]'
    }


def test_a_bucket_that_only_incidents_are_written_to_sends_no_events(second: Deployment) -> None:
    changed = {found.values["bucket"] for found in second.all("aws_s3_bucket_notification")}
    assert changed == {source["bucket"] for source in SOURCES.values()}


def test_no_placeholder_is_left_and_no_state_added(incidents: Deployment) -> None:
    definition = incidents.definition(MACHINE)
    assert not re.findall(r"\$\{", json.dumps(definition))
    file = mocked.REPOSITORY / "state_machines" / "incident_sync.asl.json"
    assert definition["States"].keys() == json.loads(file.read_text())["States"].keys()


def test_the_machine_calls_its_three_functions_and_knowledge_base_sync(incidents: Deployment) -> None:
    resources = {state["Resource"] for state in states(incidents.definition(MACHINE)) if "Resource" in state}
    functions = {word for word in resources if not word.startswith("arn:")}
    assert {incidents.name(word) for word in functions} == CALLED
    assert resources - functions == {"arn:aws:states:::states:startExecution.sync:2"}
    (ingest,) = [
        state["Parameters"] for state in states(incidents.definition(MACHINE)) if "sync:2" in state.get("Resource", "")
    ]
    assert incidents.name(ingest["StateMachineArn"]) == KB_SYNC
    assert ingest["Input"].items() >= {"knowledgeBaseId": KNOWLEDGE_BASE, "dataSourceId": "DSRCE11111"}.items()


def test_the_machine_is_told_how_many_passes_it_makes(incidents: Deployment) -> None:
    settings = incidents.definition(MACHINE)["States"]["Initialize"]["Parameters"]["settings"]
    assert re.findall(r"\d+", settings["passes.$"]) == ["20"]


def test_functions_are_called_by_the_machine_and_by_nobody_else(incidents: Deployment) -> None:
    assert granted(incidents, "lambda:InvokeFunction") == {MACHINE: CALLED}
    permissions = {permission.values["function_name"] for permission in incidents.all("aws_lambda_permission")}
    assert not permissions & {*CALLED, CHANGES}


def test_the_machine_waits_for_knowledge_base_sync_alone(incidents: Deployment) -> None:
    executions = {arn("states", f"execution:{KB_SYNC}:*")}
    assert granted(incidents, "states:StartExecution") == {MACHINE: {KB_SYNC}, SCHEDULE: {MACHINE}}
    for action in ("states:DescribeExecution", "states:StopExecution"):
        assert granted(incidents, action) == {MACHINE: executions}
    rule = {arn("events", "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule")}
    for action in ("events:DescribeRule", "events:PutRule", "events:PutTargets"):
        assert granted(incidents, action) == {MACHINE: rule}


def test_the_schedule_starts_runs_and_does_nothing_else(incidents: Deployment) -> None:
    assert {statement.sid for statement in working(incidents, SCHEDULE)} == {"CallTarget"}
    schedule = incidents.one("aws_scheduler_schedule", name=SCHEDULE).values
    assert schedule["schedule_expression"] == "cron(0 * * * ? *)"
    assert incidents.name(schedule["target"][0]["arn"]) == MACHINE
    assert schedule["target"][0]["role_arn"] == incidents.one("aws_iam_role", name=SCHEDULE).values["arn"]


def test_each_service_acts_for_the_resource_that_the_role_is_for(incidents: Deployment) -> None:
    expected = {
        MACHINE: ("states", arn("states", f"stateMachine:{MACHINE}")),
        SCHEDULE: ("scheduler", arn("scheduler", "schedule-group/default")),
    }
    for role, (service, source) in expected.items():
        trust = incidents.one("aws_iam_role", name=role).values["assume_role_policy"]
        (statement,) = incidents.statements(trust)
        assert [*statement.principals] == [{"type": "Service", "identifiers": [f"{service}.amazonaws.com"]}]
        conditions = {condition["variable"]: condition["values"] for condition in statement.conditions}
        assert conditions == {"aws:SourceAccount": [ACCOUNT], "aws:SourceArn": [source]}


def test_incidents_are_marked_by_who_works_them_and_written_by_nobody(incidents: Deployment) -> None:
    assert rights(incidents, "dynamodb", "incidents") == {
        BATCH: {"BatchGetItem", "ConditionCheckItem", "UpdateItem"},
        CONFIRM: {"UpdateItem"},
    }


def test_what_waits_is_noted_by_the_stream_worked_by_two_and_found_by_the_index_alone(incidents: Deployment) -> None:
    working_items = {"BatchGetItem", "GetItem", "PutItem", "UpdateItem"}
    assert rights(incidents, "dynamodb", TABLE) == {
        BATCH: working_items,
        CONFIRM: working_items,
        CHANGES: {"UpdateItem"},
    }
    assert rights(incidents, "dynamodb", INDEX) == {function: {"Query"} for function in CALLED}
    assert not granted(incidents, "dynamodb:Scan")


def test_the_stream_is_read_for_one_function_which_keeps_what_fails(incidents: Deployment) -> None:
    for action in ("DescribeStream", "GetRecords", "GetShardIterator"):
        assert granted(incidents, f"dynamodb:{action}") == {CHANGES: {stream(incidents)}}
    assert granted(incidents, "dynamodb:ListStreams") == {CHANGES: {"*"}}
    assert granted(incidents, "sqs:SendMessage") == {CHANGES: {DEAD_LETTERS}}
    (mapping,) = incidents.all("aws_lambda_event_source_mapping")
    assert mapping.values["event_source_arn"] == stream(incidents)
    assert mapping.values["function_name"] == CHANGES
    (failed,) = mapping.values["destination_config"][0]["on_failure"]
    assert incidents.name(failed["destination_arn"]) == DEAD_LETTERS


def test_objects_are_written_and_removed_by_passes_under_the_prefix_alone(incidents: Deployment) -> None:
    objects = {BATCH: {"arn:aws:s3:::example-incidents/incidents/closed/*"}}
    assert granted(incidents, "s3:PutObject") == granted(incidents, "s3:DeleteObject") == objects
    assert not granted(incidents, "s3:GetObject")
    assert not granted(incidents, "s3:ListBucket")


def test_documents_are_asked_about_by_who_confirms_alone(incidents: Deployment) -> None:
    base = {arn("bedrock", f"knowledge-base/{KNOWLEDGE_BASE}")}
    assert granted(incidents, "bedrock:GetKnowledgeBaseDocuments") == {CONFIRM: base}
    assert not granted(incidents, "bedrock:StartIngestionJob")


def test_the_incidents_are_found_by_status_and_tell_of_both_images(incidents: Deployment) -> None:
    table = incidents.one("aws_dynamodb_table", name="incidents").values
    assert table["stream_enabled"]
    assert table["stream_view_type"] == "NEW_AND_OLD_IMAGES"
    (index,) = table["global_secondary_index"]
    assert (index["name"], index["hash_key"], index["range_key"]) == ("status-priority-index", "status", "priority")
    (waiting,) = incidents.one("aws_dynamodb_table", name=TABLE).values["global_secondary_index"]
    assert (waiting["name"], waiting["hash_key"], waiting["range_key"]) == ("waits-for-index", "waits_for", "since")


def test_incidents_are_protected_from_deletion_unless_it_is_a_trial(incidents: Deployment, second: Deployment) -> None:
    assert protected(incidents) == {"incidents"}
    assert not protected(second)


def protected(deployment: Deployment) -> set[str]:
    tables = [table.values for table in deployment.all("aws_dynamodb_table")]
    return {table["name"] for table in tables if table["deletion_protection_enabled"]}


def test_each_function_is_told_what_it_reads(incidents: Deployment) -> None:
    fields = {
        "TEXT_FIELDS": "title,description,impact,root_cause,resolution,lessons_learned",
        "ATTRIBUTE_FIELDS": "priority,service,category,tags",
        "DATE_FIELDS": "created_at,updated_at,closed_at",
    }
    objects = {"INCIDENTS_TABLE": "incidents", "BUCKET": "example-incidents", "INCIDENT_PREFIX": "incidents/closed/"}
    base = {"KNOWLEDGE_BASE_ID": KNOWLEDGE_BASE, "DATA_SOURCE_ID": "DSRCE11111"}
    common = {
        "INCIDENT_SYNC_TABLE": TABLE,
        "POWERTOOLS_SERVICE_NAME": "incident_sync",
        "POWERTOOLS_METRICS_NAMESPACE": "IncidentKBSync",
        "LOG_LEVEL": "INFO",
    }
    for function, told in {BATCH: fields | objects, CHANGES: fields, CONFIRM: objects | base, MEASURE: {}}.items():
        found = incidents.one("aws_lambda_function", function_name=function).values
        assert found["environment"][0]["variables"] == common | told, function


def test_each_function_has_its_handler_its_package_and_the_layer(incidents: Deployment) -> None:
    layer = incidents.one("aws_lambda_layer_version").values["arn"]
    handlers = {BATCH: "batch_sync", CHANGES: "changes", CONFIRM: "confirm", MEASURE: "measure"}
    for function, module in handlers.items():
        found = incidents.one("aws_lambda_function", function_name=function).values
        assert found["handler"] == f"incident_sync.{module}.handler"
        assert found["filename"].endswith("/incident_sync.zip")
        assert found["layers"] == [layer]


def test_a_function_is_cut_off_before_the_machine_stops_waiting(incidents: Deployment) -> None:
    timeouts = {found.values["arn"]: found.values["timeout"] for found in incidents.all("aws_lambda_function")}
    waiting = [state for state in states(incidents.definition(MACHINE)) if state.get("Resource") in timeouts]
    assert len(waiting) >= len(CALLED)
    for state in waiting:
        assert timeouts[state["Resource"]] < state["TimeoutSeconds"]


def test_alarms_and_dashboard_are_named_as_people_know_them(incidents: Deployment) -> None:
    alarms = [alarm for alarm in incidents.all("aws_cloudwatch_metric_alarm") if alarm.address.startswith(MODULE)]
    names = {"SyncErrorsAlarm", "IngestionFailureAlarm", "SyncDurationAlarm", "millrace-incident-changes"}
    assert {alarm.values["alarm_name"] for alarm in alarms} == names
    assert incidents.one("aws_cloudwatch_dashboard").values["dashboard_name"] == "IncidentKBSyncDashboard"
    (shown,) = [widget for widget in widgets(incidents) if widget["type"] == "alarm"]
    assert {incidents.name(word) for word in shown["properties"]["alarms"]} == names


def test_the_dashboard_says_commands_that_there_are(incidents: Deployment) -> None:
    (text,) = [widget for widget in widgets(incidents) if widget["type"] == "text"]
    commands = re.findall(r"`millrace ([^`]+)`", text["properties"]["markdown"])
    assert len(commands) > 5
    for said in commands:
        command = typer.main.get_command(app)
        for word in said.split():
            command = getattr(command, "commands", {}).get(word, command)
        assert not hasattr(command, "commands"), said
        options = {name for parameter in command.params for name in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", said)) <= options, said


def test_two_deployments_in_one_account_share_no_name(incidents: Deployment, second: Deployment) -> None:
    assert not named(incidents) & named(second)
    assert len(named(incidents)) == len(named(second)) > 30


def test_each_deployments_alarms_look_at_its_own_runs_alone(incidents: Deployment, second: Deployment) -> None:
    for deployment, service in ((incidents, "incident_sync"), (second, "emea-incident_sync")):
        metrics = [
            metric
            for alarm in deployment.all("aws_cloudwatch_metric_alarm")
            for query in alarm.values["metric_query"]
            for metric in query["metric"]
            if metric["namespace"] == "IncidentKBSync"
        ]
        assert {metric["dimensions"]["service"] for metric in metrics} == {service}
        for function in deployment.all("aws_lambda_function"):
            told = function.values["environment"][0]["variables"]
            if told["POWERTOOLS_METRICS_NAMESPACE"] == "IncidentKBSync":
                assert told["POWERTOOLS_SERVICE_NAME"] == service


def named(deployment: Deployment) -> set[tuple[str, str]]:
    """Kind and name of everything made that carries a name which AWS knows account-wide or region-wide."""
    attributes = ("function_name", "layer_name", "alarm_name", "dashboard_name", "name")
    return {
        (resource.type, resource.values[attribute])
        for resource in deployment.resources
        if resource.made
        for attribute in attributes
        if resource.type != "aws_lambda_event_source_mapping" and resource.values.get(attribute)
    }


def test_a_source_or_prefix_that_does_not_fit_is_refused_with_what_to_do(tmp_path: Path) -> None:
    root = mocked.copy(tmp_path)
    for wrong, expected in (
        ({"incident_source": None}, "incident_sync needs incident_source, the name in sync_sources"),
        ({"incident_source": "tickets"}, f"tickets, and sync_sources has {', '.join(sorted(WITH_INCIDENTS))}."),
        (
            {"incident_prefix": "closed/"},
            "incident_prefix closed/ does not lie under incidents/, the prefix of incidents",
        ),
        ({"incident_attribute_fields": ["title"]}, "name an attribute twice"),
        ({"workflows": ["incident_sync"]}, 'add "kb_sync" to workflows'),
    ):
        said = mocked.refuse(root, **{**SETTINGS, **wrong})
        assert any(expected in one for one in said), said
        assert len(said) == 1, said


def test_a_table_that_is_found_and_does_not_fit_is_refused_with_what_to_do(tmp_path: Path) -> None:
    said = mocked.refuse(mocked.copy(tmp_path), **SETTINGS, create_incidents_table=False)
    expected = (
        "a table of incidents by incident_id alone. Name another one in incidents_table.",
        "Table incidents has no stream with both images of a change, from which incident_sync hears of changes",
    )
    assert len(said) == len(expected), said
    for sentence in expected:
        assert any(sentence in one for one in said), said


def test_nobody_but_this_workflow_touches_its_tables(incidents: Deployment) -> None:
    for table in ("incidents", TABLE, INDEX):
        assert set(rights(incidents, "dynamodb", table)) <= own(incidents)
    assert roles(incidents) > own(incidents)
