"""Tasks: their AWS calls go through `calls.Calls`, with the operation's own parameters and answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from millrace.local.anchors import hold, patch
from millrace.local.states import tokens
from millrace.local.states.calls import Caller, CallFailed, Calls
from millrace.local.states.frames import Frame
from millrace.local.states.integrations import integration
from millrace.local.states.interpreter import (
    ResourceCondition,
    ResourceRuntimePart,
    StateCredentials,
    StateTask,
    StateTaskLambda,
    StateTaskService,
    StateTaskServiceAwsSdk,
    StateTaskServiceCallback,
    StateTaskServiceDynamoDB,
    StateTaskServiceEvents,
    StateTaskServiceSfn,
    StateTaskServiceSns,
    StateTaskServiceSqs,
    boto_client,
    lambda_eval_utils,
)
from millrace.local.states.mends import nested
from millrace.local.states.mends.everywhere import patch_everywhere
from millrace.local.states.shapes import json_text
from millrace.local.task_caller import TaskCaller

INVOKE = "arn:aws:states:::lambda:invoke"


def apply(calls: Calls) -> None:
    for service in (
        StateTaskServiceAwsSdk,
        StateTaskServiceDynamoDB,
        StateTaskServiceSns,
        StateTaskServiceSqs,
        StateTaskServiceSfn,
    ):
        patch(service, "_eval_service_task", lambda _: service_task(calls), "env.stack.append(response)")
    patch(
        StateTaskServiceEvents,
        "_eval_service_task",
        lambda _: put_events(calls),
        "raise SfnFailedEntryCountException(",
    )
    patch(
        StateTask,
        "_eval_parameters",
        lambda _: eval_parameters,
        "parameters.pop(unsupported_parameter, None)",
    )
    patch(
        lambda_eval_utils,
        "execute_lambda_function_integration",
        with_its_task,
        "parameters=parameters, region=region, state_credentials=state_credentials",
    )
    patch(
        lambda_eval_utils,
        "_invoke_lambda_function",
        lambda _: invoke_function(calls),
        "lambda_client.invoke(**parameters)",
    )
    patch(lambda_eval_utils, "_mocked_invoke_lambda_function", mocked_function, "return invocation_resp")
    patch(StateTaskLambda, "_verify_size_quota", payload_alone, "is_within_size_quota(value=value)")
    patch_everywhere(boto_client, "boto_client_for", lambda _: client_for(calls), "endpoint_url", "moto_server_port()")
    patch(StateTaskServiceCallback, "_eval_execution", with_new_token, "self._before_eval_execution(")
    hold(
        StateTaskServiceCallback,
        "_eval_integration_pattern",
        "task_output = env.stack.pop()",
        'env.states.context_object.context_object_data["Task"]["Token"]',
        "raise CallbackOutcomeFailureError(",
    )
    patch(
        StateTaskServiceSfn,
        "_eval_integration_pattern",
        nested.wait_for_nested(calls),
        "task_output = env.stack.pop()",
        "sync_resolver = self._build_sync_resolver(",
    )


def service_task(calls: Calls) -> Callable[..., None]:
    def evaluate(
        self: StateTaskService,
        env: Frame,
        resource_runtime_part: ResourceRuntimePart,
        normalised_parameters: dict[str, Any],
        state_credentials: StateCredentials,
    ) -> None:
        task = integration(self.resource.resource_arn)
        caller = Caller(resource_runtime_part.region, state_credentials.role_arn, task_in(env))
        env.stack.append(calls.call(task, normalised_parameters, caller))

    return evaluate


def task_in(env: Frame) -> TaskCaller:
    return TaskCaller(env.context["Execution"]["Id"], env.context["State"]["Name"])


def put_events(calls: Calls) -> Callable[..., None]:
    """PutEvents, which fails the task when one of its entries was refused."""
    evaluate_call = service_task(calls)

    def evaluate(
        self: StateTaskServiceEvents,
        env: Frame,
        resource_runtime_part: ResourceRuntimePart,
        normalised_parameters: dict[str, Any],
        state_credentials: StateCredentials,
    ) -> None:
        self._normalised_request_parameters(env=env, parameters=normalised_parameters)
        evaluate_call(self, env, resource_runtime_part, normalised_parameters, state_credentials)
        if env.stack[-1].get("FailedEntryCount"):
            raise CallFailed("EventBridge.FailedEntry", json_text(env.stack.pop()))

    return evaluate


def eval_parameters(self: StateTask, env: Frame) -> dict[str, Any]:
    """All parameters: what the operation does not take is an error of the call, not dropped."""
    if self.parargs is None:
        return {}
    self.parargs.eval(env=env)
    parameters: dict[str, Any] = env.stack.pop()
    return parameters


@dataclass
class TaskCredentials(StateCredentials):
    """Credentials that know the task they are for."""

    task: TaskCaller


def with_its_task(execute: Callable[..., None]) -> Callable[..., None]:
    """A function's invocation is told the task, which it is not by itself."""

    def execute_as(env: Frame, parameters: dict[str, Any], region: str, state_credentials: StateCredentials) -> None:
        execute(env, parameters, region, TaskCredentials(state_credentials.role_arn, task_in(env)))

    return execute_as


def invoke_function(calls: Calls) -> Callable[..., dict[str, Any]]:
    def invoke(parameters: dict[str, Any], region: str, state_credentials: TaskCredentials) -> dict[str, Any]:
        caller = Caller(region, state_credentials.role_arn, state_credentials.task)
        return calls.invoke(integration(INVOKE), parameters, caller)

    return invoke


def mocked_function(answer: Callable[[Frame], Any]) -> Callable[[Frame], dict[str, Any]]:
    """A mocked answer of a task whose Resource is the function itself is the function's own answer."""
    return lambda env: {"StatusCode": 200, "Payload": answer(env)}


def payload_alone(verify: Callable[[Any, Frame, Any], None]) -> Callable[..., None]:
    """Of a function's answer only the payload becomes the state's output, so only that counts."""

    def verify_payload(self: StateTaskLambda, env: Frame, value: Any) -> None:
        answered = isinstance(value, dict) and "Payload" in value and "StatusCode" in value
        verify(self, env, value["Payload"] if answered else value)

    return verify_payload


def client_for(calls: Calls) -> Callable[..., Any]:
    def client(region: str, service: str, state_credentials: StateCredentials) -> Any:
        return calls.client(service, Caller(region, state_credentials.role_arn))

    return client


def with_new_token(evaluate: Callable[[Any, Frame], None]) -> Callable[[Any, Frame], None]:
    """Each attempt of a task that waits for its token gets a token of its own, which is worth nothing afterwards.

    A token that was answered before the call itself failed was answered: who did has been told that it counts.
    """

    def evaluate_attempt(self: StateTaskServiceCallback, env: Frame) -> None:
        if self.resource.condition != ResourceCondition.WaitForTaskToken:
            evaluate(self, env)
            return
        token = tokens.new(env.context["Execution"]["Id"])
        env.context["Task"] = {"Token": token}
        endpoint = env.attempt.await_token(token, env)
        try:
            evaluate(self, env)
        except (CallFailed, lambda_eval_utils.LambdaFunctionErrorException):
            if endpoint.get_outcome() is None:
                raise
            env.stack.append(None)
            self._eval_integration_pattern(env, None, {}, None)
            StateTaskService._after_eval_execution(self, env, None, {}, None)
        finally:
            endpoint.interrupt_all()

    return evaluate_attempt
