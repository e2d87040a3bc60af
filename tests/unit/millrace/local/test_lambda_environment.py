from __future__ import annotations

import io
import json
import textwrap
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from millrace.local import lambda_environment
from millrace.local.lambda_environment import ANSWER_BYTES, Environment, Function, Outcome

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:f"


def archive(**files: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as opened:
        for name, text in files.items():
            opened.writestr(name.replace("__", "/") + ".py", textwrap.dedent(text))
    return packed.getvalue()


class Running:
    """An environment and the outcomes of its invocations."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment

    def __call__(self, event: Any = None) -> Outcome:
        return self.environment.invoke(event, "request-1")

    def result(self, event: Any = None) -> Any:
        outcome = self(event)
        assert not outcome.failed, outcome
        return json.loads(outcome.payload)

    def fault(self, event: Any = None) -> dict[str, Any]:
        outcome = self(event)
        assert outcome.failed, outcome
        return json.loads(outcome.payload)


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Environment] = []

    def begin(code: str, *, layers: tuple[bytes, ...] = (), **settings: Any) -> Running:
        given: dict[str, Any] = {"timeout": 20.0, "handler": "index.handler", **settings}
        function = Function(
            name="f",
            arn=ARN,
            version="$LATEST",
            runtime="python3.13",
            memory=256,
            log_group="/aws/lambda/f",
            code=archive(index=code),
            layers=layers,
            **given,
        )
        keys = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
        started.append(Environment(function, tmp_path, endpoint="http://127.0.0.1:1", region="eu-west-1", keys=keys))
        return Running(started[-1])

    yield begin
    for environment in started:
        environment.close()


def test_a_function_stays_loaded_between_invocations(start: Start):
    run = start("count = 0\ndef handler(event, context):\n global count\n count += 1\n return [count, event]")
    first, second = run({"a": "ü"}), run(None)
    assert json.loads(first.payload) == [1, {"a": "ü"}]
    assert json.loads(second.payload) == [2, None]
    assert (first.cold, second.cold) == (True, False)


def test_an_exception_keeps_its_name_and_the_environment_stays_warm(start: Start):
    run = start(
        """
        class ManifestInvalid(Exception):
            pass
        def handler(event, context):
            if event:
                raise ManifestInvalid("no jobId")
            return "well"
        """
    )
    outcome = run(True)
    told = json.loads(outcome.payload)
    assert told["errorType"] == "ManifestInvalid"
    assert told["errorMessage"] == "no jobId"
    assert "raise ManifestInvalid" in "".join(told["stackTrace"])
    assert "lambda_bootstrap" not in "".join(told["stackTrace"])
    assert "[ERROR] ManifestInvalid: no jobId" in outcome.log
    after = run(False)
    assert (after.payload, after.cold) == ('"well"', False)


@pytest.mark.parametrize(
    ("death", "said"),
    [
        ("import os; os._exit(3)", "exit status 3"),
        ("import sys; sys.exit(0)", "Runtime exited without providing a reason"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "signal: killed"),
    ],
)
def test_a_function_that_dies_is_an_exit_error_and_the_next_invocation_works(start: Start, death, said):
    run = start(f"def handler(event, context):\n if event:\n  {death}\n return 1")
    told = run.fault(True)
    assert told["errorType"] == "Runtime.ExitError"
    assert said in told["errorMessage"]
    assert run.result(False) == 1


def test_a_timeout_ends_the_process_and_the_next_invocation_works(start: Start):
    run = start("import time\ndef handler(event, context):\n time.sleep(event)\n return 1", timeout=0.5)
    assert run.result(0) == 1
    began = time.monotonic()
    told = run.fault(30)
    assert time.monotonic() - began < 5
    assert told["errorType"] == "Sandbox.Timedout"
    assert told["errorMessage"] == "RequestId: request-1 Error: Task timed out after 0.50 seconds"
    assert run.result(0) == 1


def test_the_log_of_a_function_that_died_is_kept(start: Start):
    run = start("import os\ndef handler(event, context):\n print('last words', flush=True)\n os._exit(1)")
    assert "last words" in run().log


def test_each_invocation_has_its_own_log(start: Start):
    run = start("import logging\ndef handler(event, context):\n print(event)\n logging.warning('warned')")
    first, second = run("one").log, run("two").log
    assert "one" in first
    assert "[WARNING]" in first
    assert "request-1\twarned" in first
    assert "one" not in second
    assert "two" in second


def test_the_context_is_what_aws_documents(start: Start):
    run = start(
        """
        import time
        def handler(event, context):
            before = context.get_remaining_time_in_millis()
            time.sleep(0.2)
            return {
                "name": context.function_name, "arn": context.invoked_function_arn, "id": context.aws_request_id,
                "memory": context.memory_limit_in_mb, "group": context.log_group_name,
                "version": context.function_version, "before": before,
                "spent": before - context.get_remaining_time_in_millis(),
            }
        """
    )
    run()
    context = run.result()
    assert context["name"] == "f"
    assert context["arn"] == ARN
    assert context["id"] == "request-1"
    assert context["memory"] == "256"
    assert context["group"] == "/aws/lambda/f"
    assert context["version"] == "$LATEST"
    assert 19_000 < context["before"] <= 20_000
    assert 190 <= context["spent"] <= 2_000


def test_no_variable_of_the_host_reaches_a_function(start: Start, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_HOST", "1")
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    run = start(
        "import os\ndef handler(event, context):\n return dict(os.environ)",
        variables={"MINE": "2", "AWS_REGION": "mars-1", "AWS_ACCESS_KEY_ID": "mine"},
    )
    seen = run.result()
    assert seen["MINE"] == "2"
    assert not {"SECRET_OF_THE_HOST", "AWS_PROFILE", "PYTHONPATH"} & seen.keys()
    assert seen["AWS_REGION"] == "eu-west-1"
    assert seen["AWS_ACCESS_KEY_ID"] == "k"
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "f"
    assert seen["_X_AMZN_TRACE_ID"].startswith("Root=1-")


def test_a_function_sees_boto3_and_no_other_package_of_the_host(start: Start):
    run = start(
        """
        import importlib
        def handler(event, context):
            import boto3
            boto3.client("s3")
            found = []
            for name in event:
                try:
                    importlib.import_module(name)
                    found.append(name)
                except ImportError:
                    pass
            return found
        """
    )
    assert run.result(["moto", "ministack", "millrace", "pytest", "pip", "jsonschema"]) == []


def test_layers_lie_over_each_other_behind_the_function(start: Start):
    first = archive(python__tool="who = 'first'", python__only="who = 'first'")
    second = archive(python__tool="who = 'second'", python__index="who = 'layer'")
    run = start(
        "import tool, only\ndef handler(event, context):\n return [tool.who, only.who]",
        layers=(first, second),
    )
    assert run.result() == ["second", "first"]


def test_a_library_of_a_layer_wins_over_the_runtimes(start: Start):
    layer = archive(python__boto3="version = 'mine'")
    run = start("import boto3\ndef handler(event, context):\n return boto3.version", layers=(layer,))
    assert run.result() == "mine"


@pytest.mark.parametrize(
    ("code", "handler", "error"),
    [
        ("import nowhere_to_be_found\ndef handler(e, c): pass", "index.handler", "Runtime.ImportModuleError"),
        ("def handler(e, c) pass", "index.handler", "Runtime.UserCodeSyntaxError"),
        ("x = 1", "index.handler", "Runtime.HandlerNotFound"),
        ("x = 1", "handler", "Runtime.MalformedHandlerName"),
        ("raise KeyError('TABLE')", "index.handler", "KeyError"),
    ],
)
def test_a_function_that_cannot_be_loaded_says_why(start: Start, code, handler, error):
    assert start(code, handler=handler).fault()["errorType"] == error


def test_an_answer_that_is_not_json_is_a_marshal_error(start: Start):
    run = start("def handler(event, context):\n return {1, 2}")
    assert run.fault()["errorType"] == "Runtime.MarshalError"


def test_an_answer_over_six_megabytes_is_refused(start: Start):
    run = start("def handler(event, context):\n return 'x' * event")
    assert len(run.result(ANSWER_BYTES - 2)) == ANSWER_BYTES - 2
    assert run.fault(ANSWER_BYTES - 1)["errorType"] == "Function.ResponseSizeTooLarge"
    assert run.result(1) == "x"


def test_the_running_invocation_can_be_found_by_its_trace(start: Start):
    run = start("import time\ndef handler(event, context):\n time.sleep(event)\n return 1")
    assert run.result(0) == 1
    told: list[dict[str, Any]] = []
    waiting = threading.Thread(target=lambda: told.append(run.fault(30)))
    waiting.start()
    deadline = time.monotonic() + 5
    while not lambda_environment.running and time.monotonic() < deadline:
        time.sleep(0.01)
    (invocation,) = lambda_environment.running.values()
    invocation.process.kill()
    waiting.join(5)
    assert told[0]["errorType"] == "Runtime.ExitError"
    assert not lambda_environment.running


def test_a_process_ends_when_its_host_is_gone_even_in_the_middle_of_an_invocation(start: Start):
    run = start("import time\ndef handler(event, context):\n time.sleep(event)")
    run.result(0)
    process = run.environment.process
    assert process is not None
    assert process.stdin is not None
    threading.Thread(target=run, args=(30,), daemon=True).start()
    time.sleep(0.2)
    process.stdin.close()
    assert process.wait(5) == 70
