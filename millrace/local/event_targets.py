"""EventBridge asking whether it may reach a target, and keeping what it could not deliver.

MiniStack delivers whatever the policies say, ignores a target's answer, and knows no dead-letter queue.
"""

from __future__ import annotations

import contextvars
import functools
import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from millrace.local.anchors import hold, patch
from millrace.local.iam import Authority
from millrace.local.targets import ACTIONS, attributes_of, service_of

EVENTS = "events.amazonaws.com"
# Whether EventBridge calls a target of a service with the target's role, or in its own name.
WITH_ROLE = frozenset({"states"})
IN_ITS_OWN_NAME = frozenset({"sqs", "sns", "lambda"})
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """Why an event did not reach its target; `code` is what EventBridge writes into ERROR_CODE."""

    code: str
    message: str


def refusal(target: Mapping[str, Any], rule_arn: str, authority: Authority) -> Failure | None:
    """Why EventBridge may not deliver to the target."""
    arn = target["Arn"]
    service = service_of(arn)
    if service in WITH_ROLE:
        if "RoleArn" not in target:
            return Failure("NO_PERMISSIONS", f"the target {arn} needs a role")
        said = authority.refusal(target["RoleArn"], EVENTS, ACTIONS[service], arn, source=rule_arn)
    elif service in IN_ITS_OWN_NAME:
        said = authority.refusal_of_service(EVENTS, ACTIONS[service], arn, source=rule_arn)
    else:
        said = None
    return Failure("NO_PERMISSIONS", said) if said else None


def dead_letter(failure: Failure, target: Mapping[str, Any], rule_arn: str) -> dict[str, Any]:
    """The message attributes that EventBridge gives to what it puts into a dead-letter queue."""
    return attributes_of(
        {
            "RULE_ARN": rule_arn,
            "TARGET_ARN": target["Arn"],
            "ERROR_CODE": failure.code,
            "ERROR_MESSAGE": failure.message,
        }
    )


_failure: contextvars.ContextVar[Failure | None] = contextvars.ContextVar("failed delivery", default=None)


def install(authority: Authority, client: Callable[[str], Any]) -> None:
    """`client` makes a boto3 client of this embedded AWS with the root's credentials."""
    from ministack.services import eventbridge, stepfunctions

    hold(eventbridge, "_rule_arn", "def _rule_arn(rule_name: str, bus_name: str)")
    hold(eventbridge, "_pattern_event_view")
    hold(stepfunctions, "_start_execution")

    def asking(original: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(original)
        def invoke(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
            view = view or eventbridge._pattern_event_view(event)
            rule_arn = eventbridge._rule_arn(rule["Name"], rule.get("EventBusName", "default"))
            failure = refusal(target, rule_arn, authority)
            if failure is None:
                _failure.set(None)
                original(target, event, rule, view)
                failure = _failure.get()
            if failure is not None:
                set_aside(failure, target, rule_arn, json.dumps(view.event_with_detail()))

        return invoke

    def set_aside(failure: Failure, target: dict[str, Any], rule_arn: str, event: str) -> None:
        log.warning("an event did not reach %s: %s: %s", target["Arn"], failure.code, failure.message)
        queue = (target.get("DeadLetterConfig") or {}).get("Arn")
        if not queue:
            return
        denied = authority.refusal_of_service(EVENTS, "sqs:SendMessage", queue, source=rule_arn)
        if denied:
            log.error("the event is lost, because %s", denied)
            return
        # Not here: the caller may be the loop that would have to answer.
        arguments = (queue, event, dead_letter(failure, target, rule_arn))
        threading.Thread(target=send, args=arguments, name="dead letter", daemon=True).start()

    def send(queue: str, event: str, attributes: dict[str, Any]) -> None:
        sqs = client("sqs")
        name = queue.rpartition(":")[2]
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=event, MessageAttributes=attributes)

    def starting(_original: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(_original)
        def dispatch(arn: str, payload: str) -> None:
            request = {"stateMachineArn": arn, "input": payload}
            status, _, body = stepfunctions._start_execution(request)
            if status >= 400:
                told = json.loads(body)
                code = "NO_RESOURCE" if told["__type"] == "StateMachineDoesNotExist" else "SDK_CLIENT_ERROR"
                _failure.set(Failure(code, f"{told['__type']}: {told.get('message', '')}"))

        return dispatch

    patch(eventbridge, "_invoke_target", asking, "def _invoke_target(target, event, rule, view=None):")
    patch(eventbridge, "_dispatch_to_stepfunctions", starting, "_sfn._start_execution({")
