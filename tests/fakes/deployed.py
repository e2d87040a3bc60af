"""Small things to deploy to an embedded AWS: roles, functions, queues. Names are unique, so tests can share one."""

from __future__ import annotations

import io
import json
import textwrap
import time
import uuid
import zipfile
from collections.abc import Callable
from typing import Any, TypeVar

from millrace.local.instance import Instance

T = TypeVar("T")


def name(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:12]}"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, on: str | list[str] = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on}


def role(aws: Instance, service: str, *statements: dict[str, Any], condition: Any = None) -> str:
    """A role that the service may assume, with these allowances; its ARN."""
    trust: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    if condition:
        trust["Condition"] = condition
    iam, called = aws.client("iam"), name("role")
    arn = iam.create_role(RoleName=called, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=called, PolicyName="p", PolicyDocument=policy(*statements))
    return arn


def archive(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as opened:
        for path, text in files.items():
            opened.writestr(path, textwrap.dedent(text))
    return packed.getvalue()


def function(aws: Instance, code: str, *statements: dict[str, Any], **settings: Any) -> str:
    """A function whose `index.handler` is in the code; its name."""
    client, called = aws.client("lambda"), name("function")
    given: dict[str, Any] = {"Runtime": "python3.13", "Timeout": 20, "Handler": "index.handler", **settings}
    client.create_function(
        FunctionName=called,
        Role=role(aws, "lambda", *statements),
        Code={"ZipFile": archive({"index.py": code})},
        **given,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=called, WaiterConfig={"Delay": 1})
    return called


def invoke(aws: Instance, function_name: str, event: Any = None) -> tuple[Any, bool]:
    """The function's answer, and whether it is an error."""
    client = aws.client("lambda", read_timeout=60)
    answer = client.invoke(FunctionName=function_name, Payload=json.dumps(event))
    return json.loads(answer["Payload"].read()), "FunctionError" in answer


def eventually(ask: Callable[[], T], *, within: float = 10.0) -> T:
    """The first answer that is not empty. Raises AssertionError when there is none in time."""
    deadline = time.monotonic() + within
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"nothing within {within} s; the last answer was {answer!r}"
        time.sleep(0.02)
