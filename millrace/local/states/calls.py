"""Calls AWS APIs for Task states, as the state machine's role where IAM is enforced.

* CallFailed          the service answered with an error, or not at all; Retry and Catch match its name
* InvalidParameters   the parameters are not the operation's; the execution fails with States.Runtime
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from millrace.local.states.integrations import Integration
from millrace.local.states.shapes import UnknownParameter, json_text, to_answer, to_request
from millrace.local.task_caller import HEADER, TaskCaller, header

READ_SECONDS = 960.0
"""Longer than any Lambda function may run (900 s)."""


class CallFailed(Exception):
    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


class InvalidParameters(ValueError):
    pass


@dataclass(frozen=True)
class Keys:
    access_key: str
    secret_key: str
    token: str | None = None


@dataclass(frozen=True)
class Caller:
    """Who calls, and where: the role is that of the state machine, or of the task's Credentials."""

    region: str
    role: str
    task: TaskCaller | None = None

    @property
    def account(self) -> str:
        return self.role.split(":")[4]


class Calls:
    """botocore clients for one endpoint, one for each service and caller, made when first used."""

    def __init__(self, url: str, keys_of: Callable[[Caller], Keys]) -> None:
        self._url = url
        self._keys_of = keys_of
        self._session = botocore.session.Session()
        self._clients: dict[tuple[str, str, Keys], BaseClient] = {}
        self._lock = threading.Lock()
        self._calling = threading.local()

    def client(self, service: str, caller: Caller) -> BaseClient:
        keys = self._keys_of(caller)
        with self._lock:
            known = (service, caller.region, keys)
            if known not in self._clients:
                client = self._clients[known] = self._session.create_client(
                    service,
                    region_name=caller.region,
                    endpoint_url=self._url,
                    aws_access_key_id=keys.access_key,
                    aws_secret_access_key=keys.secret_key,
                    aws_session_token=keys.token,
                    config=Config(
                        retries={"total_max_attempts": 1},
                        read_timeout=READ_SECONDS,
                        max_pool_connections=64,
                        inject_host_prefix=False,
                        proxies={},
                        s3={"addressing_style": "path"},
                    ),
                )
                client.meta.events.register("before-call", self._name_task)
            return self._clients[known]

    def _name_task(self, params: dict[str, Any], **_: Any) -> None:
        task: TaskCaller | None = getattr(self._calling, "task", None)
        if task is not None:
            params["headers"][HEADER] = header(task)

    def call(self, task: Integration, parameters: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        """The answer in the form that the integration gives it. Raises CallFailed, InvalidParameters."""
        answer = self._answer(task, _request(task, parameters), caller)
        return to_answer(answer, task.operation.output_shape, task.name) or {}

    def invoke(self, task: Integration, parameters: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        """Invoke a Lambda function; `Payload` of the parameters is bytes, of the answer the decoded JSON.

        Raises CallFailed, InvalidParameters.
        """
        unknown = sorted(parameters.keys() - task.parameters)
        if unknown:
            raise InvalidParameters(f"lambda:invoke does not take {', '.join(unknown)}")
        answer = self._answer(task, dict(parameters), caller)
        payload = answer["Payload"].read().decode()
        try:
            decoded = json.loads(payload) if payload else {}
        except ValueError:
            decoded = payload
        return {**answer, "Payload": decoded}

    def _answer(self, task: Integration, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        client = self.client(task.service.service_name, caller)
        self._calling.task = caller.task
        try:
            answer = getattr(client, xform_name(task.operation.name))(**request)
        except ParamValidationError as error:
            raise InvalidParameters(str(error)) from error
        except ClientError as error:
            told, about = error.response["Error"], error.response.get("ResponseMetadata", {})
            code, status = str(told.get("Code", "")), int(about.get("HTTPStatusCode", 0))
            raise CallFailed(
                task.error_name(code, status),
                task.error_cause(str(told.get("Message", "")), code, status, str(about.get("RequestId", "null"))),
            ) from error
        except BotoCoreError as error:
            raise CallFailed(f"{task.error_prefix}.SdkClientException", str(error)) from error
        answer.pop("ResponseMetadata", None)
        return answer


def _request(task: Integration, parameters: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(parameters.keys() - task.parameters)
    if unknown:
        raise InvalidParameters(f"{task.operation.name} does not take {', '.join(unknown)}")
    if task.operation.input_shape is None:
        return {}
    try:
        return to_request(dict(parameters), task.operation.input_shape, task.name)
    except UnknownParameter as error:
        raise InvalidParameters(str(error)) from error


def function_failure(payload: Any) -> CallFailed:
    """What an errored function's payload says: its `errorType` is the error's name."""
    text = json_text(payload)
    error = payload.get("errorType") if isinstance(payload, dict) else None
    if not isinstance(error, str) or not error:
        return CallFailed(
            "Lambda.Unknown",
            f"The cause could not be determined because Lambda did not return an error type. Returned payload: {text}",
        )
    return CallFailed(error, text)
