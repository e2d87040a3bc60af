"""Terraform's plugin protocol, version 6: one method a remote call; what goes wrong becomes a diagnostic.

Terraform finds the server by re-attachment (TF_REATTACH_PROVIDERS), so nothing is downloaded and no lock file is
needed. The server runs on threads of the process that asked for it and ends with it.
"""
# ruff: noqa: N802 (the protocol names the methods)

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from functools import cache, wraps
from pathlib import Path
from typing import Any

import grpc
from botocore.exceptions import ClientError
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc

from millrace.local.terraform_provider import schema
from millrace.local.terraform_provider.aws import Aws
from millrace.local.terraform_provider.data_sources import DATA_SOURCES
from millrace.local.terraform_provider.errors import HalfMade, NotSent, ProviderError, Refusal
from millrace.local.terraform_provider.naming import is_set
from millrace.local.terraform_provider.resource import ResourceType
from millrace.local.terraform_provider.types import TYPES
from millrace.local.terraform_provider.wire import decode, encode, holds_unknown, settle

PROVIDER_ARGUMENTS = frozenset({"region", "default_tags"})
THREADS = 16
STOP_SECONDS = 2.0

log = logging.getLogger(__name__)


def diagnosed(response: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Answer with the error where the method raises one: a provider that crashes tells Terraform nothing."""

    def wrap(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(self: Provider, request: Any, _context: Any) -> Any:
            subject = getattr(request, "type_name", "provider aws")
            try:
                return method(self, request)
            except HalfMade as half:
                return response(
                    new_state=encode(half.state),
                    legacy_type_system=True,
                    diagnostics=diagnostics(subject, half.cause),
                )
            except Exception as error:
                return response(diagnostics=diagnostics(subject, error))

        return call

    return wrap


def diagnostics(subject: str, error: Exception) -> list[pb.Diagnostic]:
    if isinstance(error, NotSent):
        return [
            diagnostic(
                f'{subject}: the local provider does not send "{path}"',
                "hashicorp/aws knows this argument; the embedded AWS would never hear of it. Leave it out, or teach it "
                "to millrace/local/terraform_provider/types.",
                path,
            )
            for path in error.paths
        ]
    if isinstance(error, ClientError):
        said = error.response["Error"]
        return [diagnostic(f"{subject}: {error.operation_name}: {said['Code']}", said.get("Message", ""))]
    if isinstance(error, ProviderError | OSError):
        return [diagnostic(f"{subject}: {error}", "")]
    log.error("%s", subject, exc_info=error)
    return [diagnostic(f"{subject}: {type(error).__name__}", str(error))]


def diagnostic(summary: str, detail: str, path: str = "") -> pb.Diagnostic:
    steps = [pb.AttributePath.Step(attribute_name=path.split(".")[0])] if path else []
    return pb.Diagnostic(
        severity=pb.Diagnostic.ERROR,
        summary=summary,
        detail=detail,
        attribute=pb.AttributePath(steps=steps) if steps else None,
    )


class Provider(rpc.ProviderServicer):
    """`environment` holds AWS_ENDPOINT_URL and the credentials, for the commands that reach AWS.

    `folder` is the one that Terraform runs in.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment = environment
        self._folder = folder
        self._configured: Aws | None = None

    @property
    def _aws(self) -> Aws:
        if self._configured is None:
            raise Refusal("asked for a resource before the provider was configured")
        return self._configured

    @diagnosed(pb.GetProviderSchema.Response)
    def GetProviderSchema(self, _request: Any) -> Any:
        return schema_message()

    @diagnosed(pb.ValidateProviderConfig.Response)
    def ValidateProviderConfig(self, _request: Any) -> Any:
        return pb.ValidateProviderConfig.Response()

    @diagnosed(pb.ConfigureProvider.Response)
    def ConfigureProvider(self, request: Any) -> Any:
        config = decode(request.config, schema.load()["provider"]["block"])
        unheeded = [name for name, value in config.items() if is_set(value) and name not in PROVIDER_ARGUMENTS]
        if unheeded:
            raise NotSent(unheeded)
        if holds_unknown(config):
            raise Refusal("region and default_tags must be known before anything is planned")
        if not self._environment.get("AWS_ENDPOINT_URL"):
            raise Refusal("AWS_ENDPOINT_URL is not set; the local provider speaks to an embedded AWS only")
        tags = config.get("default_tags") or [{}]
        self._configured = Aws(
            self._environment,
            config.get("region") or self._environment["AWS_REGION"],
            self._folder,
            tags[0].get("tags") or {},
        )
        return pb.ConfigureProvider.Response()

    @diagnosed(pb.ValidateResourceConfig.Response)
    def ValidateResourceConfig(self, request: Any) -> Any:
        """As hashicorp/aws: what only the service decides cannot be set. Everything else waits for the plan."""
        block = schema.resource_block(request.type_name)
        return pb.ValidateResourceConfig.Response(
            diagnostics=[
                diagnostic(f'{request.type_name}: "{path}" cannot be set', "The service decides it.", path)
                for path in schema.unconfigurable(block, decode(request.config, block))
            ]
        )

    @diagnosed(pb.ValidateDataResourceConfig.Response)
    def ValidateDataResourceConfig(self, _request: Any) -> Any:
        return pb.ValidateDataResourceConfig.Response()

    @diagnosed(pb.UpgradeResourceState.Response)
    def UpgradeResourceState(self, request: Any) -> Any:
        return pb.UpgradeResourceState.Response(upgraded_state=pb.DynamicValue(json=request.raw_state.json))

    @diagnosed(pb.PlanResourceChange.Response)
    def PlanResourceChange(self, request: Any) -> Any:
        kind = resource_type(request.type_name)
        prior, proposed = (
            decode(request.prior_state, kind.block),
            decode(request.proposed_new_state, kind.block),
        )
        if proposed is None:
            return pb.PlanResourceChange.Response(planned_state=encode(None), legacy_type_system=True)
        config = decode(request.config, kind.block)
        kind.refuse(config)
        plan = kind.plan(prior, config, proposed, self._aws)
        return pb.PlanResourceChange.Response(
            planned_state=encode(plan.state),
            legacy_type_system=True,
            requires_replace=[
                pb.AttributePath(steps=[pb.AttributePath.Step(attribute_name=name)]) for name in plan.replace
            ],
        )

    @diagnosed(pb.ApplyResourceChange.Response)
    def ApplyResourceChange(self, request: Any) -> Any:
        kind = resource_type(request.type_name)
        prior, planned = decode(request.prior_state, kind.block), decode(request.planned_state, kind.block)
        if planned is None:
            kind.destroy(prior, self._aws)
            new = None
        elif prior is None:
            new = kind.make(planned, decode(request.config, kind.block), self._aws)
        else:
            new = kind.change(prior, planned, decode(request.config, kind.block), self._aws)
        return pb.ApplyResourceChange.Response(new_state=encode(settle(new)), legacy_type_system=True)

    @diagnosed(pb.ReadResource.Response)
    def ReadResource(self, request: Any) -> Any:
        kind = resource_type(request.type_name)
        state = kind.look(decode(request.current_state, kind.block), self._aws)
        return pb.ReadResource.Response(new_state=encode(state))

    @diagnosed(pb.ReadDataSource.Response)
    def ReadDataSource(self, request: Any) -> Any:
        source = DATA_SOURCES.get(request.type_name)
        if source is None:
            raise Refusal("the local provider does not know this data source")
        config = decode(request.config, schema.data_block(request.type_name))
        return pb.ReadDataSource.Response(state=encode(source.state(request.type_name, config, self._aws)))

    @diagnosed(pb.ImportResourceState.Response)
    def ImportResourceState(self, _request: Any) -> Any:
        raise Refusal("the local provider imports nothing; let it create the object")

    @diagnosed(pb.StopProvider.Response)
    def StopProvider(self, _request: Any) -> Any:
        return pb.StopProvider.Response()


def resource_type(name: str) -> ResourceType:
    """Raises Refusal. (A type that the schema file lacks is refused by Terraform itself.)"""
    if name not in TYPES:
        raise Refusal("the local provider does not know this resource type")
    return TYPES[name]


@cache
def schema_message() -> pb.GetProviderSchema.Response:
    whole = schema.load()
    return pb.GetProviderSchema.Response(
        provider=_schema(whole["provider"]),
        resource_schemas={name: _schema(each) for name, each in whole["resource_schemas"].items()},
        data_source_schemas={name: _schema(each) for name, each in whole["data_source_schemas"].items()},
        server_capabilities=pb.ServerCapabilities(get_provider_schema_optional=True),
    )


def _schema(described: Mapping[str, Any]) -> pb.Schema:
    return pb.Schema(version=described["version"], block=_block(described["block"]))


def _block(block: schema.Block) -> pb.Schema.Block:
    return pb.Schema.Block(
        attributes=[
            pb.Schema.Attribute(
                name=name,
                type=json.dumps(spec["type"]).encode(),
                required=spec.get("required", False),
                optional=spec.get("optional", False),
                computed=spec.get("computed", False),
            )
            for name, spec in schema.attributes(block).items()
        ],
        block_types=[
            pb.Schema.NestedBlock(
                type_name=name,
                block=_block(nested["block"]),
                nesting=nested["nesting_mode"].upper(),
                min_items=nested.get("min_items", 0),
                max_items=nested.get("max_items", 0),
            )
            for name, nested in schema.blocks(block).items()
        ],
    )


@contextmanager
def serve(environment: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Run the provider on loopback for as long as the context lasts; gives the value of TF_REATTACH_PROVIDERS."""
    server = grpc.server(
        futures.ThreadPoolExecutor(THREADS, thread_name_prefix="terraform-provider"),
        options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)],
    )
    rpc.add_ProviderServicer_to_server(Provider(environment, folder), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield json.dumps(
            {
                schema.PROVIDER: {
                    "Protocol": "grpc",
                    "ProtocolVersion": 6,
                    "Pid": os.getpid(),
                    "Test": True,  # Terraform neither starts nor ends the process
                    "Addr": {"Network": "tcp", "String": f"127.0.0.1:{port}"},
                }
            }
        )
    finally:
        server.stop(STOP_SECONDS).wait()
