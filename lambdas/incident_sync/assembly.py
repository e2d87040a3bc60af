"""The adapters, as Terraform's environment variables describe them. Clients are made once a container."""

from __future__ import annotations

from functools import cache
from typing import Any

from incident_sync.bucket import Bucket
from incident_sync.marks import Marks
from incident_sync.memory import Memory
from incident_sync.queue import Queue
from incident_sync.tables import Tables
from shared.clients import CONNECTIONS, client, patient
from shared.clock import Clock
from shared.settings import setting


def tables(clock: Clock) -> Tables:
    """Both tables."""
    return Tables(dynamodb(), (setting("INCIDENTS_TABLE"), setting("INCIDENT_SYNC_TABLE")), clock=clock)


def queue() -> Queue:
    """What waits."""
    return Queue(dynamodb(), setting("INCIDENT_SYNC_TABLE"))


def marks() -> Marks:
    """What is written into both tables."""
    return Marks(setting("INCIDENTS_TABLE"), setting("INCIDENT_SYNC_TABLE"))


def memory() -> Memory:
    """What runs remember."""
    return Memory(dynamodb(), setting("INCIDENT_SYNC_TABLE"))


def bucket() -> Bucket:
    """The objects."""
    return Bucket(s3(), setting("BUCKET"), setting("INCIDENT_PREFIX"))


@cache
def dynamodb() -> Any:
    """DynamoDB."""
    return _hurried("dynamodb")


@cache
def s3() -> Any:
    """S3."""
    return _hurried("s3")


@cache
def bedrock_agent() -> Any:
    """Bedrock's knowledge bases, whose quota is small."""
    return patient("bedrock-agent")


def _hurried(service: str) -> Any:
    """A client that gives up while an invocation still has time to say so: what is tried again by the state machine
    need not be tried here for long."""
    return client(
        service,
        retries={"mode": "standard", "total_max_attempts": 4},
        max_pool_connections=CONNECTIONS,
        connect_timeout=3,
        read_timeout=8,
    )
