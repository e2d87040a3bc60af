"""Services and tasks as Fargate runs them, with small programs as images; IAM is enforced."""

from __future__ import annotations

import json
import os
import re
import signal
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from millrace.images import IMAGES
from millrace.local import dockerfiles
from millrace.local.dockerfiles import Settings
from millrace.local.images import Images
from millrace.local.instance import Instance
from millrace.local.process import started
from tests.fakes.deployed import allow, archive, eventually, name, role
from tests.fakes.embed_surroundings import OneExport

pytestmark = pytest.mark.network

LAMBDAS = Path(__file__).parents[2] / "lambdas"

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
OF_CONTAINER = ("environment", "image", "logConfiguration", "stopTimeout")
ONE_AT_A_TIME = {"minimumHealthyPercent": 0, "maximumPercent": 100}
PULLS = ("ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
OBEYING = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))"
WAITING = f"{OBEYING}\nprint('ready', flush=True)\nwhile True: signal.pause()"


class Stage:
    """A cluster, a log group and an execution role of a test's own."""

    def __init__(self, aws: Instance) -> None:
        self.aws = aws
        self.ecs, self.logs = aws.client("ecs"), aws.client("logs")
        self.cluster = self.ecs.create_cluster(clusterName=name("cluster"))["cluster"]["clusterName"]
        self.group = f"/ecs/{name('group')}"
        self.logs.create_log_group(logGroupName=self.group)
        self.execution_role = role(aws, "ecs-tasks", allow(*PULLS, *LOGS))

    def image(self, program: str) -> str:
        code = archive({"program.py": f"import os, signal, sys, time\n{textwrap.dedent(program)}"})
        return Images.of(self.aws).push(name("image"), code, Settings(("python3", "program.py"), folder="/code"))

    def register(self, program: str = WAITING, **asked: Any) -> str:
        """A definition with one container `main` that runs the program; its ARN. `asked` may also be about that."""
        container = {
            "name": "main",
            "image": self.image(program),
            "stopTimeout": 2,
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": self.group,
                    "awslogs-region": self.aws.region,
                    "awslogs-stream-prefix": "prefix",
                },
            },
        }
        container |= {member: asked.pop(member) for member in OF_CONTAINER if member in asked}
        definition = {
            "family": name("family"),
            "requiresCompatibilities": ["FARGATE"],
            "networkMode": "awsvpc",
            "cpu": "256",
            "memory": "512",
            "executionRoleArn": self.execution_role,
            "runtimePlatform": {"cpuArchitecture": "ARM64"},
            "containerDefinitions": [container],
            **asked,
        }
        return str(self.ecs.register_task_definition(**definition)["taskDefinition"]["taskDefinitionArn"])

    def serve(self, definition: str, **asked: Any) -> str:
        """A service of one task; its name."""
        made = self.ecs.create_service(
            cluster=self.cluster,
            serviceName=name("service"),
            taskDefinition=definition,
            launchType="FARGATE",
            networkConfiguration=NETWORK,
            **{"desiredCount": 1, "deploymentConfiguration": ONE_AT_A_TIME, **asked},
        )
        return str(made["service"]["serviceName"])

    def run(self, definition: str, **asked: Any) -> str:
        made = self.ecs.run_task(
            cluster=self.cluster,
            taskDefinition=definition,
            launchType="FARGATE",
            networkConfiguration=NETWORK,
            **asked,
        )
        return str(made["tasks"][0]["taskArn"])

    def service(self, service: str) -> dict[str, Any]:
        (told,) = self.ecs.describe_services(cluster=self.cluster, services=[service])["services"]
        return dict(told)

    def steady(self, service: str) -> dict[str, Any]:
        def look() -> dict[str, Any]:
            told = self.service(service)
            done = len(told["deployments"]) == 1 and told["deployments"][0]["rolloutState"] == "COMPLETED"
            return told if done and told["runningCount"] == told["desiredCount"] else {}

        return eventually(look)

    def ready(self, service: str) -> dict[str, Any]:
        """The one task of a service, once it is steady and its program has written something."""
        self.steady(service)
        (task,) = self.tasks(service)
        eventually(lambda: self.lines(task["taskArn"]))
        return task

    def tasks(self, service: str | None = None, **which: str) -> list[dict[str, Any]]:
        """The oldest first."""
        named = {"serviceName": service} if service else {}
        arns = self.ecs.list_tasks(cluster=self.cluster, **named, **which)["taskArns"]
        found = self.ecs.describe_tasks(cluster=self.cluster, tasks=arns)["tasks"] if arns else []
        return sorted(found, key=lambda task: task["createdAt"])

    def ended(self, task: str) -> dict[str, Any]:
        """The task once it is STOPPED, with its one container's facts beside its own."""

        def look() -> dict[str, Any]:
            (told,) = self.ecs.describe_tasks(cluster=self.cluster, tasks=[task])["tasks"]
            return {**told["containers"][0], **told} if told["lastStatus"] == "STOPPED" else {}

        return eventually(look)

    def lines(self, task: str) -> list[str]:
        stream = f"prefix/main/{task.rpartition('/')[2]}"
        asked = {"logGroupName": self.group, "logStreamName": stream, "startFromHead": True}
        try:
            return [event["message"] for event in self.logs.get_log_events(**asked)["events"]]
        except self.logs.exceptions.ResourceNotFoundException:
            return []

    def pid(self, task: str) -> int:
        (found,) = (row["pid"] for row in self.aws.tasks() if row["task"] == task.rpartition("/")[2])
        return int(found)


@pytest.fixture
def stage(embedded_aws: Instance) -> Iterator[Stage]:
    made = Stage(embedded_aws)
    yield made
    for service in made.ecs.list_services(cluster=made.cluster)["serviceArns"]:
        made.ecs.delete_service(cluster=made.cluster, service=service, force=True)
    for task in made.tasks():
        made.ecs.stop_task(cluster=made.cluster, task=task["taskArn"])


def test_a_task_that_ends_by_itself_is_replaced_and_says_how_it_ended(stage: Stage) -> None:
    service = stage.serve(stage.register())
    stage.steady(service)
    (first,) = stage.tasks(service)
    os.kill(stage.pid(first["taskArn"]), signal.SIGKILL)
    ended = stage.ended(first["taskArn"])
    assert (ended["stopCode"], ended["exitCode"]) == ("EssentialContainerExited", 137)
    assert ended["stoppedReason"] == "Essential container in task exited"
    (second,) = eventually(lambda: stage.tasks(service))
    assert second["taskArn"] != first["taskArn"]
    assert stage.service(service)["deployments"][0]["failedTasks"] == 1


def test_tasks_that_keep_failing_are_started_ever_later(stage: Stage) -> None:
    service = stage.serve(stage.register("sys.exit(3)"))
    failed = eventually(lambda: (found := stage.tasks(service, desiredStatus="STOPPED"))[2:] and found)
    pauses = [(after["createdAt"] - before["stoppedAt"]).total_seconds() for before, after in pairwise(failed)]
    assert pauses[0] < 0.5 < 0.9 < pauses[1]
    assert {task["containers"][0]["exitCode"] for task in failed} == {3}


def test_with_a_maximum_of_100_percent_the_old_task_has_ended_before_the_new_one_begins(stage: Stage) -> None:
    slow = """
        def stop(*_):
            time.sleep(0.5)
            print("ended", flush=True)
            sys.exit(0)
        signal.signal(signal.SIGTERM, stop)
        print("ready", flush=True)
        while True: signal.pause()
    """
    service = stage.serve(stage.register(slow))
    old = stage.ready(service)
    definition = stage.register()
    stage.ecs.update_service(cluster=stage.cluster, service=service, taskDefinition=definition)
    assert stage.steady(service)["taskDefinition"] == definition
    (new,) = stage.tasks(service)
    ended = stage.ended(old["taskArn"])
    assert ended["stoppedAt"] <= new["createdAt"]
    assert (ended["exitCode"], ended["stopCode"]) == (0, "ServiceSchedulerInitiated")
    assert stage.lines(old["taskArn"]) == ["ready", "ended"]
    assert new["taskDefinitionArn"] == definition


def test_with_a_minimum_of_100_percent_the_new_task_runs_before_the_old_one_is_stopped(stage: Stage) -> None:
    service = stage.serve(stage.register(), deploymentConfiguration={})
    old = stage.ready(service)
    stage.ecs.update_service(cluster=stage.cluster, service=service, forceNewDeployment=True)
    stage.steady(service)
    (new,) = stage.tasks(service)
    assert new["startedAt"] <= stage.ended(old["taskArn"])["stoppingAt"]


def test_a_program_that_does_not_heed_the_order_to_stop_is_killed_after_its_time(stage: Stage) -> None:
    """Python as the first process of a container has no handler of SIGTERM, and then nothing happens at one."""
    task = stage.run(stage.register("print('ready', flush=True)\ntime.sleep(60)"))
    eventually(lambda: stage.lines(task))
    stage.ecs.stop_task(cluster=stage.cluster, task=task, reason="enough")
    ended = stage.ended(task)
    assert (ended["exitCode"], ended["stopCode"], ended["stoppedReason"]) == (137, "UserInitiated", "enough")
    assert 2.0 <= (ended["stoppedAt"] - ended["stoppingAt"]).total_seconds() < 4.0


def test_a_task_sees_its_own_environment_and_acts_with_its_own_role(stage: Stage, embedded_aws: Instance) -> None:
    table = name("table")
    embedded_aws.client("dynamodb").create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    task_role = role(embedded_aws, "ecs-tasks", allow("dynamodb:DescribeTable"))
    program = f"""
        import boto3, json
        print(json.dumps(dict(os.environ)))
        print(boto3.client("sts").get_caller_identity()["Arn"])
        print(boto3.client("dynamodb").describe_table(TableName="{table}")["Table"]["TableName"])
        try:
            boto3.client("dynamodb").scan(TableName="{table}")
        except Exception as error:
            print(error.response["Error"]["Code"])
    """
    task = stage.run(stage.register(program, taskRoleArn=task_role, environment=[{"name": "MINE", "value": "1"}]))
    assert stage.ended(task)["exitCode"] == 0
    variables, identity, described, refused = stage.lines(task)
    assert described == table
    assert refused == "AccessDeniedException"
    assert identity.endswith(f"assumed-role/{task_role.rpartition('/')[2]}/{task.rpartition('/')[2]}")
    seen = json.loads(variables)
    assert seen.pop("MINE") == "1"
    assert seen.keys() <= {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_DEFAULT_REGION",
        "AWS_DISABLE_HOST_PREFIX_INJECTION",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_ENDPOINT_URL",
        "AWS_EXECUTION_ENV",
        "AWS_REGION",
        "HOME",
        "LANG",
        "LC_CTYPE",
        "LD_LIBRARY_PATH",
        "PATH",
        "POWERTOOLS_TRACE_DISABLED",
        "TMPDIR",
        "TZ",
    }
    assert not Path(seen["HOME"]).exists(), "a task's folder goes with it"


def test_metrics_in_the_log_are_measured(stage: Stage, embedded_aws: Instance) -> None:
    space = name("space")
    told = {
        "_aws": {
            "Timestamp": 0,
            "CloudWatchMetrics": [{"Namespace": space, "Dimensions": [["service"]], "Metrics": [{"Name": "Texts"}]}],
        },
        "service": "s",
        "Texts": 7,
    }
    program = f"""
        import json
        told = {told!r}
        told["_aws"]["Timestamp"] = int(time.time() * 1000)
        print("before", json.dumps("x" * 100_000), json.dumps(told), sep="\\n")
        print("without an end", end="")
    """
    task = stage.run(stage.register(program))
    stage.ended(task)
    before, long, measured, rest = stage.lines(task)
    assert (before, len(long), rest) == ("before", 100_002, "without an end")
    metrics = embedded_aws.client("cloudwatch").list_metrics(Namespace=space)["Metrics"]
    assert [metric["MetricName"] for metric in metrics] == ["Texts"]
    assert json.loads(measured)["Texts"] == 7


@pytest.mark.parametrize(
    ("allowed", "told"),
    [
        (LOGS, "CannotPullContainerError: .*ecr:GetAuthorizationToken"),
        ((*PULLS, "logs:PutLogEvents"), "ResourceInitializationError: .*logs:CreateLogStream"),
    ],
)
def test_an_execution_role_without_its_rights_starts_nothing(stage: Stage, allowed: tuple[str, ...], told: str) -> None:
    definition = stage.register(executionRoleArn=role(stage.aws, "ecs-tasks", allow(*allowed)))
    ended = stage.ended(stage.run(definition))
    assert ended["stopCode"] == "TaskFailedToStart"
    assert re.search(told, ended["stoppedReason"])
    assert "exitCode" not in ended


def test_a_role_that_does_not_trust_ecs_is_not_assumed(stage: Stage) -> None:
    definition = stage.register(taskRoleArn=role(stage.aws, "lambda", allow("s3:*")))
    assert "unable to assume the role" in stage.ended(stage.run(definition))["stoppedReason"]


def test_a_task_takes_its_children_with_it(stage: Stage) -> None:
    program = f"""
        import subprocess
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print(child.pid, flush=True)
        {OBEYING}
        while True: signal.pause()
    """
    task = stage.run(stage.register(program))
    (child,) = eventually(lambda: stage.lines(task))
    stage.ecs.stop_task(cluster=stage.cluster, task=task)
    stage.ended(task)
    assert started(int(child)) is None


def test_an_essential_container_takes_the_others_with_it(stage: Stage) -> None:
    containers = [
        {"name": "side", "image": stage.image(WAITING), "essential": False, "stopTimeout": 2},
        {"name": "main", "image": stage.image("time.sleep(0.3)\nsys.exit(5)"), "stopTimeout": 2},
    ]
    task = stage.run(stage.register(containerDefinitions=containers))
    stage.ended(task)
    (told,) = stage.ecs.describe_tasks(cluster=stage.cluster, tasks=[task])["tasks"]
    assert [(each["name"], each["exitCode"]) for each in told["containers"]] == [("side", 0), ("main", 5)]


def test_a_run_overrides_command_and_environment(stage: Stage) -> None:
    overrides = {
        "containerOverrides": [
            {"name": "main", "command": ["an argument"], "environment": [{"name": "MINE", "value": "2"}]}
        ]
    }
    definition = stage.register("print(sys.argv[1], os.environ['MINE'])", environment=[{"name": "MINE", "value": "1"}])
    task = stage.run(definition, overrides=overrides, group="g", startedBy="me")
    stage.ended(task)
    assert stage.lines(task) == ["an argument 2"]
    assert [each["taskArn"] for each in stage.tasks(startedBy="me", desiredStatus="STOPPED")] == [task]


def test_a_service_goes_when_its_tasks_have_gone_and_its_cluster_after_it(stage: Stage) -> None:
    ecs, cluster, service = stage.ecs, stage.cluster, stage.serve(stage.register())
    stage.ready(service)
    with pytest.raises(ClientError, match="while it is scaled above 0"):
        ecs.delete_service(cluster=cluster, service=service)
    with pytest.raises(ecs.exceptions.ClusterContainsServicesException):
        ecs.delete_cluster(cluster=cluster)
    ecs.update_service(cluster=cluster, service=service, desiredCount=0)
    assert ecs.delete_service(cluster=cluster, service=service)["service"]["status"] == "DRAINING"
    eventually(lambda: stage.service(service)["status"] == "INACTIVE")
    assert [task["lastStatus"] for task in stage.tasks(service, desiredStatus="STOPPED")] == ["STOPPED"]
    with pytest.raises(ecs.exceptions.ServiceNotActiveException):
        ecs.update_service(cluster=cluster, service=service, desiredCount=1)
    stage.ecs.delete_cluster(cluster=cluster)
    assert ecs.describe_clusters(clusters=[cluster])["failures"][0]["reason"] == "MISSING"
    stage.cluster = ecs.create_cluster(clusterName=cluster)["cluster"]["clusterName"]


def test_a_definition_has_revisions_and_no_number_twice(stage: Stage) -> None:
    ecs, family = stage.ecs, name("family")
    first, second = (stage.register(family=family) for _ in range(2))
    assert [first.rpartition(":")[2], second.rpartition(":")[2]] == ["1", "2"]
    ecs.deregister_task_definition(taskDefinition=second)
    assert ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]["revision"] == 1
    assert ecs.describe_task_definition(taskDefinition=second)["taskDefinition"]["status"] == "INACTIVE"
    with pytest.raises(ClientError, match="TaskDefinition is inactive"):
        stage.serve(second)
    assert stage.register(family=family).endswith(":3")
    assert len(ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"]) == 2


def test_an_image_that_is_not_there_is_no_definition(stage: Stage) -> None:
    with pytest.raises(ClientError, match="nginx does not exist"):
        stage.register(image="nginx")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"networkConfiguration": {}}, "Network Configuration must be provided"),
        ({"networkConfiguration": {"awsvpcConfiguration": {"subnets": []}}}, "subnets"),
        ({"launchType": "EC2"}, "launchType"),
        ({"loadBalancers": [{"containerName": "main"}]}, "loadBalancers"),
        (
            {"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}},
            "CircuitBreaker",
        ),
        ({"availabilityZoneRebalancing": "ENABLED", "deploymentConfiguration": ONE_AT_A_TIME}, "rebalancing"),
        ({"platformVersion": "1.3.9"}, "platform"),
        ({"cluster": "another"}, "Cluster not found"),
        ({"taskDefinition": "another"}, "Unable to describe task definition"),
        ({"enableExecuteCommand": True}, "enableExecuteCommand"),
    ],
    ids=str,
)
def test_what_a_service_cannot_be_is_refused(stage: Stage, wrong: dict[str, Any], told: str) -> None:
    asked = {
        "cluster": stage.cluster,
        "serviceName": "s",
        "taskDefinition": stage.register(),
        "launchType": "FARGATE",
        "networkConfiguration": NETWORK,
    }
    with pytest.raises(ClientError, match=told):
        stage.ecs.create_service(**{**asked, **wrong})


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_no_task_outlives_its_embedded_aws(tmp_path: Path, end: str) -> None:
    aws = Instance.start(tmp_path)
    try:
        stage = Stage(aws)
        task = stage.run(stage.register("time.sleep(60)"))
        pid = eventually(lambda: [row["pid"] for row in aws.tasks() if row["pid"]])[0]
        assert started(pid) is not None
        if end == "killed":
            os.kill(aws.process.pid, signal.SIGKILL)
    finally:
        aws.stop()
    assert task
    eventually(lambda: started(pid) is None, within=2.0 if end == "killed" else 0.0)


def test_the_embedding_worker_is_a_service(stage: Stage, embedded_aws: Instance) -> None:
    deployment = OneExport(embedded_aws)
    (embed,) = (image for image in IMAGES if image.variable == "embed_image_uri")
    modules = {
        path.relative_to(LAMBDAS).as_posix(): path.read_text("utf-8")
        for package in ("shared", "vector_store")
        for path in (LAMBDAS / package).glob("*.py")
    }
    acts = allow("bedrock:InvokeModel", "dynamodb:*", "s3:*", "sqs:*")
    definition = stage.register(
        image=Images.of(embedded_aws).push(embed.name, archive(modules), dockerfiles.read(embed.dockerfile)),
        environment=[{"name": key, "value": value} for key, value in deployment.variables().items()],
        taskRoleArn=role(embedded_aws, "ecs-tasks", acts),
        stopTimeout=10,
    )
    service = stage.serve(definition)
    assert eventually(deployment.written, within=30)["words"] == {"N": str(OneExport.WORDS)}
    (task,) = stage.tasks(service)
    assert deployment.lease()["kind"] == {"S": "ecs"}
    stage.ecs.delete_service(cluster=stage.cluster, service=service, force=True)
    assert stage.ended(task["taskArn"])["exitCode"] == 0
    messages = [line.get("message") for line in map(json.loads, stage.lines(task["taskArn"]))]
    assert messages[-1] == "stopped"
    assert "until" not in deployment.lease()
