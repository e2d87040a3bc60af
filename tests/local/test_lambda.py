"""Functions on the embedded AWS: what needs MiniStack, IAM and HTTP. The rest is in the unit tests."""

from __future__ import annotations

import base64
import importlib.util
import json
import threading
from pathlib import Path

import pytest

from millrace.local.instance import Instance
from tests.fakes.deployed import allow, archive, eventually, function, invoke, name

pytestmark = pytest.mark.network


def test_the_class_of_an_exception_is_the_error_type(embedded_aws: Instance):
    code = "class ManifestInvalid(Exception): pass\ndef handler(e, c): raise ManifestInvalid('no jobId')"
    answer, failed = invoke(embedded_aws, function(embedded_aws, code))
    assert failed
    assert (answer["errorType"], answer["errorMessage"]) == ("ManifestInvalid", "no jobId")


def test_a_function_that_dies_is_replaced(embedded_aws: Instance):
    called = function(embedded_aws, "import os\ndef handler(e, c):\n if e: os._exit(1)\n return 'well'")
    answer, failed = invoke(embedded_aws, called, True)
    assert failed
    assert answer["errorType"] == "Runtime.ExitError"
    assert invoke(embedded_aws, called, False) == ("well", False)


def test_a_function_that_takes_too_long_is_ended(embedded_aws: Instance):
    code = "import time\ndef handler(e, c):\n time.sleep(e)\n return 'well'"
    called = function(embedded_aws, code, Timeout=1)
    answer, failed = invoke(embedded_aws, called, 30)
    assert failed
    assert answer["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in answer["errorMessage"]
    assert invoke(embedded_aws, called, 0) == ("well", False)


def test_a_function_acts_with_its_role_and_sees_no_variable_of_the_server(embedded_aws: Instance):
    bucket = name("bucket")
    embedded_aws.client("s3").create_bucket(Bucket=bucket)
    code = """
        import boto3, botocore, os
        def handler(event, context):
            s3 = boto3.client("s3")
            s3.put_object(Bucket=event, Key="allowed/k", Body=b"x")
            try:
                s3.put_object(Bucket=event, Key="k", Body=b"x")
                return "not denied"
            except botocore.exceptions.ClientError as error:
                return [error.response["Error"]["Code"], sorted(os.environ)]
    """
    allowance = allow("s3:PutObject", on=f"arn:aws:s3:::{bucket}/allowed/*")
    called = function(embedded_aws, code, allowance, Environment={"Variables": {"MINE": "1"}})
    (error, variables), _ = invoke(embedded_aws, called, bucket)
    assert error == "AccessDenied"
    assert "MINE" in variables
    assert not {"GATEWAY_PORT", "AUTH", "LOG_LEVEL", "MINISTACK_REGION"} & set(variables)


def test_new_code_is_used_by_the_next_invocation(embedded_aws: Instance):
    called = function(embedded_aws, "def handler(e, c): return 1")
    assert invoke(embedded_aws, called) == (1, False)
    client = embedded_aws.client("lambda")
    client.update_function_code(FunctionName=called, ZipFile=archive({"index.py": "def handler(e, c): return 2"}))
    eventually(lambda: invoke(embedded_aws, called) == (2, False))


def test_a_layer_is_on_the_path(embedded_aws: Instance):
    client = embedded_aws.client("lambda")
    layer = client.publish_layer_version(
        LayerName=name("layer"), Content={"ZipFile": archive({"python/tool/__init__.py": "who = 'layer'"})}
    )["LayerVersionArn"]
    code = "import tool\ndef handler(e, c): return tool.who"
    assert invoke(embedded_aws, function(embedded_aws, code, Layers=[layer])) == ("layer", False)


def test_concurrent_invocations_have_environments_of_their_own(embedded_aws: Instance):
    code = "import os, time\ndef handler(e, c):\n time.sleep(0.5)\n return os.getpid()"
    called = function(embedded_aws, code)
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(invoke(embedded_aws, called)[0])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(set(answers)) == 3


def test_what_a_function_writes_is_in_its_log_group(embedded_aws: Instance):
    called = function(embedded_aws, "import logging\ndef handler(e, c):\n print('said'); logging.error('meant')")
    answer = embedded_aws.client("lambda").invoke(FunctionName=called, LogType="Tail")
    tail = base64.b64decode(answer["LogResult"]).decode()
    assert "said" in tail
    assert "[ERROR]" in tail
    logs = embedded_aws.client("logs")
    events = logs.filter_log_events(logGroupName=f"/aws/lambda/{called}")["events"]
    assert any("meant" in event["message"] for event in events)


def test_no_function_outlives_the_server(tmp_path):
    aws = Instance.start(tmp_path)
    try:
        pid, _ = invoke(aws, function(aws, "import os\ndef handler(e, c): return os.getpid()"))
    finally:
        aws.stop()
    from millrace.local.process import started

    eventually(lambda: started(pid) is None)


def installed(*packages: str) -> dict[str, str]:
    """The files of packages that are installed here, as they lie in a layer."""
    files = {}
    for package in packages:
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        if origin.name != "__init__.py":
            files[f"python/{origin.name}"] = origin.read_text("utf-8")
            continue
        for path in origin.parent.rglob("*"):
            if path.suffix in (".py", ".json"):
                files[f"python/{path.relative_to(origin.parents[1])}"] = path.read_text("utf-8")
    return files


def test_powertools_work_without_an_xray_daemon(embedded_aws: Instance):
    packages = installed("aws_lambda_powertools", "aws_xray_sdk", "wrapt", "typing_extensions")
    layer = embedded_aws.client("lambda").publish_layer_version(
        LayerName=name("powertools"), Content={"ZipFile": archive(packages)}
    )["LayerVersionArn"]
    code = """
        from aws_lambda_powertools import Logger, Metrics, Tracer
        logger, tracer, metrics = Logger(), Tracer(), Metrics()

        @tracer.capture_method
        def work():
            metrics.add_metric(name="DocumentsSent", unit="Count", value=3)
            return "well"

        @logger.inject_lambda_context
        @tracer.capture_lambda_handler
        @metrics.log_metrics
        def handler(event, context):
            logger.info("working")
            return work()
    """
    variables = {"POWERTOOLS_SERVICE_NAME": "s", "POWERTOOLS_METRICS_NAMESPACE": "n", "LOG_LEVEL": "INFO"}
    called = function(
        embedded_aws,
        code,
        Layers=[layer],
        Environment={"Variables": variables},
        TracingConfig={"Mode": "Active"},
    )
    assert invoke(embedded_aws, called) == ("well", False)
    answer = embedded_aws.client("lambda").invoke(FunctionName=called, LogType="Tail")
    lines = [json.loads(line) for line in base64.b64decode(answer["LogResult"]).decode().splitlines() if line[0] == "{"]
    logged = next(line for line in lines if line.get("message") == "working")
    assert logged["function_name"] == called
    assert logged["xray_trace_id"].startswith("1-")
    assert next(line for line in lines if "_aws" in line)["DocumentsSent"] == [3.0]


def test_a_payload_over_the_limit_is_refused(embedded_aws: Instance):
    called = function(embedded_aws, "def handler(e, c): return len(e)")
    client = embedded_aws.client("lambda", read_timeout=60)
    limit = 6_291_456
    answer = client.invoke(FunctionName=called, Payload=b'"%s"' % (b"x" * (limit - 2)))
    assert json.loads(answer["Payload"].read()) == limit - 2
    with pytest.raises(client.exceptions.RequestTooLargeException):
        client.invoke(FunctionName=called, Payload=b'"%s"' % (b"x" * (limit - 1)))
