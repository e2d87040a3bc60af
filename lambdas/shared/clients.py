"""AWS clients. Importing boto3 takes 0.3 s, so only who makes a client imports it."""

from __future__ import annotations

from typing import Any

CONNECTIONS = 32


def patient(service: str) -> Any:
    """A client that the SDK retries, with room for every call that we make at once."""
    return client(service, retries={"mode": "standard", "total_max_attempts": 8}, max_pool_connections=CONNECTIONS)


def client(service: str, **config: Any) -> Any:
    """A client with these settings of botocore's Config."""
    import boto3
    from botocore.config import Config

    return boto3.client(service, config=Config(**config))
