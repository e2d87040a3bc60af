"""The vector store as it is deployed: who starts what, and who may do what on exactly which resource."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.terraform import mocked
from tests.terraform.conftest import STORE
from tests.terraform.mocked import ACCOUNT, BY_TASK, REGION, VECTORS, Deployment, arn
from tests.terraform.test_permissions import grants, rights, roles, states, working

ROUTER = "millrace-vector-router"
WRITER = "millrace-vector-delta-writer"
EMBED = "millrace-vector-embed"
TASK, EXECUTION = "millrace-vector-embed-task", "millrace-vector-embed-task-execution"
COMPACT = "millrace-vector-compact"
SEARCH = "millrace-vector-search"
CHECK = "millrace-vector-check"
COLLECT = "millrace-vector-collect"
OVERDUE = "millrace-vector-overdue"
IN_ZIPS = {ROUTER, WRITER, COLLECT, OVERDUE}
IN_IMAGE = {COMPACT, SEARCH, CHECK}

MACHINE = "millrace-compaction"
SWEEPER = "millrace-compaction-sweeper"
FAILED, SWEEP = "millrace-compaction-failed", "millrace-compaction-sweep"
SCHEDULED = {COLLECT: "rate(1 day)", CHECK: "rate(1 day)", OVERDUE: "rate(5 minutes)"}
SCHEDULES = {f"{function}-schedule" for function in SCHEDULED}

TABLE = "millrace-vector-store"
PENDING, ASIDE = f"{TABLE}/index/pending-index", f"{TABLE}/index/aside-index"
FLIGHTS = "millrace-flights"
BUCKET = "example-store"
STREAM_DEAD = "millrace-vector-stream-dead-letters"
MODEL = f"arn:aws:bedrock:{REGION}::foundation-model/amazon.titan-embed-text-v2:0"
START = {arn("states", f"stateMachine:{MACHINE}")}

CONSUMERS = ["vectors", "vectors_by_task"]


@pytest.fixture(params=CONSUMERS)
def either(request: pytest.FixtureRequest) -> Deployment:
    """Standard queues and a function that embeds, or FIFO queues and a task that does."""
    found: Deployment = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Another deployment in the same account, for a trial."""
    names = {"name_prefix": "emea", "receipts_table": "emea-receipts", "store_bucket": "emea-store"}
    return mocked.apply(mocked.copy(tmp_path_factory.mktemp("second")), **{**STORE, **names}, force_destroy=True)


def by_function(deployment: Deployment) -> bool:
    return "embed_consumer" not in deployment.variables


def embedder(deployment: Deployment) -> str:
    """The role of who embeds."""
    return EMBED if by_function(deployment) else TASK


def suffix(deployment: Deployment) -> str:
    return ".fifo" if deployment.variables.get("queue_mode") == "fifo" else ""


def changes(deployment: Deployment) -> set[str]:
    """The names of the queues of changes."""
    return {f"millrace-{collection}{suffix(deployment)}" for collection in ("lines", "words")}


def under(*places: str) -> set[str]:
    """These places of both collections in the store's bucket."""
    return {f"{BUCKET}/{collection}/{place}/*" for collection in ("lines", "words") for place in places}


def environment(deployment: Deployment, function: str) -> dict[str, str]:
    found = deployment.one("aws_lambda_function", function_name=function).values["environment"]
    variables: dict[str, str] = found[0]["variables"]
    return variables


def container(deployment: Deployment) -> dict[str, Any]:
    """The one container of the task."""
    (found,) = json.loads(deployment.one("aws_ecs_task_definition").values["container_definitions"])
    described: dict[str, Any] = found
    return described


def queue(deployment: Deployment, name: str) -> dict[str, Any]:
    return dict(deployment.one("aws_sqs_queue", name=name).values)


def mappings(deployment: Deployment, function: str) -> dict[str, dict[str, Any]]:
    """What a function reads, by the name of its source."""
    found = [each.values for each in deployment.all("aws_lambda_event_source_mapping")]
    return {
        deployment.name(each["event_source_arn"]): dict(each) for each in found if each["function_name"] == function
    }


def test_every_role_is_somebodys(either: Deployment) -> None:
    embedding = {EMBED} if by_function(either) else {TASK, EXECUTION}
    assert roles(either) == IN_ZIPS | IN_IMAGE | embedding | {MACHINE, SWEEPER, FAILED, SWEEP} | SCHEDULES


def test_nothing_of_other_workflows_is_made(either: Deployment) -> None:
    assert not [each.address for each in either.resources if re.search("kendra|kb_sync|incident", each.address)]


def test_one_consumer_is_deployed_and_never_the_other(vectors: Deployment, vectors_by_task: Deployment) -> None:
    for kind in ("aws_ecs_cluster", "aws_ecs_service", "aws_ecs_task_definition"):
        assert not vectors.all(kind)
        assert len(vectors_by_task.all(kind)) == 1
    assert EMBED in functions(vectors)
    assert EMBED not in functions(vectors_by_task)
    assert not mappings(vectors_by_task, EMBED)


def functions(deployment: Deployment) -> set[str]:
    return {each.values["function_name"] for each in deployment.all("aws_lambda_function")}


def test_one_consumer_takes_the_others_place_without_a_name_in_its_way(
    vectors: Deployment, vectors_by_task: Deployment
) -> None:
    """Terraform makes the new one before it has destroyed the old one."""
    roles_of = [
        {role.values["name"]: role.address for role in each.all("aws_iam_role")} for each in (vectors, vectors_by_task)
    ]
    groups = [
        {group.values["name"]: group.address for group in each.all("aws_cloudwatch_log_group")}
        for each in (vectors, vectors_by_task)
    ]
    for before, after in (roles_of, groups):
        assert {name: before[name] for name in before.keys() & after.keys()}.items() <= after.items()


def test_those_that_open_chroma_are_one_image_told_apart_by_its_command(vectors: Deployment) -> None:
    for function in IN_IMAGE:
        found = vectors.one("aws_lambda_function", function_name=function).values
        command = [f"vector_store.{function.removeprefix('millrace-vector-')}.handler"]
        assert found["package_type"] == "Image"
        assert found["image_uri"] == VECTORS["vector_store_image_uri"]
        assert [*found["image_config"][0]["command"]] == command
        assert not [name for name in ("handler", "runtime", "filename") if found[name]]
        assert not found["layers"]
        assert (found["memory_size"], found["ephemeral_storage"][0]["size"]) == (3008, 10240)


def test_the_others_are_zips_with_the_layer(vectors: Deployment) -> None:
    layer = vectors.one("aws_lambda_layer_version").values["arn"]
    handlers = {
        ROUTER: "router",
        WRITER: "delta_writer",
        EMBED: "embed_lambda",
        COLLECT: "collect",
        OVERDUE: "overdue",
    }
    for function, module in handlers.items():
        found = vectors.one("aws_lambda_function", function_name=function).values
        assert found["handler"] == f"vector_store.{module}.handler"
        assert found["filename"].endswith("/vector_store.zip")
        assert found["layers"] == [layer]
        assert not found["image_uri"]
    assert functions(vectors) == {*handlers, *IN_IMAGE}


def test_each_consumer_is_told_what_it_reads(either: Deployment) -> None:
    urls = {each.values["name"]: each.values["url"] for each in either.all("aws_sqs_queue")}
    queues = {f"{name.upper()}_QUEUE_URL": urls[f"millrace-{name}{suffix(either)}"] for name in ("lines", "words")}
    store = {"STORE_BUCKET": BUCKET, "VECTOR_STORE_TABLE": TABLE}
    machine = {"COMPACTION_MACHINE_ARN": arn("states", f"stateMachine:{MACHINE}")}
    dimension = {"EMBED_DIMENSION": "512"}
    exports = {"RECEIPTS_TABLE": "receipts", "EMBED_NDJSON_QUEUE_URL": urls["millrace-embed-ndjson.fifo"]}
    common = {
        "POWERTOOLS_SERVICE_NAME": "millrace-vector-store",
        "POWERTOOLS_METRICS_NAMESPACE": "Millrace",
        "LOG_LEVEL": "INFO",
    }
    told = {
        ROUTER: queues | {"QUEUE_MODE": "fifo" if suffix(either) else "standard"},
        WRITER: store | queues | machine,
        COMPACT: store | dimension,
        SEARCH: store | dimension,
        CHECK: store | dimension | machine | exports | {"SETTLE_SECONDS": "15" if suffix(either) else "45"},
        COLLECT: store | {"SNAPSHOT_RETENTION_DAYS": "7"},
        OVERDUE: store | machine | {"OVERDUE_SECONDS": "900"},
    }
    for function, variables in told.items():
        assert environment(either, function) == common | variables, function
    worker = {
        **common,
        **store,
        **dimension,
        **exports,
        "EMBED_CONCURRENCY": "8",
        "EMBED_DEAD_LETTERS_URL": urls["millrace-embed-ndjson-dead-letters.fifo"],
        "EMBED_REQUESTS_PER_SECOND": "30",
    }
    if by_function(either):
        assert environment(either, EMBED) == worker
    else:
        found = {each["name"]: each["value"] for each in container(either)["environment"]}
        assert found == worker | {"STOP_SECONDS": "110"}


def test_the_machine_and_single_flight_are_one_and_call_one_function(vectors: Deployment) -> None:
    definition = vectors.definition(MACHINE)
    names: set[str] = set()
    for file in ("compaction.asl.json", "single_flight.states.json"):
        names |= json.loads((mocked.REPOSITORY / "state_machines" / file).read_text())["States"].keys()
    assert set(definition["States"]) == names
    assert not re.findall(r"\$\{", json.dumps(definition))
    called = {state["Resource"] for state in states(definition) if not state.get("Resource", "arn:").startswith("arn:")}
    assert {vectors.name(word) for word in called} == {COMPACT}
    (look,) = [state for state in states(definition) if state.get("Resource") in called]
    timeout = vectors.one("aws_lambda_function", function_name=COMPACT).values["timeout"]
    assert timeout < look["TimeoutSeconds"]


def test_functions_are_called_by_machine_and_schedules_alone(either: Deployment) -> None:
    called = {f"{function}-schedule": {function} for function in SCHEDULED}
    assert grants(either, "lambda:InvokeFunction") == {MACHINE: {COMPACT}, **called}
    assert not either.all("aws_lambda_permission")


def test_each_schedule_calls_its_function_as_often_as_it_is_meant_to(vectors: Deployment) -> None:
    schedules = {each.values["name"]: each.values for each in vectors.all("aws_scheduler_schedule")}
    assert {name: schedules[name]["schedule_expression"] for name in SCHEDULED} == SCHEDULED
    for function in SCHEDULED:
        target = schedules[function]["target"][0]
        assert vectors.name(target["arn"]) == function
        assert target["role_arn"] == vectors.one("aws_iam_role", name=f"{function}-schedule").values["arn"]
        assert json.loads(target["input"]) == {}, "a check by the clock repairs nothing, a collection is no dry run"


def test_compactions_are_asked_for_by_who_has_something_to_merge(either: Deployment) -> None:
    asking = dict.fromkeys((WRITER, CHECK, OVERDUE, MACHINE), START)
    starting = {SWEEPER: {MACHINE}, FAILED: {SWEEPER}, SWEEP: {SWEEPER}}
    assert grants(either, "states:StartExecution") == asking | starting


def test_the_receipts_are_read_by_who_checks_and_written_by_who_embeds(either: Deployment) -> None:
    assert rights(either, "dynamodb", "receipts") == {
        embedder(either): {"GetItem", "PutItem"},
        CHECK: {"Query", "Scan"},
    }


def test_the_pointer_is_moved_and_deltas_are_marked_by_compactions_alone(either: Deployment) -> None:
    assert rights(either, "dynamodb", TABLE) == {
        WRITER: {"PutItem"},
        COMPACT: {"GetItem", "PutItem", "UpdateItem"},
        embedder(either): {"GetItem", "UpdateItem"},  # the lease
        SEARCH: {"GetItem"},
        CHECK: {"GetItem", "PutItem"},
        COLLECT: {"GetItem"},
    }
    assert rights(either, "dynamodb", PENDING) == {function: {"Query"} for function in (COMPACT, CHECK, OVERDUE)}
    assert rights(either, "dynamodb", ASIDE) == {OVERDUE: {"Query"}}


def test_each_place_of_the_bucket_has_its_writers(either: Deployment) -> None:
    assert grants(either, "s3:PutObject") == {
        WRITER: under("changes"),
        embedder(either): under("delta"),
        COMPACT: under("snapshot") | {f"{BUCKET}/runs/*"},
        CHECK: under("changes") | {f"{BUCKET}/exports/check/*"},
    }
    assert grants(either, "s3:DeleteObject") == {COLLECT: under("snapshot")}
    assert grants(either, "s3:AbortMultipartUpload") == {COMPACT: under("snapshot")}


def test_each_place_of_the_bucket_has_its_readers(either: Deployment) -> None:
    foreign = set() if by_function(either) else {"arn:aws:s3:::example-exports/*"}
    assert grants(either, "s3:GetObject") == {
        COMPACT: under("changes", "delta", "snapshot") | {f"{BUCKET}/runs/*"},
        SEARCH: under("snapshot"),
        CHECK: under("changes", "delta", "snapshot"),
        embedder(either): under("delta") | {f"{BUCKET}/exports/*"} | foreign,
    }


def test_who_must_know_that_something_is_gone_may_list_its_bucket(either: Deployment) -> None:
    """S3 answers 403 in place of 404 to everybody else. Who only looks for snapshots lists nothing else."""
    foreign = set() if by_function(either) else {"arn:aws:s3:::example-exports"}
    readers = {role: {BUCKET} for role in (COMPACT, SEARCH, CHECK, COLLECT)}
    assert grants(either, "s3:ListBucket") == {**readers, embedder(either): {BUCKET} | foreign}
    (looking,) = [found for found in working(either, COLLECT) if "s3:ListBucket" in found.actions]
    (condition,) = looking.conditions
    assert condition["variable"] == "s3:prefix"
    assert sorted(condition["values"]) == ["lines/snapshot/", "words/snapshot/"]


def test_texts_are_embedded_by_one_model_for_two(either: Deployment) -> None:
    assert grants(either, "bedrock:InvokeModel") == {embedder(either): {MODEL}, SEARCH: {MODEL}}


def test_each_queue_has_its_senders_and_one_receiver(either: Deployment) -> None:
    receiving = {"DeleteMessage", "GetQueueAttributes", "ReceiveMessage"}
    for name in changes(either):
        assert rights(either, "sqs", name) == {ROUTER: {"SendMessage"}, WRITER: receiving}
    working_exports = {"ChangeMessageVisibility", "DeleteMessage", "ReceiveMessage"}
    seeing = {"GetQueueAttributes"} if by_function(either) else set[str]()
    assert rights(either, "sqs", "millrace-embed-ndjson.fifo") == {
        embedder(either): working_exports | seeing,
        CHECK: {"SendMessage"},
    }
    assert rights(either, "sqs", STREAM_DEAD) == {ROUTER: {"SendMessage"}}


def test_the_stream_is_read_for_one_function_which_keeps_what_fails(either: Deployment) -> None:
    stream = either.one("aws_dynamodb_table", name="receipts").values["stream_arn"]
    for action in ("DescribeStream", "GetRecords", "GetShardIterator"):
        assert grants(either, f"dynamodb:{action}") == {ROUTER: {stream}}
    assert grants(either, "dynamodb:ListStreams") == {ROUTER: {"*"}}
    (mapping,) = mappings(either, ROUTER).values()
    assert mapping["event_source_arn"] == stream
    (failed,) = mapping["destination_config"][0]["on_failure"]
    assert either.name(failed["destination_arn"]) == STREAM_DEAD
    assert not queue(either, STREAM_DEAD)["fifo_queue"], "Lambda sends a stream's records to no FIFO queue"


def test_changes_are_collected_by_the_thousand_or_come_in_tens(
    vectors: Deployment, vectors_by_task: Deployment
) -> None:
    for deployment, size, window in ((vectors, 10_000, 30), (vectors_by_task, 10, None)):
        found = mappings(deployment, WRITER)
        assert set(found) == changes(deployment)
        for mapping in found.values():
            assert (mapping["batch_size"], mapping["maximum_batching_window_in_seconds"]) == (size, window)
            assert mapping["function_response_types"] == ["ReportBatchItemFailures"]


def test_exports_are_taken_in_tens_by_as_few_pollers_as_there_can_be(vectors: Deployment) -> None:
    ((name, mapping),) = mappings(vectors, EMBED).items()
    assert name == "millrace-embed-ndjson.fifo"
    assert mapping["batch_size"] == 10
    assert not mapping["maximum_batching_window_in_seconds"]
    assert mapping["scaling_config"][0]["maximum_concurrency"] == 2


def test_dead_letters_go_to_a_queue_of_the_same_kind_that_takes_no_others(either: Deployment) -> None:
    exports, names = "millrace-embed-ndjson", sorted(changes(either))
    for sources, name, receives in (
        (
            names,
            f"millrace-vector-changes-dead-letters{suffix(either)}",
            86400 // (720 + (0 if suffix(either) else 30)),
        ),
        ([f"{exports}.fifo"], f"{exports}-dead-letters.fifo", 1000),
    ):
        dead = queue(either, name)
        for source in sources:
            found = queue(either, source)
            assert found["fifo_queue"] == dead["fifo_queue"]
            redrive = {"deadLetterTargetArn": dead["arn"], "maxReceiveCount": receives}
            assert json.loads(found["redrive_policy"]) == redrive
        assert json.loads(dead["redrive_allow_policy"]) == {
            "redrivePermission": "byQueue",
            "sourceQueueArns": [arn("sqs", source) for source in sources],
        }


def test_what_the_sweeper_could_not_be_told_is_kept(vectors: Deployment) -> None:
    dead = queue(vectors, STREAM_DEAD)
    (target,) = vectors.all("aws_cloudwatch_event_target")
    assert target.values["dead_letter_config"][0]["arn"] == dead["arn"]
    policy = vectors.one("aws_sqs_queue_policy", queue_url=dead["id"]).values["policy"]
    (allowed,) = [statement for statement in vectors.statements(policy) if statement.effect == "Allow"]
    assert [*allowed.principals] == [{"type": "Service", "identifiers": ["events.amazonaws.com"]}]
    assert {vectors.name(word) for word in allowed.conditions[0]["values"]} == {FAILED}


def test_the_task_is_one_on_graviton_and_ends_before_the_next_begins(vectors_by_task: Deployment) -> None:
    task = vectors_by_task.one("aws_ecs_task_definition", family=EMBED).values
    assert task["runtime_platform"] == [{"operating_system_family": "LINUX", "cpu_architecture": "ARM64"}]
    assert (task["network_mode"], [*task["requires_compatibilities"]]) == ("awsvpc", ["FARGATE"])
    assert (task["cpu"], task["memory"]) == ("512", "1024")
    service = vectors_by_task.one("aws_ecs_service", name=EMBED).values
    assert service["cluster"] == vectors_by_task.one("aws_ecs_cluster", name=TABLE).values["arn"]
    assert service["task_definition"] == task["arn"]
    assert (service["launch_type"], service["desired_count"]) == ("FARGATE", 1)
    assert (service["deployment_minimum_healthy_percent"], service["deployment_maximum_percent"]) == (0, 100)
    assert service["availability_zone_rebalancing"] == "DISABLED", "rebalancing asks for a maximum above 100"
    (network,) = service["network_configuration"]
    assert sorted(network["subnets"]) == BY_TASK["embed_subnet_ids"]
    assert [*network["security_groups"]] == BY_TASK["embed_security_group_ids"]
    assert not network["assign_public_ip"]


def test_the_container_may_end_what_it_has_begun_and_writes_its_own_log(vectors_by_task: Deployment) -> None:
    found = container(vectors_by_task)
    assert found["image"] == BY_TASK["embed_image_uri"]
    assert found["essential"]
    assert found["stopTimeout"] == 120, "Fargate's most"
    assert found["logConfiguration"] == {
        "logDriver": "awslogs",
        "options": {
            "awslogs-group": f"/ecs/{EMBED}",
            "awslogs-region": REGION,
            "awslogs-stream-prefix": "embed",
        },
    }


def test_a_message_is_hidden_for_as_long_as_the_worker_says_itself(vectors_by_task: Deployment) -> None:
    assert queue(vectors_by_task, "millrace-embed-ndjson.fifo")["visibility_timeout_seconds"] == 120


def test_ecs_may_fetch_one_image_and_write_one_log(vectors_by_task: Deployment) -> None:
    repository = {arn("ecr", "repository/millrace/embed")}
    group = vectors_by_task.one("aws_cloudwatch_log_group", name=f"/ecs/{EMBED}").values["arn"]
    assert {found.sid: (found.actions, found.resources) for found in vectors_by_task.allowed(EXECUTION)} == {
        "EnterRegistry": ({"ecr:GetAuthorizationToken"}, {"*"}),
        "FetchImage": ({"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}, repository),
        "WriteLogs": ({"logs:CreateLogStream", "logs:PutLogEvents"}, {f"{group}:*"}),
    }
    task = vectors_by_task.one("aws_ecs_task_definition").values
    for attribute, role in (("task_role_arn", TASK), ("execution_role_arn", EXECUTION)):
        assert task[attribute] == vectors_by_task.one("aws_iam_role", name=role).values["arn"]


def test_each_service_acts_for_the_resource_that_the_role_is_for(vectors_by_task: Deployment) -> None:
    tasks = ("ecs-tasks", {arn("ecs", "*")})
    expected = {
        MACHINE: ("states", START),
        SWEEPER: ("states", {arn("states", f"stateMachine:{SWEEPER}")}),
        FAILED: ("events", {FAILED}),
        TASK: tasks,
        EXECUTION: tasks,
        **dict.fromkeys(SCHEDULES | {SWEEP}, ("scheduler", {arn("scheduler", "schedule-group/default")})),
    }
    for role, (service, sources) in expected.items():
        trust = vectors_by_task.one("aws_iam_role", name=role).values["assume_role_policy"]
        (statement,) = vectors_by_task.statements(trust)
        assert [*statement.principals] == [{"type": "Service", "identifiers": [f"{service}.amazonaws.com"]}]
        conditions = {condition["variable"]: condition["values"] for condition in statement.conditions}
        assert conditions["aws:SourceAccount"] == [ACCOUNT]
        assert {vectors_by_task.name(word) for word in conditions["aws:SourceArn"]} == sources, role


def test_receipts_are_found_by_both_keys_and_tell_of_both_images(vectors: Deployment) -> None:
    table = vectors.one("aws_dynamodb_table", name="receipts").values
    assert (table["hash_key"], table["range_key"]) == ("pk", "sk")
    assert table["stream_view_type"] == "NEW_AND_OLD_IMAGES"
    indexes = vectors.one("aws_dynamodb_table", name=TABLE).values["global_secondary_index"]
    assert sorted((each["name"], each["hash_key"], each["range_key"], each["projection_type"]) for each in indexes) == [
        ("aside-index", "aside", "since", "ALL"),
        ("pending-index", "pending", "since", "ALL"),
    ]


def test_receipts_are_protected_from_deletion_unless_it_is_a_trial(vectors: Deployment, second: Deployment) -> None:
    for deployment, protected in ((vectors, {"receipts"}), (second, set())):
        tables = [each.values for each in deployment.all("aws_dynamodb_table")]
        assert {each["name"] for each in tables if each["deletion_protection_enabled"]} == protected
        assert bool(deployment.one("aws_s3_bucket").values["force_destroy"]) == (not protected)


def test_deltas_exports_and_records_of_runs_expire_and_snapshots_do_not(vectors: Deployment) -> None:
    rules = vectors.one("aws_s3_bucket_lifecycle_configuration").values["rule"]
    expiring = {rule["filter"][0]["prefix"]: rule["expiration"][0]["days"] for rule in rules if rule["id"] != "tidy"}
    deltas = {f"{name}/{place}/": 60 for name in ("lines", "words") for place in ("changes", "delta")}
    assert expiring == deltas | {"exports/": 60, "runs/": 180}


def test_each_alarm_tells_the_topic_which_lets_it(vectors: Deployment) -> None:
    topic = vectors.one("aws_sns_topic").values
    alarms = {each.values["alarm_name"]: each.values for each in vectors.all("aws_cloudwatch_metric_alarm")}
    kinds = ("dead-letters", "overdue", "compaction", "set-aside", "embedding", "drift")
    assert set(alarms) == {f"millrace-vector-{kind}" for kind in kinds}
    assert all(alarm["alarm_actions"] == [topic["arn"]] for alarm in alarms.values())
    (allowed,) = [
        statement
        for statement in vectors.statements(vectors.one("aws_sns_topic_policy").values["policy"])
        if statement.effect == "Allow"
    ]
    (sources,) = [each["values"] for each in allowed.conditions if each["variable"] == "aws:SourceArn"]
    assert sorted(sources) == sorted(alarm["arn"] for alarm in alarms.values())
    assert not topic["kms_master_key_id"], "an alarm cannot publish where AWS's own key encrypts"


def test_every_dead_letter_is_seen(either: Deployment) -> None:
    alarm = either.one("aws_cloudwatch_metric_alarm", alarm_name="millrace-vector-dead-letters").values
    seen = {
        metric["dimensions"]["QueueName"]
        for query in alarm["metric_query"]
        for metric in query["metric"]
        if metric["metric_name"] == "ApproximateNumberOfMessagesVisible"
    }
    assert seen == {each.values["name"] for each in either.all("aws_sqs_queue") if "dead" in each.values["name"]}


def test_two_deployments_in_one_account_share_no_name(vectors: Deployment, second: Deployment) -> None:
    attributes = ("function_name", "layer_name", "alarm_name", "bucket", "name")
    names = [
        {
            (each.type, each.values[attribute])
            for each in deployment.resources
            if each.made and each.type != "aws_lambda_event_source_mapping"
            for attribute in attributes
            if each.values.get(attribute)
        }
        for deployment in (vectors, second)
    ]
    assert not names[0] & names[1]
    assert len(names[0]) == len(names[1]) > 40


def test_each_deployments_alarms_look_at_its_own_stores_alone(vectors: Deployment, second: Deployment) -> None:
    for deployment, service in ((vectors, "millrace-vector-store"), (second, "emea-vector-store")):
        dimensions = {
            metric["dimensions"]["service"]
            for alarm in deployment.all("aws_cloudwatch_metric_alarm")
            for query in alarm.values["metric_query"]
            for metric in query["metric"]
            if metric["namespace"] == "Millrace"
        }
        assert dimensions == {service}
        for function in functions(deployment):
            assert environment(deployment, function)["POWERTOOLS_SERVICE_NAME"] == service


def test_what_does_not_fit_is_refused_with_what_to_do(tmp_path: Path) -> None:
    root = mocked.copy(tmp_path)
    nothing = {"store_bucket": None, "vector_store_image_uri": None, "embed_consumer": "ecs"}
    both = {**BY_TASK, "embed_consumer": "lambda"}
    for wrong, expected in (
        (
            nothing,
            [
                "Workflow vector_store needs store_bucket, the name of the bucket",
                "Workflow vector_store needs vector_store_image_uri",
                'embed_consumer = "ecs" needs embed_image_uri',
                'embed_consumer = "ecs" needs embed_subnet_ids and embed_security_group_ids',
            ],
        ),
        (both, ['Leave them out, or set embed_consumer = "ecs".']),
        (
            {"create_receipts_table": False},
            [
                "a table of receipts by pk and sk. Name another one in receipts_table.",
                "Table receipts has no stream with both images of a change, from which vector_store hears",
            ],
        ),
    ):
        said = mocked.refuse(root, **{**STORE, **wrong})
        assert len(said) == len(expected), said
        for sentence in expected:
            assert any(sentence in one for one in said), said


def test_nobody_but_this_workflow_touches_its_tables(together_with_key: Deployment) -> None:
    own = {
        role.values["name"]
        for role in together_with_key.all("aws_iam_role")
        if role.address.startswith("module.vector_store[0].")
    }
    for table in ("receipts", TABLE, PENDING, ASIDE, FLIGHTS):
        assert set(rights(together_with_key, "dynamodb", table)) <= own
    assert roles(together_with_key) > own
