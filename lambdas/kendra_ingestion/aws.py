"""AWS clients, made once a container and only by the functions that use them: importing boto3 takes 0.3 s."""

from __future__ import annotations

from functools import cache
from typing import Any

S3_CONNECTIONS = 32
KENDRA_CONNECTIONS = 16
KENDRA_TIMEOUT_SECONDS = 20


@cache
def s3() -> Any:
    """S3, retried by the SDK: it has room for every call that we make."""
    return _client("s3", retries={"mode": "standard", "total_max_attempts": 8}, max_pool_connections=S3_CONNECTIONS)


@cache
def kendra() -> Any:
    """Kendra, never retried by the SDK: each refusal must reach the pacer, and retries follow its rate."""
    return _client(
        "kendra",
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=KENDRA_CONNECTIONS,
        connect_timeout=5,
        read_timeout=KENDRA_TIMEOUT_SECONDS,
    )


def _client(service: str, **config: Any) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(service, config=Config(**config))
