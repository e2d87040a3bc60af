"""The embedded AWS's process: MiniStack on a free loopback port, with what it lacks added before it serves.

`python -m millrace.local.server FOLDER`, started by `millrace.local.instance.Instance.start`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

from millrace.local import (
    bedrock,
    dynamodb_updates,
    ecs,
    event_targets,
    faults,
    kendra,
    lambda_runtime,
    metrics,
    pipes,
    queues,
    s3_events,
    s3_permissions,
    schedules,
    sqs_permissions,
    states,
    streams,
)
from millrace.local.acting import Acting
from millrace.local.calls import CallLog, record
from millrace.local.event_source_mappings import Mappings
from millrace.local.gateway import Gateway, Route
from millrace.local.iam import Authority, Evaluator, Everything
from millrace.local.images import Images
from millrace.local.instance import ROOT_KEY, Instance
from millrace.local.options import Options
from millrace.local.pace import Pace
from millrace.local.process import Process
from millrace.local.targets import Targets

GRACE_SECONDS = 1.0
# The loop shares the interpreter with the threads that index, run functions and interpret state machines; with
# Python's 5 ms each answer waits that long for its turn while they are busy.
SWITCH_SECONDS = 0.0005
KEEP_ALIVE_SECONDS = 75.0


def main(folder: Path) -> None:
    options = Options.read(folder)
    listener = listen()
    port = listener.getsockname()[1]
    instance = Instance(
        folder=folder,
        url=f"http://127.0.0.1:{port}",
        region=options.region,
        account=options.account,
        process=Process.current(),
        started_at=time.time(),
    )
    instance.write()
    substrate = load_substrate(port, options)
    with ExitStack() as endings:
        gateway = Gateway(substrate, install_overlays(substrate, instance, options, endings))
        sys.setswitchinterval(SWITCH_SECONDS)
        asyncio.run(run(gateway, listener))
    logging.shutdown()
    # Threads of executions that still wait would keep the interpreter; nothing of theirs is worth keeping.
    os._exit(0)


def listen() -> socket.socket:
    """A listening socket on a free loopback port: bound here, so no other process can take the port in between."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", 0))
    return listener


def load_substrate(port: int, options: Options) -> ModuleType:
    """Import MiniStack, which reads its settings from the environment while it is imported."""
    os.environ.update(
        {
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_ACCOUNT_ID": options.account,
            "MINISTACK_REGION": options.region,
            "AUTH": str(options.enforce_iam).lower(),
            "LOG_LEVEL": options.log_level,
            "AWS_ACCESS_KEY_ID": ROOT_KEY,
            "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
            "AWS_DEFAULT_REGION": options.region,
            "AWS_REGION": options.region,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_EC2_METADATA_DISABLED": "true",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": "unix:///nonexistent",
        }
    )
    from ministack import app

    return app


def install_overlays(
    substrate: ModuleType, instance: Instance, options: Options, endings: ExitStack
) -> Mapping[tuple[str, str], Route]:
    """Add what MiniStack lacks and mend what it does otherwise; the routes of `/_millrace/`. What has to be ended with
    the server is left in `endings`."""
    folder, region, account = instance.folder, instance.region, instance.account
    calls, ordered = CallLog(), faults.Faults()
    authority: Authority = Everything()
    if options.enforce_iam:
        record(calls)
        authority = Evaluator(region, account)
    acting = Acting(authority, ordered)
    kendra_pace = Pace(
        requests_per_second=options.kendra_requests_per_second,
        indexing_seconds=options.kendra_indexing_seconds,
        creating_seconds=options.kendra_creating_seconds,
    )
    bedrock_pace = bedrock.Pace(
        requests_per_second=options.bedrock_requests_per_second,
        indexing_seconds=options.bedrock_indexing_seconds,
        creating_seconds=options.bedrock_creating_seconds,
        ingestion_seconds=options.bedrock_ingestion_seconds,
        ingestion_starts_per_second=options.bedrock_ingestion_starts_per_second,
        ingestion_reads_per_second=options.bedrock_ingestion_reads_per_second,
        invocations_per_second=options.bedrock_invocations_per_second,
    )
    indices = kendra.install(substrate, folder, kendra_pace, authority=authority, region=region, account=account)
    bases = bedrock.install(substrate, folder, bedrock_pace, authority=authority, region=region, account=account)
    images = Images.of(instance)
    lambda_runtime.install(folder / "tmp" / "lambda", instance.url, images)
    endings.callback(lambda_runtime.end_all)
    s3_events.install()
    s3_permissions.install()
    sqs_permissions.install()
    dynamodb_updates.install()
    event_targets.install(authority, instance.client)
    targets = Targets(substrate)
    mappings = Mappings(authority)
    mappings.install()
    pipes.install(substrate, queues.install(mappings, acting, ordered), acting, targets)
    readers = streams.install(mappings, acting, targets, retry_seconds=options.stream_retry_seconds)
    clock = schedules.install(acting, targets)
    store = metrics.Store()
    alarms = metrics.install(store)
    containers = ecs.install(
        substrate,
        folder / "tmp" / "ecs",
        instance.url,
        images,
        acting=acting,
        authority=authority,
        keep=store.keep,
    )
    endings.callback(containers.end_all)
    states.install(substrate, instance.url, ordered, enforce_iam=options.enforce_iam)
    faults.install(substrate, ordered)
    return {
        ("GET", "/_millrace/status"): lambda _: status(instance),
        ("GET", "/_millrace/calls"): lambda _: calls.all(),
        ("DELETE", "/_millrace/calls"): lambda _: calls.clear(),
        ("GET", "/_millrace/faults"): lambda _: ordered.all(),
        ("PUT", "/_millrace/faults"): lambda rule: ordered.order(faults.Rule.of(rule)),
        ("DELETE", "/_millrace/faults"): lambda told: ordered.clear() if told is None else ordered.forget(told["id"]),
        ("GET", "/_millrace/held"): lambda _: ordered.held.all(),
        ("PUT", "/_millrace/held"): lambda told: ordered.let_go(told),
        ("POST", "/_millrace/rest"): lambda asked: ordered.at_rest(**asked),
        ("GET", "/_millrace/schedules"): lambda _: clock.all(),
        ("PUT", "/_millrace/schedules"): lambda told: clock.fire(told["name"], told["group"]),
        ("PUT", "/_millrace/alarms"): lambda _: alarms.evaluate_all(),
        ("GET", "/_millrace/streams"): lambda _: readers.all(),
        ("GET", "/_millrace/kendra"): lambda _: indices.statistics(),
        ("PUT", "/_millrace/kendra"): lambda changes: indices.set_pace(changes),
        **bases.routes(),
        **containers.routes(),
    }


def status(instance: Instance) -> dict[str, Any]:
    return {
        "region": instance.region,
        "account": instance.account,
        "port": int(instance.url.rpartition(":")[2]),
        "uptimeSeconds": round(time.time() - instance.started_at, 3),
    }


async def run(gateway: Gateway, listener: socket.socket) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.loglevel = "WARNING"
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
    config.graceful_timeout = GRACE_SECONDS
    config.shutdown_timeout = GRACE_SECONDS
    await serve(gateway, config, shutdown_trigger=stop.wait)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
