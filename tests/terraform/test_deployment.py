"""What holds for every resource of a deployment, wherever a module makes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.terraform.mocked import DATA_SOURCE, INDEX, KEY, KNOWLEDGE_BASE, SOURCES, Deployment, arn

KEYS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "aws_cloudwatch_log_group": lambda group: group["kms_key_id"],
    "aws_dynamodb_table": lambda table: table["server_side_encryption"][0]["kms_key_arn"],
    "aws_lambda_function": lambda function: function["kms_key_arn"],
    "aws_s3_bucket_server_side_encryption_configuration": lambda bucket: next(iter(bucket["rule"]))[
        "apply_server_side_encryption_by_default"
    ][0]["kms_master_key_id"],
    "aws_sfn_state_machine": lambda machine: machine["encryption_configuration"][0]["kms_key_id"],
    "aws_sns_topic": lambda topic: topic["kms_master_key_id"],
    "aws_sqs_queue": lambda queue: queue["kms_master_key_id"],
}
"""Where each type that can be encrypted with a key names it."""

USES: Mapping[str, set[str]] = {
    "millrace-kendra-reader": {"kms:Decrypt"},
    "millrace-manifest-created": set(),
    **{f"millrace-kb-sync-{source}": {"kms:Decrypt"} for source in SOURCES},
    **{f"millrace-kb-sync-{starter}": set() for starter in ("failed", "sweep", "tick")},
    "millrace-incident-sync-schedule": set(),
    **{f"millrace-compaction-{starter}": set() for starter in ("failed", "sweep")},
    **{f"millrace-vector-{function}-schedule": set() for function in ("collect", "check", "overdue")},
    "millrace-vector-embed-task-execution": set(),
}
"""What those roles may do with the key that do not both read and write."""


@pytest.mark.parametrize("kind", sorted(KEYS))
def test_everything_that_can_use_the_given_key_does(any_deployment_with_key: Deployment, kind: str) -> None:
    found = any_deployment_with_key.all(kind)
    assert found
    assert {resource.address: KEYS[kind](resource.values) for resource in found} == dict.fromkeys(
        (resource.address for resource in found), KEY
    )


def test_everybody_who_reads_or_writes_may_use_the_given_key(any_deployment_with_key: Deployment) -> None:
    for role in any_deployment_with_key.all("aws_iam_role"):
        name = role.values["name"]
        actions = {
            action
            for statement in any_deployment_with_key.allowed(name)
            if statement.resources == {KEY}
            for action in statement.actions
        }
        assert actions == USES.get(name, {"kms:Decrypt", "kms:GenerateDataKey"}), name


def test_nothing_answers_without_tls(every_deployment: Deployment) -> None:
    policies = {"aws_s3_bucket_policy": "s3:*", "aws_sns_topic_policy": "sns:Publish", "aws_sqs_queue_policy": "sqs:*"}
    protected: set[str] = set()
    for kind, action in policies.items():
        for policy in every_deployment.all(kind):
            (refusal,) = [
                found for found in every_deployment.statements(policy.values["policy"]) if found.effect == "Deny"
            ]
            assert refusal.actions == {action}
            (condition,) = refusal.conditions
            assert condition == {"test": "Bool", "variable": "aws:SecureTransport", "values": ["false"]}
            protected |= refusal.resources
    for kind in ("aws_s3_bucket", "aws_sns_topic", "aws_sqs_queue"):
        assert {resource.values["arn"] for resource in every_deployment.made(kind)} <= protected, kind


def test_every_bucket_is_protected(deployment: Deployment) -> None:
    buckets = {bucket.values["id"] for bucket in deployment.all("aws_s3_bucket")}
    assert len(buckets) == 2
    for kind in (
        "aws_s3_bucket_lifecycle_configuration",
        "aws_s3_bucket_ownership_controls",
        "aws_s3_bucket_policy",
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_bucket_versioning",
    ):
        assert {resource.values["bucket"] for resource in deployment.all(kind)} == buckets, kind


def test_the_ingestion_bucket_alone_sends_events(deployment: Deployment) -> None:
    (notification,) = deployment.all("aws_s3_bucket_notification")
    ingestion = deployment.one("aws_s3_bucket", bucket="example-ingestion")
    assert notification.values["bucket"] == ingestion.values["id"]
    assert notification.values["eventbridge"]


def test_every_log_expires(any_deployment_with_key: Deployment) -> None:
    groups = any_deployment_with_key.all("aws_cloudwatch_log_group")
    logging = ("aws_lambda_function", "aws_sfn_state_machine", "aws_ecs_task_definition")
    assert len(groups) == sum(len(any_deployment_with_key.all(kind)) for kind in logging)
    assert {group.values["retention_in_days"] for group in groups} == {7}


def test_every_table_is_recoverable(every_deployment: Deployment) -> None:
    tables = every_deployment.all("aws_dynamodb_table")
    assert tables
    for table in tables:
        assert table.values["point_in_time_recovery"][0]["enabled"]
        assert table.values["server_side_encryption"][0]["enabled"]


def test_locks_counters_and_what_was_removed_or_merged_expire_and_nothing_else(
    queued: Deployment, incidents: Deployment, vectors: Deployment
) -> None:
    expiring = {
        table.values["name"]: bool(table.values["ttl"])
        for applied in (queued, incidents, vectors)
        for table in applied.all("aws_dynamodb_table")
    }
    assert expiring == {
        "millrace-jobs": True,
        "millrace-ledger": False,
        "millrace-progress": True,
        "millrace-sync": False,
        "millrace-incident-sync": True,
        "incidents": False,
        "millrace-vector-store": True,
        "millrace-flights": False,
        "receipts": False,
    }


def test_the_concurrency_reaches_the_map_as_a_number(deployment: Deployment, together_with_key: Deployment) -> None:
    for applied, concurrency in ((deployment, 2), (together_with_key, 3)):
        maps = [state for state in applied.definition()["States"].values() if state["Type"] == "Map"]
        assert [state["MaxConcurrency"] for state in maps] == [concurrency]


def test_the_options_differ_in_one_state(deployment: Deployment, queued: Deployment) -> None:
    words = {
        resource.values["arn"]: resource.values.get("function_name") or resource.values["name"]
        for applied in (deployment, queued)
        for kind in ("aws_lambda_function", "aws_sns_topic")
        for resource in applied.all(kind)
    }

    def states(applied: Deployment) -> dict[str, Any]:
        text = json.dumps(applied.definition()["States"])
        for word, name in words.items():
            text = text.replace(f'"{word}"', f'"{name}"')
        found: dict[str, Any] = json.loads(text)
        return found

    ours, theirs = states(deployment), states(queued)
    assert list(ours) == list(theirs)
    assert [name for name in ours if ours[name] != theirs[name]] == ["ProcessBatches"]


def environment(deployment: Deployment, function: str) -> dict[str, str]:
    found = deployment.one("aws_lambda_function", function_name=f"millrace-{function}")
    variables: dict[str, str] = found.values["environment"][0]["variables"]
    return variables


COMMON = {
    "INGESTION_BUCKET": "example-ingestion",
    "REPORTS_BUCKET": "example-reports",
    "SINK_REQUESTS_PER_SECOND": "5",
    "VERIFICATION_DEADLINE_SECONDS": "3600",
    "LEDGER_TABLE": "millrace-ledger",
    "POWERTOOLS_SERVICE_NAME": "kendra_ingestion",
    "POWERTOOLS_METRICS_NAMESPACE": "Millrace",
    "LOG_LEVEL": "INFO",
}


def of_sink(deployment: Deployment) -> dict[str, str]:
    if deployment.sink == "bedrock":
        types = '{"team":"STRING_VALUE"}'
        return {
            "SINK": "bedrock",
            "KNOWLEDGE_BASE_ID": KNOWLEDGE_BASE,
            "DATA_SOURCE_ID": DATA_SOURCE,
            "ATTRIBUTE_TYPES": types,
        }
    reader = deployment.one("aws_iam_role", name="millrace-kendra-reader").values["arn"]
    return {"SINK": "kendra", "KENDRA_INDEX_ID": INDEX, "KENDRA_ROLE_ARN": reader}


def test_every_function_is_told_the_same_of_its_sink_and_nothing_of_the_other(any_deployment: Deployment) -> None:
    alone = {"producer", "put-worker", "del-worker", "dead-letter-worker"}
    for function in any_deployment.all("aws_lambda_function"):
        name = function.values["function_name"].removeprefix("millrace-")
        told = environment(any_deployment, name)
        if name not in alone:
            assert told == COMMON | of_sink(any_deployment) | {"MAX_CONCURRENCY": "2"}
        assert told.items() >= (COMMON | of_sink(any_deployment)).items()


def test_the_functions_at_the_queues_are_told_of_queues_and_their_own_concurrency(queued: Deployment) -> None:
    urls = {queue.values["name"]: queue.values["url"] for queue in queued.all("aws_sqs_queue")}
    queues = {
        "PROGRESS_TABLE": "millrace-progress",
        "PUT_QUEUE_URL": urls["millrace-kendra-put.fifo"],
        "DELETE_QUEUE_URL": urls["millrace-kendra-del.fifo"],
        "DEAD_LETTER_QUEUE_URL": urls["millrace-kendra-ingestion-dead-letters"],
        "SHARDS_PUT": "3",
        "SHARDS_DELETE": "5",
    }
    concurrency = {"producer": "2", "put-worker": "3", "del-worker": "5", "dead-letter-worker": "2"}
    for function, number in concurrency.items():
        told = environment(queued, function)
        assert told == COMMON | of_sink(queued) | queues | {"MAX_CONCURRENCY": number}, function


def test_every_function_has_its_handler_and_the_layer(any_deployment: Deployment) -> None:
    layer = any_deployment.one("aws_lambda_layer_version").values["arn"]
    found = {
        function.values["handler"]: (function.values["function_name"], function.values["layers"])
        for function in any_deployment.all("aws_lambda_function")
    }
    common = ("load_manifest", "list_batches", "verify", "aggregate_failures", "archive_manifest")
    sending = {"sfn": ("process_batch",), "sqs": ("producer", "put_worker", "del_worker", "dead_letter_worker")}
    assert found == {
        f"kendra_ingestion.{name}.handler": (f"millrace-{name.replace('_', '-')}", [layer])
        for name in common + sending[any_deployment.option]
    }


def test_a_function_is_cut_off_before_the_machine_stops_waiting(any_deployment: Deployment) -> None:
    timeouts = {
        function.values["arn"]: function.values["timeout"] for function in any_deployment.all("aws_lambda_function")
    }
    states = [*any_deployment.definition()["States"].values()]
    states += [
        inner for state in states if "ItemProcessor" in state for inner in state["ItemProcessor"]["States"].values()
    ]
    waiting = [
        (function, state["TimeoutSeconds"])
        for state in states
        if (function := state.get("Parameters", {}).get("FunctionName", state.get("Resource"))) in timeouts
    ]
    assert len(waiting) == 6
    for function, seconds in waiting:
        assert timeouts[function] < seconds


def test_each_queue_and_its_dead_letters_are_read_by_their_workers(queued: Deployment) -> None:
    found = {
        queued.name(mapping.values["event_source_arn"]): (
            mapping.values["function_name"],
            mapping.values["scaling_config"][0]["maximum_concurrency"],
        )
        for mapping in queued.all("aws_lambda_event_source_mapping")
    }
    assert found == {
        "millrace-kendra-put.fifo": ("millrace-put-worker", 3),
        "millrace-kendra-del.fifo": ("millrace-del-worker", 5),
        "millrace-kendra-put-dead.fifo": ("millrace-dead-letter-worker", 2),
        "millrace-kendra-del-dead.fifo": ("millrace-dead-letter-worker", 2),
    }


@pytest.mark.parametrize(("name", "number"), [("queued", 4), ("vectors", 3), ("vectors_by_task", 2)])
def test_a_message_stays_hidden_for_six_times_as_long_as_its_function_may_take(
    name: str, number: int, request: pytest.FixtureRequest
) -> None:
    """And for its window, which counts from when Lambda takes the first message."""
    applied: Deployment = request.getfixturevalue(name)
    timeouts = {each.values["function_name"]: each.values["timeout"] for each in applied.all("aws_lambda_function")}
    hidden = {each.values["arn"]: each.values["visibility_timeout_seconds"] for each in applied.all("aws_sqs_queue")}
    mappings = [
        mapping.values
        for mapping in applied.all("aws_lambda_event_source_mapping")
        if mapping.values["event_source_arn"] in hidden
    ]
    assert len(mappings) == number
    for mapping in mappings:
        window = mapping["maximum_batching_window_in_seconds"] or 0
        assert hidden[mapping["event_source_arn"]] >= 6 * timeouts[mapping["function_name"]] + window


def test_dead_letters_go_to_the_queue_that_takes_them(queued: Deployment) -> None:
    for action in ("put", "del"):
        queue = queued.one("aws_sqs_queue", name=f"millrace-kendra-{action}.fifo").values
        dead = queued.one("aws_sqs_queue", name=f"millrace-kendra-{action}-dead.fifo").values
        assert json.loads(queue["redrive_policy"]) == {"deadLetterTargetArn": dead["arn"], "maxReceiveCount": 8}
        assert json.loads(dead["redrive_allow_policy"]) == {
            "redrivePermission": "byQueue",
            "sourceQueueArns": [arn("sqs", f"millrace-kendra-{action}.fifo")],
        }


def test_no_message_is_forgotten_before_any_other(
    queued: Deployment, incidents: Deployment, vectors: Deployment
) -> None:
    for applied, number in ((queued, 5), (incidents, 5), (vectors, 6)):
        kept = [queue.values["message_retention_seconds"] for queue in applied.all("aws_sqs_queue")]
        assert kept == [14 * 24 * 3600] * number


def test_no_function_has_reserved_concurrency_but_the_one_that_must_be_alone(every_deployment: Deployment) -> None:
    """Below the sum of the mappings' it throttles their pollers, and a throttled message counts as received."""
    for function in every_deployment.all("aws_lambda_function"):
        alone = function.values["function_name"] == "millrace-vector-embed"
        assert function.values["reserved_concurrent_executions"] == (1 if alone else None)
