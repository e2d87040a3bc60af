"""A pipe: what was asked of it, and what is refused of that.

The source is a queue; the target is a state machine, a function or a queue. What else AWS offers is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from millrace.local.event_source_mappings import InvalidMapping
from millrace.local.pipes.filters import InvalidPattern, compiled
from millrace.local.pipes.paths import InvalidPath, Path
from millrace.local.pipes.template import InvalidTemplate, Template
from millrace.local.queues.mappings import FIFO_BATCH, batching_of, check_batching
from millrace.local.queues.polling import Batching
from millrace.local.targets import service_of
from millrace.local.wire import ApiError

REQUEST_RESPONSE = "REQUEST_RESPONSE"
"""The invocation type of a pipe that does not say one (API reference)."""
PARAMETERS_OF = {
    "states": "StepFunctionStateMachineParameters",
    "lambda": "LambdaFunctionParameters",
    "sqs": "SqsQueueParameters",
}
NOT_EMULATED = ("Enrichment", "EnrichmentParameters", "LogConfiguration")
IN_PLACE = ("Description", "Target", "RoleArn", "KmsKeyIdentifier", "DesiredState")
MERGED = ("SourceParameters", "TargetParameters")


@dataclass
class Pipe:
    """`asked` are the members of CreatePipe that DescribePipe tells, defaults filled in; times are in seconds.

    `state` is AWS's CurrentState, and `reason` why it is not what was desired.
    """

    arn: str
    account: str
    region: str
    asked: dict[str, Any]
    state: str
    created_at: float
    modified_at: float
    tags: dict[str, str] = field(default_factory=dict)
    reason: str = ""

    @property
    def name(self) -> str:
        return str(self.asked["Name"])

    @property
    def source(self) -> str:
        return str(self.asked["Source"])

    @property
    def target(self) -> str:
        return str(self.asked["Target"])

    @property
    def role(self) -> str:
        return str(self.asked["RoleArn"])

    @property
    def desired(self) -> str:
        return str(self.asked["DesiredState"])

    @property
    def batching(self) -> Batching:
        return batching_of(self.asked["SourceParameters"]["SqsQueueParameters"])

    @property
    def patterns(self) -> list[str]:
        """The filters' patterns; none means that everything is taken."""
        return patterns_of(self.asked)

    @property
    def input_template(self) -> str:
        """Empty where there is none."""
        return str(self.asked.get("TargetParameters", {}).get("InputTemplate") or "")

    @property
    def waits_for_the_target(self) -> bool:
        return invocation_type(self.asked) == REQUEST_RESPONSE


def patterns_of(asked: Mapping[str, Any]) -> list[str]:
    criteria = asked.get("SourceParameters", {}).get("FilterCriteria") or {}
    return [each["Pattern"] for each in criteria.get("Filters", []) if each.get("Pattern")]


def invocation_type(asked: Mapping[str, Any]) -> str:
    parameters = asked.get("TargetParameters", {}).get(PARAMETERS_OF[service_of(asked["Target"])]) or {}
    return str(parameters.get("InvocationType") or REQUEST_RESPONSE)


def complete(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a pipe is asked for, with the values that it has where nothing was said."""
    parameters = dict(asked.get("SourceParameters") or {})
    parameters["SqsQueueParameters"] = {"BatchSize": FIFO_BATCH, **(parameters.get("SqsQueueParameters") or {})}
    return {"DesiredState": "RUNNING", **asked, "SourceParameters": parameters}


def changed(asked: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """What a pipe is asked for after an UpdatePipe: members that the request has replace the pipe's, and of the
    parameters of source and target each that the request has, as a whole (API reference, UpdatePipe).
    """
    new = {**asked, **{name: request[name] for name in IN_PLACE if name in request}}
    for name in MERGED:
        if name in request:
            new[name] = {**asked.get(name, {}), **request[name]}
    return complete(new)


def check(asked: Mapping[str, Any], region: str) -> None:
    """Raise ApiError (ValidationException) for what a pipe is asked for that it cannot do."""
    for name in NOT_EMULATED:
        if asked.get(name):
            raise _invalid(f"the embedded AWS does not emulate {name} of a pipe")
    if service_of(asked["Source"]) != "sqs":
        raise _invalid(f"the embedded AWS's pipes read queues of SQS; {asked['Source']} is none")
    if service_of(asked["Target"]) not in PARAMETERS_OF:
        targets = "state machines, functions and queues"
        raise _invalid(f"the embedded AWS's pipes deliver to {targets}; {asked['Target']} is none")
    for arn in (asked["Source"], asked["Target"]):
        if arn.split(":")[3] != region:
            raise _invalid("Creating cross-region pipe is not permitted.")
    _check_source(asked)
    _check_target(asked)


def _check_source(asked: Mapping[str, Any]) -> None:
    parameters = asked["SourceParameters"]
    _check_members("SourceParameters", parameters, {"FilterCriteria", "SqsQueueParameters"})
    try:
        check_batching(batching_of(parameters["SqsQueueParameters"]), fifo=asked["Source"].endswith(".fifo"))
        compiled(patterns_of(asked))
    except (InvalidMapping, InvalidPattern) as error:
        raise _invalid(str(error)) from error


def _check_target(asked: Mapping[str, Any]) -> None:
    parameters, target = asked.get("TargetParameters", {}), asked["Target"]
    own = PARAMETERS_OF[service_of(target)]
    _check_members("TargetParameters", parameters, {"InputTemplate", own})
    try:
        Template.of(parameters.get("InputTemplate") or "{}")
    except InvalidTemplate as error:
        raise _invalid(f"Invalid InputTemplate for target {target}: {error}") from error
    if service_of(target) == "sqs":
        _check_queue(target, parameters.get(own) or {})


def _check_queue(target: str, parameters: Mapping[str, str]) -> None:
    if target.endswith(".fifo") and not parameters.get("MessageGroupId"):
        raise _invalid(f"MessageGroupId is required for the FIFO queue {target}")
    for name, value in parameters.items():
        if value.startswith("$"):
            try:
                Path.of(value)
            except InvalidPath as error:
                raise _invalid(f"{name}: {error}") from error


def _check_members(name: str, parameters: Mapping[str, Any], known: set[str]) -> None:
    others = sorted(member for member, value in parameters.items() if value and member not in known)
    if others:
        raise _invalid(f"{name} of this pipe does not take {', '.join(others)}; it takes {', '.join(sorted(known))}")


def _invalid(message: str) -> ApiError:
    return ApiError("ValidationException", message)
