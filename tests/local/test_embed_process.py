"""The embedding worker as ECS runs it: a process of its own, an order to stop, and another process after it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from millrace.local.instance import Instance
from tests.fakes.deployed import eventually
from tests.fakes.embed_surroundings import DIMENSION, STOP_SECONDS, OneExport

pytestmark = pytest.mark.network

LAMBDAS = Path(__file__).parents[2] / "lambdas"


@contextmanager
def worker(aws: Instance, deployment: OneExport, *, per_second: int) -> Iterator[subprocess.Popen[str]]:
    environment = {
        **aws.environment(),
        **deployment.variables(per_second=per_second),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(LAMBDAS),
    }
    command = [sys.executable, "-m", "vector_store.embed"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def stop(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """Order the process to stop, as ECS does; its log without the metrics. It must end by itself, in time and well."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=STOP_SECONDS)
    assert process.returncode == 0, said
    assert time.monotonic() - began < STOP_SECONDS
    return [line for line in map(json.loads, said.splitlines()) if "_aws" not in line]


def test_a_process_that_is_told_to_stop_leaves_what_the_next_one_ends(embedded_aws: Instance) -> None:
    deployment = OneExport(embedded_aws)
    before = deployment.invocations()
    with worker(embedded_aws, deployment, per_second=40) as first:
        eventually(lambda: "lines/done.json" in deployment.files())
        assert "until" in deployment.lease()
        messages = [line["message"] for line in stop(first)]
    assert messages == ["a message is left for the next try", "stopped"]
    assert "until" not in deployment.lease()
    assert deployment.files().keys() == {"lines/00000.f32", "lines/00000.ndjson", "lines/done.json"}
    assert deployment.written() == {}
    left = deployment.invocations()
    with worker(embedded_aws, deployment, per_second=1000) as second:
        eventually(deployment.written)
        stop(second)
    assert deployment.written()["lines"] == {"N": str(OneExport.LINES)}
    assert deployment.written()["words"] == {"N": str(OneExport.WORDS)}
    files = deployment.files()
    assert files["lines/00000.f32"] == OneExport.LINES * DIMENSION * 4
    assert files["words/00000.f32"] == OneExport.WORDS * DIMENSION * 4
    assert deployment.invocations() - left == OneExport.WORDS, "what was whole is not embedded again"
    assert OneExport.LINES < left - before < OneExport.LINES + OneExport.WORDS
    queue = deployment.sqs.get_queue_attributes(QueueUrl=deployment.queue, AttributeNames=["All"])["Attributes"]
    assert queue["ApproximateNumberOfMessages"] == queue["ApproximateNumberOfMessagesNotVisible"] == "0"
