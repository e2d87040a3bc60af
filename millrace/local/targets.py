"""What services of the embedded AWS do in other services on somebody's behalf, without a request: start a machine, run
a function, send a message. Who may do it was asked before (`acting`); account and region are the running scope's.

* NotDelivered   the target did not take it
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from millrace.local.anchors import hold

ACTIONS: Mapping[str, str] = {
    "states": "states:StartExecution",
    "lambda": "lambda:InvokeFunction",
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
}
"""What is done in a target of each service."""


def service_of(arn: str) -> str:
    """The service that a resource belongs to; empty where the text is no ARN."""
    return arn.split(":")[2] if arn.count(":") >= 5 else ""


def attributes_of(told: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Texts as the attributes of a message, such as a dead letter's."""
    return {name: {"DataType": "String", "StringValue": text} for name, text in told.items()}


class NotDelivered(Exception):
    """`code` is the service's error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Targets:
    def __init__(self, substrate: ModuleType) -> None:
        from ministack.services import lambda_svc, sqs

        hold(lambda_svc, "_get_func_record_for_ref", "return record, config, name")
        hold(lambda_svc, "_execution_record_for_config")
        hold(lambda_svc, "_execute_function_with_config_scope")
        hold(lambda_svc, "invoke_async_with_retry", "Fire-and-forget async Lambda invocation")
        hold(sqs, "_act_send_message", 'url = data.get("QueueUrl", qurl)')
        hold(sqs, "_queue_by_arn")
        hold(sqs, "_Err")
        self._substrate = substrate
        self._lambda: Any = lambda_svc
        self._sqs: Any = sqs

    def start_execution(self, machine: str, text: str) -> None:
        """Start an execution with this JSON text as its input. Raises NotDelivered."""
        self._states("StartExecution", {"stateMachineArn": machine, "input": text})

    def run_execution(self, machine: str, text: str) -> Any:
        """The output of an execution of an EXPRESS machine, once it has ended. Raises NotDelivered."""
        answer = self._states("StartSyncExecution", {"stateMachineArn": machine, "input": text})
        if answer["status"] != "SUCCEEDED":
            raise NotDelivered(answer.get("error") or answer["status"], answer.get("cause") or "")
        return json.loads(answer["output"])

    def _states(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        headers = {"x-amz-target": f"AWSStepFunctions.{operation}"}
        handle = self._substrate.SERVICE_HANDLERS["states"]
        status, _, body = asyncio.run(handle("POST", "/", headers, json.dumps(request).encode(), {}))
        answer: dict[str, Any] = json.loads(body)
        if status >= 400:
            raise NotDelivered(answer["__type"], answer.get("message", ""))
        return answer

    def run_function(self, function: str, event: Any) -> Any:
        """The function's answer. Raises NotDelivered."""
        outcome = self._lambda._execute_function_with_config_scope(self._function(function), event)
        if outcome.get("throttle"):
            raise NotDelivered("TooManyRequestsException", "Rate Exceeded.")
        if outcome.get("error"):
            raise NotDelivered("FunctionError", json.dumps(outcome.get("body")))
        return outcome.get("body")

    def invoke_function(self, function: str, event: Any) -> None:
        """Leave an event for the function, as an asynchronous invocation does. Raises NotDelivered."""
        self._lambda.invoke_async_with_retry(self._function(function), event)

    def _function(self, arn: str) -> dict[str, Any]:
        function, config, _ = self._lambda._get_func_record_for_ref(arn)
        if function is None or config is None:
            raise NotDelivered("ResourceNotFoundException", f"Function not found: {arn}")
        record: dict[str, Any] = self._lambda._execution_record_for_config(function, config)
        return record

    def send_message(self, queue: str, message: Mapping[str, Any]) -> None:
        """Send a message; of SendMessage's members everything but the queue. Raises NotDelivered."""
        found = self._sqs._queue_by_arn(queue)
        if found is None:
            raise NotDelivered("QueueDoesNotExist", f"The specified queue does not exist: {queue}")
        try:
            self._sqs._act_send_message({**message, "QueueUrl": found["url"]}, found["url"])
        except self._sqs._Err as error:
            raise NotDelivered(error.code, error.message) from error
