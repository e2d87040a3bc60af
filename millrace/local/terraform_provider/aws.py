"""The AWS that the provider talks to: clients, the region and the default tags of the provider's configuration."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

REACH = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""The variables that say which AWS is reached, and as whom."""

ABSENT = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "ClusterNotFoundException",
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NoSuchEntity",
        "NoSuchKey",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "NoSuchTagSet",
        "NotFound",
        "NotFoundException",
        "OwnershipControlsNotFoundError",
        "QueueDoesNotExist",
        "ResourceNotFound",
        "ResourceNotFoundException",
        "ServerSideEncryptionConfigurationNotFoundError",
        "ServiceNotActiveException",
        "ServiceNotFoundException",
        "StateMachineDoesNotExist",
    }
)
"""The error codes that say: there is no such thing (any more)."""


def is_absence(error: ClientError) -> bool:
    return error.response["Error"]["Code"].split("#")[-1] in ABSENT


_NOWHERE = (None, None, None, None)
_LOADER = Loader()
"""One for all clients and models: it keeps the parsed service descriptions, which take longest to load."""

_clients: dict[tuple[str | None, ...], Any] = {}
_clients_lock = threading.Lock()


def _botocore() -> botocore.session.Session:
    """A session that reads neither a profile nor a file of the person's own."""
    session = botocore.session.Session(
        session_vars=dict.fromkeys(("profile", "config_file", "credentials_file"), _NOWHERE)
    )
    session.register_component("data_loader", _LOADER)
    return session


@cache
def _model(service: str) -> tuple[ServiceModel, dict[str, str]]:
    model = ServiceModel(_LOADER.load_service_model(service, "service-2"), service)
    return model, {xform_name(name): name for name in model.operation_names}


def operation(service: str, method: str) -> OperationModel:
    """The model of the operation that boto3 calls by that method's name."""
    model, names = _model(service)
    return model.operation_model(names[method])


@dataclass(frozen=True)
class Aws:
    """Where the provider works.

    `environment` holds AWS_ENDPOINT_URL and the credentials: no call can reach a real account by mistake. `folder` is
    the one that Terraform runs in, which a relative path in the configuration starts from.
    """

    environment: Mapping[str, str]
    region: str
    folder: Path
    default_tags: Mapping[str, str] = field(default_factory=dict)

    def read(self, path: str) -> bytes:
        return (self.folder / path).read_bytes()

    def client(self, service: str) -> Any:
        """One for all commands of this process: Terraform configures the provider anew for each walk of its graph."""
        key = (service, self.region, *(self.environment.get(name) for name in REACH))
        with _clients_lock:
            if key not in _clients:
                _clients[key] = self._new_client(service)
            return _clients[key]

    def _new_client(self, service: str) -> Any:
        endpoint, *keys = (self.environment.get(name) for name in REACH)
        session = boto3.session.Session(*keys, region_name=self.region, botocore_session=_botocore())
        settings = Config(
            retries={"total_max_attempts": 1},
            inject_host_prefix=False,
            max_pool_connections=16,
            proxies={},
            s3={"addressing_style": "path"},
        )
        return session.client(service, endpoint_url=endpoint, config=settings)
