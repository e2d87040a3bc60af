"""What a Task state's Resource names: which service and operation, with which parameters and which error
names.

SDK integrations (`arn:aws:states:::aws-sdk:<service>:<action>`) reach every operation of every service in
botocore's models. Optimized integrations are those in `OPTIMIZED`.

* UnknownResource     the Resource is none that Step Functions knows
* NotEmulated         Step Functions knows it, this engine does not run it
"""

from __future__ import annotations

import functools
import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.loaders
import botocore.session
from botocore.model import OperationModel, ServiceModel

from millrace.local.states.naming import client_name, exception_name
from millrace.local.states.shapes import MemberName, members, names

WAIT_FOR_TOKEN = "waitForTaskToken"
ACCESS_DENIED = "AccessDenied"
"""S3 models this error for one late operation alone; for the others it stays the client's own exception."""
RESOURCE = re.compile(r"arn:[a-z-]+:states:[a-z0-9-]*:[0-9]*:(?P<service>[a-z0-9-]+):(?P<rest>.+)")
FUNCTION = re.compile(r"arn:[a-z-]+:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9$_-]+)?")
ACTIVITY = re.compile(r"arn:[a-z-]+:states:[a-z0-9-]+:\d{12}:activity:.+")


class UnknownResource(ValueError):
    pass


class NotEmulated(ValueError):
    pass


@dataclass(frozen=True)
class Optimized:
    """An optimized integration: `errors` and `base_error` name its failures, as the AWS SDK for Java 1.x does."""

    service: str
    errors: str
    base_error: str
    cause: str
    actions: Mapping[str, frozenset[str]]
    patterns: frozenset[str]


def _fields(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WRITE = (
    "TableName ConditionalOperator ConditionExpression Expected ExpressionAttributeNames "
    "ExpressionAttributeValues ReturnConsumedCapacity ReturnItemCollectionMetrics ReturnValues"
)
OPTIMIZED: Mapping[str, Optimized] = {
    "lambda": Optimized(
        service="lambda",
        errors="Lambda",
        base_error="AWSLambdaException",
        cause="AWSLambda",
        actions={"invoke": _fields("ClientContext FunctionName InvocationType LogType Payload Qualifier")},
        patterns=frozenset({"", WAIT_FOR_TOKEN}),
    ),
    "dynamodb": Optimized(
        service="dynamodb",
        errors="DynamoDB",
        base_error="AmazonDynamoDBException",
        cause="AmazonDynamoDBv2",
        actions={
            "getItem": _fields(
                "Key TableName AttributesToGet ConsistentRead ExpressionAttributeNames ProjectionExpression "
                "ReturnConsumedCapacity"
            ),
            "putItem": _fields(f"Item {_WRITE}"),
            "deleteItem": _fields(f"Key {_WRITE}"),
            "updateItem": _fields(f"Key AttributeUpdates UpdateExpression {_WRITE}"),
        },
        patterns=frozenset({""}),
    ),
    "sns": Optimized(
        service="sns",
        errors="SNS",
        base_error="AmazonSNSException",
        cause="AmazonSNS",
        actions={
            "publish": _fields(
                "Message MessageAttributes MessageDeduplicationId MessageGroupId MessageStructure "
                "PhoneNumber Subject TargetArn TopicArn"
            )
        },
        patterns=frozenset({"", WAIT_FOR_TOKEN}),
    ),
    "sqs": Optimized(
        service="sqs",
        errors="SQS",
        base_error="AmazonSQSException",
        cause="AmazonSQS",
        actions={
            "sendMessage": _fields(
                "DelaySeconds MessageAttributes MessageBody MessageDeduplicationId MessageGroupId QueueUrl"
            )
        },
        patterns=frozenset({"", WAIT_FOR_TOKEN}),
    ),
    "states": Optimized(
        service="stepfunctions",
        errors="StepFunctions",
        base_error="AWSStepFunctionsException",
        cause="AWSStepFunctions",
        actions={"startExecution": _fields("Input Name StateMachineArn TraceHeader")},
        patterns=frozenset({"", "sync", "sync:2", WAIT_FOR_TOKEN}),
    ),
    "events": Optimized(
        service="events",
        errors="EventBridge",
        base_error="AmazonEventBridgeException",
        cause="AmazonEventBridge",
        actions={"putEvents": _fields("Entries EndpointId")},
        patterns=frozenset({"", WAIT_FOR_TOKEN}),
    ),
}
KNOWN_BUT_NOT_EMULATED = _fields(
    "apigateway athena batch bedrock codebuild databrew ecs eks elasticmapreduce emr-containers "
    "emr-serverless glue http mediaconvert sagemaker"
)


@dataclass(frozen=True)
class Integration:
    service: ServiceModel
    operation: OperationModel
    optimized: Optimized | None
    pattern: str
    allowed: frozenset[str] | None
    """The parameters that an optimized integration takes; None: all of the operation's."""

    @property
    def name(self) -> MemberName:
        return names(sdk=self.optimized is None)

    @property
    def parameters(self) -> frozenset[str]:
        """The names that Parameters may hold at its top."""
        if self.allowed is not None:
            return self.allowed
        shape = self.operation.input_shape
        return frozenset(members(shape, self.name)) if shape is not None else frozenset()

    @property
    def required(self) -> frozenset[str]:
        """The names that Parameters must hold. What Step Functions fills in by itself is not among them."""
        shape = self.operation.input_shape
        required = (
            frozenset(self.name(member) for member in shape.required_members) if shape is not None else frozenset()
        )
        tokens = {self.name(member) for member in getattr(shape, "idempotent_members", ())}
        return required - tokens

    @property
    def error_prefix(self) -> str:
        return self.optimized.errors if self.optimized else client_name(self.service.service_id)

    def error_name(self, code: str, status: int) -> str:
        """The error that Retry and Catch see for an API error: its exception in the Java SDK, else the client's own."""
        shape = self._error_shape(code, status)
        if shape is not None:
            return f"{self.error_prefix}.{exception_name(shape)}"
        base = self.optimized.base_error if self.optimized else f"{self.error_prefix}Exception"
        return f"{self.error_prefix}.{base}"

    def _error_shape(self, code: str, status: int) -> str | None:
        own = self.operation.error_shapes
        known = _error_shapes(self.service)
        if code in known and (code != ACCESS_DENIED or known[code] in {shape.name for shape in own}):
            return known[code]
        if code == str(status) == "404" and len(own) == 1:  # an answer to HEAD has no body that could tell more
            return own[0].name
        return None

    def error_cause(self, message: str, code: str, status: int, request_id: str) -> str:
        if self.optimized:
            return (
                f"{message} (Service: {self.optimized.cause}; Status Code: {status}; Error Code: {code}; "
                f"Request ID: {request_id}; Proxy: null)"
            )
        return f"{message} (Service: {self.error_prefix}, Status Code: {status}, Request ID: {request_id})"


@functools.cache
def _error_shapes(service: ServiceModel) -> dict[str, str]:
    shapes = service.error_shapes
    return {shape.name: shape.name for shape in shapes} | {shape.error_code: shape.name for shape in shapes}


@functools.lru_cache(maxsize=1024)
def integration(resource: str) -> Integration:
    """What a service integration's Resource names. Raises UnknownResource, NotEmulated."""
    found = RESOURCE.fullmatch(resource)
    if ACTIVITY.fullmatch(resource):
        raise NotEmulated(f"The embedded Step Functions does not run activities ({resource})")
    if found is None:
        raise UnknownResource(_unknown(resource))
    action, _, pattern = found["rest"].partition(".")
    if found["service"] == "aws-sdk":
        name, _, action = action.partition(":")
        return _sdk(resource, name, action, pattern)
    if found["service"] in KNOWN_BUT_NOT_EMULATED:
        raise NotEmulated(
            f"The embedded Step Functions does not run the optimized integration {resource}; "
            f"it runs aws-sdk integrations and {', '.join(sorted(OPTIMIZED))}"
        )
    optimized = OPTIMIZED.get(found["service"])
    if optimized is None or action not in optimized.actions or pattern not in optimized.patterns:
        raise UnknownResource(_unknown(resource))
    service = service_model(optimized.service)
    return Integration(service, _operation(service, action), optimized, pattern, optimized.actions[action])


def _sdk(resource: str, name: str, action: str, pattern: str) -> Integration:
    service_name = sdk_service(name)
    if service_name is None or pattern not in ("", WAIT_FOR_TOKEN):
        raise UnknownResource(_unknown(resource))
    service = service_model(service_name)
    operation = action[:1].upper() + action[1:]
    by_lower = {known.lower(): known for known in service.operation_names}
    if action[:1].isupper() or operation.lower() not in by_lower:
        raise UnknownResource(_unknown(resource))
    return Integration(service, _operation(service, by_lower[operation.lower()]), None, pattern, None)


def _operation(service: ServiceModel, action: str) -> OperationModel:
    return service.operation_model(action[:1].upper() + action[1:])


def _unknown(resource: str) -> str:
    return (
        f"The resource provided {resource} is not recognized. "
        "The value is not a valid resource ARN, or the resource is not available in this region."
    )


@functools.cache
def service_model(name: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(name)


@functools.lru_cache(maxsize=1024)
def sdk_service(name: str) -> str | None:
    """botocore's name of the service that SDK integrations call so (`sfn` is `stepfunctions`), or None."""
    loader = botocore.session.get_session().get_component("data_loader")
    available = loader.list_available_services("service-2")
    likely = [service for service in available if service.replace("-", "") == name]
    for service in (*likely, *available):
        if client_name(_service_id(loader, service)).lower() == name:
            return service
    return None


@functools.cache
def _service_id(loader: botocore.loaders.Loader, service: str) -> str:
    """A service's id, from the first lines of its model: whole models take seconds to read."""
    version = loader.determine_latest_version(service, "service-2")
    for folder in loader.search_paths:
        packed = Path(folder) / service / version / "service-2.json.gz"
        if packed.exists():
            with gzip.open(packed, "rt", encoding="utf-8") as model:
                found = re.search(r'"serviceId"\s*:\s*("(?:[^"\\]|\\.)*")', model.read(8192))
            if found:
                return str(json.loads(found[1]))
    return str(loader.load_service_model(service, "service-2")["metadata"].get("serviceId", service))


def is_function(resource: str) -> bool:
    return FUNCTION.fullmatch(resource) is not None


def top_level_names(parameters: Mapping[str, Any]) -> frozenset[str]:
    """The parameter names of a payload template: a key that ends in `.$` gives the name before that."""
    return frozenset(key.removesuffix(".$") for key in parameters)
