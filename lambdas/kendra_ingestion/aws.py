"""AWS clients, made once a container and only by the functions that use them: importing boto3 takes 0.3 s."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from shared.clients import CONNECTIONS, client, patient

SINK_CONNECTIONS = 16
SINK_TIMEOUT_SECONDS = 20


@cache
def s3() -> Any:
    """S3, retried by the SDK: it has room for every call that we make."""
    return patient("s3")


@cache
def dynamodb() -> Any:
    """DynamoDB. A document is marked inside a call to the sink, so this gives up well before the time that an
    invocation keeps in reserve; who calls tries again what is worth it."""
    return client(
        "dynamodb",
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=CONNECTIONS,
        connect_timeout=5,
        read_timeout=8,
    )


@cache
def sqs() -> Any:
    """SQS, retried by the SDK."""
    return patient("sqs")


@cache
def stepfunctions() -> Any:
    """Step Functions, retried by the SDK."""
    return patient("stepfunctions")


@cache
def kendra() -> Any:
    """Kendra, as a sink."""
    return _sink("kendra")


@cache
def bedrock_agent() -> Any:
    """Bedrock's knowledge bases, as a sink. Documents travel in the requests, of 6 MB at most: so text goes as UTF-8,
    where the SDK would write three bytes of Japanese as the six characters of `\\u65e5`."""
    sink = _sink("bedrock-agent")
    sink.meta.events.register("before-call.bedrock-agent", _in_utf8)
    return sink


def _sink(service: str) -> Any:
    """A client that the SDK never retries: each refusal must reach the pacer, and retries follow its rate."""
    return client(
        service,
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=SINK_CONNECTIONS,
        connect_timeout=5,
        read_timeout=SINK_TIMEOUT_SECONDS,
    )


def _in_utf8(params: dict[str, Any], **_: Any) -> None:
    if params["body"]:
        params["body"] = json.dumps(json.loads(params["body"]), ensure_ascii=False).encode("utf-8")
